"""Hits and predictions per class: their scores, whether a confusion matrix has them, and one that does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mexbench.metrics import classification as metrics

#: Which classes a macro average runs over, where a class was predicted that no test sample has: all that occur, as
#: ``mexbench.metrics.classification`` and scikit-learn do, or those with test samples alone.
Over = Literal["present", "supported"]


@dataclass(frozen=True)
class Margins:
    """The margins of a confusion matrix that its figures depend on; classes without test samples come last.

    Args:
        support: Test samples per class.
        hits: Correct predictions per class.
        predicted: Predictions per class.
    """

    support: tuple[int, ...]
    hits: tuple[int, ...]
    predicted: tuple[int, ...]


def belongs(errors: ArrayLike, intruders: ArrayLike) -> NDArray[np.bool_]:
    """Return which pairs of vectors (..., K) are the row and column errors of some matrix.

    Args:
        errors: Samples of each class that were predicted as another, ``e``.
        intruders: Samples of other classes that were predicted as this one, ``f``.
    """
    e, f = np.asarray(errors), np.asarray(intruders)
    total = e.sum(axis=-1)
    consistent = (e >= 0).all(axis=-1) & (f >= 0).all(axis=-1) & (total == f.sum(axis=-1))
    return consistent & (e + f <= total[..., None]).all(axis=-1)


def matrix(margins: Margins) -> NDArray[np.int64]:
    """Build a confusion matrix (K, K) with these margins.

    One error is placed at a time, always in the row or column of the class with the most errors left on its two
    sides, and its partner is the class with the next most. So no class is ever left with more than there is room for:
    at most two classes can be full at once, and then they are partners.

    Raises:
        ValueError: The margins belong to no matrix.
    """
    hits = np.asarray(margins.hits, dtype=np.int64)
    e = np.asarray(margins.support, dtype=np.int64) - hits
    f = np.asarray(margins.predicted, dtype=np.int64) - hits
    if hits.min(initial=0) < 0 or not belongs(e, f):
        raise ValueError(f"no matrix has these margins: {margins}")
    cells = np.diag(hits)
    while e.sum():
        load = e + f
        most = int(load.argmax())
        others = np.arange(e.size) != most
        if e[most]:
            row, column = most, int(np.where(others & (f > 0), load, -1).argmax())
        else:
            row, column = int(np.where(others & (e > 0), load, -1).argmax()), most
        cells[row, column] += 1
        e[row] -= 1
        f[column] -= 1
    return cells


def exact_scores(margins: Margins, over: Over = "present") -> dict[str, Fraction]:
    """Score margins without rounding: each of ``mexbench.metrics.classification.SCORES``."""
    total = sum(margins.support)
    rows = list(zip(margins.support, margins.hits, margins.predicted, strict=True))
    present = sum(1 for s, _, p in rows if s or (p and over == "present"))

    def ratio(top: int, bottom: int) -> Fraction:
        return Fraction(top, bottom) if bottom else Fraction(0)

    accuracy = ratio(sum(margins.hits), total)
    zero = Fraction(0)
    return {
        "accuracy": accuracy,
        "uf1": sum((ratio(2 * h, s + p) for s, h, p in rows), zero) / present,
        "uar": sum((ratio(h, s) for s, h, _ in rows), zero) / present,
        "macro_precision": sum((ratio(h, p) for _, h, p in rows), zero) / present,
        "weighted_precision": sum((s * ratio(h, p) for s, h, p in rows), zero) / total,
        "weighted_recall": accuracy,
        "weighted_f1": sum((s * ratio(2 * h, s + p) for s, h, p in rows), zero) / total,
    }


def rescored(cells: NDArray[np.int64], over: Over = "present") -> dict[str, float]:
    """Score a matrix with the harness's own metrics, which are independent of this package."""
    scores = {kind: float(value) for kind, value in metrics.scores(cells).items()}
    if over == "present":
        return scores
    classes = metrics.per_class(cells)
    supported = classes["support"] > 0
    macro = {"uf1": "f1", "uar": "recall", "macro_precision": "precision"}
    return {**scores, **{kind: float(classes[name][supported].mean()) for kind, name in macro.items()}}


def shown(values: Sequence[int]) -> str:
    """Write counts as 70/51/43."""
    return "/".join(map(str, values))
