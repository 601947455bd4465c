"""A small recurrent spotter: which frames belong to an expression?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.files import read_arrays, write_arrays
from mexbench.interfaces import Interval, VideoFrames
from mexbench.metrics.spotting import KINDS
from mexbench_plugins.models._flow_windows import FlowSpotter, delayed, steps, window
from mexbench_plugins.models._spotter_files import load_spotter, save_spotter
from mexbench_plugins.models._spotting import CurveSpotter, block_means, fit_curve_spotter, smoothed

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.lstm_spotter_network import Weights

_WEIGHTS = "weights.safetensors"


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
        return self.of_features(features(video, self.seconds, self.grid), video.fps)

    def of_features(self, x: NDArray[np.float32], fps: float) -> dict[str, NDArray[np.float64]]:
        """Return the curves for the features (T, D) of a video."""
        from mexbench_plugins.models._nn import lstm_spotter_network

        scaled = (x - self.mean) / self.spread
        probabilities = np.asarray(lstm_spotter_network.probabilities(self.weights, scaled[None]))[0]
        lengths = steps(self.seconds, fps)
        return {
            kind: smoothed(probabilities[:, KINDS.index(kind)], lengths[kind]) for kind in KINDS if kind in self.kinds
        }


def features(video: VideoFrames, seconds: tuple[float, float], grid: int) -> NDArray[np.float32]:
    """Return what the network reads of each frame (T, D): how strongly each block moves, in both windows."""
    lengths = steps(seconds, video.fps)
    parts = []
    for kind in KINDS:
        fields = window(video, kind).astype(np.float32)
        channels = (np.hypot(fields[..., 0], fields[..., 1]), fields[..., 2])
        parts += [delayed(block_means(channel, grid), lengths[kind] // 2) for channel in channels]
    return np.log1p(np.concatenate(parts, axis=1)).astype(np.float32)


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

    def least_side(self) -> int:
        """Return a side that has a point in each block."""
        return max(super().least_side(), self.grid)

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
        known = {id(video): one for video, one in zip(videos, x, strict=True)}  # computing them costs most of the time
        spotter = fit_curve_spotter(
            lambda video: curves.of_features(known[id(video)], video.fps), videos, intervals, scale="raw"
        )
        return replace(spotter, curves=curves)

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

    def save(self, predictor: object, folder: Path) -> None:
        """Write the network, lengths and thresholds."""
        curves = getattr(predictor, "curves", None)
        assert isinstance(curves, LstmCurves)  # noqa: S101 - fit_spotting returns no other
        save_spotter(predictor, folder, kinds=list(curves.kinds))
        weights = {name: np.asarray(array) for name, array in curves.weights.items()}
        write_arrays(folder / _WEIGHTS, {**weights, "mean": curves.mean, "spread": curves.spread})

    def load(self, folder: Path) -> CurveSpotter:
        """Read what ``save`` wrote."""
        from mexbench_plugins.models._nn import lstm_spotter_network

        stored = read_arrays(folder / _WEIGHTS)
        inputs = len(KINDS) * 2 * self.grid**2
        sizes = {name: stored[name].shape[:1] for name in ("forward_state", "mean") if name in stored}
        if sizes != {"forward_state": (self.hidden,), "mean": (inputs,)}:  # before there is memory for as many
            raise ValueError(f"{_WEIGHTS}: arrays of another network than this one with {self.hidden} cells")
        blank = lstm_spotter_network.initial(np.random.default_rng(0), inputs, self.hidden)
        expected = {name: array.shape for name, array in blank.items()} | {"mean": (inputs,), "spread": (inputs,)}
        if {name: array.shape for name, array in stored.items()} != expected or (stored["spread"] <= 0).any():
            raise ValueError(f"{_WEIGHTS}: arrays of another network than this one with {self.hidden} cells")
        weights = lstm_spotter_network.of_arrays({name: stored[name] for name in blank})

        def curves(document: Mapping[str, Any], seconds: Mapping[str, float]) -> LstmCurves:
            del seconds
            kinds = tuple(kind for kind in KINDS if kind in document.get("kinds", ()))
            return LstmCurves(weights, stored["mean"], stored["spread"], kinds, self.seconds, self.grid)

        return load_spotter(folder, curves)


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
