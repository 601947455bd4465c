"""Is a photo fit to start from? A clip that begins with a smile, or in profile, is not what it is announced to be."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth.detection import detect_all
from mexbench_plugins.synth.faces import SyntheticFace
from mexbench_plugins.synth.geometry import Geometry
from mexbench_plugins.synth.numerics import Plane

#: Pixels in a face unit of the face that is looked at.
_PIXELS = 50
_COLUMNS, _ROWS, _EYE_ROW = 120, 140, 50
#: Bounds, set on procedural faces: of 24 neutral ones none bends the mouth by more, and none of 30 that look into the
#: camera is less like its mirror image; 3 of 30 that were turned by 30 degrees are above the second bound.
_MOUTH_BEND, _MIRROR = 0.055, 0.7
#: Roll of the head in degrees.
_ROLL = 12.0


def warnings(face: SyntheticFace) -> list[str]:
    """Return what is wrong with a photo as a neutral, frontal still; () where nothing was seen.

    These are weak tests without a landmark detector: raised or lowered corners of the mouth, likeness of the face to
    its mirror image, roll, more than one face. Other expressions are not seen.
    """
    aligned = _aligned(face.image, face.geometry)
    texts = []
    bend = mouth_bend(aligned)
    if abs(bend) > _MOUTH_BEND:
        texts.append(
            f"the face does not look neutral: the corners of its mouth lie {abs(bend):.2f} face units "
            f"{'above' if bend < 0 else 'below'} its middle; a clip should start from a neutral face"
        )
    likeness = mirror_likeness(aligned)
    if likeness < _MIRROR:
        texts.append(
            f"the face does not look frontal, or is lit from the side: its likeness to its mirror image is "
            f"{likeness:.2f}, that of frontal faces at least {_MIRROR}; parts of the face may be misplaced"
        )
    if abs(face.geometry.tilt) > _ROLL:
        texts.append(f"the head is tilted by {face.geometry.tilt:.0f} degrees; use an upright photo")
    count = len(detect_all(face.image))
    if count > 1:
        texts.append(f"the photo shows {count} faces: the largest is used; crop the photo to the one that is meant")
    return texts


def mouth_bend(aligned: Plane) -> float:
    """Return how far below its middle the corners of the mouth lie, in face units; negative is a smile.

    The line between the lips is the darkest path from side to side; a parabola is fitted to it.
    """
    part = cv2.GaussianBlur(aligned, (0, 0), 1.2)[
        _EYE_ROW + 35 : _EYE_ROW + 62, _COLUMNS // 2 - 20 : _COLUMNS // 2 + 21
    ]
    cost = part - part.mean(axis=0, keepdims=True)
    rows, columns = cost.shape
    came_from = np.zeros((rows, columns), np.intp)
    for column in range(1, columns):
        before = np.pad(cost[:, column - 1], 1, constant_values=np.inf)
        steps = np.stack([before[:-2] + 1, before[1:-1], before[2:] + 1])  # a grey level for each step up or down
        cost[:, column] += steps.min(axis=0)
        came_from[:, column] = np.arange(rows) + steps.argmin(axis=0) - 1
    path = [int(cost[:, -1].argmin())]
    for column in range(columns - 1, 0, -1):
        path.append(int(came_from[path[-1], column]))
    x = (np.arange(columns) - columns // 2) / _PIXELS
    curvature = np.polynomial.polynomial.polyfit(x, np.array(path[::-1]) / _PIXELS, 2)[2]
    # Rows grow downwards: a smile's corners have smaller rows, so its parabola opens upwards on the picture.
    return float(curvature * Geometry.mouth_width**2)


def mirror_likeness(aligned: Plane) -> float:
    """Return the correlation of a face with its mirror image, at the best of some shifts, coarse light taken out."""
    smooth = cv2.GaussianBlur(aligned, (0, 0), 2.4)
    detail = (smooth - cv2.GaussianBlur(smooth, (0, 0), 15))[_EYE_ROW - 37 : _EYE_ROW + 75, 13:107]
    columns = detail.shape[1]
    best = -1.0
    for shift in range(-10, 11):
        part = detail[:, max(shift, 0) : columns + min(shift, 0)]
        if part.std() > 0:
            best = max(best, float(np.corrcoef(part.ravel(), part[:, ::-1].ravel())[0, 1]))
    return best


def _aligned(image: NDArray[np.uint8], face: Geometry) -> Plane:
    """Return the gray face, upright and of one size (rows, columns)."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    matrix = cv2.getRotationMatrix2D((face.x, face.y), face.tilt, _PIXELS / face.unit)
    matrix[:, 2] += (_COLUMNS / 2 - face.x, _EYE_ROW - face.y)
    return cv2.warpAffine(gray, matrix, (_COLUMNS, _ROWS), borderMode=cv2.BORDER_REPLICATE)
