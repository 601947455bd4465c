"""Train a run and the leaks of choice of epoch at once: the last epoch is the run's, all of them the audit's."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.interfaces import EpochsModel
from mexbench.runs.task import Outcome, Success, Task, TaskGroup
from mexbench.studies.audit.cases import Case, Job
from mexbench.studies.audit.epoch_selection import EpochLeak
from mexbench.studies.audit.leak import AuditLeak


@dataclass(frozen=True)
class Recorder:
    """Puts trainings that store the answers of every epoch in the place of a run's own.

    Args:
        jobs: The training of each row whose run it can take the place of; see ``recordable``.
        root: Where the audit's results go.
    """

    jobs: Mapping[str, Job]
    root: Path

    def wrap(self, executor: Executor) -> Executor:
        """Return an executor that records."""
        return _Recording(executor, self)

    def task_of_audit(self, task: Task) -> Task | None:
        """Return the audit's task on the same fold; None where this training is not recorded."""
        job = self.jobs.get(task.model)
        return job.by_fold.get((task.seed, task.fold)) if job else None


@dataclass(frozen=True)
class _Recording(Executor):
    executor: Executor
    recorder: Recorder

    def run(self, groups: Sequence[TaskGroup], runners: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        """Run every task; those of recorded rows give the scores of the last epoch, and store those of all."""
        ours, others = [], []
        for group in groups:
            recorded = all(self.recorder.task_of_audit(task) is not None for task in group)
            (ours if recorded else others).append(group)
        rows = {group[0].model for group in ours}
        recording = {row: self.recorder.jobs[row].workload for row in rows}
        for chosen, workloads in ((ours, recording), (others, runners)):
            if chosen:
                used = {group[0].model: workloads[group[0].model] for group in chosen}
                with closing(self.executor.run(chosen, used)) as outcomes:
                    for outcome in outcomes:
                        yield self._record(outcome, runners) if chosen is ours else outcome

    def _record(self, outcome: Outcome, runners: Mapping[str, TaskRunner]) -> Outcome:
        """Store what the audit needs of a training, and return what the run needs of it."""
        task = self.recorder.task_of_audit(outcome.task)
        if task is None or not isinstance(outcome, Success):
            return outcome
        job = self.recorder.jobs[outcome.task.model]
        stored = dataclasses.replace(outcome, task=task, history=(), health={})
        job.folder(self.recorder.root).write_result(stored, job.ids[task.fold])
        width = runners[outcome.task.model].n_classes
        # the training may happen when the predictor is called, so the two times cannot be told apart
        seconds = outcome.fit_s + outcome.predict_s
        return dataclasses.replace(outcome, scores=outcome.scores[:, -width:], fit_s=seconds, predict_s=0.0)


def recorder(cases: Sequence[Case], leaks: Sequence[AuditLeak], root: Path) -> Recorder:
    """Return what records the epochs of those models that a leak of choice of epoch applies to.

    A model is left as it is where its own training may end before the last epoch, or where it is tuned.
    """
    jobs: dict[str, Job] = {}
    for case in cases:
        model = case.instance
        if not isinstance(model, EpochsModel) or not model.trains_all_epochs() or case.model in case.workload.tunings:
            continue
        for leak in leaks:
            if isinstance(leak, EpochLeak) and leak.inapplicable_reason(case) is None:
                jobs[case.model] = leak.jobs(case)[0]
    return Recorder(jobs, root)
