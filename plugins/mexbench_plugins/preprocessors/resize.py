"""Frames to one size."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import each, require

_Pixels = Annotated[int, Ge(1)]


@dataclass(frozen=True, kw_only=True)
class Resize(Preprocessor):
    """Frames (T, H, W, C) to (T, height, width, C), of the same type: uint8 or float32, one to four channels.

    The aspect ratio is not kept: a square size of a square face is what the papers use. Only positions change, not
    values: a flow field keeps the displacements of the size at which it was computed.

    Args:
        size: Side of a square, or [height, width], in pixels.
        interpolation: area averages the pixels that fall together, best for shrinking (where an axis grows it is the
            same as linear); linear interpolates between the four nearest pixels; nearest copies the nearest one.
    """

    source = "HybridMicroNet (2023), figure 1: 224 x 224; CNN-LSTM with LBP (2024): 48 x 48"

    size: _Pixels | tuple[_Pixels, _Pixels]
    interpolation: Literal["area", "linear", "nearest"] = "area"

    def __call__(self, clip: Clip) -> Clip:
        """Resize every frame."""
        import cv2

        frames = require("resize", clip, channels=(1, 2, 3, 4), dtypes=("uint8", "float32"))
        height, width = (self.size, self.size) if isinstance(self.size, int) else self.size
        if frames.shape[1:3] == (height, width):
            return clip
        # OpenCV's area method, asked to enlarge, falls back on an interpolation of its own that is not linear's.
        shrinks = height <= frames.shape[1] and width <= frames.shape[2]
        method = {
            "area": cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
            "linear": cv2.INTER_LINEAR,
            "nearest": cv2.INTER_NEAREST_EXACT,
        }[self.interpolation]
        resized = each(frames, lambda frame: cv2.resize(frame, (width, height), interpolation=method))
        return dataclasses.replace(clip, frames=resized)
