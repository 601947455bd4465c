"""A field of the learned generator on one face: an expression that the renderer shows like any other."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench.errors import ConfigError, unknown
from mexbench_plugins.protocols.cross_dataset import MEGC3
from mexbench_plugins.synth.expression import AMPLITUDE, Expression
from mexbench_plugins.synth.geometry import Geometry
from mexbench_plugins.synth.motion.fields import STSTNET_WINDOW
from mexbench_plugins.synth.motion.learned import LearnedMotion
from mexbench_plugins.synth.numerics import Plane, ramp

#: Greatest displacement at intensity 1, in face units, the one of a hand-made smile: the packs hold no amplitudes, and
#: no published figure gives pixels of a normalised face, so the amount is this program's own.
GREATEST = 1.2 * AMPLITUDE
#: Standard deviation in cells of the blur that takes the blocks out of a field of 28 x 28.
_BLUR = 0.8
#: Where the motion fades into a background that stands still: an ellipse in face units, from this share of it on.
_ELLIPSE, _FADES_FROM = (0.98, 1.2), 0.72
_MIDDLE_Y = 0.4
#: The least of the Jacobian at which a face is not folded over itself.
_LEAST_JACOBIAN = 0.2


def class_of(emotion: str) -> str:
    """Return the class of MEGC2019 that an emotion belongs to, which is what real packs are labelled by.

    Raises:
        ConfigError: It belongs to none.
    """
    if emotion not in MEGC3:
        raise ConfigError(
            f"{unknown('emotion of the learned generator', emotion, MEGC3)}; real packs of flow have the classes "
            "negative, positive and surprise alone"
        )
    return MEGC3[emotion]


def express_learned(
    learned: LearnedMotion, label: str, face: Geometry, width: int, height: int, *,
    intensity: float, rng: np.random.Generator,
) -> Expression:  # fmt: skip
    """Draw a motion of a class and lay it on a face.

    Args:
        learned: The generator.
        label: One of its classes.
        face: Where the parts of the face lie.
        width: Width of the picture in pixels.
        height: Its height.
        intensity: Amplitude, as of ``expression.express``.
        rng: Source of the draw.

    Raises:
        ConfigError: The class is unknown, or so great an intensity would fold the face over itself.
    """
    rise, fade = learned.sample(label, 1, rng)
    box = _bounds(face, width, height)
    x, y = face.grid(box)
    columns, rows = STSTNET_WINDOW.cells(x, y)
    radius = np.sqrt((x / _ELLIPSE[0]) ** 2 + ((y - _MIDDLE_Y) / _ELLIPSE[1]) ** 2)
    inside = ramp(1.0, _FADES_FROM, radius).astype(np.float32)
    moved = [_planes(field, columns, rows, inside) for field in (rise[0], fade[0])]
    for dx, dy in moved:
        least = _least_jacobian(dx * face.unit * intensity, dy * face.unit * intensity)
        if least < _LEAST_JACOBIAN:
            raise ConfigError(
                f"--intensity {intensity:g}: this motion would fold the face over itself; give a lower one, or another "
                "--seed"
            )
    (dx, dy), (fade_x, fade_y) = (face.to_pixels(*(intensity * plane for plane in planes)) for planes in moved)
    return Expression(box, dx, dy, np.zeros_like(dx), (), fade=(fade_x, fade_y), label=label)


def _planes(field: NDArray[Any], columns: Plane, rows: Plane, inside: Plane) -> tuple[Plane, Plane]:
    """Return dx and dy in face units whose greatest length is ``GREATEST``."""
    blurred = [cv2.GaussianBlur(np.ascontiguousarray(plane), (0, 0), _BLUR) for plane in field]
    dx, dy = (
        inside * cv2.remap(plane, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE) for plane in blurred
    )
    scale = np.float32(GREATEST / max(float(np.hypot(dx, dy).max(initial=0.0)), 1e-9))
    return scale * dx, scale * dy


def _least_jacobian(dx: Plane, dy: Plane) -> float:
    if min(dx.shape) < 3:
        return 1.0
    (dx_y, dx_x), (dy_y, dy_x) = np.gradient(dx), np.gradient(dy)
    return float(((1 - dx_x) * (1 - dy_y) - dx_y * dy_x).min())


def _bounds(face: Geometry, width: int, height: int) -> tuple[int, int, int, int]:
    corners = [
        face.pixel(sx * _ELLIPSE[0], _MIDDLE_Y + sy * _ELLIPSE[1]) for sx in (-1, 1) for sy in (-1, 1)
    ]  # fmt: skip
    columns, rows = zip(*corners, strict=True)
    return (
        int(np.clip(min(columns) - 1, 0, width - 1)), int(np.clip(min(rows) - 1, 0, height - 1)),
        int(np.clip(max(columns) + 2, 1, width)), int(np.clip(max(rows) + 2, 1, height)),
    )  # fmt: skip
