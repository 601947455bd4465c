"""A person's portrait: landscape, light, paint and hair, put together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth import body, paint, relief
from mexbench_plugins.synth.identity import Identity
from mexbench_plugins.synth.numerics import blurred, clouds, mix, ramp
from mexbench_plugins.synth.relief import Stage

#: Face units in the height of a picture: at 480 rows the face is about 210 pixels wide.
UNITS = 4.57
#: Where the eye line lies, as a share of the picture's height.
EYE_LINE = 0.475


def unit(face: Identity, height: int) -> float:
    """Return how many pixels one face unit takes in a picture of this height."""
    return height / UNITS * face.size


def render(face: Identity, width: int, height: int, *, supersample: int = 2) -> NDArray[np.uint8]:
    """Paint a portrait (height, width, 3), RGB.

    Args:
        face: The person.
        width: Width of the picture in pixels.
        height: Its height in pixels.
        supersample: Every pixel is the mean of this many squared.
    """
    stage = _stage(face, width * supersample, height * supersample)
    picture = body.backdrop(face, stage)
    z = relief.height(face, stage)
    light = relief.light(face, z, stage.unit)
    lit = paint.skin(face, stage) * light.diffuse * (1 - paint.furrow(face, stage))[..., None]
    lit = paint.eyes(face, stage, lit + light.gloss[..., None], light)
    lit = lit * (1 - 0.4 * ramp(face.chin - 0.12, face.chin, stage.y))[..., None]  # the underside of the chin
    inside = ramp(0.004, 0.03, relief.half_width(face, stage.y) - np.abs(stage.x))
    inside = inside * ramp(face.chin - 0.006, face.chin - 0.028, stage.y)
    picture = mix(picture, lit, inside)
    picture = body.hair(face, stage, picture)
    picture = blurred(np.ascontiguousarray(picture, dtype=np.float32), 0.0055 * stage.unit)  # a lens is never perfect
    return paint.resample(paint.tone_map(picture, 1.22 * face.exposure), (width, height)).round().astype(np.uint8)


def _stage(face: Identity, width: int, height: int) -> Stage:
    scale = unit(face, height)
    rng = np.random.default_rng([face.seed, 0x5C1])
    columns = (np.arange(width, dtype=np.float32)[None, :] + 0.5 - width / 2) / scale
    rows = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - height * EYE_LINE) / scale
    angle = np.deg2rad(face.tilt)
    x = np.cos(angle) * columns + np.sin(angle) * rows
    y = -np.sin(angle) * columns + np.cos(angle) * rows
    # No face is its own mirror image.
    x = x + 0.012 * clouds(rng, (height, width), scale * 0.9, octaves=1)
    y = y + 0.012 * clouds(rng, (height, width), scale * 0.9, octaves=1)
    return Stage(x=x.astype(np.float32), y=y.astype(np.float32), unit=scale, rng=rng)
