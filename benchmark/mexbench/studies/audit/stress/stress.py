"""The stress test of a run: what is missing is trained, then every model and alteration is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mexbench.data.cache import Cache
from mexbench.errors import counted
from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.plan import RowGroupPlan
from mexbench.fingerprint import digest
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.task import Outcome
from mexbench.studies.audit.cases import Case, Predicted
from mexbench.studies.audit.leak import score_random
from mexbench.studies.audit.stress.alterations import Alteration
from mexbench.studies.audit.stress.altered_samples import unaltered_inputs
from mexbench.studies.audit.stress.measure import SHOWN, measure, reproduced
from mexbench.studies.audit.stress.trainings import MOST_BYTES, StressPart

FOLDER = "stress"


@dataclass(frozen=True)
class Stress:
    """The rows of a run and what is done to their test sides.

    Args:
        parts: Rows that share an input, together.
        alterations: In the order of the table.
        run: The run folder with the results on unaltered pictures.
    """

    parts: Sequence[StressPart]
    alterations: Sequence[Alteration]
    run: RunFolder

    def train(
        self,
        executor: Executor,
        load_progress: Callable[[int], Callable[[], None]],
        notify: Callable[[Outcome], None],
    ) -> None:
        """Make the altered samples and train what has no result.

        Args:
            executor: Where trainings run.
            load_progress: Called with the number of clips to put through the steps; returns what is called after each.
            notify: Called with every outcome once it is stored.
        """
        for part in self.parts:
            for batch, tasks in part.batches():
                clips = len(part.plan.data.sources) * sum(len(alteration.strengths) for alteration in batch)
                samples = part.load(batch, load_progress(clips))
                part.train(batch, tasks, samples, executor, notify)

    def waiting(self) -> int:
        """Count the trainings that are to be done."""
        return sum(len(tasks) for part in self.parts for _, tasks in part.batches())

    def rows(self) -> Iterator[dict[str, Any]]:
        """Measure each model under each alteration."""
        for part in self.parts:
            for case in part.cases:
                for alteration in self.alterations:
                    about = {"model": case.model, "alteration": alteration.name}
                    yield {**about, **self._row(part, case, alteration)}

    def _row(self, part: StressPart, case: Case, alteration: Alteration) -> dict[str, Any]:
        results = part.results(case, alteration)
        if len(results) < len(case.tasks):
            failed = [failure for failure in part.failures if failure.task.model == case.model]
            if failed:
                return {"status": "failed", "why": f"{failed[0].task}: {failed[0].error}"}
            return {"status": "incomplete", "why": f"no result of {counted(len(case.tasks) - len(results), 'task')}"}
        honest = self._of_run(case)
        return {
            "status": "measured",
            "reproduced": honest is not None and reproduced(case, honest, results),
            "note": _note(part),
            **measure(case, alteration, results),
        }

    def _of_run(self, case: Case) -> Predicted | None:
        results = [self.run.read_result(task) for task in case.tasks]
        stored = [result for result in results if result is not None]
        return case.predicted(stored, case.repeats) if len(stored) == len(results) else None

    def null(self, case: Case) -> dict[str, list[float]]:
        """Return mean and range of 95 % of predictors that draw each answer by the classes' frequencies."""
        tested = np.unique(np.concatenate([test for _, test in case.sides().values()]))
        rng = np.random.default_rng(int(digest(["null", "none"]), 16))
        drawn = score_random(case, [tested], rng)
        return {
            name: [float(drawn[name].mean()), *(float(end) for end in np.quantile(drawn[name], [0.025, 0.975]))]
            for name in SHOWN
        }


def stress_parts(
    plans: Sequence[RowGroupPlan],
    cases: Sequence[Case],
    alterations: Sequence[Alteration],
    root: Path,
    cache: Cache | None,
    *,
    memory: int | None = None,
) -> list[StressPart]:
    """Bring the rows of a run together by their input.

    Args:
        plans: The parts of the run that keep people apart.
        cases: The rows to test.
        alterations: What is done.
        root: Folder of the audit.
        cache: Where altered samples are kept; without one, they are made whenever they are needed.
        memory: Bytes that all processes together may take: a quarter of them at most is for altered samples.
    """
    most_bytes = MOST_BYTES if memory is None else min(MOST_BYTES, memory // 4)
    parts = []
    for plan in plans:
        names = {model.name for model in plan.part.models}
        if rows := [case for case in cases if case.model in names]:
            parts.append(StressPart(plan, rows, alterations, root / FOLDER, cache, most_bytes))
    return parts


def _note(part: StressPart) -> str:
    steps = unaltered_inputs(part.plan.part)
    if not steps:
        return ""
    return f"what {', '.join(steps)} knows of a clip from elsewhere stays that of the unaltered recording"
