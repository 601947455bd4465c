"""SOFTNet: a shallow three-stream network that spots on optical flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from mexbench_plugins.models._spotter_files import load_spotter, positive_by_kind, save_spotter
from mexbench_plugins.models._spotting import CurveSpotter, fit_curve_spotter, smoothed

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.softnet_network import ThreeStreams

_WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, eq=False)
class SoftnetCurves:
    """The networks' scores, smoothed over their window and put in its middle."""

    networks: Mapping[str, ThreeStreams]
    scale: Mapping[str, float]
    seconds: tuple[float, float]
    batch_size: int

    def __call__(self, video: VideoFrames, /) -> dict[str, NDArray[np.float64]]:
        """Return a curve for each type that trained."""
        lengths = steps(self.seconds, video.fps)
        curves = {}
        for kind, network in self.networks.items():
            scores = self._ask(network, window(video, kind), self.scale[kind])
            curves[kind] = delayed(smoothed(scores, lengths[kind]), lengths[kind] // 2)
        return curves

    def _ask(self, network: ThreeStreams, fields: NDArray[Any], scale: float) -> NDArray[np.float32]:
        from mexbench_plugins.models._nn import softnet_network

        scores = []
        for start in range(0, len(fields), self.batch_size):
            batch = fields[start : start + self.batch_size].astype(np.float32) * scale
            padded = np.zeros((self.batch_size, *batch.shape[1:]), np.float32)
            padded[: len(batch)] = batch
            scores.append(np.asarray(softnet_network.scores(network, padded))[: len(batch)])
        return np.concatenate(scores)


@dataclass(frozen=True, kw_only=True)
class Softnet(FlowSpotter):
    """Three shallow streams on the flow of a window; one network for each type of expression.

    A window's pseudo-label is 1 where it shares a frame with an expression of the type, else 0; windows without one
    are thinned out until there are as many. Layers are those of the authors' public code, whose fields are 42x42; other
    sides are taken too. Fields are divided by their standard deviation on the training side. Other than there, training
    is by Adam, nothing is augmented, and the threshold is of the score itself, chosen on the training side by F1, and
    not one that puts a peak into every video.

    Args:
        seconds: The windows of the step ``frame_flow``, of micro- and of macro-expressions.
        epochs: Our choice; the authors' code has 10.
        learning_rate: Our choice.
        batch_size: Windows per step.
    """

    source = (
        "Liong et al., Shallow optical flow three-stream CNN for macro- and micro-expression spotting from long "
        "videos, ICIP 2021, and the authors' public code"
    )

    epochs: Annotated[int, Ge(1)] = 6
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    batch_size: Annotated[int, Ge(1)] = 128

    def fit_spotting(
        self, videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]], *,
        groups: NDArray[np.str_], seed: int,
    ) -> CurveSpotter:  # fmt: skip
        """Train a network for each type that occurs, then choose the threshold."""
        del groups
        networks, scales = {}, {}
        for number, kind in enumerate(KINDS):
            labels = [self._labels(video, inside, kind) for video, inside in zip(videos, intervals, strict=True)]
            if any(one.any() for one in labels):
                rng = np.random.default_rng([seed, number])
                networks[kind], scales[kind] = self._network([window(video, kind) for video in videos], labels, rng)
        curves = SoftnetCurves(networks, scales, self.seconds, self.batch_size)
        return fit_curve_spotter(curves, videos, intervals, scale="raw")

    def _labels(self, video: VideoFrames, intervals: Sequence[Interval], kind: str) -> NDArray[np.bool_]:
        """Return which windows, by their first frame, share a frame with an expression of a type (T,)."""
        step = steps(self.seconds, video.fps)[kind]
        numbers = video.first + np.arange(len(video))
        touched = np.zeros(len(video), dtype=bool)
        for interval in intervals:
            if interval.kind == kind:
                touched |= (numbers + step >= interval.onset) & (numbers <= interval.offset)
        return touched

    def _network(
        self, fields: Sequence[NDArray[Any]], labels: Sequence[NDArray[np.bool_]], rng: Generator
    ) -> tuple[ThreeStreams, float]:
        from mexbench_plugins.models._nn import softnet_network

        shown = np.concatenate(labels)
        positive, negative = np.flatnonzero(shown), np.flatnonzero(~shown)
        owner = np.repeat(np.arange(len(fields)), [len(one) for one in fields])
        place = np.concatenate([np.arange(len(one)) for one in fields])
        spread = float(np.mean([np.square(one[::7], dtype=np.float32).mean() for one in fields]) ** 0.5)
        scale = 1 / max(spread, 1e-6)
        network = softnet_network.ThreeStreams(fields[0].shape[1:3], rng)
        optimiser = softnet_network.adam(network, self.learning_rate)
        for _ in range(self.epochs):
            chosen = rng.permutation(np.concatenate([positive, _some(negative, len(positive), rng)]))
            chosen = np.resize(chosen, -(-len(chosen) // self.batch_size) * self.batch_size)  # one shape for every step
            for batch in chosen.reshape(-1, self.batch_size):
                x = np.stack([fields[int(owner[i])][int(place[i])] for i in batch]).astype(np.float32) * scale
                softnet_network.train_step(network, optimiser, x, shown[batch].astype(np.float32))
        return network, scale

    def save(self, predictor: object, folder: Path) -> None:
        """Write the networks, lengths and thresholds."""
        curves = getattr(predictor, "curves", None)
        assert isinstance(curves, SoftnetCurves)  # noqa: S101 - fit_spotting returns no other
        save_spotter(predictor, folder, scales=dict(curves.scale))
        arrays = {f"{kind}/{name}": a for kind, one in curves.networks.items() for name, a in one.arrays().items()}
        write_arrays(folder / _WEIGHTS, arrays)

    def load(self, folder: Path) -> CurveSpotter:
        """Read what ``save`` wrote."""
        from mexbench_plugins.models._nn.softnet_network import ThreeStreams

        stored = read_arrays(folder / _WEIGHTS)

        def curves(document: Mapping[str, Any], seconds: Mapping[str, float]) -> SoftnetCurves:
            scales = positive_by_kind(document, "scales")
            if set(scales) != set(seconds) or {name.partition("/")[0] for name in stored} != set(scales):
                raise ValueError(f"{_WEIGHTS}: has networks of other types than the lengths")
            networks = {
                kind: ThreeStreams.of({n.partition("/")[2]: a for n, a in stored.items() if n.startswith(f"{kind}/")})
                for kind in scales
            }
            return SoftnetCurves(networks, scales, self.seconds, self.batch_size)

        return load_spotter(folder, curves)


def _some(positions: NDArray[np.intp], count: int, rng: Generator) -> NDArray[np.intp]:
    return rng.choice(positions, min(count, len(positions)), replace=False) if len(positions) else positions
