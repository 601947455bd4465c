"""Gray to colour."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import require


@dataclass(frozen=True, kw_only=True)
class Rgb(Preprocessor):
    """Gray frames (T, H, W, 1) uint8 to RGB ones (T, H, W, 3) with three equal channels. Colour frames stay.

    For data recorded in gray, such as SAMM, before what needs colour. OpenCV reads a gray file so by default: it is
    what the papers' scripts saw.
    """

    source = "OpenCV's imread, whose default is three channels"

    def __call__(self, clip: Clip) -> Clip:
        """Repeat the channel of every frame."""
        frames = require("rgb", clip, channels=(1, 3))
        return clip if frames.shape[-1] == 3 else dataclasses.replace(clip, frames=np.repeat(frames, 3, axis=-1))
