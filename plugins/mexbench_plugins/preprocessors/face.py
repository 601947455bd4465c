"""From a frame to the face in it."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from mexbench.errors import DataError, NoFace, SampleRejected
from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import gray, position, require

if TYPE_CHECKING:
    import cv2

CASCADE = "haarcascade_frontalface_default.xml"

# A run counts equal notes and equal reasons, so they hold no numbers.
SEVERAL = "several faces found: the largest taken"
WHOLE = "no face found: the whole frame kept"
WHOLE_CLIP = "no face found in some frames: the whole frames kept"


class Box(NamedTuple):
    """A rectangle in an image, in pixels: its left top corner and its size."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class DetectOptions:
    """How the Haar cascade searches; see ``Face`` for the meaning."""

    min_size: float = 0.2
    scale_factor: float = 1.1
    min_neighbours: int = 5


def detect(image: NDArray[Any], options: DetectOptions) -> list[Box]:
    """Return the frontal faces in a gray image (H, W) uint8, the largest first.

    Faces of equal size come from left to right, so that the order does not depend on OpenCV's threads.
    """
    least = max(1, round(options.min_size * min(image.shape)))
    rectangles = _cascade(threading.get_ident()).detectMultiScale(
        image, scaleFactor=options.scale_factor, minNeighbors=options.min_neighbours, minSize=(least, least)
    )
    boxes = [Box(*(int(value) for value in box)) for box in rectangles]
    return sorted(boxes, key=lambda box: (-box.width * box.height, box))


@functools.lru_cache(maxsize=16)
def _cascade(thread: int) -> cv2.CascadeClassifier:
    """Load the cascade, once for each thread: a detection uses buffers of the object."""
    import cv2
    import cv2.data

    del thread
    path = Path(cv2.data.haarcascades) / CASCADE
    cascade = cv2.CascadeClassifier()
    try:
        usable = path.is_file() and cascade.load(str(path))
    except cv2.error:  # a file that is no XML
        usable = False
    if not usable:
        raise DataError(
            f"face: OpenCV {cv2.__version__} has no usable {path}; install opencv-python-headless>=4.10,<5 again"
        )
    return cascade


@dataclass(frozen=True, kw_only=True)
class Face(Preprocessor):
    """Crop frames (T, H, W, 3) RGB or (T, H, W, 1) gray, uint8, to the face that OpenCV's Haar cascade finds.

    The crop is a square (T, S, S, C). A margin that would leave the image moves the square inwards, and a square
    larger than the image shrinks to the shorter side. Under detect: every the crops of a clip are resized to the size
    of its first one, since a clip is one array.

    Args:
        detect: onset searches once per clip, on the onset frame (the first one where no onset is known), and cuts
            every frame at that place, so that no motion is added; every searches each frame, which costs as many
            searches as there are frames and lets the crop jump from frame to frame.
        min_size: Smallest face, as a share of the shorter side of the image; the search costs the less the larger.
        scale_factor: Step from one size of face searched to the next.
        min_neighbours: Overlapping hits that make a face: more of them, fewer false alarms.
        margin: Share of the face's box that is added at each side.
        several: Several faces: largest takes the largest and notes it; reject leaves the sample out.
        none: No face: reject excludes the sample; whole keeps the whole frames, all of the clip's, and notes it.
    """

    source = "HybridMicroNet (2023), figure 1; Viola and Jones (2001), with OpenCV's trained cascade"
    finds_faces = True

    detect: Literal["onset", "every"] = "onset"
    min_size: Annotated[float, Gt(0), Le(1)] = 0.2
    scale_factor: Annotated[float, Gt(1)] = 1.1
    min_neighbours: Annotated[int, Ge(0)] = 5
    margin: Annotated[float, Ge(0)] = 0.0
    several: Literal["largest", "reject"] = "largest"
    none: Literal["reject", "whole"] = "reject"

    def __call__(self, clip: Clip) -> Clip:
        """Find the face and crop.

        Raises:
            SampleRejected: No face was found, or several, where the parameters say so.
            DataError: The frames are not uint8 images, or the onset lies outside the clip.
        """
        frames = require("face", clip, channels=(1, 3))
        onset = position("face", "onset_index", clip.onset_index, len(frames), default=0)
        searched = range(len(frames)) if self.detect == "every" else (onset,)
        notes: dict[str, None] = {}
        boxes = []
        for index in searched:
            box = self._choose(frames[index], notes)
            if box is None:
                note = WHOLE_CLIP if self.detect == "every" else WHOLE
                return dataclasses.replace(clip, notes=(*clip.notes, note))
            boxes.append(square(box, self.margin, frames.shape[1], frames.shape[2]))
        return dataclasses.replace(clip, frames=_crop(frames, boxes), notes=(*clip.notes, *notes))

    def _choose(self, frame: NDArray[Any], notes: dict[str, None]) -> Box | None:
        """Return the face, or None where there is none and whole frames will do."""
        where = "the onset frame" if self.detect == "onset" else "one of the frames"
        options = DetectOptions(
            min_size=self.min_size, scale_factor=self.scale_factor, min_neighbours=self.min_neighbours
        )
        boxes = detect(gray(frame), options)
        if len(boxes) > 1:
            if self.several == "reject":
                raise SampleRejected(f"several faces found in {where} (face: several: reject)")
            notes[SEVERAL] = None
        if boxes:
            return boxes[0]
        if self.none == "reject":
            raise NoFace(f"no face found in {where} (face: none: reject)")
        return None


def square(box: Box, margin: float, height: int, width: int) -> Box:
    """Widen a box by a share of its size at each side, to a square that lies within an image (height, width)."""
    side = min(round(max(box.width, box.height) * (1 + 2 * margin)), height, width)
    # Halves are doubled first: whole numbers round the same way on every machine.
    x = (2 * box.x + box.width - side) // 2
    y = (2 * box.y + box.height - side) // 2
    return Box(min(max(x, 0), width - side), min(max(y, 0), height - side), side, side)


def _crop(frames: NDArray[Any], boxes: Sequence[Box]) -> NDArray[Any]:
    if len(boxes) == 1:
        x, y, width, height = boxes[0]
        # A copy: a view would keep the whole frames in memory.
        return frames[:, y : y + height, x : x + width].copy()
    import cv2

    side = boxes[0].width
    crops = np.empty((len(frames), side, side, frames.shape[-1]), dtype=frames.dtype)
    for crop, frame, (x, y, width, height) in zip(crops, frames, boxes, strict=True):
        part = frame[y : y + height, x : x + width]
        if width != side:
            method = cv2.INTER_AREA if width > side else cv2.INTER_LINEAR
            part = cv2.resize(part, (side, side), interpolation=method).reshape(crop.shape)
        crop[...] = part
    return crops
