"""Local contrast: CLAHE."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import each, require


@dataclass(frozen=True, kw_only=True)
class Clahe(Preprocessor):
    """Contrast-limited adaptive histogram equalisation (OpenCV's), frame by frame; shape and type (uint8) stay.

    Args:
        on: lab equalises the L channel of RGB frames in LAB colour space and turns them back to RGB, so that hues
            stay; gray equalises frames of one channel.
        clip_limit: How much a tile's histogram may be stretched, in multiples of an even histogram's height.
        tiles: Tiles along each side of a frame.
    """

    source = "HybridMicroNet (2023), figure 1; AU-CNN (2024), pre-processing; limit and tiles unstated there"

    on: Literal["lab", "gray"] = "lab"
    clip_limit: Annotated[float, Gt(0)] = 2.0
    tiles: Annotated[int, Ge(1)] = 8

    def __call__(self, clip: Clip) -> Clip:
        """Equalise every frame."""
        import cv2

        if self.on == "lab":
            frames = require("clahe (on: lab)", clip, channels=(3,), hint="on: gray is for frames of one channel")
        else:
            frames = require("clahe (on: gray)", clip, channels=(1,), hint="on: lab is for RGB frames")
        if min(frames.shape[1:3]) < self.tiles:
            raise DataError(f"clahe: frames {frames.shape[1:3]} are too small for {self.tiles} x {self.tiles} tiles")

        def equalise(image: NDArray[Any]) -> NDArray[Any]:
            # An object of its own: it has buffers, and frames are equalised in several threads.
            return cv2.createCLAHE(clipLimit=self.clip_limit, tileGridSize=(self.tiles, self.tiles)).apply(image)

        def in_lab(frame: NDArray[Any]) -> NDArray[Any]:
            lab = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB)
            cv2.insertChannel(equalise(cv2.extractChannel(lab, 0)), lab, 0)
            return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB, dst=lab)

        action = in_lab if self.on == "lab" else lambda frame: equalise(frame[..., 0])
        return dataclasses.replace(clip, frames=each(frames, action))
