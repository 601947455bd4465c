"""What the spotters share that read the step ``frame_flow``: the windows of its channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import SpottingModel, VideoFrames
from mexbench.metrics.spotting import KINDS

_CHANNELS = 3


@dataclass(frozen=True, kw_only=True)
class FlowSpotter(SpottingModel):
    """A spotter that reads the fields of ``frame_flow``: u, v and strain of a window for each type of expression.

    Args:
        seconds: The windows of the step ``frame_flow``, of micro- and of macro-expressions.
    """

    example_shape = (32, 12, 12, _CHANNELS * len(KINDS))
    example_dtype = "float32"

    seconds: tuple[Annotated[float, Gt(0), Le(60)], Annotated[float, Gt(0), Le(60)]] = (0.2, 0.7)

    def least_side(self) -> int:
        """Return the smallest side of a field that it can read."""
        return _SMALLEST

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse what is not the flow of two windows."""
        least = self.least_side()
        if len(shape) != 3 or shape[2] != _CHANNELS * len(KINDS) or min(shape[:2]) < least:
            raise DataError(
                f"{type(self).__name__.lower()} needs fields (T, H, W, {_CHANNELS * len(KINDS)}) of at least "
                f"{least} x {least}, u, v and strain of two windows; got frames {shape}; add frame_flow"
            )


#: The smallest side of a field that leaves something after the networks' pooling.
_SMALLEST = 6


def window(video: VideoFrames, kind: str) -> NDArray[Any]:
    """Return the fields (T, H, W, 3) of the window of a type."""
    start = _CHANNELS * KINDS.index("micro" if kind == "micro" else "macro")
    return video.frames[..., start : start + _CHANNELS]


def steps(seconds: tuple[float, float], fps: float) -> dict[str, int]:
    """Return how many frames the window of each type has, as the step ``frame_flow`` rounds it."""
    return {kind: max(1, round(length * fps)) for kind, length in zip(KINDS, seconds, strict=True)}


def delayed(curve: NDArray[Any], by: int) -> NDArray[np.float64]:
    """Move curves (T, ...) later by so many frames: what is known at the start of a window belongs to its middle."""
    positions = np.clip(np.arange(len(curve)) - by, 0, None)
    return np.asarray(curve, dtype=np.float64)[positions]
