"""From matched intervals to counts and scores, pooled over videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mexbench.interfaces.spotting import ScoredInterval
from mexbench.interfaces.video import Interval, IntervalKind
from mexbench.metrics.spotting.matching import IOU, Matching, iou, match

#: The types of expressions, in the order of every array of counts.
KINDS: tuple[IntervalKind, ...] = get_args(IntervalKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpottedVideo:
    """One video, what is true of it and what a model spotted in it.

    Args:
        video_id: The video.
        group: Its subject: the unit of every interval of confidence.
        member: Its data set; empty where nobody knows.
        fold: The fold that it was tested in; empty where nobody knows.
        fps: Frames per second, in Hz; None where nobody knows.
        n_frames: Its length; None where nobody knows.
        truth: Its expressions; often none.
        predicted: What was spotted in it; often nothing.
    """

    video_id: str
    group: str
    member: str = ""
    fold: str = ""
    fps: float | None = None
    n_frames: int | None = None
    truth: tuple[Interval, ...] = ()
    predicted: tuple[ScoredInterval, ...] = ()

    @property
    def minutes(self) -> float | None:
        """How long it lasts; None where length or frame rate is unknown."""
        return None if self.fps is None or self.n_frames is None else self.n_frames / self.fps / 60

    def pairs(self, *, threshold: float = IOU, matching: Matching = "optimal") -> list[tuple[int, int]]:
        """Match true intervals with predictions of the same type: positions (true interval, prediction)."""
        matches = []
        for kind in KINDS:
            rows = [i for i, interval in enumerate(self.truth) if interval.kind == kind]
            columns = [j for j, interval in enumerate(self.predicted) if interval.kind == kind]
            matched = match(
                [self.truth[i] for i in rows],
                [self.predicted[j] for j in columns],
                threshold=threshold,
                matching=matching,
            )
            matches += [(rows[i], columns[j]) for i, j in matched]
        return sorted(matches)


def count(video: SpottedVideo, *, threshold: float = IOU, matching: Matching = "optimal") -> NDArray[np.int64]:
    """Count true positives, false positives and false negatives of each type in one video (kinds, 3)."""
    counts = np.zeros((len(KINDS), 3), dtype=np.int64)
    hits = [video.truth[i].kind for i, _ in video.pairs(threshold=threshold, matching=matching)]
    for row, kind in enumerate(KINDS):
        n_true = sum(interval.kind == kind for interval in video.truth)
        n_predicted = sum(interval.kind == kind for interval in video.predicted)
        n_hits = hits.count(kind)
        counts[row] = n_hits, n_predicted - n_hits, n_true - n_hits
    return counts


def f1(counts: ArrayLike) -> NDArray[np.float64]:
    """Return F1 of counts (..., 3) of true positives, false positives and false negatives; not only whole numbers.

    NaN where there is nothing to find and nothing was claimed; 0 where something was claimed in vain.
    """
    values = np.asarray(counts, dtype=np.float64)
    hits = 2 * values[..., 0]
    total = hits + values[..., 1] + values[..., 2]
    return np.divide(hits, total, out=np.full(total.shape, np.nan), where=total > 0)


def pooled_f1(videos: Sequence[SpottedVideo], *, threshold: float = IOU, matching: Matching = "optimal") -> float:
    """Return the overall F1 of some videos: counts of both types, pooled over all of them; NaN where nothing is."""
    counts = [count(video, threshold=threshold, matching=matching).sum(axis=0) for video in videos]
    return float(f1(np.sum(counts, axis=0))) if counts else float("nan")


def average_precision(
    videos: Sequence[SpottedVideo], *, kind: IntervalKind | None = None, threshold: float = IOU
) -> float | None:
    """Return the area under the curve of precision over recall, as predictions are taken by falling score.

    Each prediction takes the free true interval of its video and type that it overlaps most. Precision is made
    monotone from the right, and predictions of equal score are taken together, so that neither the order of videos nor
    that of equal predictions changes a digit.

    Source: Everingham et al., The Pascal visual object classes challenge, IJCV 88, 2010 (all points).

    Args:
        videos: All videos.
        kind: One type alone; None for both.
        threshold: The least intersection over union of a hit.

    Returns:
        A number in [0, 1]; None where no true interval is of this type.
    """
    kinds = KINDS if kind is None else (kind,)
    n_true = sum(interval.kind in kinds for video in videos for interval in video.truth)
    if not n_true:
        return None
    scored = [pair for video in videos for one in kinds for pair in _hits_by_score(video, one, threshold)]
    if not scored:
        return 0.0
    scores = np.array([score for score, _ in scored])
    hits = np.array([hit for _, hit in scored], dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(hits[order])
    last = np.append(scores[1:] != scores[:-1], True)  # the last of each group of equal scores
    hits, taken = hits[last], np.flatnonzero(last) + 1
    recall, precision = hits / n_true, hits / taken
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def _hits_by_score(video: SpottedVideo, kind: IntervalKind, threshold: float) -> list[tuple[float, bool]]:
    truth = [interval for interval in video.truth if interval.kind == kind]
    predicted = sorted(
        (interval for interval in video.predicted if interval.kind == kind),
        key=lambda interval: (-interval.score, interval.onset, interval.offset),
    )
    if not truth or not predicted:
        return [(interval.score, False) for interval in predicted]
    overlap = iou(truth, predicted)
    overlap[overlap < threshold] = -1
    hits = []
    for column, interval in enumerate(predicted):
        best = int(np.argmax(overlap[:, column]))
        hit = bool(overlap[best, column] >= 0)
        if hit:
            overlap[best] = -1
        hits.append((interval.score, hit))
    return hits
