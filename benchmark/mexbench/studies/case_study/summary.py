"""A case study: the predicted classes of clips, by condition and by subject, with an interval of each share.

A clip has one prediction: the class with the highest mean of its scores, over its frames or windows and over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.metrics.classification import HEADLINE, LEVEL, bootstrap_weights, interval
from mexbench.metrics.few_subjects import enough
from mexbench.metrics.predictions import Predictions
from mexbench.metrics.summary import figures
from mexbench.studies.au_clusters.clustering import CAP, SEEDS, Subdivision, order, subdivide
from mexbench.studies.case_study.differences import compare_conditions
from mexbench.studies.case_study.predicted_clips import ClipPredictions, PredictedClip


def study(predictions: ClipPredictions, coded: Mapping[str, Sequence[frozenset[str]]] | None = None) -> dict[str, Any]:
    """Describe the predictions for the clips of a case study.

    Args:
        predictions: Of one model.
        coded: Class -> the action units of each training clip, by number alone, for the clusters.

    Returns:
        JSON values, as they are written to ``scores.json``.
    """
    conditions = sorted({clip.condition for clip in predictions.clips if clip.condition is not None})
    some = [clip for clip in predictions.clips if clip.condition is None] if conditions else []
    subjects = sorted({clip.subject for clip in predictions.clips if clip.subject is not None})
    division = subdivide(coded) if coded and any(clip.aus for clip in predictions.clips) else None
    return {
        "classes": list(predictions.classes),
        "of_units": predictions.of_units,
        "flags": list(predictions.flags),
        "unit": predictions.unit,
        "level": LEVEL,
        "honest": predictions.honest,
        "n_clips": len(predictions.clips),
        "unpredicted": list(predictions.unpredicted),
        "n_subjects": len(subjects),
        "n_scored": sum(clip.truth is not None for clip in predictions.clips),
        "n_other_emotion": sum(clip.truth is None and clip.emotion is not None for clip in predictions.clips),
        "all": _shares(predictions.clips, predictions.classes),
        "conditions": [
            {
                "condition": name,
                **_shares([clip for clip in predictions.clips if clip.condition == name], predictions.classes),
            }
            for name in conditions
        ]
        + ([{"condition": None, **_shares(some, predictions.classes)}] if some else []),
        "subjects": [
            {
                "subject": name,
                **_counts([clip for clip in predictions.clips if clip.subject == name], predictions.classes),
            }
            for name in subjects
        ],
        "differences": _differences(predictions),
        "groups": _groups(predictions),
        "scores": None if predictions.of_units else _scores(predictions),
        "clusters": None if division is None else {"cap": CAP, "seeds": list(SEEDS), "groups": division.as_json()},
        "clips": [
            {
                "clip_id": clip.clip_id,
                "subject": clip.subject,
                "condition": clip.condition,
                "emotion": clip.emotion,
                "truth": None if clip.truth is None else predictions.classes[clip.truth],
                "predicted": clip.text(predictions.classes),
                "aus": sorted(clip.aus, key=order),
                "cluster": clip.cluster or _cluster(division, clip.text(predictions.classes), clip),
                "scores": list(clip.scores),
                "person": dict(clip.person),
            }
            for clip in predictions.clips
        ],
    }


def wilson(hits: float, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of a share, which holds for few clips too.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def _shares(clips: Sequence[PredictedClip], classes: Sequence[str]) -> dict[str, Any]:
    """Count what is predicted; intervals by bootstrap over subjects, none where there are too few."""
    groups = sorted({clip.group for clip in clips})
    position = {name: index for index, name in enumerate(groups)}
    counts, clips_of = np.zeros((len(groups), len(classes))), np.zeros(len(groups))
    for clip in clips:
        counts[position[clip.group], list(clip.answers)] += 1
        clips_of[position[clip.group]] += 1
    weights = bootstrap_weights(len(groups))
    shares = weights @ counts / (weights @ clips_of)[:, None]
    totals = counts.sum(axis=0)
    return {
        "clips": len(clips),
        "groups": len(groups),
        "shares": [
            {
                "class": name,
                "clips": int(totals[index]),
                "share": float(totals[index] / len(clips)),
                "ci": _interval(shares[:, index]) if enough(len(groups)) else None,
            }
            for index, name in enumerate(classes)
        ],
    }


def _counts(clips: Sequence[PredictedClip], classes: Sequence[str]) -> dict[str, Any]:
    """Count what is predicted of one person; intervals are Wilson's, over clips."""
    hits = [sum(index in clip.answers for clip in clips) for index in range(len(classes))]
    return {
        "clips": len(clips),
        "conditions": sorted({clip.condition for clip in clips if clip.condition is not None}),
        "shares": [
            {"class": name, "clips": count, "share": count / len(clips), "ci": list(wilson(count, len(clips)))}
            for name, count in zip(classes, hits, strict=True)
        ],
    }


def _interval(values: NDArray[np.float64]) -> list[float] | None:
    """Return the percentile interval of replicates; None where it has no width, and so says nothing."""
    low, high = interval(values)
    return [low, high] if high - low > 1e-12 else None


def _differences(predictions: ClipPredictions) -> list[dict[str, Any]]:
    """Compare the conditions; clips without one do not count."""
    cells: dict[tuple[str, str], list[PredictedClip]] = {}
    for clip in predictions.clips:
        if clip.condition is not None:
            cells.setdefault((clip.group, clip.condition), []).append(clip)
    if not cells:
        return []
    shares = np.zeros((len(cells), len(predictions.classes)))
    for row, clips in zip(shares, cells.values(), strict=True):
        for clip in clips:
            row[list(clip.answers)] += 1 / len(clips)
    subjects, conditions = zip(*cells, strict=True)
    compared = compare_conditions(shares, subjects, conditions, predictions.classes)
    return [
        {
            "answer": one.answer, "conditions": list(one.conditions), "means": list(one.means),
            "subjects": list(one.subjects), "ci": None if one.ci is None else list(one.ci), "p": one.p,
            "p_holm": one.p_holm, "least_p": one.least_p, "effect": one.effect,
        }
        for one in compared
    ]  # fmt: skip


def _groups(predictions: ClipPredictions) -> dict[str, list[dict[str, Any]]]:
    """Count what is predicted by column about people (sex, age group, ethnicity), of those that any clip has."""
    columns = dict.fromkeys(key for clip in predictions.clips for key, _ in clip.person)
    tables: dict[str, list[dict[str, Any]]] = {}
    for key in columns:
        by_value: dict[str | None, list[PredictedClip]] = {}
        for clip in predictions.clips:
            by_value.setdefault(dict(clip.person).get(key), []).append(clip)
        ordered = sorted(by_value.items(), key=lambda item: (item[0] is None, item[0] or ""))
        tables[key] = [{"group": value, **_shares(clips, predictions.classes)} for value, clips in ordered]
    return tables


def _scores(clip_predictions: ClipPredictions) -> dict[str, Any] | None:
    """Score the clips whose emotion is a class of the model; None where there is none."""
    labelled = [(clip, clip.truth) for clip in clip_predictions.clips if clip.truth is not None]
    if not labelled:
        return None
    predictions = Predictions.from_columns(
        sample=[clip.clip_id for clip, _ in labelled],
        subject=[clip.subject or "" for clip, _ in labelled],
        truth=[truth for _, truth in labelled],
        predicted=[clip.predicted for clip, _ in labelled],
        n_classes=len(clip_predictions.classes),
    )
    row = figures(predictions, clip_predictions.classes)
    return {name: row[name] for name in (*HEADLINE, "ci", "per_class", "confusion", "n_samples", "n_subjects")}


def _cluster(division: Subdivision | None, predicted: str, clip: PredictedClip) -> str | None:
    """Return the cluster of the predicted class that the clip's action units are nearest to."""
    if division is None or not clip.aus or predicted not in division.groups:
        return None
    return division.assign(predicted, clip.aus).name


def numbers(aus: Iterable[str]) -> frozenset[str]:
    """Return ``Sample.aus`` as tokens of a sub-division: ``{"AU4"}`` is ``{"4"}``."""
    return frozenset(name.removeprefix("AU") for name in aus)
