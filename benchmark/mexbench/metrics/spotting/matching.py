"""Which prediction is which true interval: intersection over union of whole frames, one to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

#: From this intersection over union on, a prediction may be a true positive.
IOU = 0.5
Matching = Literal["optimal", "greedy"]
MATCHINGS: tuple[Matching, ...] = get_args(Matching)


class FrameSpan(Protocol):
    """A first and a last frame, both inclusive: a true interval or a prediction."""

    @property
    def onset(self) -> int:
        """The first frame."""
        ...

    @property
    def offset(self) -> int:
        """The last frame."""
        ...


def iou(truth: Sequence[FrameSpan], predicted: Sequence[FrameSpan]) -> NDArray[np.float64]:
    """Return the intersection over union of every pair (true intervals, predictions), in whole frames.

    Frames 3 to 5 are three frames; two intervals that share a single frame already intersect.
    """
    first, last = _spans(truth)
    onset, offset = _spans(predicted)
    shared = np.minimum(last[:, None], offset) - np.maximum(first[:, None], onset) + 1
    shared = np.maximum(shared, 0)
    union = (last - first + 1)[:, None] + (offset - onset + 1) - shared
    return shared / union


def match(
    truth: Sequence[FrameSpan],
    predicted: Sequence[FrameSpan],
    *,
    threshold: float = IOU,
    matching: Matching = "optimal",
) -> list[tuple[int, int]]:
    """Pair true intervals with predictions, one to one; types are the caller's affair.

    Args:
        truth: True intervals of one video.
        predicted: Predictions for it.
        threshold: The least intersection over union of a pair.
        matching: ``optimal`` has the most pairs possible and, among such pairings, the greatest total overlap.
            ``greedy`` goes through the predictions as they are ordered and gives each the first true interval that is
            still free, as the challenge's script does; it may find fewer.

    Returns:
        Positions (true interval, prediction), by rising true interval.
    """
    if not len(truth) or not len(predicted):
        return []
    overlap = iou(truth, predicted)
    eligible = overlap >= threshold
    if matching == "greedy":
        return _greedy(eligible)
    if eligible.sum(axis=0).max() <= 1 and eligible.sum(axis=1).max() <= 1:  # nobody has a choice
        return [(int(i), int(j)) for i, j in zip(*np.nonzero(eligible), strict=True)]
    from scipy.optimize import linear_sum_assignment

    # A pair is worth 1 and a share of less than one pair for its overlap: first the number, then the overlap.
    gain = np.where(eligible, 1 + overlap / (1 + min(overlap.shape)), 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return sorted((int(i), int(j)) for i, j in zip(rows, columns, strict=True) if eligible[i, j])


def _greedy(eligible: NDArray[np.bool_]) -> list[tuple[int, int]]:
    free = np.ones(len(eligible), dtype=bool)
    pairs = []
    for column in range(eligible.shape[1]):
        choices = np.flatnonzero(eligible[:, column] & free)
        if len(choices):
            free[choices[0]] = False
            pairs.append((int(choices[0]), column))
    return sorted(pairs)


def _spans(intervals: Sequence[FrameSpan]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    onsets = np.array([interval.onset for interval in intervals], dtype=np.int64)
    return onsets, np.array([interval.offset for interval in intervals], dtype=np.int64)
