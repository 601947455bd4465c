"""From predictions to the scores of a row: pooled over folds, averaged over seeds and repeats."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mexbench.metrics.action_units import AVERAGES, average_scores, unit_scores
from mexbench.metrics.classification import (
    HEADLINE,
    SCORES,
    bootstrap_weights,
    interval,
    mean_known,
    per_class,
    resampled,
    scores,
)
from mexbench.metrics.few_subjects import enough
from mexbench.metrics.predictions import Predictions
from mexbench.metrics.significance import ALL_PAIRS, compare, compare_with_best, ranks


@dataclass(frozen=True)
class Scoring:
    """How predictions of classes, or of action units, are scored.

    Args:
        names: The scores of a row.
        headline: Those that get an interval, and are given for each data set.
        score: Confusion matrices (..., K, K), or (..., units, 2, 2) -> each of ``names`` (...).
        details: What a row has besides: key -> its value where nothing is predicted.
    """

    names: tuple[str, ...]
    headline: tuple[str, ...]
    score: Callable[[ArrayLike], dict[str, NDArray[np.float64]]]
    details: Mapping[str, Any]


CLASSES = Scoring(
    SCORES,
    HEADLINE,
    scores,
    {"rank": None, "per_fold": None, "by_dataset": {}, "per_class": {}, "confusion": None},
)
ACTION_UNITS = Scoring(AVERAGES, AVERAGES, average_scores, {"units": {}, "never_shown": [], "by_dataset": {}})


def empty_figures(scoring: Scoring = CLASSES) -> dict[str, Any]:
    """Return the scores of a model that has predicted nothing."""
    return {
        **dict.fromkeys(scoring.names),
        "spread": dict.fromkeys(scoring.names),
        "ci": dict.fromkeys(scoring.headline),
        **copy.deepcopy(scoring.details),
        "per_seed": [],
        "n_samples": 0,
        "n_subjects": 0,
        "seeds": [],
        "repeats": 0,
    }


def figures(predictions: Predictions, names: Sequence[str]) -> dict[str, Any]:
    """Score one model.

    Args:
        predictions: What it predicted; lines without a class, which a case study may have, do not count.
        names: Class names, or names of action units.

    Returns:
        The keys of ``empty_figures``: each score the mean over runs (seeds and repeats) of the score of a run's
        predictions together. Where not everybody is known, ``n_subjects`` is None, and ``n_groups`` the number of
        what intervals draw.
    """
    scoring = ACTION_UNITS if predictions.multilabel else CLASSES
    row = empty_figures(scoring)
    row["seeds"] = predictions.seeds
    row["repeats"] = len({repeat for _, repeat in predictions.runs})
    predictions = predictions.labelled()
    if not len(predictions):
        return row
    counts = predictions.counts()  # (runs, groups, ...)
    matrices = counts.sum(axis=1)
    by_run = scoring.score(matrices)
    weights = bootstrap_weights(counts.shape[1])
    drawn = resampled(counts, weights)
    replicates = scoring.score(drawn)
    row |= {name: _number(mean_known(by_run[name])) for name in scoring.names}
    row["spread"] = {name: _spread(by_run[name]) for name in scoring.names}
    if enough(counts.shape[1]):
        row["ci"] = {name: _interval(replicates[name]) for name in scoring.headline}
    row["per_seed"] = [
        {"seed": seed, "repeat": repeat, **{name: _number(by_run[name][index]) for name in scoring.names}}
        for index, (seed, repeat) in enumerate(predictions.runs)
    ]
    row["by_dataset"] = {
        dataset: _dataset_scores(predictions.select(predictions.dataset == dataset), scoring)
        for dataset in sorted(set(predictions.dataset))
    }
    row["n_samples"], row["n_subjects"] = len(set(predictions.sample)), counts.shape[1]
    if not all(predictions.subject):  # then a clip takes the place of a person
        row["n_subjects"], row["n_groups"] = None, counts.shape[1]
    if predictions.multilabel:
        return row | _unit_details(matrices, drawn if enough(counts.shape[1]) else None, names)
    for index, run in enumerate(row["per_seed"]):
        run["confusion"] = matrices[index].tolist()
    return row | _class_details(predictions, matrices, names)


def compare_rows(predictions: Mapping[str, Predictions]) -> tuple[list[dict[str, Any]], dict[str, list[int] | None]]:
    """Compare models that were tested on the same samples with the same seeds and repeats.

    Args:
        predictions: Model -> what it predicted; lines without a class do not count.

    Returns:
        The comparisons as JSON, and model -> [best, worst] rank; neither where too few subjects are tested. Of more
        than ``ALL_PAIRS`` models, each is compared with the best alone: the pairs of a thousand are half a million.
    """
    tables = {model: table.labelled() for model, table in predictions.items()}
    groups = sorted({name for table in tables.values() for name in table.group})
    if not enough(len(groups)):
        return [], dict.fromkeys(tables)
    counts = {model: table.counts(groups) for model, table in tables.items()}
    if len(counts) > ALL_PAIRS:
        compared, ranked = compare_with_best(counts)
    else:
        compared = compare(counts)
        ranked = ranks(list(tables), compared)
    comparisons = [
        {
            "models": [one.first, one.second],
            "difference": one.difference,
            "ci": list(one.interval),
            "p": one.p,
            "p_holm": one.p_holm,
        }
        for one in compared
    ]
    return comparisons, {model: list(pair) for model, pair in ranked.items()}


def _dataset_scores(predictions: Predictions, scoring: Scoring) -> dict[str, float | int | None]:
    matrices = predictions.counts().sum(axis=1)
    scored = scoring.score(matrices)
    averages: dict[str, float | int | None] = {name: _number(mean_known(scored[name])) for name in scoring.headline}
    if predictions.multilabel:
        averages["units"] = int((~np.isnan(unit_scores(matrices)["f1"])).any(axis=0).sum())
    return {**averages, "n_samples": len(set(predictions.sample))}


def _class_details(predictions: Predictions, matrices: NDArray[np.int64], names: Sequence[str]) -> dict[str, Any]:
    by_class = per_class(matrices)
    total = matrices.sum(axis=0)
    return {
        "per_fold": _per_fold(predictions, total.sum(axis=1) > 0),
        "per_class": {
            name: {key: float(values[:, index].mean()) for key, values in by_class.items()}
            for index, name in enumerate(names)
        },
        "confusion": total.tolist(),
    }


def _per_fold(predictions: Predictions, tested: NDArray[np.bool_]) -> dict[str, float | int | None] | None:
    """Average over folds, as some papers do.

    A macro average over classes has no meaning on a fold whose test side lacks a class that the run tests, so UF1 and
    UAR are averaged over the other folds alone, and the number of the excluded folds is reported.

    Args:
        predictions: Of one model.
        tested: Which classes the run tests (K,).

    Returns:
        The averages; None where the folds are not known.
    """
    if any(not fold for fold in predictions.fold):
        return None
    lines = zip(predictions.seed.tolist(), predictions.repeat.tolist(), predictions.fold, strict=True)
    labels, matrices = predictions.counts_by(lines)
    scored = scores(matrices)
    complete = (matrices.sum(axis=2)[:, tested] > 0).all(axis=1)
    folds = [fold for _, _, fold in labels]
    return {
        "uf1": float(scored["uf1"][complete].mean()) if complete.any() else None,
        "uar": float(scored["uar"][complete].mean()) if complete.any() else None,
        "accuracy": float(scored["accuracy"].mean()),
        "folds": len(set(folds)),
        "undefined_folds": len({fold for fold, defined in zip(folds, complete, strict=True) if not defined}),
    }


def _unit_details(
    matrices: NDArray[np.int64], drawn: NDArray[np.float64] | None, units: Sequence[str]
) -> dict[str, Any]:
    """Score each unit.

    Args:
        matrices: Counts (runs, units, 2, 2).
        drawn: Counts (runs, replicates, units, 2, 2); None without an interval.
        units: Their names.
    """
    scored, replicates = unit_scores(matrices), None if drawn is None else unit_scores(drawn)
    total = matrices.sum(axis=0)
    return {
        "units": {
            unit: {
                **{name: _number(mean_known(values[:, index])) for name, values in scored.items()},
                "ci": {name: replicates and _interval(replicates[name][..., index]) for name in AVERAGES},
                "support": float(matrices[:, index, 1].sum(axis=-1).mean()),
                "predicted": float(matrices[:, index, :, 1].sum(axis=-1).mean()),
                "confusion": total[index].tolist(),
            }
            for index, unit in enumerate(units)
        },
        "never_shown": [unit for index, unit in enumerate(units) if not total[index, 1].sum()],
    }


def _interval(replicates: NDArray[np.float64]) -> list[float] | None:
    """Return the interval of a score (runs, replicates); None where it is not defined in any replicate."""
    means = mean_known(replicates, axis=0)
    known = means[~np.isnan(means)]
    return list(interval(known)) if len(known) else None


def _spread(values: NDArray[np.float64]) -> float | None:
    """Return the standard deviation (n - 1) over the runs that have the score, or None where fewer than two have it."""
    known = values[~np.isnan(values)]
    return statistics.stdev(known.tolist()) if len(known) > 1 else None


def _number(value: NDArray[np.float64] | float) -> float | None:
    """Turn NaN, which JSON does not have, into None."""
    return None if np.isnan(value) else float(value)
