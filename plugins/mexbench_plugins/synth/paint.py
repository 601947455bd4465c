"""What lies on the landscape: skin, lips, brows and eyes."""

from __future__ import annotations

import math

import cv2
import numpy as np

from mexbench_plugins.synth.identity import Colour, Identity
from mexbench_plugins.synth.numerics import Plane, blurred, bump, clouds, mix, pair, ramp
from mexbench_plugins.synth.relief import Light, Stage


def linear(colour: Colour) -> Plane:
    """Turn sRGB 0-255 into amounts of light, which may be multiplied and mixed."""
    return ((np.asarray(colour, np.float32) / 255) ** 2.2).astype(np.float32)


def skin(face: Identity, stage: Stage) -> Plane:
    """Return the colour of the skin, lips and brows (H, W, 3), without light."""
    x, y = stage.x, stage.y
    shape = (x.shape[0], x.shape[1])
    tone = np.broadcast_to(linear(face.skin), (*shape, 3)).astype(np.float32)
    # Blood: cheeks, nose and chin are redder than the forehead.
    blood = 0.5 * pair(x, y, (0.58, 0.45, 0.22, 0.18)) + 0.5 * bump(x, y, (0, face.nose_y - 0.1, 0.14, 0.12))
    blood += 0.25 * bump(x, y, (0, face.chin - 0.2, 0.2, 0.15)) + 0.12 * clouds(stage.rng, shape, stage.unit * 0.35)
    tone = tone * (1 + face.ruddy * np.clip(blood, -0.4, 1)[..., None] * np.array([0.06, -0.17, -0.15], np.float32))
    # Eye sockets are darker than cheeks and forehead, which is also what the Haar cascade looks for.
    socket = pair(x, y, (face.eye_x, -0.02, 0.2, 0.115)) + 0.5 * pair(x, y, (face.eye_x - 0.1, 0.1, 0.13, 0.07))
    tone = tone * (1 - np.clip(socket, 0, 1.2)[..., None] * np.array([0.22, 0.29, 0.27], np.float32))
    mottled = (
        1
        + 0.045 * clouds(stage.rng, shape, stage.unit * 0.12, octaves=4)
        + 0.03 * stage.rng.standard_normal(shape).astype(np.float32)
    )
    tone = tone * mottled[..., None]
    if face.freckles:
        spots = ramp(1.3, 2.2, clouds(stage.rng, shape, stage.unit * 0.05, octaves=1))
        spots *= face.freckles * np.clip(pair(x, y, (0.5, 0.35, 0.3, 0.2)) + bump(x, y, (0, 0.3, 0.2, 0.2)), 0, 1)
        tone = mix(tone, tone * np.array([0.72, 0.55, 0.42], np.float32), 0.7 * spots)
    if face.beard:
        stubble = clouds(stage.rng, shape, stage.unit * 0.02, octaves=2)
        area = ramp(face.nose_y - 0.05, face.nose_y + 0.2, y) * ramp(0.22, 0.46, np.abs(x) + 0.7 * (y - face.nose_y))
        tone = mix(tone, tone * 0.3 + 0.35 * linear(face.hair), area * face.beard * (0.5 + 0.12 * stubble))
    # Nostrils.
    hole = pair(x, y, (face.nose_width * 0.43, face.nose_y - 0.005, face.nose_width * 0.19, 0.018))
    tone = mix(tone, linear(face.skin) * np.array([0.16, 0.09, 0.08], np.float32), np.clip(1.25 * hole, 0, 0.92))
    tone = _lips(face, stage, tone)
    return _brows(face, stage, tone)


def _lips(face: Identity, stage: Stage, tone: Plane) -> Plane:
    x, y, edge = stage.x, stage.y, 2.2 / stage.unit
    across = np.clip(np.abs(x) / face.mouth_width, 0, 1)
    line = face.mouth_y + face.mouth_curve * across**2 + 0.012 * np.exp(-((x / 0.06) ** 2)) - 0.006
    bow = 1 - 0.2 * np.exp(-((x / 0.05) ** 2)) + 0.12 * np.exp(-(((np.abs(x) - 0.09) / 0.06) ** 2))
    top = line - 0.098 * face.lips * (1 - across**1.5) ** 0.9 * bow
    bottom = line + 0.135 * face.lips * (1 - across**2.2) ** 0.8
    inside = ramp(-edge, 1.5 * edge, y - top) * ramp(-edge, 2.5 * edge, bottom - y) * ramp(1.0, 0.93, across)
    red = linear(face.skin) * np.array([0.82, 0.45, 0.46], np.float32) + np.array([0.035, 0.004, 0.008], np.float32)
    wrinkles = 1 + 0.07 * clouds(stage.rng, (x.shape[0], x.shape[1]), stage.unit * 0.04, octaves=2)
    upper = 1 - 0.24 * ramp(edge, -edge, y - line)
    colour = red * (wrinkles * upper)[..., None]
    tone = mix(tone, colour, inside * (0.38 + 0.52 * face.lip_red))
    gap = np.exp(-(((y - line) / (0.011 + 0.006 * (1 - across))) ** 2)) * ramp(1.04, 0.8, np.abs(x) / face.mouth_width)
    return mix(tone, linear(face.skin) * np.array([0.13, 0.06, 0.06], np.float32), np.clip(gap, 0, 0.85))


def _brows(face: Identity, stage: Stage, tone: Plane) -> Plane:
    x, y = stage.x, stage.y
    for side in (-1, 1):
        along = (side * x - (face.eye_x - 0.25)) / 0.53
        middle = face.brow_y + 0.045 - face.brow_arch * np.sin(np.pi * np.clip(along, 0, 1) ** 1.3) + 0.03 * along
        thick = face.brow_thick * (1.1 - 0.62 * np.clip(along, 0, 1) ** 1.5)
        # Hairs lie along the brow: noise, stretched sideways.
        narrow = clouds(stage.rng, (x.shape[0], x.shape[1] // 4), stage.unit * 0.022, octaves=2)
        hairs = cv2.resize(narrow, (x.shape[1], x.shape[0]), interpolation=cv2.INTER_LINEAR)
        mask = np.exp(-(np.abs((y - middle + 0.009 * hairs) / thick) ** 2.4))
        mask = mask * ramp(-0.1, 0.2, along) * ramp(1.06, 0.8, along)
        alpha = np.clip(face.brow_dark * mask * (0.95 + 0.1 * hairs), 0, 0.96)
        tone = mix(tone, linear(face.hair) * 0.75, alpha)
    return tone


def eyes(face: Identity, stage: Stage, lit: Plane, light: Light) -> Plane:
    """Paint both eyes into a lit face (H, W, 3)."""
    for side in (-1, 1):
        lit = _eye(face, stage, lit, light, side)
    return lit


def _eye(face: Identity, stage: Stage, lit: Plane, light: Light, side: int) -> Plane:
    wide = face.eye_width
    edge = 1.6 / (stage.unit * wide)
    u = (side * stage.x - face.eye_x) / wide  # -1 the inner corner, 1 the outer one
    v = stage.y / wide + face.eye_tilt / wide * u + 0.05 * ramp(-0.7, -1.0, u)
    # A lid's line is highest towards the nose, the lower one deepest towards the temple.
    upper = -1.22 * face.eye_open * np.clip(1 - np.abs(u + 0.1 * (1 - u * u)) ** 2.3, 0, 1) ** 0.85
    lower = 0.72 * face.eye_open * np.clip(1 - np.abs(u - 0.12 * (1 - u * u)) ** 2.4, 0, 1) ** 0.9
    within = ramp(-edge, edge, v - upper) * ramp(-edge, edge, lower - v) * ramp(1.0, 0.96, np.abs(u))
    brightness = np.clip(blurred(light.diffuse, 0.08 * stage.unit), 0.25, 1.15)
    ball = linear((205, 198, 194)) * (1 - 0.42 * np.clip(np.abs(u), 0, 1)[..., None] ** 2.5)
    ball = ball * (1 - np.array([0.0, 0.16, 0.14], np.float32) * ramp(-0.55, -0.95, u)[..., None])
    radius = np.sqrt((u - 0.01) ** 2 + (v + 0.07) ** 2) / (0.088 / wide)
    angle = np.arctan2(v + 0.07, u)
    rays = 1 + 0.16 * np.sin(angle * 23 + 3 * np.sin(angle * 7)) * ramp(0.3, 0.6, radius)
    iris = linear(face.iris) * 1.5 * (rays * (0.72 + 0.45 * ramp(0.25, 0.8, radius)))[..., None]
    iris = iris * (1 - 0.75 * ramp(0.78, 1.0, radius))[..., None]
    soft = edge / (0.088 / wide) * 1.2
    ball = mix(ball, iris, ramp(1 + soft, 1 - soft, radius))
    ball = mix(ball, 0.006, ramp(0.42 + soft, 0.42 - soft, radius))
    shadow = 1 - 0.62 * np.exp(-np.clip(v - upper, 0, None) / (0.36 * face.eye_open))
    ball = ball * brightness * shadow[..., None]
    glint = np.exp(-(((u - 0.12 * side * math.copysign(1, face.light_x)) / 0.06) ** 2) - ((v + 0.2) / 0.06) ** 2)
    ball = np.clip(ball + 0.75 * glint[..., None], 0, 1)
    lit = mix(lit, ball, within)
    # Lid rims: dark lashes above, a thin moist line below, and the crease of the lid.
    lash = np.exp(-(((v - upper + 0.03) / (0.075 + 0.02 * np.clip(u, -1, 1))) ** 2)) * ramp(1.1, 0.92, np.abs(u))
    lit = mix(lit, linear(face.hair) * 0.25, np.clip(0.9 * lash, 0, 0.88))
    rim = np.exp(-(((v - lower - 0.05) / 0.06) ** 2)) * ramp(1.05, 0.7, np.abs(u))
    lit = mix(lit, lit * np.array([0.62, 0.5, 0.48], np.float32), 0.75 * rim)
    crease = np.exp(-(((v - 1.04 * upper + 0.22 + 0.05 * u) / 0.055) ** 2)) * ramp(1.08, 0.75, np.abs(u - 0.05))
    return mix(lit, lit * np.array([0.5, 0.42, 0.4], np.float32), (0.45 + 0.3 * face.age) * crease)


def furrow(face: Identity, stage: Stage) -> Plane:
    """Return how much the lines of age darken the skin (H, W): on the forehead, beside and under the eyes."""
    x, y = stage.x, stage.y
    wave = 0.02 * np.sin(2.2 * x + face.seed)
    lines = np.zeros_like(x)
    middle = np.exp(-(((x / 0.45) ** 2) ** 2))
    for level in (0.2, 0.33, 0.45):
        height = face.brow_y - level + wave
        lines += np.exp(-(((y - height) / 0.012) ** 2)) * middle
    return 0.12 * max(face.age - 0.35, 0) * lines


def tone_map(light: Plane, exposure: float) -> Plane:
    """Turn amounts of light into sRGB 0-255, rolling off highlights as a camera does."""
    value = np.clip(light * exposure, 0, None)
    value = value * (1 + value * 0.25) / (1 + 0.55 * value**2) * 1.18
    return np.clip(value, 0, 1) ** np.float32(1 / 2.2) * 255


def resample(picture: Plane, size: tuple[int, int]) -> Plane:
    """Average a supersampled picture down to (width, height)."""
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
