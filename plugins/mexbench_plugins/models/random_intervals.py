"""The null model of spotting: intervals at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mexbench.fingerprint import digest_array
from mexbench.interfaces import Interval, LongVideo, ScoredInterval, SpottingModel, VideoFrames
from mexbench.metrics.spotting import IntervalStatistics, random_intervals


@dataclass(frozen=True)
class RandomSpotter:
    """Draw each video's intervals from the training side's rate and lengths; the same video gets the same ones."""

    statistics: IntervalStatistics
    seed: int

    def __call__(self, videos: Sequence[VideoFrames], /) -> list[tuple[ScoredInterval, ...]]:
        """Draw."""
        return [
            random_intervals(
                self.statistics,
                (video.first, video.last),
                video.fps,
                # From the video alone, so that it gets the same intervals whichever videos are beside it.
                np.random.default_rng([self.seed, int(digest_array(video.frames[:1])[:8], 16)]),
            )
            for video in videos
        ]


@dataclass(frozen=True, kw_only=True)
class RandomIntervals(SpottingModel):
    """Spot at random, with the rate and the lengths that the training side has: a null model.

    Whatever does not beat this row has found nothing.
    """

    source = "a null model of this program"
    example_shape = (32, 4, 4, 1)

    def flags(self) -> tuple[str, ...]:
        """Say that it looks at no pixel."""
        return ("null-model",)

    def fit_spotting(
        self, videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]], *,
        groups: NDArray[np.str_], seed: int,
    ) -> RandomSpotter:  # fmt: skip
        """Measure rate and lengths."""
        del groups
        return RandomSpotter(IntervalStatistics.of(annotated(videos, intervals)), seed)


def annotated(videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]]) -> list[LongVideo]:
    """Return what is known of the training side as records without pixels."""
    return [
        LongVideo(
            video_id=str(index),
            subject="",
            dataset="",
            fps=video.fps,
            frames=(video.first, video.last),
            intervals=tuple(inside),
        )
        for index, (video, inside) in enumerate(zip(videos, intervals, strict=True))
    ]
