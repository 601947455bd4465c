"""How well action units are detected: F1 of each unit and on average, with intervals by bootstrap over subjects.

Counts are pooled over folds. A unit has two F1 scores: the binary one, of its presence, and the macro one, the mean of
the F1 of presence and of absence (scikit-learn's ``f1_score`` with ``average="binary"`` and ``average="macro"``, both
with ``zero_division=0``).

**Units that never show.** Without a sample that shows it, a unit's F1 says nothing: it is 0 however well the unit is
told to be absent. Such a unit has no figures, is named, and is left out of the averages; the same holds inside each
replicate of a bootstrap and on each member of a composite.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mexbench.metrics.classification import bootstrap_weights, interval, per_class, scores

#: A unit is said to show from this score on.
THRESHOLD = 0.5
#: The averages of a row.
AVERAGES = ("f1", "macro_f1")


@dataclass(frozen=True)
class ActionUnitPool:
    """What one model with one seed said in one repeat of the split, over all its folds, and the truth.

    Args:
        seed: Of the model.
        repeat: Of the split, from 0.
        ids: Sample ids (n,).
        groups: Subject of each sample (n,), or its clip where none is known.
        members: Data set of each sample (n,).
        truth: Which units show (n, units).
        predicted: Which units are said to show (n, units).
    """

    seed: int
    repeat: int
    ids: tuple[str, ...]
    groups: tuple[str, ...]
    members: tuple[str, ...]
    truth: NDArray[np.bool_]
    predicted: NDArray[np.bool_]

    def by_group(self, groups: Sequence[str]) -> NDArray[np.int64]:
        """Count (groups, units, 2, 2)."""
        position = {name: index for index, name in enumerate(groups)}
        counts = np.zeros((len(groups), self.truth.shape[1], 2, 2), dtype=np.int64)
        np.add.at(counts, [position[group] for group in self.groups], cells(self.truth, self.predicted))
        return counts

    def confusion(self, member: str | None = None) -> NDArray[np.int64]:
        """Count (units, 2, 2): of one data set, or of all."""
        chosen = [member in (None, found) for found in self.members]
        return cells(self.truth[chosen], self.predicted[chosen]).sum(axis=0)


def cells(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the confusion matrix of each answer (n, units, 2, 2): truth in rows, absent first."""
    return np.eye(4, dtype=np.int64)[2 * truth + predicted].reshape(*truth.shape, 2, 2)


def unit_scores(confusion: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Score confusion matrices of units.

    Args:
        confusion: Counts (..., units, 2, 2), truth in rows, absent first; not only whole numbers.

    Returns:
        f1, macro_f1, precision and recall (..., units), NaN for a unit that never shows.
    """
    matrix = np.asarray(confusion)
    presence = {name: values[..., 1] for name, values in per_class(matrix).items()}
    found = {"f1": presence["f1"], "macro_f1": scores(matrix)["uf1"]}
    found |= {name: presence[name] for name in ("precision", "recall")}
    return {name: np.where(presence["support"] > 0, values, np.nan) for name, values in found.items()}


def mean(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Average what is a number along an axis; NaN where nothing is."""
    known = ~np.isnan(values)
    total, count = np.where(known, values, 0).sum(axis=axis), known.sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def empty_figures() -> dict[str, Any]:
    """Return the figures of a model that has predicted nothing."""
    return {
        **dict.fromkeys(AVERAGES),
        "spread": dict.fromkeys(AVERAGES),
        "ci": dict.fromkeys(AVERAGES),
        "units": {},
        "never_shown": [],
        "by_dataset": {},
        "per_seed": [],
        "n_samples": 0,
        "n_subjects": 0,
        "seeds": [],
        "repeats": 0,
    }


def figures(pools: Sequence[ActionUnitPool], units: Sequence[str]) -> dict[str, Any]:
    """Score one model.

    Args:
        pools: Its predictions, one pool per seed and repeat; none is empty.
        units: Names of the units.

    Returns:
        The keys of ``empty_figures``: each score the mean over pools of the score of a pool's predictions together.
    """
    row = empty_figures()
    if not pools:
        return row
    matrices = np.stack([pool.confusion() for pool in pools])
    scored = unit_scores(matrices)
    by_pool = {name: mean(scored[name]) for name in AVERAGES}
    groups = sorted({group for pool in pools for group in pool.groups})
    drawn = _intervals(np.stack([pool.by_group(groups) for pool in pools]))
    row |= {name: _number(mean(by_pool[name])) for name in AVERAGES}
    row["spread"] = {name: _spread(by_pool[name]) for name in AVERAGES}
    row["ci"] = {name: drawn[name][0] for name in AVERAGES}
    row["per_seed"] = [
        {"seed": pool.seed, "repeat": pool.repeat, **{name: _number(by_pool[name][i]) for name in AVERAGES}}
        for i, pool in enumerate(pools)
    ]
    total = matrices.sum(axis=0)
    row["units"] = {
        unit: {
            **{name: _number(mean(values[:, index])) for name, values in scored.items()},
            "ci": {name: drawn[name][1 + index] for name in AVERAGES},
            "support": float(matrices[:, index, 1].sum(axis=-1).mean()),
            "predicted": float(matrices[:, index, :, 1].sum(axis=-1).mean()),
            "confusion": total[index].tolist(),
        }
        for index, unit in enumerate(units)
    }
    row["never_shown"] = [unit for index, unit in enumerate(units) if not total[index, 1].sum()]
    members = sorted({member for pool in pools for member in pool.members})
    row["by_dataset"] = {member: _member(pools, member) for member in members}
    row["n_samples"] = len({name for pool in pools for name in pool.ids})
    row["n_subjects"] = len(groups)
    row["seeds"] = list(dict.fromkeys(pool.seed for pool in pools))
    row["repeats"] = len({pool.repeat for pool in pools})
    return row


def _member(pools: Sequence[ActionUnitPool], member: str) -> dict[str, Any]:
    inside = [pool for pool in pools if member in pool.members]
    scored = unit_scores(np.stack([pool.confusion(member) for pool in inside]))
    return {
        **{name: _number(mean(mean(scored[name]))) for name in AVERAGES},
        "units": int((~np.isnan(scored["f1"])).any(axis=0).sum()),
        "n_samples": len(
            {name for pool in inside for name, of in zip(pool.ids, pool.members, strict=True) if of == member}
        ),
    }


def _intervals(counts: NDArray[np.int64]) -> Mapping[str, list[list[float] | None]]:
    """Give percentile intervals by resampling subjects, as ``metrics.subject_bootstrap`` does for classes.

    Args:
        counts: (runs, subjects, units, 2, 2).

    Returns:
        f1 and macro_f1 -> the interval of the average, then of each unit; None where no replicate has the unit.
    """
    runs, subjects, units = counts.shape[:3]
    weights = bootstrap_weights(subjects)
    pooled = weights @ counts.reshape(runs, subjects, units * 4).astype(np.float64)
    scored = unit_scores(pooled.reshape(runs, len(weights), units, 2, 2))
    found: dict[str, list[list[float] | None]] = {}
    for name in AVERAGES:
        of_units = mean(scored[name], axis=0)  # (replicates, units): over the runs that have the unit
        average = mean(mean(scored[name]), axis=0)  # (replicates,)
        columns = [column[~np.isnan(column)] for column in (average, *of_units.T)]
        found[name] = [list(interval(column)) if len(column) else None for column in columns]
    return found


def _spread(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return statistics.stdev(known.tolist()) if len(known) > 1 else None


def _number(value: NDArray[np.float64] | float) -> float | None:
    """Turn NaN, which JSON does not have, into None."""
    return None if np.isnan(value) else float(value)
