"""Colour to gray."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import each, gray, require


@dataclass(frozen=True, kw_only=True)
class Grayscale(Preprocessor):
    """RGB frames (T, H, W, 3) uint8 to gray ones (T, H, W, 1) uint8; gray frames stay as they are.

    The weights are OpenCV's, 0.299 R + 0.587 G + 0.114 B, rounded to whole numbers.
    """

    source = "CNN-LSTM with LBP (2024), pre-processing; ITU-R BT.601 weights"

    def __call__(self, clip: Clip) -> Clip:
        """Turn every frame to gray."""
        frames = require("grayscale", clip, channels=(1, 3))
        return clip if frames.shape[-1] == 1 else dataclasses.replace(clip, frames=each(frames, gray))
