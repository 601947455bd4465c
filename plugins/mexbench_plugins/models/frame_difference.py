"""Spotting by the difference of frames over a sliding window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import Interval, SpottingModel, VideoFrames
from mexbench_plugins.models._spotter_files import load_spotter, save_spotter
from mexbench_plugins.models._spotting import (
    CurveSpotter,
    block_means,
    contrast,
    fit_curve_spotter,
    median_seconds,
    smoothed,
    strongest,
)


@dataclass(frozen=True)
class FrameDifferenceCurves:
    """Mean absolute difference to the frames half a window away, of the blocks that change most."""

    grid: int
    share: float
    seconds: Mapping[str, float]

    def __call__(self, video: VideoFrames, /) -> dict[str, NDArray[np.float64]]:
        """Return a curve for each type."""
        frames = video.frames[..., 0].astype(np.float32)
        frames = frames / np.maximum(frames.mean(axis=(1, 2), keepdims=True), 1e-6)  # the light flickers
        curves = {}
        for kind, seconds in self.seconds.items():
            half = max(1, round(seconds * video.fps / 2))
            before, after = contrast(frames, half)
            difference = np.abs(frames - (before + after) / 2)
            curves[kind] = smoothed(strongest(block_means(difference, self.grid), self.share), max(1, half // 2))
        return curves


@dataclass(frozen=True, kw_only=True)
class FrameDifference(SpottingModel):
    """Compare each frame with those half a window before and after it; spot the peaks of the difference.

    Input is gray frames (T, H, W, 1), best small and of the face alone. The window of each type is its median length
    on the training side, and the threshold the one with the highest F1 there.

    Args:
        grid: Blocks along each side of a frame.
        share: Of the blocks, those that change most, whose mean counts.
    """

    source = "feature difference as described in Moilanen et al., Spotting rapid facial movements, ICPR 2014, on gray"
    example_shape = (32, 16, 16, 1)

    grid: Annotated[int, Ge(2)] = 8
    share: Annotated[float, Gt(0), Le(1)] = 0.1

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse what is not a gray image."""
        if len(shape) != 3 or shape[2] != 1 or min(shape[:2]) < self.grid:
            raise DataError(
                f"frame_difference needs gray frames (T, H, W, 1) of at least {self.grid} x {self.grid}, got frames "
                f"{shape}; add grayscale"
            )

    def fit_spotting(
        self, videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]], *,
        groups: NDArray[np.str_], seed: int,
    ) -> CurveSpotter:  # fmt: skip
        """Choose window lengths and the threshold."""
        del groups, seed
        curves = FrameDifferenceCurves(self.grid, self.share, median_seconds(videos, intervals))
        return fit_curve_spotter(curves, videos, intervals, scale="z")

    def save(self, predictor: object, folder: Path) -> None:
        """Write lengths and thresholds."""
        save_spotter(predictor, folder)

    def load(self, folder: Path) -> CurveSpotter:
        """Read what ``save`` wrote."""
        return load_spotter(folder, lambda _, seconds: FrameDifferenceCurves(self.grid, self.share, seconds))
