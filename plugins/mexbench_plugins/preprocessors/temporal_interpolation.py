"""As many frames for every clip: the temporal interpolation model, or linear interpolation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from mexbench.errors import SampleRejected
from mexbench.interfaces import Clip, Preprocessor

#: Values of a clip that are computed at a time: the temporary arrays of a long one stay small.
_CHUNK = 2**22


@dataclass(frozen=True, kw_only=True)
class TemporalInterpolation(Preprocessor):
    """Interpolates a clip to a fixed number of frames, evenly spaced from its first to its last: (frames, ...).

    ``graph`` is the temporal interpolation model (TIM): frames are vertices of a path graph, whose Laplacian has the
    eigenvectors cos(pi k (i - 1/2) / n), k = 1 .. n - 1, for frame i of n; the curve through the frames is their
    expansion in these functions of continuous time. It meets every frame exactly, for 'frames' equal to n too. The
    solution of the embedding is written out, so that no singular value decomposition is needed, and frames that are
    linearly dependent do no harm. It may overshoot: bytes are rounded and kept within 0 to 255.

    Onset, apex and offset move to the nearest interpolated frame, the rate changes with the number of frames. A clip of
    one frame is excluded.

    Args:
        frames: Number of frames of the result; the SMIC paper takes 10 for LBP-TOP.
        method: graph for TIM; linear takes the weighted mean of the two nearest frames.
    """

    source = (
        "Zhou, Zhao and Pietikainen, Towards a practical lipreading system, CVPR 2011, section 3, "
        "doi:10.1109/CVPR.2011.5995345; before LBP-TOP: Li et al., SMIC, FG 2013, doi:10.1109/FG.2013.6553717"
    )

    frames: Annotated[int, Ge(2)] = 10
    method: Literal["graph", "linear"] = "graph"

    def __call__(self, clip: Clip) -> Clip:
        """Interpolate.

        Raises:
            SampleRejected: The clip has a single frame.
        """
        count = len(clip.frames)
        if count < 2:
            raise SampleRejected("a clip of one frame cannot be interpolated in time (temporal_interpolation)")
        weights = graph_weights(count, self.frames) if self.method == "graph" else linear_weights(count, self.frames)
        step = (self.frames - 1) / (count - 1)

        def moved(index: int | None) -> int | None:
            return None if index is None else round(index * step)

        return dataclasses.replace(
            clip,
            frames=_combine(weights, clip.frames),
            fps=None if clip.fps is None else clip.fps * step,
            onset_index=moved(clip.onset_index),
            apex_index=moved(clip.apex_index),
            offset_index=moved(clip.offset_index),
        )


def graph_weights(count: int, wanted: int) -> NDArray[np.float64]:
    """Return the weight of each of ``count`` frames in each of ``wanted`` ones (wanted, count); rows have sum 1."""
    k = np.arange(1, count)
    frames = np.arange(1, count + 1)
    times = np.linspace(1 / count, 1, wanted)
    basis = np.cos(np.pi * np.outer(k, frames - 0.5) / count)
    curve = np.cos(np.pi * np.outer(times - 0.5 / count, k))
    return 1 / count + 2 / count * curve @ basis


def linear_weights(count: int, wanted: int) -> NDArray[np.float64]:
    """Return the weights of linear interpolation (wanted, count)."""
    times = np.linspace(0, count - 1, wanted)
    return np.maximum(0, 1 - np.abs(times[:, None] - np.arange(count)))


def _combine(weights: NDArray[np.float64], frames: NDArray[Any]) -> NDArray[Any]:
    """Return weighted sums of frames (T, ...): bytes for bytes, the type itself for floats, else float32."""
    dtype = frames.dtype if frames.dtype == np.uint8 or frames.dtype.kind == "f" else np.dtype(np.float32)
    flat = frames.reshape(len(frames), -1)
    result = np.empty((len(weights), flat.shape[1]), dtype)
    # Sums of bytes need no more than single precision: an error of 1e-4 is far below one half.
    precise = np.float32 if frames.dtype == np.uint8 else np.float64
    factors = weights.astype(precise)
    step = max(1, _CHUNK // len(frames))
    for start in range(0, flat.shape[1], step):
        values = factors @ flat[:, start : start + step].astype(precise)
        if dtype == np.uint8:
            values = np.clip(np.rint(values), 0, 255)
        result[:, start : start + step] = values
    return result.reshape(len(weights), *frames.shape[1:])
