"""Spotting by the chi-squared distance of local binary patterns over a sliding window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import Interval, SpottingModel, VideoFrames
from mexbench_plugins.models._spotter_files import load_spotter, save_spotter
from mexbench_plugins.models._spotting import (
    CurveSpotter,
    contrast,
    fit_curve_spotter,
    median_seconds,
    smoothed,
    strongest,
)

_BINS = 256


@dataclass(frozen=True)
class ChiSquaredCurves:
    """Chi-squared distance to the average of the histograms half a window away, of the blocks that change most."""

    share: float
    seconds: Mapping[str, float]

    def __call__(self, video: VideoFrames, /) -> dict[str, NDArray[np.float64]]:
        """Return a curve for each type."""
        histograms = video.frames.reshape(len(video), -1, _BINS).astype(np.float32)
        curves = {}
        for kind, seconds in self.seconds.items():
            half = max(1, round(seconds * video.fps / 2))
            # A single frame's histogram is mostly noise: the mean of a few frames is compared.
            steady = _moving_mean(histograms, max(1, half // 2))
            before, after = contrast(steady, half)
            average = (before + after) / 2
            distance = ((steady - average) ** 2 / np.maximum(steady + average, 1e-9)).sum(axis=2)
            curves[kind] = smoothed(strongest(distance, self.share), max(1, half // 2))
        return curves


def _moving_mean(values: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Return the mean of ``window`` frames around each (T, ...), clamped at the ends."""
    positions = np.arange(len(values))
    shifts = range(-(window // 2), window - window // 2)
    total = sum(values[np.clip(positions + shift, 0, len(values) - 1)] for shift in shifts)
    return np.asarray(total / window, dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class LbpChi2(SpottingModel):
    """Compare each frame's local binary patterns with those half a window before and after; spot the peaks.

    Input is histograms (T, blocks * 256), as the step ``lbp`` with ``output: histogram`` gives them. The window of
    each type is its median length on the training side, and the threshold the one with the highest F1 there.

    Args:
        share: Of the blocks, those that change most, whose mean counts; the source takes a third of 36.
    """

    source = (
        "the description in Moilanen et al., Spotting rapid facial movements from videos using appearance-based "
        "feature difference analysis, ICPR 2014"
    )
    example_shape = (32, 4 * _BINS)
    example_dtype = "float32"

    share: Annotated[float, Gt(0), Le(1)] = 1 / 3

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse what is not histograms of patterns."""
        if len(shape) != 1 or shape[0] % _BINS:
            raise DataError(
                f"lbp_chi2 needs histograms (T, blocks * {_BINS}), got frames {shape}; add grayscale and lbp with "
                "'output: histogram'"
            )

    def fit_spotting(
        self, videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]], *,
        groups: NDArray[np.str_], seed: int,
    ) -> CurveSpotter:  # fmt: skip
        """Choose window lengths and the threshold."""
        del groups, seed
        curves = ChiSquaredCurves(self.share, median_seconds(videos, intervals))
        return fit_curve_spotter(curves, videos, intervals, scale="z")

    def save(self, predictor: object, folder: Path) -> None:
        """Write lengths and thresholds."""
        save_spotter(predictor, folder)

    def load(self, folder: Path) -> CurveSpotter:
        """Read what ``save`` wrote."""
        return load_spotter(folder, lambda _, seconds: ChiSquaredCurves(self.share, seconds))
