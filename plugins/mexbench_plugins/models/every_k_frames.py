"""The other null model of spotting: one interval every k frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mexbench.interfaces import Interval, ScoredInterval, SpottingModel, VideoFrames
from mexbench.metrics.spotting import RegularSpotter
from mexbench_plugins.models.random_intervals import annotated


@dataclass(frozen=True)
class EveryK:
    """Apply what the training side chose."""

    regular: RegularSpotter

    def __call__(self, videos: Sequence[VideoFrames], /) -> list[tuple[ScoredInterval, ...]]:
        """Put the intervals into each video."""
        return [self.regular.spot((video.first, video.last), video.fps) for video in videos]


@dataclass(frozen=True, kw_only=True)
class EveryKFrames(SpottingModel):
    """Spot one interval every k frames, with the type, length and k that score best on the training side: a null model.

    Of each type the median length is tried, with one interval every 1, 2, 4, ... lengths.
    """

    source = "a null model of this program"
    example_shape = (32, 4, 4, 1)

    def flags(self) -> tuple[str, ...]:
        """Say that it looks at no pixel."""
        return ("null-model",)

    def fit_spotting(
        self, videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]], *,
        groups: NDArray[np.str_], seed: int,
    ) -> EveryK:  # fmt: skip
        """Try them on the training side."""
        del groups, seed
        return EveryK(RegularSpotter.fit(annotated(videos, intervals)))
