"""The face as a landscape: how far each point stands out, and the light and shadow that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth.identity import Identity
from mexbench_plugins.synth.numerics import Plane, blurred, bump, clouds, pair, ramp


@dataclass(frozen=True, eq=False)
class Stage:
    """The grid that a face is drawn on.

    Args:
        x: Face units to the right of the face's middle (H, W).
        y: Face units below its eye line (H, W).
        unit: Pixels in a face unit.
        rng: Source of the textures.
    """

    x: Plane
    y: Plane
    unit: float
    rng: np.random.Generator


def half_width(face: Identity, y: Plane) -> Plane:
    """Return half the width of the head at height ``y``; 0 above the crown and below the chin."""
    up = np.clip(1 - np.clip(-y / face.crown, 0, 1) ** 2.8, 0, 1) ** (1 / 2.3)
    down = np.clip(1 - np.clip(y / face.chin, 0, 1) ** face.jaw, 0, 1) ** 0.41
    return np.float32(face.width) * np.where(y < 0, up, down)


def height(face: Identity, stage: Stage) -> Plane:
    """Return how far the face stands out at each point (H, W), in face units."""
    x, y = stage.x, stage.y
    outline = np.maximum(half_width(face, y), 1e-3)
    across = np.clip(np.abs(x) / outline, 0, 1)
    z = face.depth * np.sqrt(1 - across**2.5 * 0.98) * (1 - 0.22 * np.abs(y / face.chin) ** 3)
    z += 0.07 * (0.6 + 0.4 * face.age) * pair(x, y, (0.36, face.brow_y + 0.02, 0.26, 0.1))
    z -= 0.17 * pair(x, y, (face.eye_x - 0.02, -0.03, 0.2, 0.12))
    z += 0.085 * pair(x, y, (face.eye_x, 0.0, 0.13, 0.1))
    z += 0.1 * pair(x, y, (0.62, 0.42, 0.24, 0.2))
    z -= 0.06 * pair(x, y, (0.6, 0.95, 0.2, 0.22))
    z -= 0.05 * pair(x, y, (0.9, -0.4, 0.14, 0.3))
    z += _nose(face, x, y) + _mouth(face, x, y)
    z += 0.11 * bump(x, y, (0, face.chin - 0.2, 0.2, 0.13))
    # Folds: under the eyes, and from the nose to the corners of the mouth.
    z -= (0.012 + 0.018 * face.age) * pair(x, y, (face.eye_x - 0.05, 0.17, 0.15, 0.025))
    for side in (-1, 1):
        along = np.clip((y - face.nose_y + 0.08) / (face.mouth_y - face.nose_y + 0.12), 0, 1)
        crease = side * (face.nose_width + 0.03 + (face.mouth_width - face.nose_width + 0.1) * along)
        here = ramp(face.nose_y - 0.18, face.nose_y, y) * ramp(face.mouth_y + 0.18, face.mouth_y - 0.04, y)
        z -= (0.012 + 0.03 * face.age) * here * np.exp(-0.5 * ((x - crease) / 0.035) ** 2)
    # Pores and small unevenness: without them skin looks like plastic, and optical flow finds nothing to hold.
    z += 0.0009 * clouds(stage.rng, _shape(x), stage.unit * 0.05, octaves=3)
    return z.astype(np.float32)


def _nose(face: Identity, x: Plane, y: Plane) -> Plane:
    base, wide, deep = face.nose_y, face.nose_width, face.nose_depth
    along = np.clip((y + 0.16) / (base - 0.06 + 0.16), 0, 1)
    profile = (0.06 + 0.24 * along**1.4) * ramp(-0.4, -0.02, y) * ramp(base + 0.09, base - 0.13, y)
    z = profile * np.exp(-0.5 * (x / (0.075 + 0.06 * along)) ** 2)
    z += 0.12 * bump(x, y, (0, base - 0.1, 0.095, 0.085))
    z += 0.12 * pair(x, y, (wide * 0.74, base - 0.06, 0.06, 0.062))
    z -= 0.05 * pair(x, y, (wide * 1.25, base - 0.02, 0.05, 0.08))
    return deep * z


def _mouth(face: Identity, x: Plane, y: Plane) -> Plane:
    line = face.mouth_y
    z = 0.1 * bump(x, y, (0, line, 0.34, 0.2))
    z -= 0.018 * bump(x, y, (0, face.nose_y + 0.12, 0.035, 0.07))
    z += 0.04 * face.lips * bump(x, y, (0, line - 0.05 * face.lips, face.mouth_width * 0.6, 0.035))
    z += 0.065 * face.lips * bump(x, y, (0, line + 0.075 * face.lips, face.mouth_width * 0.52, 0.045))
    z -= 0.05 * bump(x, y, (0, line, face.mouth_width * 0.48, 0.018))
    z -= 0.03 * pair(x, y, (face.mouth_width + 0.01, line + 0.01, 0.045, 0.05))
    z -= 0.06 * bump(x, y, (0, line + 0.2, 0.24, 0.05))
    return z


@dataclass(frozen=True, eq=False)
class Light:
    """What falls on the skin.

    Args:
        diffuse: Light per colour (H, W, 3); about 1 where the main light falls straight on.
        gloss: Mirrored light (H, W).
    """

    diffuse: Plane
    gloss: Plane


def light(face: Identity, z: Plane, unit: float) -> Light:
    """Light a landscape: a soft main light with cast shadows, a fill light from above, dark hollows."""
    dx = cv2.Sobel(z, cv2.CV_32F, 1, 0, ksize=3, scale=unit / 8)
    dy = cv2.Sobel(z, cv2.CV_32F, 0, 1, ksize=3, scale=unit / 8)
    length = np.sqrt(1 + dx * dx + dy * dy)
    nx, ny, nz = -dx / length, -dy / length, 1 / length
    towards = np.array([face.light_x, -face.light_y, 0.85])
    lx, ly, lz = (float(value) for value in towards / np.linalg.norm(towards))
    facing = nx * lx + ny * ly + nz * lz
    shade = _cast(z, unit, (lx, ly, lz))
    hollow = np.clip((blurred(z, 0.13 * unit) - z) * 3.2, -0.25, 0.6) + np.clip(
        (blurred(z, 0.035 * unit) - z) * 6, -0.15, 0.4
    )
    diffuse = np.empty((*z.shape, 3), np.float32)
    for channel, wrap in enumerate((0.34, 0.24, 0.2)):  # red light travels through skin: its shadows are the softest
        lit = np.clip((facing + wrap) / (1 + wrap), 0, None) * (1 - shade * (0.5 + 0.07 * channel))
        fill = 0.34 * (0.62 - 0.3 * ny + 0.25 * nz)
        colour = 1 + face.light_warm * (1 - channel)
        diffuse[..., channel] = (0.74 * face.contrast * lit * colour + fill) * (1 - hollow)
    half = np.array([lx, ly, lz + 1])
    hx, hy, hz = (float(value) for value in half / np.linalg.norm(half))
    mirror = np.clip(nx * hx + ny * hy + nz * hz, 0, 1)
    gloss = (0.055 * mirror**14 + 0.05 * mirror**60) * (1 - shade)
    return Light(diffuse=diffuse, gloss=gloss.astype(np.float32))


def _cast(z: Plane, unit: float, towards: tuple[float, float, float]) -> Plane:
    """Return where the light is blocked, 0-1, by walking towards it and looking for higher ground."""
    lx, ly, lz = towards
    factor = max(unit / 55, 1.0)  # shadows are soft: half of the pixels are enough
    small = cv2.resize(z, (int(z.shape[1] / factor), int(z.shape[0] / factor)), interpolation=cv2.INTER_AREA)
    blocked = np.zeros_like(small)
    for step in range(1, 15):
        reach = 0.035 * step
        shift = np.array([[1, 0, -lx * reach * unit / factor], [0, 1, -ly * reach * unit / factor]], np.float32)
        there = cv2.warpAffine(small, shift, small.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        blocked = np.maximum(blocked, there - small - lz * reach)
    soft = blurred(ramp(0.0, 0.08, blocked), max(0.02 * unit / factor, 0.8))
    return cv2.resize(soft, z.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _shape(plane: NDArray[np.float32]) -> tuple[int, int]:
    return plane.shape[0], plane.shape[1]
