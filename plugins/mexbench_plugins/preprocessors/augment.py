"""Altered copies of training clips."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Le, Lt
from numpy.typing import NDArray

from mexbench.interfaces import Augmentation, Clip
from mexbench_plugins.preprocessors._images import each, require


@dataclass(frozen=True, kw_only=True)
class Augment(Augmentation):
    """Rescaled, rotated and mirrored copies of images (T, H, W, C) uint8, of the same shape, for the training side.

    One transformation is drawn for each copy of a clip and applied to all its frames, so that it adds no motion. It
    turns and scales about the centre, with bilinear interpolation; what comes in from outside repeats the border.
    It belongs before a step that turns images into something else: a mirrored flow field would need its u negated.

    The paper lists "rescale" beside rotation and flip. That may mean a zoom, which is what an augmentation would do. It
    is more likely the argument ``rescale=1/255`` of Keras's ImageDataGenerator, which divides every pixel of every
    image, those of the test side too, and varies nothing.

    Args:
        copies: Altered copies of each training sample, beside the original.
        rotation: Degrees up to which a copy is turned, either way.
        scale: Share by which a copy is enlarged or shrunk at most, with rescale: zoom.
        rescale: How the paper's word is read: zoom draws a change of size; values takes it for Keras's division by 255,
            so no copy changes its size. The division itself is left to the step or model that reads the images, such as
            vgg16 or normalise.
        flip: Mirror a copy left to right, with probability one half.
        seed: Another seed draws other copies. They are made once, before any model's own seed comes in.
    """

    source = (
        "HybridMicroNet (2023), augmentation: rescale, rotation, horizontal flip; amounts unstated there; Keras, "
        "ImageDataGenerator, argument rescale"
    )

    copies: Annotated[int, Ge(0)] = 1
    rotation: Annotated[float, Ge(0), Le(180)] = 10.0
    scale: Annotated[float, Ge(0), Lt(1)] = 0.1
    rescale: Literal["zoom", "values"] = "zoom"
    flip: bool = True
    seed: Annotated[int, Ge(0)] = 0

    def vary(self, clip: Clip, rng: np.random.Generator) -> Clip:
        """Draw a transformation and apply it to every frame."""
        frames = require("augment", clip, channels=(1, 3), hint="put it before steps that leave images behind")
        # All three are drawn whatever the parameters, so that changing one leaves the others' draws alone.
        turn, growth, toss = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.random()
        angle, factor = self.rotation * turn, 1 + self.scale * growth * (self.rescale == "zoom")
        mirrored = frames[:, :, ::-1] if self.flip and toss < 0.5 else frames
        return dataclasses.replace(clip, frames=_turned(np.ascontiguousarray(mirrored), angle, factor))


def _turned(frames: NDArray[Any], angle: float, factor: float) -> NDArray[Any]:
    """Turn frames by an angle in degrees, counter-clockwise, and scale them by a factor, about their centre."""
    import cv2

    if angle == 0 and factor == 1:
        return frames.copy()
    height, width = frames.shape[1:3]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, factor)

    def warp(frame: NDArray[Any]) -> NDArray[Any]:
        return cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    return each(frames, warp)
