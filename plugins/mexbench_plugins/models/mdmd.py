"""Spotting by main directional maximal difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from mexbench.interfaces import Interval, VideoFrames
from mexbench.metrics.spotting import KINDS
from mexbench_plugins.models._flow_windows import FlowSpotter, steps, window
from mexbench_plugins.models._spotter_files import load_spotter, save_spotter
from mexbench_plugins.models._spotting import CurveSpotter, contrast, fit_curve_spotter, smoothed

_DIRECTIONS = 4


@dataclass(frozen=True)
class MainDirectionCurves:
    """How much further a face has moved half a window ago until now than until half a window later."""

    seconds: tuple[float, float]
    grid: int
    share: float

    def __call__(self, video: VideoFrames, /) -> dict[str, NDArray[np.float64]]:
        """Return a curve for each type."""
        lengths = steps(self.seconds, video.fps)
        return {kind: self._curve(window(video, kind)[..., :2], lengths[kind]) for kind in KINDS}

    def _curve(self, flow: NDArray[Any], step: int) -> NDArray[np.float64]:
        flow = flow.astype(np.float32)
        before, _ = contrast(flow, step)  # from frame i - k to frame i
        total = before + flow  # on to frame i + k: the two motions, added point by point
        difference = np.hypot(before[..., 0], before[..., 1]) - np.hypot(total[..., 0], total[..., 1])
        direction = (np.arctan2(before[..., 1], before[..., 0]) // (np.pi / 2)).astype(np.int8) % _DIRECTIONS
        rows = np.array_split(np.arange(flow.shape[1]), self.grid)
        columns = np.array_split(np.arange(flow.shape[2]), self.grid)
        blocks = [
            self._block(difference[:, r[0] : r[-1] + 1, c[0] : c[-1] + 1], direction[:, r[0] : r[-1] + 1,
                                                                                     c[0] : c[-1] + 1])
            for r in rows for c in columns
        ]  # fmt: skip
        ranked = np.sort(np.stack(blocks, axis=1), axis=1)
        count = max(1, round(self.share * ranked.shape[1]))
        return smoothed(ranked[:, -count:].mean(axis=1), max(1, step // 2))

    def _block(self, difference: NDArray[Any], direction: NDArray[Any]) -> NDArray[np.float64]:
        """Return the mean of the greatest differences among the points of a block's main direction (T,)."""
        difference = difference.reshape(len(difference), -1)
        direction = direction.reshape(len(direction), -1)
        counts = np.stack([(direction == one).sum(axis=1) for one in range(_DIRECTIONS)], axis=1)
        inside = direction == counts.argmax(axis=1)[:, None]
        falling = -np.sort(-np.where(inside, difference, -np.inf), axis=1)
        wanted = np.maximum(1, np.round(self.share * inside.sum(axis=1))).astype(np.intp)
        taken = np.arange(falling.shape[1]) < wanted[:, None]
        return np.where(taken, falling, 0).sum(axis=1) / wanted


@dataclass(frozen=True, kw_only=True)
class Mdmd(FlowSpotter):
    """Main directional maximal difference: spot where the face has moved and will have moved back.

    In each block of the face the points of the most frequent direction count; of them, and then of the blocks, the
    third with the greatest difference between the motion until now and the motion until later. This follows the
    description in the papers, not the code of their authors. Other than there, the second motion is the sum of two
    flows instead of a third flow field, the head's motion is taken away by the step ``frame_flow``, an interval has the
    median length of its type on the training side, and the threshold is chosen there by F1.

    Args:
        seconds: The windows of the step ``frame_flow``, of micro- and of macro-expressions.
        grid: Blocks along each side of the face.
        share: Of the points and of the blocks, those that count.
    """

    source = (
        "the description in Wang et al., A main directional maximal difference analysis for spotting facial movements "
        "from long-term videos, Neurocomputing 230, 2017 (doi:10.1016/j.neucom.2016.12.034), and in He et al., "
        "Spotting macro- and micro-expression intervals in long video sequences, FG 2020 (baseline of the MEGC 2020)"
    )

    grid: Annotated[int, Ge(1)] = 6
    share: Annotated[float, Gt(0), Le(1)] = 1 / 3

    def fit_spotting(
        self, videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]], *,
        groups: NDArray[np.str_], seed: int,
    ) -> CurveSpotter:  # fmt: skip
        """Choose interval lengths and the threshold."""
        del groups, seed
        curves = MainDirectionCurves(self.seconds, self.grid, self.share)
        return fit_curve_spotter(curves, videos, intervals, scale="z")

    def save(self, predictor: object, folder: Path) -> None:
        """Write lengths and thresholds."""
        save_spotter(predictor, folder)

    def load(self, folder: Path) -> CurveSpotter:
        """Read what ``save`` wrote."""
        return load_spotter(folder, lambda *_: MainDirectionCurves(self.seconds, self.grid, self.share))
