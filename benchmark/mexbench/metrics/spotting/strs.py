"""Spot-then-recognise: the score of the MEGC, correct, and as the challenge's own script prints it.

STRS is the F1 of spotting times the F1 of recognition over what was spotted. The latter is the harmonic mean of macro
precision and macro recall over the emotions of the truth, of true positives of spotting alone.

Source: Liong, See and Chan, Spot-then-recognize: A micro-expression analysis network for seamless evaluation of long
videos, Signal Processing: Image Communication 110, 2023; the script is the authors' public one, used by MEGC 2023-2025.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import counted
from mexbench.metrics.spotting.matching import IOU, Matching, iou, match


@dataclass(frozen=True, slots=True, kw_only=True)
class EmotionInterval:
    """One line of ``gt.csv`` or ``pred.csv``.

    Args:
        subject: Of the video.
        video: Unique within the subject.
        onset: First frame, inclusive; a prediction's may lie before the video.
        offset: Last frame, inclusive.
        emotion: The true or the predicted emotion.
    """

    subject: str
    video: str
    onset: int
    offset: int
    emotion: str


@dataclass(frozen=True, kw_only=True)
class StrsScores:
    """What is printed; None where the script divides by zero.

    Args:
        tp: Pairs of a true interval and a prediction.
        fp: False alarms.
        fn: True intervals that were not spotted.
        f1_spotting: F1 of the counts.
        precision_analysis: Macro precision over emotions.
        recall_analysis: Macro recall over emotions.
        f1_analysis: Harmonic mean of the two.
        uf1_analysis: Macro F1 over emotions.
        uar_analysis: What is called UAR: macro recall, or macro precision in the script.
        strs: F1 of spotting times F1 of analysis.
    """

    tp: int
    fp: int
    fn: int
    f1_spotting: float
    precision_analysis: float
    recall_analysis: float
    f1_analysis: float | None
    uf1_analysis: float
    uar_analysis: float
    strs: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """Return every figure by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class StrsDifference:
    """One way in which the script departs from the definition, and what it does to this file.

    Args:
        what: The departure, in words.
        count: How many lines it concerns here.
        effect: What that changes here, in words; empty where it changes nothing.
    """

    what: str
    count: int
    effect: str = ""


_Videos = Mapping[tuple[str, str], tuple[list[EmotionInterval], list[EmotionInterval]]]


def correct(
    truth: Sequence[EmotionInterval],
    predicted: Sequence[EmotionInterval],
    *,
    threshold: float = IOU,
    matching: Matching = "optimal",
) -> StrsScores:
    """Score predictions over every subject and video that truth or prediction names."""
    tp, labels = 0, []
    for true, claimed in _by_video(truth, predicted).values():
        pairs = match(true, claimed, threshold=threshold, matching=matching)
        tp += len(pairs)
        labels += [(true[i].emotion, claimed[j].emotion) for i, j in pairs]
    emotions = sorted({interval.emotion for interval in truth})
    counts = tp, len(predicted) - tp, len(truth) - tp
    return _scores(counts, _macro(labels, emotions), uar="recall", empty=0.0)


def as_printed(truth: Sequence[EmotionInterval], predicted: Sequence[EmotionInterval]) -> StrsScores:
    """Score as the challenge's script does, every mistake of it included.

    It visits the subjects that the predictions name and of each the videos that the truth names; there it goes through
    the predictions and gives each *every* true interval that is still free and overlaps enough; it calls macro
    precision UAR; and it counts nothing for an emotion where every pair has it on both sides.
    """
    subjects = {interval.subject for interval in predicted}
    tp = fp = fn = 0
    labels = []
    for true, claimed in _by_video(truth, predicted).values():
        if not true or true[0].subject not in subjects:
            continue
        pairs = _script_pairs(true, claimed)
        tp += len(pairs)
        fp += len(claimed) - len({j for _, j in pairs})
        fn += len(true) - len(pairs)
        labels += [(true[i].emotion, claimed[j].emotion) for i, j in pairs]
    emotions = sorted({interval.emotion for interval in truth})
    return _scores((tp, fp, fn), _macro(labels, emotions, drop_constant=True), uar="precision", empty=None)


def differences(truth: Sequence[EmotionInterval], predicted: Sequence[EmotionInterval]) -> list[StrsDifference]:
    """Name every way in which the script departs from the definition, and what each does to these predictions."""
    subjects = {interval.subject for interval in predicted}
    videos = {(interval.subject, interval.video) for interval in truth}
    silent = [interval for interval in truth if interval.subject not in subjects]
    alarms = [interval for interval in predicted if (interval.subject, interval.video) not in videos]
    printed = as_printed(truth, predicted)
    shared = [
        len(pairs) - len({j for _, j in pairs})
        for true, claimed in _by_video(truth, predicted).values()
        if (pairs := _script_pairs(true, claimed))
    ]
    n_shared = sum(shared)
    labels = {label for true, claimed in _by_video(truth, predicted).values()
              for i, j in _script_pairs(true, claimed) for label in (true[i].emotion, claimed[j].emotion)}  # fmt: skip
    return [
        StrsDifference(
            "the 'UAR' that the script prints is macro precision",
            printed.tp,
            f"it prints {printed.uar_analysis:.4f} where macro recall is {printed.recall_analysis:.4f}"
            if printed.uar_analysis != printed.recall_analysis
            else "",
        ),
        StrsDifference(
            "a subject without any prediction costs nothing: the script visits the subjects of the predictions alone",
            len(silent),
            f"not counted as missed: {counted(len(silent), 'true interval')} of "
            f"{counted(len({i.subject for i in silent}), 'subject')}"
            if silent
            else "",
        ),
        StrsDifference(
            "false alarms in videos without truth cost nothing: the script visits the videos of the truth alone",
            len(alarms),
            f"not counted: {counted(len(alarms), 'false alarm')}" if alarms else "",
        ),
        StrsDifference(
            "one prediction may be matched with several true intervals, each of which counts as spotted",
            n_shared,
            f"{counted(n_shared, 'true positive')} more than one-to-one pairs of the script's order"
            if n_shared
            else "",
        ),
        StrsDifference(
            "where every spotted interval has one and the same emotion on both sides, the script counts no hit for it",
            int(len(labels) == 1),
            "the F1 of analysis is undefined instead of counting the hits" if len(labels) == 1 else "",
        ),
    ]


def _by_video(truth: Sequence[EmotionInterval], predicted: Sequence[EmotionInterval]) -> _Videos:
    videos: dict[tuple[str, str], tuple[list[EmotionInterval], list[EmotionInterval]]] = {}
    for side, intervals in enumerate((truth, predicted)):
        for interval in intervals:
            videos.setdefault((interval.subject, interval.video), ([], []))[side].append(interval)
    return videos


def _script_pairs(true: Sequence[EmotionInterval], claimed: Sequence[EmotionInterval]) -> list[tuple[int, int]]:
    if not true or not claimed:
        return []
    eligible = iou(true, claimed) >= IOU
    free = np.ones(len(true), dtype=bool)
    pairs = []
    for column in range(len(claimed)):
        taken = np.flatnonzero(eligible[:, column] & free)
        free[taken] = False
        pairs += [(int(row), column) for row in taken]
    return pairs


def _macro(
    labels: Sequence[tuple[str, str]], emotions: Sequence[str], *, drop_constant: bool = False
) -> tuple[float, float, NDArray[np.float64]]:
    """Return macro precision, macro recall and the F1 of each emotion; a ratio without a denominator counts 0."""
    scored = np.zeros((len(emotions), 3))
    for index, emotion in enumerate(emotions):
        true = np.array([one == emotion for one, _ in labels], dtype=bool)
        claimed = np.array([other == emotion for _, other in labels], dtype=bool)
        if drop_constant and true.all() and claimed.all():
            continue
        hits = int((true & claimed).sum())
        scored[index] = (
            hits / claimed.sum() if claimed.any() else 0,
            hits / true.sum() if true.any() else 0,
            2 * hits / (true.sum() + claimed.sum()) if true.any() or claimed.any() else 0,
        )
    precision, recall, _ = scored.mean(axis=0) if len(emotions) else (0.0, 0.0, 0.0)
    return float(precision), float(recall), scored[:, 2]


def _scores(
    counts: tuple[int, int, int],
    macro: tuple[float, float, NDArray[np.float64]],
    *,
    uar: Literal["recall", "precision"],
    empty: float | None,
) -> StrsScores:
    (tp, fp, fn), (precision, recall, f1s) = counts, macro
    total = 2 * tp + fp + fn
    spotting = 2 * tp / total if total else 0.0
    analysis = 2 * precision * recall / (precision + recall) if precision + recall else empty
    return StrsScores(
        tp=tp,
        fp=fp,
        fn=fn,
        f1_spotting=spotting,
        precision_analysis=precision,
        recall_analysis=recall,
        f1_analysis=analysis,
        uf1_analysis=float(f1s.mean()) if len(f1s) else 0.0,
        uar_analysis=recall if uar == "recall" else precision,
        strs=None if analysis is None else spotting * analysis,
    )
