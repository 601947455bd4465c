"""The agreement of two models on the same clips, with what chance alone would give.

Source: paper 5 (HybridMicroNet with action units, 2026), section 4.4, which lets the agreement of two models stand in
for accuracy. It is not accuracy: two models that always predict the same class always agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mexbench.errors import DataError, counted, listed
from mexbench.metrics.classification import bootstrap_weights, by_cluster, interval
from mexbench.metrics.few_subjects import enough
from mexbench.studies.case_study.predicted_clips import ClipPredictions, PredictedClip


@dataclass(frozen=True)
class Measures:
    """How far a table of two models' answers lies on its diagonal.

    Args:
        raw: Share of clips with one answer.
        expected: The same share for two models that answer at random, each with its own frequencies.
        kappa: Cohen's, ``(raw - expected) / (1 - expected)``; None where both always predict one and the same class.
    """

    raw: float
    expected: float
    kappa: float | None


@dataclass(frozen=True)
class OneEmotion:
    """An emotion against all others.

    Args:
        emotion: Which.
        first: Clips that the first model predicts as it.
        second: Clips that the second does.
        both: Clips that both do.
        specific: ``2 both / (first + second)``; None where neither predicts it.
        expected: The same for two models that answer at random, each with its own frequencies.
        kappa: Cohen's, of predicting it or not.
    """

    emotion: str
    first: int
    second: int
    both: int
    specific: float | None
    expected: float | None
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """Two models on the same clips.

    Args:
        first: The one.
        second: The other.
        emotions: Classes that both models have.
        joined: How many clips both predict.
        alone: Clips of the first alone, and of the second.
        outside: Joined clips of which the first predicts an emotion that is not common, and the second;
            some are in both.
        counts: (K, K) clips, answers of the first in rows; of the joined clips where both predict a common emotion.
        measures: Of ``counts``.
        intervals: Of ``raw``, ``expected`` and ``kappa``, by bootstrap; None where it cannot be drawn.
        undefined: Share of the replicates that have no kappa.
        unit: What the bootstrap draws, ``subject`` or ``clip``, and how many there are.
        each: By emotion.
    """

    first: ClipPredictions
    second: ClipPredictions
    emotions: tuple[str, ...]
    joined: int
    alone: tuple[tuple[str, ...], tuple[str, ...]]
    outside: tuple[tuple[str, ...], tuple[str, ...]]
    counts: NDArray[np.int64]
    measures: Measures
    intervals: Mapping[str, tuple[float, float] | None]
    undefined: float
    unit: tuple[str, int]
    each: tuple[OneEmotion, ...]


def measures(counts: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Return ``raw``, ``expected`` and ``kappa`` of tables (..., K, K), each (...); kappa is NaN where it has no value.

    Source: Cohen, A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20, 1960.
    """
    table = np.asarray(counts, dtype=np.float64)
    total = table.sum(axis=(-2, -1))
    raw = np.trace(table, axis1=-2, axis2=-1) / total
    expected = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / total**2
    lacking = 1 - expected
    kappa = np.divide(raw - expected, lacking, out=np.full(np.shape(raw), np.nan), where=lacking > 1e-12)
    return {"raw": raw, "expected": expected, "kappa": kappa}


def agree(first: ClipPredictions, second: ClipPredictions) -> Agreement:
    """Join two models' predictions by clip and compare them on the emotions that both have.

    Clips of which either model predicts another emotion are counted and excluded: the other could not have agreed.

    Raises:
        DataError: The models have no two emotions in common, no clip is in both, a clip has two subjects, or no clip
            gets a common emotion from both.
    """
    if units := [predictions.name for predictions in (first, second) if predictions.of_units]:
        raise DataError(f"{listed(units)}: of a model of action units; agreement is that of two models of emotions")
    emotions = tuple(name for name in first.classes if name in second.classes)
    names = f"{first.name} has {listed(first.classes)}; {second.name} has {listed(second.classes)}"
    if len(emotions) < 2:
        shared = f"only {emotions[0]!r}" if emotions else "no emotion"
        raise DataError(f"the two models have {shared} in common, and agreement needs at least two: {names}")
    first_clips, second_clips = ({clip.clip_id: clip for clip in predictions.clips} for predictions in (first, second))
    joined = sorted(first_clips.keys() & second_clips.keys())
    if not joined:
        raise DataError(
            f"no clip is in both: {first.name} has {listed(first_clips, limit=3)}, {second.name} has "
            f"{listed(second_clips, limit=3)}; clips are joined by their ids"
        )
    odd = [name for name in joined if first_clips[name].subject != second_clips[name].subject]
    if odd:
        raise DataError(
            f"not the same clips: the subject of {counted(len(odd), 'clip')} differs between the two: "
            f"{listed(odd, limit=5)}"
        )
    answers = {name: (_emotion(first, first_clips[name]), _emotion(second, second_clips[name])) for name in joined}
    compared = [name for name in joined if set(answers[name]) <= set(emotions)]
    if not compared:
        raise DataError(
            f"both models predict a common emotion for none of the {counted(len(joined), 'clip')} in both; common "
            f"emotions: {listed(emotions)}"
        )
    groups = sorted({first_clips[name].group for name in compared})
    by_group = by_cluster(
        [emotions.index(answers[name][0]) for name in compared],
        [emotions.index(answers[name][1]) for name in compared],
        [first_clips[name].group for name in compared],
        groups,
        len(emotions),
    )
    counts = by_group.sum(axis=0)
    values = measures(counts)
    intervals, undefined = _intervals(by_group)
    return Agreement(
        first=first,
        second=second,
        emotions=emotions,
        joined=len(joined),
        alone=(
            tuple(sorted(first_clips.keys() - second_clips.keys())),
            tuple(sorted(second_clips.keys() - first_clips.keys())),
        ),
        outside=(
            tuple(name for name in joined if answers[name][0] not in emotions),
            tuple(name for name in joined if answers[name][1] not in emotions),
        ),
        counts=counts,
        measures=Measures(float(values["raw"]), float(values["expected"]), _known(float(values["kappa"]))),
        intervals=intervals,
        undefined=undefined,
        unit=("clip" if all(first_clips[name].subject is None for name in compared) else "subject", len(groups)),
        each=tuple(_one_emotion(counts, index, name) for index, name in enumerate(emotions)),
    )


def _emotion(predictions: ClipPredictions, clip: PredictedClip) -> str:
    return predictions.classes[clip.predicted]


def _intervals(by_group: NDArray[np.int64]) -> tuple[dict[str, tuple[float, float] | None], float]:
    """Draw subjects, or clips, with replacement: none where there are too few."""
    groups, k, _ = by_group.shape
    if not enough(groups):
        return dict.fromkeys(("raw", "expected", "kappa")), 0.0
    drawn = (bootstrap_weights(groups) @ by_group.reshape(groups, k * k)).reshape(-1, k, k)
    replicates = measures(drawn)
    fine = {name: values[~np.isnan(values)] for name, values in replicates.items()}
    undefined = float(np.isnan(replicates["kappa"]).mean())
    bounds = {name: interval(values) if len(values) else (0.0, 0.0) for name, values in fine.items()}
    return {name: pair if pair[1] - pair[0] > 1e-12 else None for name, pair in bounds.items()}, undefined


def _one_emotion(counts: NDArray[np.int64], index: int, name: str) -> OneEmotion:
    total, both = int(counts.sum()), int(counts[index, index])
    first, second = int(counts[index].sum()), int(counts[:, index].sum())
    table = [[both, first - both], [second - both, total - first - second + both]]
    answers = first + second
    return OneEmotion(
        emotion=name,
        first=first,
        second=second,
        both=both,
        specific=2 * both / answers if answers else None,
        expected=2 * first * second / (total * answers) if answers else None,
        kappa=_known(float(measures(table)["kappa"])),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
