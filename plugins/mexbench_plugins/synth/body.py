"""What surrounds a face: background, shoulders, neck, ears and hair."""

from __future__ import annotations

import math

import cv2
import numpy as np

from mexbench_plugins.synth.identity import Identity
from mexbench_plugins.synth.numerics import Plane, blurred, clouds, mix, ramp
from mexbench_plugins.synth.paint import linear
from mexbench_plugins.synth.relief import Stage, half_width


def backdrop(face: Identity, stage: Stage) -> Plane:
    """Return the wall, the hair behind the neck, the shoulders, the neck and the ears (H, W, 3)."""
    x, y = stage.x, stage.y
    shape = (x.shape[0], x.shape[1])
    glow = 1.0 - 0.1 * np.clip((x - 0.6 * math.copysign(1, face.light_x)) ** 2 + 0.6 * y**2, 0, 6) / 2
    picture = linear(face.background) * (glow * (1 + 0.02 * clouds(stage.rng, shape, stage.unit * 0.8)))[..., None]
    if face.hair_length > 0.6:
        picture = mix(picture, 0.5 * strands(face, stage)[0], _back_hair(face, stage))
    edge = 3 / stage.unit
    side = math.copysign(1, face.light_x)
    # The neck is a column in the shadow of the chin.
    thick = np.float32(0.58 * face.width) + 0.25 * np.clip(y - 1.75, 0, None) ** 1.5
    across = x / thick
    lit = np.clip(0.6 + 0.16 * side * across - 0.3 * across**2, 0.12, 1)
    lit = lit * (1 - 0.72 * ramp(face.chin + 0.42, face.chin - 0.02, y))
    neck = linear(face.skin) * lit[..., None] * np.array([1.0, 0.93, 0.9], np.float32)
    picture = mix(picture, neck, ramp(-edge, edge, thick - np.abs(x)) * ramp(0.6, 0.7, y))
    slope = face.chin + 0.34 + 0.22 * np.clip(np.abs(x) - 0.5, 0, None) ** 1.2 - 0.16 * np.clip(np.abs(x), 0, 0.62)
    collar = face.chin + 0.62 - 0.85 * np.clip(np.abs(x) - 0.12, 0, None) ** 1.3
    hem = np.maximum(slope, collar)
    folds = 0.75 + 0.12 * clouds(stage.rng, shape, stage.unit * 0.5) + 0.18 * side * x / 2
    cloth = linear(face.cloth) * np.clip(folds - 0.25 * ramp(0.08, 0.0, y - hem), 0.1, 1.3)[..., None]
    picture = mix(picture, cloth, ramp(-edge, edge, y - hem))
    return _ears(face, stage, picture)


def _ears(face: Identity, stage: Stage, picture: Plane) -> Plane:
    x, y = stage.x, stage.y
    for side in (-1, 1):
        u = (side * x - face.width * 1.0) / 0.13
        v = (y - 0.22 + 0.12 * (u - 0.3)) / 0.36
        far = np.sqrt(u * u + v * v)
        rim = 0.8 - 0.35 * np.exp(-(((far - 0.68) / 0.14) ** 2)) + 0.12 * np.exp(-(((far - 0.9) / 0.1) ** 2))
        lit = rim * (0.72 + 0.22 * side * math.copysign(1, face.light_x)) * (1 - 0.3 * ramp(0.5, 0.0, far))
        ear = linear(face.skin) * lit[..., None] * np.array([1.02, 0.86, 0.82], np.float32)
        picture = mix(picture, ear, ramp(1.04, 0.94, far))
    return picture


def strands(face: Identity, stage: Stage) -> tuple[Plane, Plane]:
    """Return lit hair everywhere (H, W, 3), and its streaks (H, W): from the parting outwards and down."""
    x, y = stage.x, stage.y
    dx, dy = x - face.parting, y + face.crown + 0.1
    fall = ramp(-0.4, 1.2, y)  # combed outwards on top, hanging down at the sides
    across = (1 - fall) * np.arctan2(dx, np.abs(dy) + 0.25) * 0.9 + fall * dx * 0.8
    reach = np.sqrt(dx * dx + dy * dy)
    texture = clouds(stage.rng, (256, 1536), 24, octaves=5)
    wave = 0.03 * np.sin(reach * 6 + face.seed % 7) + 0.012 * np.sin(reach * 15)
    columns = ((across + wave) * 420 + 768).astype(np.float32)
    rows = (reach * 22).astype(np.float32)
    streaks = cv2.remap(texture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    sheen = np.exp(-(((reach - 0.42 - 0.05 * streaks) / 0.17) ** 2)) + 0.5 * np.exp(-(((reach - 1.3) / 0.35) ** 2))
    lit = 0.62 + 0.17 * streaks + 0.55 * sheen * (1 + 0.4 * streaks) + 0.25 * x * face.light_x
    colour = linear(face.hair) * np.clip(lit, 0.12, 2.2)[..., None] + (0.012 * np.clip(sheen, 0, 1))[..., None]
    return colour, streaks


def _outline(face: Identity, stage: Stage, grow: float) -> Plane:
    """Return how deep a point lies inside the skull grown by ``grow`` (H, W), in face units."""
    squeeze = np.float32(face.crown / (face.crown + grow))
    return half_width(face, stage.y * squeeze) * np.float32(1 + 0.8 * grow / face.width) - np.abs(stage.x) - 0.03


def _back_hair(face: Identity, stage: Stage) -> Plane:
    x, y = stage.x, stage.y
    frizz = 0.02 * clouds(stage.rng, (x.shape[0], x.shape[1]), stage.unit * 0.12)
    wide = face.width + face.hair_volume * 1.2 + 0.1 * np.sin(np.clip(y, 0, 3) * 1.5) - 0.02 * np.clip(y, 0, 3) ** 2
    skull = half_width(face, np.minimum(y, 0)) + face.hair_volume * 0.8
    wide = skull + (wide - skull) * ramp(-1.1, 0.3, y)
    return (
        ramp(-0.02, 0.03, wide + frizz - np.abs(x))
        * ramp(-1.1, -0.9, y)
        * ramp(face.hair_length + 0.1, face.hair_length - 0.1, y + 1.2 * frizz)
    )


def hair(face: Identity, stage: Stage, picture: Plane) -> Plane:
    """Lay the hair over a picture (H, W, 3): on the crown, at the temples, and hanging down where it is long."""
    x, y = stage.x, stage.y
    shape = (x.shape[0], x.shape[1])
    colour, fine = strands(face, stage)  # locks, not dots, make the edge
    broad = clouds(stage.rng, shape, stage.unit * 0.3, octaves=2)
    skull = ramp(-0.012, 0.02, _outline(face, stage, face.hair_volume) + 0.008 * fine + 0.01 * broad)
    summit = -face.crown - face.hair_volume  # above it there is no skull, and the noise must not make one
    skull = skull * ramp(summit, summit + 0.04, y)
    line = face.hairline + 0.42 * np.abs(x / face.width) ** 3 + 0.03 * broad + 0.022 * fine
    line = line - face.recede * np.exp(-(((np.abs(x) - 0.48) / 0.2) ** 2)) + face.sweep * 0.5 * np.tanh(1.6 * x)
    line = line + face.fringe * np.exp(-(((x - 0.7 * face.parting) / 0.5) ** 2)) * (1.4 + 0.3 * fine + 0.3 * broad)
    top = ramp(0.04, -0.03, y - line) * skull
    # Temples and sideburns follow the edge of the face.
    inward = half_width(face, y) - np.abs(x)
    end = min(face.hair_length, 0.3)
    temple = ramp(0.16 + 0.03, 0.05, inward + 0.02 * fine + 0.1 * ramp(-0.7, 0.1, y)) * ramp(end + 0.1, end - 0.15, y)
    mask = np.maximum(top, temple * skull * ramp(-1.2, -0.6, y))
    if face.hair_length > 0.6:
        open_ = np.maximum(half_width(face, y), 0.62 * face.width) - np.abs(x)
        drape = ramp(0.11, 0.02, open_ - 0.04 + 0.025 * fine) * ramp(-0.9, -0.4, y)
        drape = drape * ramp(face.hair_length, face.hair_length - 0.3, y + 0.08 * broad)
        mask = np.maximum(mask, drape * _back_hair(face, stage))
    mask = np.clip(mask, 0, 1)
    # Hair throws a soft shadow on the skin below it.
    shadow = np.clip(blurred(mask, 0.05 * stage.unit) - mask, 0, 1)
    picture = picture * (1 - 0.5 * shadow)[..., None]
    return mix(picture, colour, mask)
