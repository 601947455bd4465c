"""The ``frames`` block of a config: what of a clip is a sample. It sees frame numbers, never a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, MinLen
from numpy.typing import NDArray

from mexbench.errors import SampleRejected
from mexbench.interfaces import Clip, Dataset, Plugin, Sample

Moment = Literal["onset", "apex", "offset"]


@dataclass(frozen=True)
class FrameSampling:
    """Which frames of a clip are read, and how each frame that is kept is mixed from two of them.

    Args:
        numbers: Published numbers of the frames to read, rising.
        lower: For each kept frame, position in ``numbers`` of the frame before it.
        upper: Position of the frame behind it.
        weight: Share of the latter, in [0, 1).
    """

    numbers: tuple[int, ...]
    lower: tuple[int, ...]
    upper: tuple[int, ...]
    weight: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class FrameSelection(Plugin):
    """What of a clip is a sample.

    Args:
        unit: clip makes one sample of each clip; frame makes a sample of every frame that is kept, with the clip's
            id and subject.
        count: How many frames to keep, spread evenly from the first to the last; with unit clip a frame between two
            others is interpolated, with unit frame the nearest is taken, each at most once.
        fps: With unit frame: how many frames of each second to keep, in Hz, from the first on.
        at: With unit clip: the moments to keep; a clip without one of them is excluded, counted and named.
    """

    unit: Literal["clip", "frame"]
    count: Annotated[int, Ge(1)] | None = None
    fps: Annotated[float, Gt(0)] | None = None
    at: Annotated[tuple[Moment, ...], MinLen(1)] | None = None

    def __post_init__(self) -> None:
        """Check that exactly one way to choose frames is given."""
        allowed = ("count", "at") if self.unit == "clip" else ("count", "fps")
        given = [key for key in ("count", "fps", "at") if getattr(self, key) is not None]
        if len(given) != 1 or given[0] not in allowed:
            got = " and ".join(given) or "none"
            raise ValueError(f"unit {self.unit} needs either {allowed[0]!r} or {allowed[1]!r}, got {got}")

    def pick(self, dataset: Dataset, sample: Sample) -> FrameSampling:
        """Choose frames of one clip.

        Raises:
            SampleRejected: A moment is not annotated or not on disk, or the clip has no frames to choose from.
        """
        numbers = dataset.frame_numbers(sample)
        if not numbers:
            raise SampleRejected("is not a sequence of frames: remove the 'frames' block")
        if self.at is not None:
            return self._moments(numbers, sample, self.at)
        if self.count is not None:
            places = _even(len(numbers), self.count)
        else:
            places = np.arange(0, len(numbers), self._step(sample))
        if self.unit == "frame":
            places = np.unique(np.floor(places + 0.5))
        return _pick(numbers, places)

    def split(self, sample: Sample, pick: FrameSampling) -> tuple[Sample, ...]:
        """Return the samples that a clip becomes: itself, or one for each kept frame, ``clip#number``."""
        if self.unit == "clip":
            return (sample,)
        numbers = [pick.numbers[position] for position in pick.lower]
        return tuple(replace(sample, sample_id=f"{sample.clip_id}#{number}") for number in numbers)

    def _step(self, sample: Sample) -> float:
        if sample.fps is None:
            raise SampleRejected("its frames per second are not known: choose by 'count'")
        return max(sample.fps / (self.fps or sample.fps), 1)

    def _moments(self, numbers: Sequence[int], sample: Sample, moments: Sequence[Moment]) -> FrameSampling:
        places = []
        for moment in moments:
            number = getattr(sample, moment)
            if number is None:
                raise SampleRejected(f"has no {moment}")
            if number not in numbers:
                raise SampleRejected(f"its {moment} is not among its frames")
            places.append(numbers.index(number))
        return _pick(numbers, np.array(places, dtype=float))


def load(dataset: Dataset, sample: Sample, pick: FrameSampling) -> Clip:
    """Read the frames of a pick and interpolate those between two."""
    source = dataset.load_frames(sample, pick.numbers)
    positions = [
        (1 - w) * pick.numbers[a] + w * pick.numbers[b]
        for a, b, w in zip(pick.lower, pick.upper, pick.weight, strict=True)
    ]
    return replace(
        source,
        frames=mixed(source.frames, pick),
        onset_index=_nearest(positions, sample.onset),
        apex_index=_nearest(positions, sample.apex),
        offset_index=_nearest(positions, sample.offset),
    )


def mixed(source: NDArray[Any], pick: FrameSampling) -> NDArray[Any]:
    """Return the frames of a pick, those between two interpolated; ``source`` are those of its ``numbers``."""
    frames = source[list(pick.lower)]
    for frame, upper, weight in zip(frames, pick.upper, pick.weight, strict=True):
        if weight:  # one by one: a clip of floats would not fit into the processor's cache
            both = (1 - weight) * frame + weight * source[upper]
            frame[...] = np.rint(both) if source.dtype.kind in "iu" else both
    return frames


def evenly(length: int, count: int) -> FrameSampling:
    """Choose ``count`` frames spread evenly over ``length``, as ``unit: clip, count`` does; numbers are positions."""
    return _pick(range(length), _even(length, count))


def _even(length: int, count: int) -> NDArray[np.float64]:
    return np.linspace(0, length - 1, count)


def _pick(numbers: Sequence[int], places: np.ndarray) -> FrameSampling:
    """Turn positions between frames into the frames to read and the weights to mix them with."""
    lower = np.floor(places + 1e-9).astype(int)
    weight = np.where(places - lower < 1e-6, 0.0, places - lower)
    upper = np.where(weight > 0, lower + 1, lower)
    wanted = sorted({*lower.tolist(), *upper.tolist()})
    return FrameSampling(
        numbers=tuple(numbers[place] for place in wanted),
        lower=tuple(wanted.index(place) for place in lower),
        upper=tuple(wanted.index(place) for place in upper),
        weight=tuple(weight.tolist()),
    )


def _nearest(positions: Sequence[float], number: int | None) -> int | None:
    return None if number is None else min(range(len(positions)), key=lambda index: abs(positions[index] - number))
