"""Pixels to the range that a network expects."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import require

#: Mean and standard deviation of ImageNet's training images per channel, R, G, B, for pixels in [0, 1].
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)

CONSTANT = "all pixels are equal: standardised to zeros"
FLAT = "all pixels of a channel are equal: stretched to zeros"


@dataclass(frozen=True, kw_only=True)
class Normalise(Preprocessor):
    """Frames (T, H, W, C) to float32 frames of the same shape.

    Nothing is learned over samples: standard uses the mean and the deviation of the clip at hand.

    Args:
        mode: unit divides uint8 frames by 255; standard brings all values of a clip, uint8 or float32, to mean 0 and
            standard deviation 1; imagenet divides uint8 RGB frames by 255, takes off ImageNet's mean of each channel
            and divides by its standard deviation; stretch brings each channel of each frame to 0 to 255 by its least
            and greatest value, as public packs of optical flow do, whose magnitudes are gone by it.
    """

    source = "CNN-LSTM with LBP (2024), pre-processing: division by 255"

    mode: Literal["unit", "standard", "imagenet", "stretch"] = "unit"

    def __call__(self, clip: Clip) -> Clip:
        """Normalise all frames alike."""
        step = f"normalise (mode {self.mode})"
        notes = clip.notes
        if self.mode == "standard":
            frames = require(step, clip, channels=(1, 2, 3, 4), dtypes=("uint8", "float32"))
            # Equality is asked of the pixels: the mean of equal float32 values need not be exactly that value.
            if frames.min() == frames.max():
                result = np.zeros(frames.shape, np.float32)
                notes = (*notes, CONSTANT)
            else:
                mean, deviation = frames.mean(dtype=np.float64), frames.std(dtype=np.float64)
                result = ((frames - mean) / deviation).astype(np.float32)
        elif self.mode == "stretch":
            frames = require(step, clip, channels=(1, 2, 3, 4), dtypes=("uint8", "float32")).astype(np.float64)
            low, high = (bound(axis=(1, 2), keepdims=True) for bound in (frames.min, frames.max))
            if (low == high).any():
                notes = (*notes, FLAT)
            result = (255 * (frames - low) / np.where(high > low, high - low, 1)).astype(np.float32)
        elif self.mode == "imagenet":
            frames = require(step, clip, channels=(3,))
            result = (frames / np.float32(255) - IMAGENET_MEAN) / IMAGENET_STD
        else:
            result = require(step, clip, channels=(1, 2, 3, 4)) / np.float32(255)
        return dataclasses.replace(clip, frames=result, notes=notes)
