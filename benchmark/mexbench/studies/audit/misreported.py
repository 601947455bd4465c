"""Metrics that are reported under another metric's name: not a leak, but the same effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mexbench.metrics.classification import scores
from mexbench.studies.audit.cases import Case, Predicted
from mexbench.studies.audit.leak import SIMULATIONS, AuditLeak, JobResults, Null, Pair, confusions, draw


@dataclass(frozen=True)
class OverFolds(AuditLeak):
    """F1 and recall of each fold, averaged.

    A fold's macro average is over the classes that occur in it, as scikit-learn's is: a person who shows one emotion
    only is worth a 1 or a 0.
    """

    name: ClassVar[str] = "f1-over-folds"
    number: ClassVar[str | None] = None
    what: ClassVar[str] = "F1 and recall of each fold averaged, over the classes that occur in the fold"
    twin: ClassVar[str] = "the same predictions, pooled"

    def inapplicable_reason(self, case: Case) -> str | None:
        """Exclude runs with a single fold."""
        return "there is only one fold" if len(case.folds) == 1 else None

    def compare(self, case: Case, honest: Predicted, results: JobResults) -> Pair:
        """Score the same predictions by the other metric."""
        del results
        members = _members(case)
        per_seed = len(honest) // len(case.seeds)

        def by_fold(counts: NDArray[np.int64], weights: NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
            each = [_mean_over(counts[run], weights, members[run % per_seed]) for run in range(len(counts))]
            return {name: np.mean([scored[name] for scored in each], axis=0) for name in ("uf1", "uar")}

        return Pair(honest, honest, by_fold)

    def null(self, case: Case, honest: Predicted, rng: np.random.Generator) -> Null:
        """Score random answers by fold."""
        del honest
        tests = [test for name, (_, test) in case.sides().items() if case.repeats[name] == 0]
        each = [scores(confusions(case, draw(case, (SIMULATIONS, len(test)), rng), test)) for test in tests]
        return {name: np.mean([scored[name] for scored in each], axis=0) for name in ("uf1", "uar")}


def _members(case: Case) -> list[list[NDArray[np.intp]]]:
    """Return the subjects of each fold, for each repeat."""
    by_repeat: dict[int, list[NDArray[np.intp]]] = {}
    for name, (_, test) in case.sides().items():
        by_repeat.setdefault(case.repeats[name], []).append(np.unique(case.groups[test]))
    return [by_repeat[repeat] for repeat in sorted(by_repeat)]


def _mean_over(
    counts: NDArray[np.int64], weights: NDArray[np.float64], folds: list[NDArray[np.intp]]
) -> Mapping[str, NDArray[np.float64]]:
    """Average the scores of folds, each as often as its subjects are drawn.

    Args:
        counts: (subjects, K, K).
        weights: How often each subject is drawn (replicates, subjects).
        folds: Subjects of each fold.
    """
    k = counts.shape[-1]
    total = {name: np.zeros(len(weights)) for name in ("uf1", "uar")}
    drawn = np.zeros(len(weights))
    for members in folds:
        matrices = weights[:, members] @ counts[members].reshape(len(members), k * k)
        scored = scores(matrices.reshape(-1, k, k))
        often = weights[:, members].mean(axis=1)
        drawn += often
        for name in total:
            total[name] += np.where(often > 0, np.nan_to_num(scored[name]) * often, 0)
    return {name: values / drawn for name, values in total.items()}


@dataclass(frozen=True)
class PrecisionAsRecall(AuditLeak):
    """Macro precision is reported as macro recall."""

    name: ClassVar[str] = "precision-as-recall"
    number: ClassVar[str | None] = None
    what: ClassVar[str] = "macro precision printed as UAR"
    twin: ClassVar[str] = "the same predictions, their macro recall"
    touches: ClassVar[tuple[str, ...]] = ("uar",)

    def compare(self, case: Case, honest: Predicted, results: JobResults) -> Pair:
        """Score the same predictions by the other metric."""
        del case, results
        return Pair(honest, honest, _precision)

    def null(self, case: Case, honest: Predicted, rng: np.random.Generator) -> Null:
        """Take the macro precision of random answers."""
        del honest
        every = np.arange(len(case.y))
        scored = scores(confusions(case, draw(case, (SIMULATIONS, len(every)), rng), every))
        return {"uf1": scored["uf1"], "uar": scored["macro_precision"]}


def _precision(counts: NDArray[np.int64], weights: NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
    runs, subjects, k, _ = counts.shape
    matrices = (weights @ counts.reshape(runs, subjects, k * k)).reshape(runs, len(weights), k, k)
    scored = scores(matrices)
    return {"uf1": scored["uf1"].mean(axis=0), "uar": scored["macro_precision"].mean(axis=0)}
