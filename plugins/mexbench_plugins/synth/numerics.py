"""Smooth functions and textures that everything procedural is made of."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

#: float32 in practice; neither numpy's nor OpenCV's stubs follow the precision through arithmetic.
Plane = NDArray[Any]
#: Middle x, y and standard deviations in x, y, in face units.
Spot = tuple[float, float, float, float]


def ramp(low: float, high: float, x: Plane) -> Plane:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``; falls where ``low`` is the greater."""
    t = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bump(x: Plane, y: Plane, spot: Spot) -> Plane:
    """Return a Gaussian of height 1 with the middle and the standard deviations of ``spot``."""
    cx, cy, sx, sy = (np.float32(value) for value in spot)
    return np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))


def pair(x: Plane, y: Plane, spot: Spot) -> Plane:
    """Return two Gaussians that mirror each other about x = 0."""
    cx, cy, sx, sy = spot
    return bump(x, y, (cx, cy, sx, sy)) + bump(x, y, (-cx, cy, sx, sy))


def mix(below: Plane, above: Plane | float, alpha: Plane) -> Plane:
    """Lay ``above`` over ``below`` where ``alpha`` is 1; planes (H, W) are stretched over colours (H, W, 3)."""
    if below.ndim == 3 and alpha.ndim == 2:
        alpha = alpha[..., None]
    return below + (above - below) * alpha


def clouds(rng: np.random.Generator, shape: tuple[int, int], cell: float, *, octaves: int = 3) -> Plane:
    """Return smooth noise (H, W) of standard deviation 1 whose largest features are ``cell`` pixels wide."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        size = max(cell / 2**octave, 1.0)
        grid = rng.standard_normal((int(height / size) + 3, int(width / size) + 3)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return total / max(float(total.std()), 1e-6)


def blurred(plane: Plane, sigma: float) -> Plane:
    """Blur with a Gaussian of ``sigma`` pixels; a wide one is made at a lower resolution, where it costs little."""
    shrink = max(int(sigma / 4), 1)
    if shrink == 1:
        return cv2.GaussianBlur(plane, (0, 0), sigma)
    height, width = plane.shape[:2]
    small = cv2.resize(plane, (max(width // shrink, 1), max(height // shrink, 1)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrink)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
