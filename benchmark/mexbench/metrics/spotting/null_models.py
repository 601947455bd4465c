"""What a spotter that looks at no pixel achieves: random intervals, and one every k frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mexbench.errors import DataError
from mexbench.interfaces.spotting import ScoredInterval
from mexbench.interfaces.video import IntervalKind, LongVideo
from mexbench.metrics.spotting.scores import KINDS, SpottedVideo, pooled_f1


@dataclass(frozen=True)
class IntervalStatistics:
    """How often and how long expressions are in some videos, in seconds, so that frame rates may differ.

    Args:
        seconds: Type -> the length of every interval, sorted.
        rate: Type -> intervals per second of video.
    """

    seconds: Mapping[str, tuple[float, ...]]
    rate: Mapping[str, float]

    @classmethod
    def of(cls, videos: Sequence[LongVideo]) -> IntervalStatistics:
        """Measure the videos of a training side.

        Raises:
            DataError: A video's length is unknown.
        """
        if unknown := [video.video_id for video in videos if video.frames is None]:
            raise DataError(f"{unknown[0]}: its first and last frame are unknown, so the rate of intervals is too")
        duration = sum(_n_frames(video) / video.fps for video in videos)
        seconds = {
            kind: tuple(
                sorted((i.offset - i.onset + 1) / video.fps for video in videos for i in video.intervals
                       if i.kind == kind)
            )
            for kind in KINDS
        }  # fmt: skip
        rate = {kind: len(lengths) / duration if duration else 0.0 for kind, lengths in seconds.items()}
        return cls(seconds, rate)


def random_intervals(
    statistics: IntervalStatistics, frames: tuple[int, int], fps: float, rng: np.random.Generator
) -> tuple[ScoredInterval, ...]:
    """Draw intervals for one video: their number from a Poisson law, lengths from the training side, places evenly.

    Args:
        statistics: Of the training side.
        frames: First and last frame of the video, both inclusive.
        fps: Its frames per second.
        rng: Source of all randomness.

    Returns:
        Intervals with random scores, by rising onset; some may overlap.
    """
    first, last = frames
    n_frames = last - first + 1
    intervals = []
    for kind in KINDS:
        lengths = statistics.seconds[kind]
        if not lengths:
            continue
        for _ in range(int(rng.poisson(statistics.rate[kind] * n_frames / fps))):
            length = min(max(1, round(float(rng.choice(lengths)) * fps)), n_frames)
            onset = first + int(rng.integers(n_frames - length + 1))
            intervals.append(
                ScoredInterval(onset=onset, offset=onset + length - 1, kind=kind, score=float(rng.random()))
            )
    return tuple(sorted(intervals, key=lambda interval: (interval.onset, interval.offset)))


def regular_intervals(
    length: int, step: int, frames: tuple[int, int], kind: IntervalKind
) -> tuple[ScoredInterval, ...]:
    """Put one interval of ``length`` frames every ``step`` frames, as far as the video goes."""
    first, last = frames
    return tuple(
        ScoredInterval(onset=onset, offset=onset + length - 1, kind=kind)
        for onset in range(first, last - length + 2, max(1, step))
    )


@dataclass(frozen=True)
class RegularSpotter:
    """One interval every k frames: the type, length and k that score best on the training side.

    Args:
        kind: Of every interval; None spots nothing, where nothing scored above 0.
        seconds: Length of an interval.
        period: Seconds from one onset to the next.
    """

    kind: IntervalKind | None
    seconds: float = 0.0
    period: float = 0.0

    @classmethod
    def fit(cls, videos: Sequence[LongVideo]) -> RegularSpotter:
        """Try the median length of each type with one interval every 1, 2, 4, ... lengths, up to the mean distance.

        Raises:
            DataError: A video's length is unknown.
        """
        statistics = IntervalStatistics.of(videos)
        best, best_f1 = cls(None), 0.0
        for kind in KINDS:
            if not statistics.seconds[kind]:
                continue
            seconds = float(np.median(statistics.seconds[kind]))
            doublings = math.log2(max(1.0, 1 / (statistics.rate[kind] * seconds)))
            for power in range(math.ceil(doublings) + 1):
                one = cls(kind, seconds, seconds * 2**power)
                score = pooled_f1([one.spotted(video) for video in videos])
                if score > best_f1:
                    best, best_f1 = one, score
        return best

    def spot(self, frames: tuple[int, int], fps: float) -> tuple[ScoredInterval, ...]:
        """Spot one video."""
        if self.kind is None:
            return ()
        length = max(1, round(self.seconds * fps))
        return regular_intervals(length, round(self.period * fps), frames, self.kind)

    def spotted(self, video: LongVideo) -> SpottedVideo:
        """Spot a video whose truth is known."""
        frames = video.frames or (0, -1)
        return SpottedVideo(
            video_id=video.video_id,
            group=video.subject,
            truth=video.intervals,
            predicted=self.spot(frames, video.fps),
        )


def _n_frames(video: LongVideo) -> int:
    first, last = video.frames or (0, -1)
    return last - first + 1
