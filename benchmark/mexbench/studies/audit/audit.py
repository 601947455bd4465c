"""Run the trainings that the leaks need, then measure: one row per model and leak."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.evaluation.executors.base import Executor
from mexbench.fingerprint import digest
from mexbench.metrics.classification import bootstrap_weights, interval
from mexbench.metrics.few_subjects import enough
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.task import Failure, Outcome
from mexbench.studies.audit.cases import Case, Job, Predicted
from mexbench.studies.audit.chosen_on_test import AuthorsRule, SettingsOnTest
from mexbench.studies.audit.epoch_selection import EarlyStopping, EpochGlobal, EpochLeak, EpochPerSubject, n_epochs
from mexbench.studies.audit.fit_on_all import Oversampling, Pca, Scaler, Selection
from mexbench.studies.audit.leak import AuditLeak, Pair, pooled, score_random
from mexbench.studies.audit.misreported import OverFolds, PrecisionAsRecall
from mexbench.studies.audit.random_splits import ClipSplit, FrameSplit
from mexbench.studies.audit.taxonomy import label

#: In the order of the table.
LEAKS: tuple[type[AuditLeak], ...] = (
    FrameSplit, ClipSplit, AuthorsRule, EpochPerSubject, EpochGlobal, EarlyStopping, SettingsOnTest, Scaler, Pca,
    Selection, Oversampling,
    OverFolds, PrecisionAsRecall,
)  # fmt: skip
SHOWN = ("uf1", "uar")
Summary = Mapping[str, Sequence[float]]


@dataclass
class Audit:
    """The cases and leaks of one audit, with their failures.

    Args:
        cases: The run's models.
        leaks: In the order of the table.
        run: The run folder with the honest results.
        root: Where the leaks' results go.
    """

    cases: Sequence[Case]
    leaks: Sequence[AuditLeak]
    run: RunFolder
    root: Path
    failures: list[tuple[Job, Failure]] = field(default_factory=list)
    _nulls: dict[tuple[object, ...], Summary] = field(default_factory=dict)

    def jobs(self) -> list[Job]:
        """Return everything that must be trained, each once."""
        jobs: dict[tuple[str, str], Job] = {}
        for leak in self.leaks:
            for case in self.cases:
                if leak.inapplicable_reason(case) is None and self.honest(case) is not None:
                    jobs |= {(case.model, job.place): job for job in leak.jobs(leak.adapt(case))}
        return list(jobs.values())

    def train(self, jobs: Sequence[Job], executor: Executor, notify: Callable[[Job, Outcome], None]) -> None:
        """Run the jobs that are not complete."""
        for job in jobs:
            with closing(job.run(self.root, executor)) as outcomes:
                for outcome in outcomes:
                    if isinstance(outcome, Failure):
                        self.failures.append((job, outcome))
                    notify(job, outcome)

    def honest(self, case: Case) -> Predicted | None:
        """Return the predictions of the run itself, or None where some are missing."""
        results = [self.run.read_result(task) for task in case.tasks]
        stored = [result for result in results if result is not None]
        return case.predicted(stored, case.repeats) if len(stored) == len(results) else None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Measure each leak on each model."""
        for case in self.cases:
            for leak in self.leaks:
                yield {**_about(leak), "model": case.model, **self._row(leak, case)}

    def null(self, case: Case) -> Summary:
        """Score random predictors without any leak."""
        tested = np.unique(np.concatenate([test for _, test in case.sides().values()]))
        key = ("none", len(tested), len(case.samples))
        if key not in self._nulls:
            self._nulls[key] = _summary(score_random(case, [tested], _rng("none")))
        return self._nulls[key]

    def _row(self, leak: AuditLeak, case: Case) -> dict[str, Any]:
        honest = self.honest(case)
        if honest is None:
            return {"status": "incomplete", "why": "the honest run of this model is not complete"}
        if reason := leak.inapplicable_reason(case):
            return {"status": "does not apply", "why": reason}
        adapted = leak.adapt(case)
        jobs = leak.jobs(adapted)
        results = {job.place: job.done(self.root) for job in jobs}
        failed = [
            failure for job, failure in self.failures if job.place in results and failure.task.model == case.model
        ]
        if any(len(results[job.place]) < len(job.tasks) for job in jobs):
            if failed and all(failure.error.startswith(DataError.__name__) for failure in failed):
                return {"status": "does not apply", "why": failed[0].error.partition(": ")[2]}
            why = f"{failed[0].task}: {failed[0].error}" if failed else "some tasks have no result"
            return {"status": "failed" if failed else "incomplete", "why": why}
        return {
            "status": "measured",
            "note": leak.note(adapted),
            **measure(adapted, leak.compare(adapted, honest, results)),
            "null": self._null(leak, adapted, honest),
        }

    def _null(self, leak: AuditLeak, case: Case, honest: Predicted) -> Summary:
        # Nothing but the samples and the number of epochs decides it; models share it.
        key = (leak.name, n_epochs(case) if isinstance(leak, EpochLeak) else 0, len(case.samples),
               *leak.null_key(case))  # fmt: skip
        if key not in self._nulls:
            scored = leak.null(case, honest, _rng(leak.name))
            self._nulls[key] = self.null(case) if scored is None else _summary(scored)
        return self._nulls[key]


def measure(case: Case, pair: Pair) -> dict[str, Any]:
    """Score both sides on the samples that both test, and the difference, with its interval over subjects.

    Returns:
        ``honest``, ``leaky`` and ``inflation`` by score, ``ci`` of the inflation (None where no sample is tested by
        both, or of too few subjects), and the number of samples and of the subjects whose samples both test.
    """
    honest, leaky = pair.on_common_samples
    paired = bool((honest >= 0).any())
    if not paired:
        honest, leaky = pair.honest, pair.leaky
    honest_counts, leaky_counts = case.counts(honest), case.counts(leaky)
    every = np.ones((1, honest_counts.shape[1]))
    honest_scores, leaky_scores = pooled(honest_counts, every), pair.scorer(leaky_counts, every)
    measurement: dict[str, Any] = {
        "honest": {name: float(honest_scores[name][0]) for name in SHOWN},
        "leaky": {name: float(leaky_scores[name][0]) for name in SHOWN},
        "samples": int((leaky >= 0).any(axis=0).sum()),
        "ci": None,
    }
    measurement["inflation"] = {name: measurement["leaky"][name] - measurement["honest"][name] for name in SHOWN}
    tested = honest_counts.sum(axis=(0, 2, 3)) > 0
    measurement["subjects"] = int(tested.sum()) if paired else None
    if paired and enough(int(tested.sum())):
        weights = np.zeros((len(drawn := bootstrap_weights(int(tested.sum()))), len(tested)))
        weights[:, tested] = drawn
        low, high = pooled(honest_counts, weights), pair.scorer(leaky_counts, weights)
        measurement["ci"] = {name: list(interval(_numbers(high[name] - low[name]))) for name in SHOWN}
    return measurement


def _numbers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[~np.isnan(values)]


def _about(leak: AuditLeak) -> dict[str, Any]:
    return {
        "leak": leak.name,
        "taxonomy": leak.number,
        "kind": label(leak.number),
        "what": leak.what,
        "against": leak.twin,
        "touches": list(leak.touches),
    }


def _summary(simulated: Mapping[str, NDArray[np.float64]]) -> Summary:
    """Return mean and the range of 95 % of the simulations."""
    return {name: [float(simulated[name].mean()), *interval(simulated[name])] for name in SHOWN}


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(int(digest(["null", name]), 16))
