"""Confusion matrices -> scores, and intervals by bootstrap over subjects.

Every function takes matrices with any leading axes, so that two thousand replicates are scored in one call.

**Absent classes.** A macro average runs over the classes that occur in truth or in prediction, and a ratio without
a denominator counts 0 (scikit-learn's rule with ``zero_division=0``). So a class that neither occurs nor
is predicted changes nothing, and a class that is predicted without ever occurring lowers the average. Where there is no
sample at all, every score is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: The scores of a row, in the order of its table; all lie in [0, 1].
SCORES = ("accuracy", "uf1", "uar", "macro_precision", "weighted_precision", "weighted_recall", "weighted_f1")
#: The scores that get an interval.
HEADLINE = ("uf1", "uar", "accuracy")
REPLICATES = 2_000
LEVEL = 0.95


def confusion_matrix(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> NDArray[np.int64]:
    """Count samples by truth (rows) and prediction (columns).

    Args:
        y_true: Class indices (n,).
        y_pred: Class indices (n,).
        n_classes: Number of classes K.

    Returns:
        Counts (K, K).

    Raises:
        ValueError: The two differ in length, or an index lies outside ``range(n_classes)``.
    """
    truth, predicted = np.asarray(y_true, dtype=np.intp), np.asarray(y_pred, dtype=np.intp)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f"expected two vectors of one length, got shapes {truth.shape} and {predicted.shape}")
    for values in (truth, predicted):
        if values.size and not 0 <= values.min() <= values.max() < n_classes:
            raise ValueError(f"class index outside 0..{n_classes - 1}: {values.min()}..{values.max()}")
    counts = np.bincount(truth * n_classes + predicted, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.int64)


def per_class(confusion: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Score every class: precision, recall, f1 and support, each (..., K); see the module on absent classes."""
    matrix = np.asarray(confusion, dtype=np.float64)
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    support, predicted = matrix.sum(axis=-1), matrix.sum(axis=-2)
    return {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, support),
        "f1": _ratio(2 * hits, support + predicted),
        "support": support,
        "predicted": predicted,
    }


def scores(confusion: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Score confusion matrices.

    ``uf1`` is the macro average of F1 and ``uar`` that of recall (See et al., MEGC 2019, section IV: unweighted F1
    and unweighted average recall, from counts pooled over all folds).

    Args:
        confusion: Counts (..., K, K), truth in rows; not only whole numbers.

    Returns:
        Each name of ``SCORES`` -> (...).
    """
    classes = per_class(confusion)
    support = classes["support"]
    present = (support + classes["predicted"]) > 0
    total = support.sum(axis=-1)
    empty = total == 0

    def mean(values: NDArray[np.float64], weights: NDArray[Any]) -> NDArray[np.float64]:
        return np.where(empty, np.nan, _ratio((values * weights).sum(axis=-1), weights.sum(axis=-1)))

    recall = mean(classes["recall"], support)
    return {
        "accuracy": recall,  # hits over samples: the same number as recall weighted by support
        "uf1": mean(classes["f1"], present),
        "uar": mean(classes["recall"], present),
        "macro_precision": mean(classes["precision"], present),
        "weighted_precision": mean(classes["precision"], support),
        "weighted_recall": recall,
        "weighted_f1": mean(classes["f1"], support),
    }


def uf1(confusion: ArrayLike) -> NDArray[np.float64]:
    """Return ``scores``' ``uf1`` alone (...), for tests that need it thousands of times."""
    matrix = np.asarray(confusion, dtype=np.float64)
    mass = matrix.sum(axis=-1) + matrix.sum(axis=-2)
    f1 = _ratio(2 * np.diagonal(matrix, axis1=-2, axis2=-1), mass)
    present = (mass > 0).sum(axis=-1)
    return np.divide(f1.sum(axis=-1), present, out=np.full(present.shape, np.nan), where=present > 0)


def subject_bootstrap(
    confusions: ArrayLike, *, replicates: int = REPLICATES, level: float = LEVEL, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Give percentile intervals of the headline scores by resampling subjects with replacement.

    Clips of one person are alike, so the person is the unit that is drawn: an interval over clips is too narrow.
    A replicate's score is the mean over runs (seeds) of the score pooled over its subjects; runs that have no sample of
    these subjects do not count.

    Args:
        confusions: Counts (runs, subjects, K, K). The order of subjects decides which replicates are drawn.
        replicates: How many times.
        level: Share of replicates inside an interval.
        seed: Of the draw.

    Returns:
        Each name of ``HEADLINE`` -> (low, high).
    """
    counts = np.asarray(confusions)
    weights = bootstrap_weights(counts.shape[1], replicates=replicates, seed=seed)
    drawn = replicated(counts, weights)
    return {name: interval(values[~np.isnan(values)], level) for name, values in drawn.items()}


def bootstrap_weights(subjects: int, *, replicates: int = REPLICATES, seed: int = 0) -> NDArray[np.float64]:
    """Draw subjects with replacement: how often each is drawn (replicates, subjects)."""
    draws = np.random.default_rng(seed).integers(subjects, size=(replicates, subjects))
    cells = draws + subjects * np.arange(replicates)[:, None]
    counts = np.bincount(cells.ravel(), minlength=replicates * subjects)
    return counts.reshape(replicates, subjects).astype(np.float64)


def replicated(confusions: ArrayLike, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Score every replicate: the mean over the runs that have a sample of its subjects, NaN where none has.

    Args:
        confusions: Counts (runs, subjects, K, K).
        weights: How often each subject counts (replicates, subjects).

    Returns:
        Each name of ``HEADLINE`` -> (replicates,).
    """
    scored = scores(resampled(confusions, weights))
    # An unfinished run may have no sample of the subjects that were drawn.
    return {name: mean_known(scored[name], axis=0) for name in HEADLINE}


def resampled(confusions: ArrayLike, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pool the confusion matrices of the subjects that each replicate draws.

    Args:
        confusions: Counts (runs, subjects, ...).
        weights: How often each subject counts (replicates, subjects).

    Returns:
        Counts (runs, replicates, ...).
    """
    counts = np.asarray(confusions, dtype=np.float64)
    runs, subjects, *cells = counts.shape
    return (weights @ counts.reshape(runs, subjects, -1)).reshape(runs, len(weights), *cells)


def mean_known(values: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Average the values along an axis that are not NaN; NaN where all are."""
    numbers = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(numbers)
    total, count = np.where(known, numbers, 0).sum(axis=axis), known.sum(axis=axis)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def interval(values: NDArray[np.float64], level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval of replicates."""
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def by_cluster(
    y_true: Sequence[int],
    y_pred: Sequence[int],
    clusters: Sequence[str],
    names: Sequence[str],
    n_classes: int,
) -> NDArray[np.int64]:
    """Count (clusters, K, K), one confusion matrix for each of ``names``, in their order."""
    position: Mapping[str, int] = {name: index for index, name in enumerate(names)}
    counts = np.zeros((len(names), n_classes, n_classes), dtype=np.int64)
    where = np.array([position[cluster] for cluster in clusters], dtype=np.intp)
    np.add.at(counts, (where, np.asarray(y_true, dtype=np.intp), np.asarray(y_pred, dtype=np.intp)), 1)
    return counts


def _ratio(top: NDArray[Any], bottom: NDArray[Any]) -> NDArray[np.float64]:
    return np.divide(top, bottom, out=np.zeros(np.shape(top)), where=np.asarray(bottom) > 0)
