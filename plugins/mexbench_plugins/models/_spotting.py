"""What the spotters share: from a curve with one value per frame to intervals, and the choice of a threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import Interval, ScoredInterval, VideoFrames
from mexbench.metrics.spotting import KINDS, SpottedVideo, pooled_f1

#: A video's curve for each type of expression: one value per frame, high where an expression of that type is.
Curves = Callable[[VideoFrames], Mapping[str, NDArray[Any]]]
#: How a curve is made comparable between videos: ``z`` divides the distance from its median by its median absolute
#: deviation; ``share`` puts its mean at 0 and its maximum at 1, as the field does, so that every video has a peak;
#: ``raw`` leaves what was trained to be comparable as it is.
Scale = Literal["z", "share", "raw"]
SCALES: tuple[Scale, ...] = get_args(Scale)
_UNITS: Mapping[Scale, tuple[float, ...]] = {
    "z": tuple(float(value) for value in np.round(np.geomspace(2, 60, 24), 2)),
    "share": tuple(float(value) for value in np.round(np.arange(0.05, 1.0, 0.05), 2)),
    "raw": tuple(float(value) for value in np.round(np.arange(0.05, 1.0, 0.05), 2)),
}
#: Of all types together, in units of each type's own threshold.
THRESHOLDS = tuple(float(value) for value in np.round(np.geomspace(0.4, 2.5, 17), 3))
#: Two spotted intervals may share this much of the shorter one; of more, the one with the higher score stays.
_SHARED = 0.25


@dataclass(frozen=True)
class CurveSpotter:
    """Peaks of a curve, each as an interval of the length that is usual for its type.

    Args:
        curves: What is looked at; it has learned, if at all, from the training side alone.
        seconds: Type -> length of its intervals; a type that never trained is missing, and never spotted.
        scale: How curves are made comparable.
        units: Type -> the height of a peak that scores 1: the threshold that suits this type by itself, so that peaks
            of two types can be weighed against each other.
        threshold: Peaks with a lower score are not intervals.
        thresholds: Among which it was chosen.
    """

    curves: Curves
    seconds: Mapping[str, float]
    scale: Scale
    units: Mapping[str, float]
    threshold: float
    thresholds: tuple[float, ...]

    def __call__(self, videos: Sequence[VideoFrames], /) -> list[tuple[ScoredInterval, ...]]:
        """Spot each video by itself."""
        return [above(self.candidates(video), self.threshold) for video in videos]

    def confidence(self, video: VideoFrames, /) -> dict[str, NDArray[np.float64]]:
        """Return each type's curve (T,) in the unit of the scores: a peak that reaches ``threshold`` is an interval.

        Raises:
            DataError: A curve is not finite: no peak would be seen in it, and nothing spotted.
        """
        curves = {}
        for kind, curve in self.curves(video).items():
            if kind in self.seconds:
                if not np.isfinite(curve).all():
                    raise DataError(
                        f"the curve of {kind}-expressions is not finite: training has diverged (lower learning_rate), "
                        "or saved weights are damaged"
                    )
                curves[kind] = scaled(curve, self.scale) / self.units[kind]
        return curves

    def at(self, threshold: float) -> CurveSpotter:
        """Return the same spotter with another threshold."""
        return replace(self, threshold=threshold)

    def candidates(self, video: VideoFrames) -> tuple[ScoredInterval, ...]:
        """Return every peak as an interval, whatever its score; those that overlap a higher one are gone."""
        peaks: list[ScoredInterval] = []
        for kind, curve in self.confidence(video).items():
            half = max(1, round(self.seconds[kind] * video.fps / 2))
            peaks += _peaks(video, curve, half, kind)
        return suppress(peaks)


def fit_curve_spotter(
    curves: Curves,
    videos: Sequence[VideoFrames],
    intervals: Sequence[Sequence[Interval]],
    *,
    scale: Scale,
) -> CurveSpotter:
    """Take lengths and thresholds from the training side: those with the highest pooled F1, the highest of equals."""
    seconds = median_seconds(videos, intervals)
    remembered = {id(video): curves(video) for video in videos}  # a curve is looked at several times

    def known(video: VideoFrames) -> Mapping[str, NDArray[Any]]:
        return remembered[id(video)]

    units = {}
    for kind, length in seconds.items():
        alone = CurveSpotter(known, {kind: length}, scale, {kind: 1.0}, 0.0, ())
        true = [[interval for interval in inside if interval.kind == kind] for inside in intervals]
        units[kind] = choose_threshold([alone.candidates(video) for video in videos], true, _UNITS[scale])
    spotter = CurveSpotter(known, seconds, scale, units, 0.0, THRESHOLDS)
    threshold = choose_threshold([spotter.candidates(video) for video in videos], intervals, THRESHOLDS)
    return replace(spotter, curves=curves, threshold=threshold)


def choose_threshold(
    candidates: Sequence[Sequence[ScoredInterval]],
    intervals: Sequence[Sequence[Interval]],
    thresholds: Sequence[float],
) -> float:
    """Return the threshold with the highest pooled F1 on these videos, the highest of equals."""

    def score(threshold: float) -> float:
        videos = [
            SpottedVideo(video_id=str(index), group="", truth=tuple(true), predicted=above(found, threshold))
            for index, (true, found) in enumerate(zip(intervals, candidates, strict=True))
        ]
        return float(np.nan_to_num(pooled_f1(videos)))

    return max(thresholds, key=lambda threshold: (score(threshold), threshold))


def median_seconds(videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]]) -> dict[str, float]:
    """Return the median length of each type, in seconds; a type that does not occur is missing."""
    lengths: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for video, inside in zip(videos, intervals, strict=True):
        for interval in inside:
            lengths[interval.kind].append((interval.offset - interval.onset + 1) / video.fps)
    return {kind: float(np.median(found)) for kind, found in lengths.items() if found}


def above(candidates: Sequence[ScoredInterval], threshold: float) -> tuple[ScoredInterval, ...]:
    """Return the candidates that reach a threshold."""
    return tuple(one for one in candidates if one.score >= threshold)


def scaled(curve: NDArray[Any], scale: Scale) -> NDArray[np.float64]:
    """Make a curve (T,) comparable between videos; a curve that never changes is 0."""
    values = np.asarray(curve, dtype=np.float64)
    if scale == "raw":
        return values
    if scale == "share":
        centre, width = float(values.mean()), float(values.max() - values.mean())
    else:
        centre = float(np.median(values))
        width = 1.4826 * float(np.median(np.abs(values - centre)))
    return (values - centre) / width if width > 1e-12 else np.zeros(len(values))


def smoothed(curve: NDArray[Any], window: int) -> NDArray[np.float64]:
    """Return the moving mean of a curve (T,) over ``window`` frames; at the ends, over those that there are."""
    window = max(1, min(window, len(curve)))
    kernel = np.ones(window)
    return np.convolve(curve, kernel, "same") / np.convolve(np.ones(len(curve)), kernel, "same")


def suppress(intervals: Sequence[ScoredInterval]) -> tuple[ScoredInterval, ...]:
    """Keep the intervals with the highest scores among those that overlap, by rising onset."""
    kept: list[ScoredInterval] = []
    for one in sorted(intervals, key=lambda one: (-one.score, one.onset, one.offset)):
        if all(_shared(one, other) <= _SHARED for other in kept):
            kept.append(one)
    return tuple(sorted(kept, key=lambda one: (one.onset, one.offset)))


def _shared(one: ScoredInterval, other: ScoredInterval) -> float:
    frames = min(one.offset, other.offset) - max(one.onset, other.onset) + 1
    shorter = min(one.offset - one.onset, other.offset - other.onset) + 1
    return max(0, frames) / shorter


def _peaks(video: VideoFrames, curve: NDArray[np.float64], half: int, kind: str) -> list[ScoredInterval]:
    from scipy.signal import find_peaks

    # An expression may be under way at either end, where a peak has only one side.
    padded = np.pad(curve, 1, constant_values=-np.inf)
    places, _ = find_peaks(padded, distance=half)
    peaks = []
    for place in places - 1:
        onset, offset = max(0, int(place) - half), min(len(curve) - 1, int(place) + half)
        peaks.append(
            ScoredInterval(
                onset=video.first + onset,
                offset=video.first + offset,
                apex=video.first + int(place),
                kind="micro" if kind == "micro" else "macro",
                score=float(curve[place]),
            )
        )
    return peaks


def contrast(features: NDArray[Any], half: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what each frame is compared with: its features half a window before and after, clamped at the ends.

    Args:
        features: (T, ...).
        half: Frames to either side.

    Returns:
        The features before and after each frame, both (T, ...).
    """
    positions = np.arange(len(features))
    return features[np.maximum(positions - half, 0)], features[np.minimum(positions + half, len(features) - 1)]


def block_means(values: NDArray[Any], grid: int) -> NDArray[Any]:
    """Return the mean of each block of the pictures (T, H, W): (T, grid * grid), row by row."""
    starts = [[int(part[0]) for part in np.array_split(np.arange(side), grid)] for side in values.shape[1:]]
    sums = np.add.reduceat(np.add.reduceat(values, starts[0], axis=1), starts[1], axis=2)
    rows, columns = (np.diff([*ends, side]) for ends, side in zip(starts, values.shape[1:], strict=True))
    return (sums / np.outer(rows, columns).astype(values.dtype)).reshape(len(values), -1)


def strongest(blocks: NDArray[Any], share: float) -> NDArray[np.float64]:
    """Return the mean of the highest blocks of each frame, less that of all: motion of the whole head does not count.

    Args:
        blocks: One value per block (T, n).
        share: Of the blocks that count.
    """
    count = max(1, round(share * blocks.shape[1]))
    highest = np.sort(blocks, axis=1)[:, -count:].mean(axis=1)
    return np.asarray(highest - np.median(blocks, axis=1), dtype=np.float64)
