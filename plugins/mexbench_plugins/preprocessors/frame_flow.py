"""Motion of each frame of a long video: optical flow over a window of each type of expression."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, MinLen
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import gray, require
from mexbench_plugins.preprocessors.optical_flow import SMALLEST, farneback, strain


@dataclass(frozen=True, kw_only=True)
class FrameFlow(Preprocessor):
    """Optical flow from each frame to one some time later, of RGB or gray frames, uint8: (T, size, size, 3 * windows).

    For each window u, v (pixels of the input's size, to the right and downwards) and strain, as the step
    ``optical_flow`` computes them; float16, for memory. The median of u and of v over the picture is taken away, which
    is the motion of the head. At the end of the video the later frame is the last one.

    Args:
        seconds: Length of each window, in the order of the channels: half a micro- and half a macro-expression.
        size: Side of the fields that are returned.
        steady: Whether the head's motion is taken away.
    """

    source = "SOFTNet, Liong et al., Shallow optical flow three-stream CNN, ICIP 2021: flow from frame i to i + k"
    example_shape = (5, 32, 32, 1)

    seconds: Annotated[tuple[Annotated[float, Gt(0)], ...], MinLen(1)] = (0.2, 0.7)
    size: Annotated[int, Ge(4)] = 28
    steady: bool = True

    def __call__(self, clip: Clip) -> Clip:
        """Compute the flow of every frame.

        Raises:
            DataError: The frames are not uint8 images, or too small, or their rate is unknown.
        """
        frames = require("frame_flow", clip, channels=(1, 3))
        if min(frames.shape[1:3]) < SMALLEST:
            raise DataError(f"frame_flow: frames {frames.shape[1:3]} are too small: {SMALLEST} x {SMALLEST} at least")
        if clip.fps is None:
            raise DataError("frame_flow: the frame rate is unknown, so seconds cannot be turned into frames")
        images = [gray(frame) for frame in frames]
        fields = np.empty((len(images), self.size, self.size, 3 * len(self.seconds)), np.float16)
        for window, seconds in enumerate(self.seconds):
            step = max(1, round(seconds * clip.fps))
            for index, image in enumerate(images):
                later = images[min(index + step, len(images) - 1)]
                fields[index, ..., 3 * window : 3 * window + 3] = self._field(image, later)
        return dataclasses.replace(clip, frames=fields)

    def _field(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
        import cv2

        flow = farneback(first, second)
        if self.steady:
            flow = flow - np.median(flow, axis=(0, 1))
        field = np.dstack([flow, strain(flow)])
        return np.asarray(cv2.resize(field, (self.size, self.size), interpolation=cv2.INTER_AREA), np.float32)
