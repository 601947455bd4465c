"""Who a procedural face is: some forty numbers drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]

# sRGB, 0-255. A tone is drawn between two neighbours, so that the scale has no steps.
_SKIN: tuple[Colour, ...] = (
    (236, 205, 186), (228, 190, 166), (224, 180, 150), (208, 160, 126), (188, 138, 104), (160, 112, 80), (134, 92, 66),
)  # fmt: skip
_HAIR: tuple[Colour, ...] = (
    (28, 24, 22), (46, 34, 28), (70, 48, 34), (98, 68, 44), (140, 104, 64), (176, 142, 94), (112, 54, 30),
    (128, 124, 120),
)  # fmt: skip
_IRIS: tuple[Colour, ...] = ((62, 40, 24), (84, 56, 32), (104, 82, 44), (84, 104, 78), (92, 122, 146), (116, 134, 146))
_CLOTH: tuple[Colour, ...] = (
    (52, 60, 78), (92, 38, 42), (46, 74, 62), (128, 124, 118), (34, 34, 38), (150, 136, 110), (70, 84, 116),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One person, in a face's own units: x = 0 is its middle, y = 0 its eye line, x = 1 its widest point.

    Args:
        seed: What every other field, and the texture of skin and hair, was drawn from.
        width: Half the greatest width of the face.
        chin: Height of the chin below the eye line.
        crown: Height of the skull above the eye line.
        jaw: Exponent of the lower outline: small tapers early, large is square.
        depth: How far the middle of the face stands out.
        skin: Colour of the skin.
        ruddy: How red cheeks, nose and ears are, 0-1.
        freckles: Strength of freckles, 0-1.
        age: Depth of the folds, 0-1.
        beard: Strength of a beard's shadow, 0-1.
        hair: Colour of hair and brows.
        hairline: Height of the hairline, negative as it lies above the eyes.
        recede: How far the hairline lies back above the temples.
        sweep: How much lower the hair falls on one side of the forehead.
        hair_volume: How far the hair stands out from the skull.
        hair_length: Where the hair ends below the eye line; under 0.6 it is short.
        parting: Where the hair parts, in x.
        fringe: How far hair falls into the forehead.
        eye_x: Distance of an eye's centre from the middle.
        eye_width: Half the width of an eye's opening.
        eye_open: Height of the opening over its width.
        eye_tilt: How much higher the outer corner lies than the inner one.
        iris: Colour of the iris.
        brow_y: Height of the brows.
        brow_arch: How much their middle rises.
        brow_thick: Half their thickness.
        brow_dark: How dark they are, 0-1.
        nose_width: Half the width of the nose.
        nose_y: Height of its base.
        nose_depth: How far it stands out.
        mouth_y: Height of the line between the lips.
        mouth_width: Half the width of the mouth.
        lips: Thickness of the lips.
        lip_red: How red they are, 0-1.
        mouth_curve: How much the corners lie below the middle.
        light_x: Direction of the light, negative from the left.
        light_y: How high it stands.
        light_warm: Its colour: negative bluish, positive yellowish.
        contrast: Strength of the main light against the fill light.
        exposure: Brightness of the picture.
        cloth: Colour of the clothes.
        background: Colour behind the head.
        size: Size of the head in the picture.
        tilt: Roll of the head, in degrees.
    """

    seed: int
    width: float
    chin: float
    crown: float
    jaw: float
    depth: float
    skin: Colour
    ruddy: float
    freckles: float
    age: float
    beard: float
    hair: Colour
    hairline: float
    recede: float
    sweep: float
    hair_volume: float
    hair_length: float
    parting: float
    fringe: float
    eye_x: float
    eye_width: float
    eye_open: float
    eye_tilt: float
    iris: Colour
    brow_y: float
    brow_arch: float
    brow_thick: float
    brow_dark: float
    nose_width: float
    nose_y: float
    nose_depth: float
    mouth_y: float
    mouth_width: float
    lips: float
    lip_red: float
    mouth_curve: float
    light_x: float
    light_y: float
    light_warm: float
    contrast: float
    exposure: float
    cloth: Colour
    background: Colour
    size: float
    tilt: float


def draw(seed: int) -> Identity:
    """Draw a person; the same seed is the same person."""
    rng = np.random.default_rng([seed, 0xFACE])

    def between(low: float, high: float) -> float:
        """Draw between two bounds, the middle more often than the ends."""
        return float(low + (high - low) * rng.beta(2.0, 2.0))

    masculine = rng.random() < 0.5
    tone = between(0, len(_SKIN) - 1.001)
    first = int(tone)
    skin = _blend(_SKIN[first], _SKIN[first + 1], tone - first)
    # Fair hair and fair eyes go with fair skin, as in life.
    hair = _HAIR[int(rng.integers(len(_HAIR) if tone < 2.5 else 3))]
    iris = _IRIS[int(rng.integers(len(_IRIS) if tone < 2.5 else 2))]
    grey = float(rng.uniform(70, 190))
    tint = rng.uniform(-14, 14, 3)
    return Identity(
        seed=seed,
        width=between(0.92, 1.04),
        chin=between(1.4, 1.56) + 0.03 * masculine,
        crown=between(1.46, 1.6),
        jaw=between(1.75, 2.1) + 0.3 * masculine,
        depth=between(0.82, 1.0),
        skin=skin,
        ruddy=between(0.2, 1.0),
        freckles=between(0.2, 0.9) if tone < 2 and rng.random() < 0.3 else 0.0,
        age=between(0.0, 1.0),
        beard=between(0.2, 1.0) if masculine and rng.random() < 0.6 else 0.0,
        hair=_blend(hair, (60, 48, 40), float(rng.uniform(0, 0.25))),
        hairline=between(-1.12, -0.88),
        recede=between(0.05, 0.3) if masculine and rng.random() < 0.5 else between(0.0, 0.06),
        sweep=between(-0.3, 0.3),
        hair_volume=between(0.05, 0.11) if masculine else between(0.09, 0.2),
        hair_length=between(-0.2, 0.35) if masculine else between(0.3, 2.2),
        parting=between(-0.55, 0.55),
        fringe=between(0.0, 0.08) if masculine else between(0.0, 0.16),
        eye_x=between(0.415, 0.475),
        eye_width=between(0.19, 0.225),
        eye_open=between(0.30, 0.40) + 0.02 * (not masculine),
        eye_tilt=between(-0.01, 0.035),
        iris=iris,
        brow_y=between(-0.36, -0.28) - 0.02 * (not masculine),
        brow_arch=between(0.02, 0.09),
        brow_thick=between(0.048, 0.066) + 0.01 * masculine,
        brow_dark=between(0.65, 0.95),
        nose_width=between(0.215, 0.275),
        nose_y=between(0.56, 0.66),
        nose_depth=between(0.85, 1.2),
        mouth_y=between(0.9, 0.98),
        mouth_width=between(0.33, 0.41),
        lips=between(0.75, 1.2) + 0.1 * (not masculine),
        lip_red=between(0.25, 0.7) + 0.25 * (not masculine),
        mouth_curve=between(-0.02, 0.01),
        light_x=float(rng.choice([-1, 1])) * between(0.1, 0.6),
        light_y=between(0.35, 0.75),
        light_warm=between(-0.07, 0.09),
        contrast=between(0.75, 1.15),
        exposure=between(0.88, 1.12),
        cloth=_CLOTH[int(rng.integers(len(_CLOTH)))],
        background=(grey + float(tint[0]), grey + float(tint[1]), grey + float(tint[2])),
        size=between(0.94, 1.06),
        tilt=between(-2.5, 2.5),
    )


def _blend(one: Colour, other: Colour, share: float) -> Colour:
    return (
        one[0] + (other[0] - one[0]) * share,
        one[1] + (other[1] - one[1]) * share,
        one[2] + (other[2] - one[2]) * share,
    )
