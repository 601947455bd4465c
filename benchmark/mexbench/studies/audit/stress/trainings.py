"""Train each fold once more, exactly as the run does, and test it on the altered pictures of its own test side.

A task's altered samples follow those of the run in one array, a file that is mapped: the training side stays what it
was, to the position, and the test side is the fold's samples unaltered and at each strength. So one training serves
several alterations, models that train folds together still do, and no altered sample can ever train. Results are stored
by alteration, each in a folder of its own, so that alterations may be added later and a run that was stopped goes on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mexbench.data.cache import Cache
from mexbench.data.stored_arrays import stored_together
from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.plan import RowGroupPlan
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.fingerprint import digest
from mexbench.interfaces import Sample
from mexbench.runs.run_folder import RunFolder, StoredResult
from mexbench.runs.task import Failure, Outcome, Task, TaskGroup
from mexbench.studies.audit.cases import Case
from mexbench.studies.audit.stress.alterations import Alteration
from mexbench.studies.audit.stress.altered_samples import AlteredPipeline, AlteredSamples, load_altered

#: Bytes of altered samples that one training is tested on; more alterations than fit are trained again.
MOST_BYTES = 2**30
#: Called with what was just done.
Notify = Callable[[Outcome], None]


def altered_id(sample: Sample, level: int) -> str:
    """Return what a result calls a sample at a strength, counted from 1; the sample's own id for 0, unaltered."""
    return f"{sample.sample_id}@{level}" if level else sample.sample_id


@dataclass(frozen=True)
class StressPart:
    """The rows of a run that share an input, with what they are tested on.

    Args:
        plan: Of these rows.
        cases: The rows.
        alterations: What is done to the test side.
        root: Folder of the results; each alteration has its own in it.
        cache: Where altered samples are kept.
        most_bytes: Of the altered samples of all alterations that one training is tested on. A model that reads no rows
            gets a copy of a fold's part of them.
    """

    plan: RowGroupPlan
    cases: Sequence[Case]
    alterations: Sequence[Alteration]
    root: Path
    cache: Cache | None = None
    most_bytes: int = MOST_BYTES
    failures: list[Failure] = field(default_factory=list)

    def task(self, task: Task, alteration: Alteration) -> Task:
        """Return the training of a task of the run that is tested on an alteration."""
        return dataclasses.replace(
            task, fingerprint=digest([task.fingerprint, "stress", self._recipes[alteration.name]])
        )

    def folder(self, alteration: Alteration) -> RunFolder:
        """Return the folder of an alteration's results."""
        return RunFolder(self.root / alteration.name)

    def results(self, case: Case, alteration: Alteration) -> list[StoredResult]:
        """Return what is stored, in the order of the tasks."""
        folder = self.folder(alteration)
        stored = (folder.read_result(self.task(task, alteration)) for task in case.tasks)
        return [result for result in stored if result is not None]

    def missing(self) -> dict[str, set[Task]]:
        """Return the run's tasks that have no result under an alteration: its name -> tasks."""
        missing = {}
        for alteration in self.alterations:
            folder = self.folder(alteration)
            tasks = [task for case in self.cases for task in case.tasks]
            missing[alteration.name] = {t for t in tasks if folder.read_result(self.task(t, alteration)) is None}
        return missing

    def batches(self) -> Iterator[tuple[list[Alteration], set[Task]]]:
        """Yield alterations that are tested together, with the tasks that lack a result under one of them."""
        missing = self.missing()
        waiting = [alteration for alteration in self.alterations if missing[alteration.name]]
        each = self.plan.arrays.x.nbytes * max((len(alteration.strengths) for alteration in waiting), default=1)
        together = max(1, self.most_bytes // max(each, 1))
        for start in range(0, len(waiting), together):
            batch = waiting[start : start + together]
            yield batch, set().union(*(missing[alteration.name] for alteration in batch))

    def load(self, batch: Sequence[Alteration], progress: Callable[[], None]) -> dict[tuple[str, int], AlteredSamples]:
        """Make the altered samples of some alterations: name and level -> samples."""
        return {
            (alteration.name, level): load_altered(
                AlteredPipeline(self.plan.part, self.cache, alteration, strength),
                self.plan.data,
                self.plan.arrays.x,
                progress,
            )
            for alteration in batch
            for level, strength in enumerate(alteration.strengths, start=1)
        }

    def train(
        self,
        batch: Sequence[Alteration],
        tasks: set[Task],
        samples: Mapping[tuple[str, int], AlteredSamples],
        executor: Executor,
        notify: Notify,
    ) -> None:
        """Run tasks and store what they give under each alteration of a batch."""
        layout = _Layout.of(self.plan, samples)
        runner = layout.runner(self.plan.task_runner())
        groups = [group for case in self.cases for group in _groups(case) if not tasks.isdisjoint(group)]
        if not groups:
            return
        with closing(executor.run(groups, dict.fromkeys((case.model for case in self.cases), runner))) as outcomes:
            for outcome in outcomes:
                if outcome.task not in tasks:
                    continue
                for alteration in batch:
                    task = self.task(outcome.task, alteration)
                    if isinstance(outcome, Failure):
                        self.folder(alteration).write_failure(dataclasses.replace(outcome, task=task))
                        continue
                    ids, rows = layout.tested(outcome.task.fold, alteration.name)
                    result = dataclasses.replace(outcome, task=task, scores=outcome.scores[rows], history=())
                    self.folder(alteration).write_result(result, ids)
                if isinstance(outcome, Failure):
                    self.failures.append(outcome)
                notify(outcome)

    @cached_property
    def _recipes(self) -> dict[str, list[str]]:
        return {
            alteration.name: [
                AlteredPipeline(self.plan.part, None, alteration, strength).recipe for strength in alteration.strengths
            ]
            for alteration in self.alterations
        }


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where samples lie in the array of a batch: first the run's own, then those of each alteration and strength.

    Args:
        plan: Of the run's samples.
        samples: Name and level -> altered samples.
        places: Name and level -> position in the array of each of the run's samples (n,), -1 where it has none.
        tests: Fold -> positions of its test side among the run's samples, rising.
    """

    plan: RowGroupPlan
    samples: Mapping[tuple[str, int], AlteredSamples]
    places: Mapping[tuple[str, int], NDArray[np.intp]]
    tests: Mapping[str, NDArray[np.intp]]

    @classmethod
    def of(cls, plan: RowGroupPlan, samples: Mapping[tuple[str, int], AlteredSamples]) -> _Layout:
        n_samples = len(plan.data.samples)
        places, end = {}, n_samples
        for key, altered in samples.items():
            place = np.full(n_samples, -1, dtype=np.intp)
            place[altered.positions] = end + np.arange(len(altered.positions))
            places[key] = place
            end += len(altered.positions)
        return cls(plan, samples, places, {name: test for name, (_, test) in plan.task_runner().folds.items()})

    def runner(self, runner: TaskRunner) -> TaskRunner:
        """Return the run's task runner with altered samples behind its own, which test and never train."""
        positions = [altered.positions for altered in self.samples.values()]
        rows = np.concatenate([np.arange(len(runner.y)), *positions])
        return dataclasses.replace(
            runner,
            x=stored_together([runner.x, *(altered.x for altered in self.samples.values())]),
            y=runner.y[rows],
            groups=runner.groups[rows],
            folds={name: (train, self._test_side(name)) for name, (train, _) in runner.folds.items()},
        )

    def _test_side(self, fold: str) -> NDArray[np.intp]:
        """Return positions in the array: the unaltered samples, then those of each alteration and strength."""
        test = self.tests[fold]
        altered = [place[test][place[test] >= 0] for place in self.places.values()]
        return np.concatenate([test, *altered])

    def tested(self, fold: str, name: str) -> tuple[list[str], NDArray[np.intp]]:
        """Return what of a fold's scores belongs to an alteration: ids, and rows of the scores.

        The unaltered samples belong to each.
        """
        test = self.tests[fold]
        samples = self.plan.data.samples
        ids = [altered_id(samples[index], 0) for index in test]
        rows, start = [np.arange(len(test))], len(test)
        for (alteration, level), place in self.places.items():
            answered = test[place[test] >= 0]
            if alteration == name:
                ids += [altered_id(samples[index], level) for index in answered]
                rows.append(start + np.arange(len(answered)))
            start += len(answered)
        return ids, np.concatenate(rows)


def _groups(case: Case) -> Iterator[TaskGroup]:
    """Cut the tasks of a case as the run does."""
    for _, tasks in groupby(case.tasks, key=lambda task: task.seed):
        row = list(tasks)
        step = case.folds_per_group
        yield from (tuple(row[start : start + step]) for start in range(0, len(row), step))
