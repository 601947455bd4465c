"""From predictions to the figures of a row: pooled over folds, averaged over seeds and repeats."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.metrics.classification import (
    HEADLINE,
    SCORES,
    by_cluster,
    confusion_matrix,
    per_class,
    scores,
    subject_bootstrap,
)
from mexbench.metrics.significance import compare, ranks


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model said about one sample, and the truth.

    Args:
        sample_id: The sample.
        group: Its subject, or its clip where none is known: the unit of every interval and test.
        member: Its data set.
        fold: The fold that it was tested in; empty where nobody knows.
        truth: Class index.
        predicted: Class index.
    """

    sample_id: str
    group: str
    member: str
    fold: str
    truth: int
    predicted: int


@dataclass(frozen=True)
class Pool:
    """The predictions of one model with one seed, in one repeat of the split, over all its folds.

    Args:
        seed: Of the model.
        repeat: Of the split, from 0.
        predictions: One per sample, in the order of the samples.
    """

    seed: int
    repeat: int
    predictions: tuple[Prediction, ...]

    def confusion(self, n_classes: int) -> NDArray[np.int64]:
        """Count (K, K)."""
        return _confusion(self.predictions, n_classes)

    def by_group(self, groups: Sequence[str], n_classes: int) -> NDArray[np.int64]:
        """Count (groups, K, K)."""
        found = self.predictions
        truth, predicted = [p.truth for p in found], [p.predicted for p in found]
        return by_cluster(truth, predicted, [p.group for p in found], groups, n_classes)


def empty_figures() -> dict[str, Any]:
    """Return the figures of a model that has predicted nothing."""
    return {
        **dict.fromkeys(SCORES),
        "spread": dict.fromkeys(SCORES),
        "ci": dict.fromkeys(HEADLINE),
        "rank": None,
        "per_fold": None,
        "by_dataset": {},
        "per_class": {},
        "confusion": None,
        "per_seed": [],
        "n_samples": 0,
        "n_subjects": 0,
        "seeds": [],
        "repeats": 0,
    }


def figures(pools: Sequence[Pool], classes: Sequence[str]) -> dict[str, Any]:
    """Score one model.

    Args:
        pools: Its predictions, one pool per seed and repeat. One is empty where a case study has no labels.
        classes: Class names.

    Returns:
        The keys of ``empty_figures``: each score the mean over pools of the score of a pool's predictions together.
    """
    row = empty_figures()
    row["seeds"] = list(dict.fromkeys(pool.seed for pool in pools))
    row["repeats"] = len({pool.repeat for pool in pools})
    pools = [pool for pool in pools if pool.predictions]
    if not pools:
        return row
    n_classes = len(classes)
    matrices = np.stack([pool.confusion(n_classes) for pool in pools])
    scored, by_class = scores(matrices), per_class(matrices)
    tested = {found.sample_id: found for pool in pools for found in pool.predictions}
    groups = sorted({found.group for found in tested.values()})
    row |= {name: float(scored[name].mean()) for name in SCORES}
    row["spread"] = {name: _spread(scored[name]) for name in SCORES}
    row["per_seed"] = [
        {
            "seed": pool.seed,
            "repeat": pool.repeat,
            **{name: float(scored[name][i]) for name in SCORES},
            "confusion": matrices[i].tolist(),
        }
        for i, pool in enumerate(pools)
    ]
    row["per_class"] = {
        name: {key: float(values[:, index].mean()) for key, values in by_class.items()}
        for index, name in enumerate(classes)
    }
    row["confusion"] = matrices.sum(axis=0).tolist()
    row["by_dataset"] = {
        member: _member(pools, member, n_classes) for member in sorted({found.member for found in tested.values()})
    }
    row["ci"] = {name: list(found) for name, found in subject_bootstrap(_by_group(pools, groups, n_classes)).items()}
    row["per_fold"] = _per_fold(pools, matrices.sum(axis=(0, 2)) > 0)
    row["n_samples"], row["n_subjects"] = len(tested), len(groups)
    return row


def compare_rows(pools: Mapping[str, Sequence[Pool]], n_classes: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Compare models that were asked about the same samples with the same seeds and repeats.

    Args:
        pools: Model -> its predictions.
        n_classes: Number of classes.

    Returns:
        The comparisons as JSON, and model -> [best, worst] rank.
    """
    groups = sorted({found.group for inside in pools.values() for pool in inside for found in pool.predictions})
    compared = compare({model: _by_group(inside, groups, n_classes) for model, inside in pools.items()})
    found = [
        {
            "models": [one.first, one.second],
            "difference": one.difference,
            "ci": list(one.interval),
            "p": one.p,
            "p_holm": one.p_holm,
        }
        for one in compared
    ]
    return found, {model: list(pair) for model, pair in ranks(list(pools), compared).items()}


def _by_group(pools: Sequence[Pool], groups: Sequence[str], n_classes: int) -> NDArray[np.int64]:
    return np.stack([pool.by_group(groups, n_classes) for pool in pools])


def _confusion(predictions: Sequence[Prediction], n_classes: int) -> NDArray[np.int64]:
    return confusion_matrix([p.truth for p in predictions], [p.predicted for p in predictions], n_classes)


def _member(pools: Sequence[Pool], member: str, n_classes: int) -> dict[str, float | int]:
    kept = [[p for p in pool.predictions if p.member == member] for pool in pools]
    scored = scores(np.stack([_confusion(inside, n_classes) for inside in kept if inside]))
    return {
        **{name: float(scored[name].mean()) for name in HEADLINE},
        "n_samples": len({p.sample_id for inside in kept for p in inside}),
    }


def _per_fold(pools: Sequence[Pool], tested: NDArray[np.bool_]) -> dict[str, float | int | None] | None:
    """Average over folds, as some papers do.

    A macro average over classes has no meaning on a fold whose test side lacks a class that the run tests, so UF1 and
    UAR are averaged over the other folds alone, and the number of those is told.
    """
    folds = [(name, _confusion(inside, len(tested))) for pool in pools for name, inside in _folds(pool)]
    if any(not name for name, _ in folds):
        return None
    scored = scores(np.stack([matrix for _, matrix in folds]))
    whole = np.array([bool((matrix.sum(axis=1)[tested] > 0).all()) for _, matrix in folds])
    return {
        "uf1": float(scored["uf1"][whole].mean()) if whole.any() else None,
        "uar": float(scored["uar"][whole].mean()) if whole.any() else None,
        "accuracy": float(scored["accuracy"].mean()),
        "folds": len({name for name, _ in folds}),
        "undefined_folds": len({name for (name, _), fine in zip(folds, whole, strict=True) if not fine}),
    }


def _folds(pool: Pool) -> Iterator[tuple[str, list[Prediction]]]:
    found: dict[str, list[Prediction]] = {}
    for prediction in pool.predictions:
        found.setdefault(prediction.fold, []).append(prediction)
    yield from found.items()


def _spread(values: NDArray[np.float64]) -> float | None:
    """Return the standard deviation over seeds and repeats (n - 1), or None for a single run."""
    return statistics.stdev(values.tolist()) if len(values) > 1 else None
