"""Finding a face in a photo: the Haar cascades that also find it in the benchmark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth.geometry import Geometry, Point, of_box

#: A face smaller than this, in pixels, is not looked for.
SMALLEST = 60


def detect(image: NDArray[np.uint8]) -> tuple[float, float, float] | None:
    """Find the largest face with the Haar cascade.

    Args:
        image: RGB (H, W, 3) or gray (H, W).

    Returns:
        Left, top and size of its square box, or None.
    """
    boxes = detect_all(image)
    return max(boxes, key=lambda box: box[2], default=None)


def detect_all(image: NDArray[np.uint8]) -> list[tuple[float, float, float]]:
    """Return left, top and size of the square box of every face that the Haar cascade finds, in RGB or gray."""
    gray = _gray(image)
    smallest = min(SMALLEST, *gray.shape)
    boxes = _cascade("frontalface_default").detectMultiScale(
        gray, scaleFactor=1.1, minNeighbors=5, minSize=(smallest, smallest)
    )
    return [(float(left), float(top), float(size)) for left, top, size, _ in boxes]


def locate(image: NDArray[np.uint8]) -> Geometry | None:
    """Return where the parts of the largest face lie: usual proportions in its box, turned and moved to its eyes.

    Args:
        image: RGB (H, W, 3) or gray (H, W).
    """
    box = detect(image)
    if box is None:
        return None
    face = of_box(*box)
    right, left = _eyes(_gray(image), face)
    if right is None or left is None:
        return face  # closed, in shadow or behind glasses: the box alone has to do
    across, down = left[0] - right[0], left[1] - right[1]
    return replace(
        face,
        x=(left[0] + right[0]) / 2,
        y=(left[1] + right[1]) / 2,
        # The box and the eyes err independently: their mean is nearer than either.
        unit=(face.unit + float(np.hypot(across, down)) / (2 * face.eye_x)) / 2,
        tilt=float(np.rad2deg(np.arctan2(down, across))),
    )


def _eyes(gray: NDArray[np.uint8], face: Geometry) -> tuple[Point | None, Point | None]:
    """Return the eyes of the left and the right half of the picture, where one is found near its usual place."""
    unit = face.unit
    left, top = max(int(face.x - 1.05 * unit), 0), max(int(face.y - 0.6 * unit), 0)
    part = gray[top : int(face.y + 0.6 * unit), left : int(face.x + 1.05 * unit)]
    smallest, largest = max(int(0.35 * unit), 1), int(1.1 * unit)
    boxes = _cascade("eye").detectMultiScale(
        part, scaleFactor=1.05, minNeighbors=4, minSize=(smallest, smallest), maxSize=(largest, largest)
    )
    middles = [(float(x + w / 2 + left), float(y + h / 2 + top)) for x, y, w, h in boxes]
    eyes: list[Point | None] = []
    for side in (-1, 1):
        column, row = face.pixel(side * face.eye_x, 0)
        far = {float(np.hypot(x - column, y - row)): (x, y) for x, y in middles}
        nearest = min(far, default=np.inf)
        eyes.append(far[nearest] if nearest < 0.28 * unit else None)
    return eyes[0], eyes[1]


def _gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8) if image.ndim == 3 else image


def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / f"haarcascade_{name}.xml"))
