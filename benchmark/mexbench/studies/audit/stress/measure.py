"""Predictions on altered pictures -> scores, and what the alteration cost, with intervals over subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.metrics.classification import bootstrap_weights, interval, mean_known, resampled
from mexbench.metrics.few_subjects import enough
from mexbench.runs.run_folder import StoredResult
from mexbench.studies.audit.cases import Case, Predicted
from mexbench.studies.audit.stress.alterations import Alteration
from mexbench.studies.audit.stress.trainings import altered_id

SHOWN = ("uf1", "uar")
_Scores = Mapping[str, NDArray[np.float64]]


def predicted(case: Case, results: Sequence[StoredResult], level: int) -> Predicted:
    """Return predicted classes at one level (runs, n): -1 where a run does not test a sample or has no answer.

    A run is a seed and a repeat of the split.
    """
    runs = sorted({(result.task.seed, case.repeats[result.task.fold]) for result in results})
    order = {run: index for index, run in enumerate(runs)}
    answers = np.full((len(runs), len(case.samples)), -1, dtype=np.int64)
    sides = case.sides()
    for result in results:
        run = order[result.task.seed, case.repeats[result.task.fold]]
        for index in sides[result.task.fold][1]:
            scores = result.scores.get(altered_id(case.samples[index], level))
            if scores is not None:
                answers[run, index] = int(np.argmax(scores))
    return answers


def counts(case: Case, answers: Predicted, tested: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count truths and answers by subject (runs, subjects, K, K + 1); the last column has samples without an answer.

    Args:
        case: The case.
        answers: Of ``predicted`` (runs, n).
        tested: Whether a run tests a sample (runs, n).
    """
    n_classes = len(case.classes)
    table = np.zeros((len(answers), case.groups.max() + 1, n_classes, n_classes + 1), dtype=np.int64)
    run, sample = np.nonzero(tested)
    given = answers[run, sample]
    column = np.where(given < 0, n_classes, given)
    np.add.at(table, (run, case.groups[sample], case.y[sample], column), 1)
    return table


def scores(confusions: NDArray[Any]) -> _Scores:
    """Score matrices (..., K, K + 1) whose last column is "no answer": a missed sample of its class, and of no other.

    With an empty last column they are ``uf1`` and ``uar`` of ``metrics.classification``.
    """
    matrix = np.asarray(confusions, dtype=np.float64)
    hits = np.diagonal(matrix[..., :-1], axis1=-2, axis2=-1)
    support, answers = matrix.sum(axis=-1), matrix[..., :-1].sum(axis=-2)
    present = ((support + answers) > 0).sum(axis=-1)
    f1 = _share(2 * hits, support + answers).sum(axis=-1)
    recall = _share(hits, support).sum(axis=-1)
    empty = support.sum(axis=-1) == 0
    means = {"uf1": _share(f1, present), "uar": _share(recall, present)}
    return {name: np.where(empty, np.nan, values) for name, values in means.items()}


def measure(case: Case, alteration: Alteration, results: Sequence[StoredResult]) -> dict[str, Any]:
    """Score every strength and its change against the unaltered samples of the very same trainings.

    Returns:
        ``clean`` and ``clean_ci`` by score; ``levels``, each with strength, scores, change, intervals and how many
        samples had no answer, as a mean over runs; ``samples`` and ``subjects``. Intervals of too few are None.
    """
    clean = predicted(case, results, 0)
    tested = clean >= 0
    tables = [counts(case, clean, tested)]
    answers = [predicted(case, results, level) for level in range(1, len(alteration.strengths) + 1)]
    tables += [counts(case, given, tested) for given in answers]
    people = tables[0].sum(axis=(0, 2, 3)) > 0
    suffices = enough(int(people.sum()))
    weights = np.zeros((len(drawn := bootstrap_weights(int(people.sum()))), len(people)))
    weights[:, people] = drawn
    every = np.ones((1, len(people)))
    points = [_scored(table, every) for table in tables]
    replicates = [_scored(table, weights) for table in tables]
    levels = []
    for level, (strength, given) in enumerate(zip(alteration.strengths, answers, strict=True), start=1):
        unanswered = (tested & (given < 0)).sum(axis=1).mean()
        levels.append({"level": level, "strength": strength, "unanswered": float(unanswered)})
        for name in SHOWN:
            value, before = points[level][name][0], points[0][name][0]
            levels[-1][name] = float(value)
            levels[-1].setdefault("change", {})[name] = float(value - before)
            shift = replicates[level][name] - replicates[0][name]
            levels[-1].setdefault("ci", {})[name] = _interval(replicates[level][name]) if suffices else None
            levels[-1].setdefault("change_ci", {})[name] = _interval(shift) if suffices else None
    return {
        "clean": {name: float(points[0][name][0]) for name in SHOWN},
        "clean_ci": {name: _interval(replicates[0][name]) if suffices else None for name in SHOWN},
        "subjects": int(people.sum()),
        "levels": levels,
        "samples": int(tested.any(axis=0).sum()),
    }


def reproduced(case: Case, honest: Predicted, results: Sequence[StoredResult]) -> bool:
    """Whether the trainings of the stress test answer the unaltered samples as the run itself did."""
    return bool(np.array_equal(predicted(case, results, 0), honest))


def _scored(table: NDArray[np.int64], weights: NDArray[np.float64]) -> _Scores:
    """Return scores of each replicate, as a mean over runs (replicates,)."""
    return {name: mean_known(values, axis=0) for name, values in scores(resampled(table, weights)).items()}


def _interval(values: NDArray[np.float64]) -> list[float]:
    return list(interval(values[~np.isnan(values)]))


def _share(top: NDArray[Any], bottom: NDArray[Any]) -> NDArray[np.float64]:
    return np.divide(top, bottom, out=np.zeros(np.shape(top)), where=np.asarray(bottom) > 0)
