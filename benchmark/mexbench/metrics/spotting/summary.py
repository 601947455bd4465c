"""The figures of a row of a spotting run: pooled over videos, averaged over seeds and repeats, with intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.metrics.classification import REPLICATES, bootstrap_weights, interval
from mexbench.metrics.few_subjects import enough
from mexbench.metrics.spotting.matching import Matching
from mexbench.metrics.spotting.scores import KINDS, SpottedVideo, average_precision, count, f1

#: The F1 scores of a row: overall, then of each type.
F1_SCORES = ("f1", *(f"f1_{kind}" for kind in KINDS))
#: The scores that get an interval.
WITH_INTERVAL = (*F1_SCORES, "false_alarms_per_minute")
#: Thresholds of the sweep, as the literals that 3 / 10 and 7 / 10 round to.
SWEEP = (0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True)
class SpottingPool:
    """What one model with one seed spotted in one repeat of the split, over all its folds.

    Args:
        seed: Of the model.
        repeat: Of the split, from 0.
        videos: Every video that was tested, those without any expression too.
    """

    seed: int
    repeat: int
    videos: tuple[SpottedVideo, ...]


def empty_figures() -> dict[str, Any]:
    """Return the figures of a model that has spotted nothing yet."""
    return {
        **dict.fromkeys(F1_SCORES),
        "precision": None,
        "recall": None,
        "average_precision": None,
        "false_alarms_per_minute": None,
        "apex_error_ms": None,
        "apex_pairs": 0,
        "spread": dict.fromkeys(F1_SCORES),
        "ci": dict.fromkeys(WITH_INTERVAL),
        "counts": {},
        "sweep": {},
        "by_dataset": {},
        "per_emotion": {},
        "per_seed": [],
        "n_videos": 0,
        "n_videos_without_expression": 0,
        "n_subjects": 0,
        "minutes": None,
        "seeds": [],
        "repeats": 0,
    }


def figures(pools: Sequence[SpottingPool], *, matching: Matching = "optimal") -> dict[str, Any]:
    """Score one model.

    Args:
        pools: Its predictions, one pool per seed and repeat.
        matching: How predictions are paired with true intervals.

    Returns:
        The keys of ``empty_figures``: each score the mean over pools of the score of a pool's videos together. None
        is what cannot be said, such as false alarms per minute of videos whose length is unknown.
    """
    row = empty_figures()
    row["seeds"] = list(dict.fromkeys(pool.seed for pool in pools))
    row["repeats"] = len({pool.repeat for pool in pools})
    # Sorted, so that the order of videos changes no digit: it decides which replicate draws whom.
    pools = [
        SpottingPool(pool.seed, pool.repeat, tuple(sorted(pool.videos, key=lambda video: video.video_id)))
        for pool in pools
        if pool.videos
    ]
    if not pools:
        return row
    totals = [_total(pool.videos, matching) for pool in pools]
    scored = [_f1_scores(total) for total in totals]
    row |= {name: _mean([one[name] for one in scored]) for name in F1_SCORES}
    row["spread"] = {name: _spread([one[name] for one in scored]) for name in F1_SCORES}
    row["precision"] = _mean([_ratio(t[:, 0].sum(), t[:, :2].sum()) for t in totals])
    row["recall"] = _mean([_ratio(t[:, 0].sum(), t[:, 0].sum() + t[:, 2].sum()) for t in totals])
    row["average_precision"] = _mean([average_precision(pool.videos) for pool in pools])
    row["false_alarms_per_minute"] = _mean(
        [_false_alarm_rate(pool.videos, t) for pool, t in zip(pools, totals, strict=True)]
    )
    errors = [error for pool in pools for error in _apex_errors(pool.videos, matching)]
    row["apex_error_ms"], row["apex_pairs"] = _mean(errors), len(errors)
    row["counts"] = {
        kind: dict(zip(("tp", "fp", "fn"), np.mean(totals, axis=0)[index].tolist(), strict=True))
        for index, kind in enumerate(KINDS)
    }
    row["sweep"] = {str(threshold): _at(pools, threshold, matching) for threshold in SWEEP}
    row["per_seed"] = [
        {"seed": pool.seed, "repeat": pool.repeat, **one} for pool, one in zip(pools, scored, strict=True)
    ]
    row["ci"] = confidence(pools, matching=matching)
    _describe(row, pools, matching)
    return row


def _describe(row: dict[str, Any], pools: Sequence[SpottingPool], matching: Matching) -> None:
    videos = {video.video_id: video for pool in pools for video in pool.videos}
    members = sorted({video.member for video in videos.values()})
    row["by_dataset"] = {member: _member(pools, member, matching) for member in members}
    row["per_emotion"] = _per_emotion(pools, matching)
    row["n_videos"] = len(videos)
    row["n_videos_without_expression"] = sum(not video.truth for video in videos.values())
    row["n_subjects"] = len({video.group for video in videos.values()})
    row["minutes"] = _minutes(list(videos.values()))


def confidence(
    pools: Sequence[SpottingPool], *, matching: Matching = "optimal", replicates: int = REPLICATES, seed: int = 0
) -> dict[str, list[float] | None]:
    """Give percentile intervals by resampling subjects with replacement, all videos of one at a time.

    A replicate's score is the mean over pools; a replicate without anything to find and anything claimed does not
    count, and a score without any replicate has no interval, nor has any score of too few subjects.
    """
    groups = _groups(pools)
    if not enough(len(groups)):
        return dict.fromkeys(WITH_INTERVAL)
    drawn = _replicated(pools, groups, matching=matching, replicates=replicates, seed=seed)
    return {name: _percentiles(values) for name, values in drawn.items()}


def difference(
    first: Sequence[SpottingPool],
    second: Sequence[SpottingPool],
    *,
    matching: Matching = "optimal",
    replicates: int = REPLICATES,
    seed: int = 0,
) -> dict[str, Any] | None:
    """Compare the overall F1 of two models on the same videos: the same subjects are drawn for both.

    Returns:
        The difference and its percentile interval, which is None of too few subjects; None where the videos differ or
        a score is undefined.
    """
    if {v.video_id for pool in first for v in pool.videos} != {v.video_id for pool in second for v in pool.videos}:
        return None
    scores = [_mean([_f1_scores(_total(pool.videos, matching))["f1"] for pool in pools]) for pools in (first, second)]
    if scores[0] is None or scores[1] is None:
        return None
    if not enough(len(_groups(first))):
        return {"difference": scores[0] - scores[1], "ci": None}
    drawn = [replicated_f1(pools, matching=matching, replicates=replicates, seed=seed) for pools in (first, second)]
    differences = drawn[0] - drawn[1]
    low, high = interval(differences[~np.isnan(differences)])
    return {"difference": scores[0] - scores[1], "ci": [low, high]}


def replicated_f1(
    pools: Sequence[SpottingPool], *, matching: Matching = "optimal", replicates: int = REPLICATES, seed: int = 0
) -> NDArray[np.float64]:
    """Return the overall F1 of each replicate (replicates,), the mean over pools; NaN where it is undefined."""
    return _mean_known(_replicated(pools, _groups(pools), matching=matching, replicates=replicates, seed=seed)["f1"])


def _groups(pools: Sequence[SpottingPool]) -> list[str]:
    return sorted({video.group for pool in pools for video in pool.videos})


def _replicated(
    pools: Sequence[SpottingPool], groups: Sequence[str], *, matching: Matching, replicates: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Score every replicate of every pool: name of ``WITH_INTERVAL`` -> (pools, replicates), NaN where undefined."""
    position = {group: index for index, group in enumerate(groups)}
    counts = np.zeros((len(pools), len(groups), len(KINDS), 3))
    minutes = np.zeros((len(pools), len(groups)))
    for index, pool in enumerate(pools):
        for video in pool.videos:
            counts[index, position[video.group]] += count(video, matching=matching)
            minutes[index, position[video.group]] += math.nan if video.minutes is None else video.minutes
    weights = bootstrap_weights(len(groups), replicates=replicates, seed=seed)
    drawn = (weights @ counts.reshape(len(pools), len(groups), -1)).reshape(len(pools), replicates, len(KINDS), 3)
    scored = {"f1": f1(drawn.sum(axis=2)), **{f"f1_{kind}": f1(drawn[:, :, i]) for i, kind in enumerate(KINDS)}}
    length = minutes @ weights.T
    alarms = drawn[..., 1].sum(axis=-1)
    scored["false_alarms_per_minute"] = np.divide(alarms, length, out=np.full(alarms.shape, np.nan), where=length > 0)
    return scored


def _mean_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over pools (pools, replicates) what is a number; NaN where nothing is."""
    known = ~np.isnan(values)
    total, n_known = np.where(known, values, 0).sum(axis=0), known.sum(axis=0)
    return np.divide(total, n_known, out=np.full(total.shape, np.nan), where=n_known > 0)


def _percentiles(values: NDArray[np.float64]) -> list[float] | None:
    means = _mean_known(values)
    means = means[~np.isnan(means)]
    return list(interval(means)) if len(means) else None


def _total(videos: Sequence[SpottedVideo], matching: Matching, threshold: float = 0.5) -> NDArray[np.int64]:
    return np.sum([count(video, threshold=threshold, matching=matching) for video in videos], axis=0)


def _f1_scores(total: NDArray[np.int64]) -> dict[str, float | None]:
    values = [f1(total.sum(axis=0)), *f1(total)]
    return {name: _known(float(value)) for name, value in zip(F1_SCORES, values, strict=True)}


def _at(pools: Sequence[SpottingPool], threshold: float, matching: Matching) -> dict[str, float | None]:
    scored = [_f1_scores(_total(pool.videos, matching, threshold)) for pool in pools]
    return {name: _mean([one[name] for one in scored]) for name in F1_SCORES}


def _member(pools: Sequence[SpottingPool], member: str, matching: Matching) -> dict[str, Any]:
    inside = [[video for video in pool.videos if video.member == member] for pool in pools]
    scored = [_f1_scores(_total(videos, matching)) for videos in inside if videos]
    return {
        **{name: _mean([one[name] for one in scored]) for name in F1_SCORES},
        "n_videos": len({video.video_id for videos in inside for video in videos}),
    }


def _per_emotion(pools: Sequence[SpottingPool], matching: Matching) -> dict[str, dict[str, float | None]]:
    """Count by the true interval's emotion how many were spotted; a false alarm has no true emotion."""
    support: dict[str, int] = {}
    hits: dict[str, int] = {}
    for pool in pools:
        for video in pool.videos:
            matched = {i for i, _ in video.pairs(matching=matching)}
            for index, true in enumerate(video.truth):
                name = true.emotion or ""
                support[name] = support.get(name, 0) + 1
                hits[name] = hits.get(name, 0) + (index in matched)
    return {
        name: {"recall": hits[name] / support[name], "support": support[name] / len(pools)}
        for name in sorted(support)
        if name
    }


def _apex_errors(videos: Sequence[SpottedVideo], matching: Matching) -> list[float]:
    """Return how far off the apex is in each true positive, in ms; the middle counts where a spotter gives none."""
    errors = []
    for video in videos:
        if video.fps is None:
            continue
        for i, j in video.pairs(matching=matching):
            true, predicted = video.truth[i], video.predicted[j]
            if true.apex is None:
                continue
            middle = (predicted.onset + predicted.offset) / 2
            apex = middle if predicted.apex is None else predicted.apex
            errors.append(abs(apex - true.apex) / video.fps * 1000)
    return errors


def _false_alarm_rate(videos: Sequence[SpottedVideo], total: NDArray[np.int64]) -> float | None:
    minutes = _minutes(videos)
    return None if not minutes else float(total[:, 1].sum() / minutes)


def _minutes(videos: Sequence[SpottedVideo]) -> float | None:
    known = [video.minutes for video in videos if video.minutes is not None]
    return sum(known) if len(known) == len(videos) else None


def _ratio(top: float, bottom: float) -> float | None:
    return float(top / bottom) if bottom else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _spread(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.stdev(known) if len(known) > 1 else None
