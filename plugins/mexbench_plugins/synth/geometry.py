"""Where the parts of a face lie in a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mexbench_plugins.synth import portrait
from mexbench_plugins.synth.identity import Identity
from mexbench_plugins.synth.numerics import Plane

Point = tuple[float, float]
Box = tuple[int, int, int, int]

# The box of haarcascade_frontalface_default around 300 procedural faces: 2.36 face units wide, 0.175 below the eyes.
_HAAR_WIDTH, _HAAR_DROP = 2.36, 0.175


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """A face's place in a picture, and its proportions in face units (half the face's width is about 1).

    Args:
        x: Column of the face's middle at the eye line.
        y: Row of the eye line.
        unit: Pixels in a face unit.
        tilt: Roll of the head in degrees, clockwise in the picture.
        eye_x: Distance of an eye's centre from the middle.
        eye_width: Half the width of an eye's opening.
        brow_y: Height of the brows, negative as they lie above the eyes.
        nose_width: Half the width of the nose.
        nose_y: Height of its base.
        mouth_width: Half the width of the mouth.
        mouth_y: Height of the line between the lips.
        chin: Height of the chin.
    """

    x: float
    y: float
    unit: float
    tilt: float = 0.0
    eye_x: float = 0.445
    eye_width: float = 0.21
    brow_y: float = -0.32
    nose_width: float = 0.245
    nose_y: float = 0.61
    mouth_width: float = 0.37
    mouth_y: float = 0.94
    chin: float = 1.48

    def anchors(self) -> dict[str, Point]:
        """Return the landmarks of the right half of the picture (the person's left) in face units."""
        return {
            "forehead": (0.3, self.brow_y - 0.28),
            "glabella": (0.0, self.brow_y + 0.06),
            "brow_inner": (self.eye_x - 0.22, self.brow_y),
            "brow_middle": (self.eye_x, self.brow_y - 0.02),
            "brow_outer": (self.eye_x + 0.22, self.brow_y),
            "upper_lid": (self.eye_x, -0.07),
            "lower_lid": (self.eye_x, 0.07),
            "eye_inner": (self.eye_x - self.eye_width, 0.0),
            "eye_outer": (self.eye_x + self.eye_width, 0.0),
            "cheek": (self.eye_x + 0.1, 0.34),
            "nose_side": (0.13, 0.22),
            "nostril": (self.nose_width, self.nose_y - 0.07),
            "upper_lip": (0.5 * self.mouth_width, self.mouth_y - 0.06),
            "lower_lip": (0.45 * self.mouth_width, self.mouth_y + 0.09),
            "lip_corner": (self.mouth_width, self.mouth_y),
            "mouth": (0.0, self.mouth_y),
            "chin": (0.0, self.chin - 0.22),
        }

    def landmarks(self) -> dict[str, Point]:
        """Return the landmarks in pixels, those off the middle under names that end in ``_L`` and ``_R``.

        Left and right are the person's own, as in FACS: ``_L`` lies in the right half of the picture.
        """
        points = {}
        for name, (x, y) in self.anchors().items():
            if x == 0:
                points[name] = self.pixel(x, y)
            else:
                points[f"{name}_L"], points[f"{name}_R"] = self.pixel(x, y), self.pixel(-x, y)
        return points

    def pixel(self, x: float, y: float) -> Point:
        """Return the (column, row) of a point given in face units."""
        cos, sin = self._turn()
        return self.x + self.unit * (cos * x - sin * y), self.y + self.unit * (sin * x + cos * y)

    def grid(self, box: Box) -> tuple[Plane, Plane]:
        """Return the face units of every pixel in a box (left, top, right, bottom): two planes (H, W)."""
        left, top, right, bottom = box
        columns = (np.arange(left, right, dtype=np.float32)[None, :] + 0.5 - np.float32(self.x)) / np.float32(self.unit)
        rows = (np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5 - np.float32(self.y)) / np.float32(self.unit)
        cos, sin = (np.float32(value) for value in self._turn())
        return cos * columns + sin * rows, cos * rows - sin * columns

    def to_pixels(self, dx: Plane, dy: Plane) -> tuple[Plane, Plane]:
        """Turn displacements in face units into displacements in pixels."""
        cos, sin = (np.float32(value * self.unit) for value in self._turn())
        return cos * dx - sin * dy, sin * dx + cos * dy

    def box(self, width: int, height: int) -> Box:
        """Return (left, top, right, bottom) of the face from the forehead to the chin, cut at the picture's border."""
        left, right = self.x - 1.05 * self.unit, self.x + 1.05 * self.unit
        top, bottom = self.y - 0.9 * self.unit, self.y + (self.chin + 0.05) * self.unit
        return (
            int(np.clip(left, 0, width - 1)), int(np.clip(top, 0, height - 1)),
            int(np.clip(np.ceil(right), 1, width)), int(np.clip(np.ceil(bottom), 1, height)),
        )  # fmt: skip

    def moved(self, matrix: Plane) -> Geometry:
        """Return the geometry after a picture was moved by a similarity ``matrix`` (2, 3)."""
        a, b = float(matrix[0, 0]), float(matrix[1, 0])
        x, y = (float(value) for value in matrix @ np.array([self.x, self.y, 1.0]))
        turned = self.tilt + float(np.rad2deg(np.arctan2(b, a)))
        return replace(self, x=x, y=y, unit=self.unit * float(np.hypot(a, b)), tilt=turned)

    def _turn(self) -> Point:
        angle = np.deg2rad(self.tilt)
        return float(np.cos(angle)), float(np.sin(angle))


def of_identity(face: Identity, width: int, height: int) -> Geometry:
    """Return the geometry of a procedural face in a picture of this size."""
    return Geometry(
        x=width / 2, y=height * portrait.EYE_LINE, unit=portrait.unit(face, height), tilt=face.tilt,
        eye_x=face.eye_x, eye_width=face.eye_width, brow_y=face.brow_y, nose_width=face.nose_width,
        nose_y=face.nose_y, mouth_width=face.mouth_width, mouth_y=face.mouth_y, chin=face.chin,
    )  # fmt: skip


def of_box(left: float, top: float, size: float) -> Geometry:
    """Return the geometry of a face of usual proportions in a detected, square box."""
    unit = size / _HAAR_WIDTH
    return Geometry(x=left + size / 2, y=top + size / 2 - _HAAR_DROP * unit, unit=unit)
