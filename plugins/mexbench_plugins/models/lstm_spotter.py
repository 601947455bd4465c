"""A small recurrent spotter: which frames belong to an expression?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.interfaces import Interval, VideoFrames
from mexbench.metrics.spotting import KINDS
from mexbench_plugins.models._flow_windows import FlowSpotter, delayed, steps, window
from mexbench_plugins.models._spotting import CurveSpotter, fit_curve_spotter, smoothed

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.lstm_spotter_network import Weights


@dataclass(frozen=True, eq=False)
class LstmCurves:
    """The probability of each type at each frame, a little smoothed."""

    weights: Weights
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    kinds: tuple[str, ...]
    seconds: tuple[float, float]
    grid: int

    def __call__(self, video: VideoFrames, /) -> dict[str, NDArray[np.float64]]:
        """Return a curve for each type that trained."""
        from mexbench_plugins.models._nn import lstm_spotter_network

        x = (features(video, self.seconds, self.grid) - self.mean) / self.spread
        probabilities = np.asarray(lstm_spotter_network.probabilities(self.weights, x[None]))[0]
        lengths = steps(self.seconds, video.fps)
        return {
            kind: smoothed(probabilities[:, KINDS.index(kind)], lengths[kind]) for kind in KINDS if kind in self.kinds
        }


def features(video: VideoFrames, seconds: tuple[float, float], grid: int) -> NDArray[np.float32]:
    """Return what the network reads of each frame (T, D): how strongly each block moves, in both windows."""
    lengths = steps(seconds, video.fps)
    parts = []
    for kind in KINDS:
        fields = window(video, kind).astype(np.float32)
        motion = np.stack([np.hypot(fields[..., 0], fields[..., 1]), fields[..., 2]], axis=-1)
        rows = np.array_split(np.arange(motion.shape[1]), grid)
        columns = np.array_split(np.arange(motion.shape[2]), grid)
        for r in rows:
            for c in columns:
                block = motion[:, r[0] : r[-1] + 1, c[0] : c[-1] + 1].mean(axis=(1, 2))
                parts += [delayed(block[:, channel], lengths[kind] // 2) for channel in range(2)]
    return np.log1p(np.stack(parts, axis=1)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class LstmSpotter(FlowSpotter):
    """A small two-way LSTM over the motion of the face's blocks, with a probability of each type at each frame.

    Its peaks are intervals of the usual length; the threshold is chosen on the training side by F1.

    Args:
        seconds: The windows of the step ``frame_flow``, of micro- and of macro-expressions.
        grid: Blocks along each side of the face.
        hidden: Cells of each direction.
        epochs: Passes over the training side.
        learning_rate: Of Adam.
        frames: Frames of a training sequence; videos are cut into such.
        batch_size: Sequences per step.
    """

    source = "a small baseline of this program"

    grid: Annotated[int, Ge(1)] = 4
    hidden: Annotated[int, Ge(1)] = 16
    epochs: Annotated[int, Ge(1)] = 25
    learning_rate: Annotated[float, Gt(0)] = 5e-3
    frames: Annotated[int, Ge(8)] = 120
    batch_size: Annotated[int, Ge(1)] = 16

    def fit_spotting(
        self, videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]], *,
        groups: NDArray[np.str_], seed: int,
    ) -> CurveSpotter:  # fmt: skip
        """Train, then choose the threshold."""
        del groups
        rng = np.random.default_rng(seed)
        x = [features(video, self.seconds, self.grid) for video in videos]
        y = [_inside(video, inside) for video, inside in zip(videos, intervals, strict=True)]
        mean, spread = np.concatenate(x).mean(axis=0), np.maximum(np.concatenate(x).std(axis=0), 1e-6)
        weights = self._trained([(one - mean) / spread for one in x], y, rng)
        kinds = tuple(kind for index, kind in enumerate(KINDS) if any(one[:, index].any() for one in y))
        curves = LstmCurves(weights, mean, spread, kinds, self.seconds, self.grid)
        return fit_curve_spotter(curves, videos, intervals, scale="raw")

    def _trained(self, x: Sequence[NDArray[Any]], y: Sequence[NDArray[np.float32]], rng: Generator) -> Weights:
        from mexbench_plugins.models._nn import lstm_spotter_network

        share = np.maximum(np.concatenate(y).mean(axis=0), 1e-3)
        rare = np.minimum((1 - share) / share, 10.0).astype(np.float32)
        weights = lstm_spotter_network.initial(rng, x[0].shape[1], self.hidden)
        state = lstm_spotter_network.adam_state(weights, self.learning_rate)
        for _ in range(self.epochs):
            cut = [(v, int(start)) for v, one in enumerate(x) for start in self._starts(len(one), rng)]
            order = rng.permutation(len(cut))
            order = np.resize(order, -(-len(order) // self.batch_size) * self.batch_size)
            for batch in order.reshape(-1, self.batch_size):
                rows = [cut[index] for index in batch]
                bx = np.stack([_padded(x[v], start, self.frames) for v, start in rows])
                by = np.stack([_padded(y[v], start, self.frames) for v, start in rows])
                weights, state = lstm_spotter_network.train_step(
                    weights, state, bx, by, rare, learning_rate=self.learning_rate
                )
        return weights

    def _starts(self, length: int, rng: Generator) -> NDArray[np.intp]:
        """Cut a video into sequences, at another place in each epoch."""
        return np.arange(int(rng.integers(self.frames)) - self.frames + 1, length, self.frames)


def _inside(video: VideoFrames, intervals: Sequence[Interval]) -> NDArray[np.float32]:
    """Return which frames belong to an expression of each type (T, types)."""
    numbers = video.first + np.arange(len(video))
    shown = np.zeros((len(video), len(KINDS)), np.float32)
    for interval in intervals:
        shown[(numbers >= interval.onset) & (numbers <= interval.offset), KINDS.index(interval.kind)] = 1
    return shown


def _padded(values: NDArray[Any], start: int, length: int) -> NDArray[np.float32]:
    """Return a sequence (length, D) that may begin before the video and end after it: zeros there."""
    resampled = np.zeros((length, values.shape[1]), np.float32)
    low, high = max(start, 0), min(start + length, len(values))
    if high > low:
        resampled[low - start : high - start] = values[low:high]
    return resampled
