"""What each facial action unit does to a face: which parts move where, and which folds deepen.

Directions and places follow the Facial Action Coding System (Ekman, Friesen & Hager, 2002); amounts are this
program's own. Everything is written for the right half of the picture and mirrored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mexbench.errors import ConfigError, unknown

Side = Literal["", "L", "R"]


@dataclass(frozen=True)
class ActionUnit:
    """One action unit, on both sides of the face or on one.

    Args:
        number: Its FACS number.
        side: The person's own left or right; empty for both.
    """

    number: int
    side: Side = ""

    def __str__(self) -> str:
        return f"{self.side}{self.number}"


@dataclass(frozen=True)
class Push:
    """A part that moves.

    Args:
        at: The landmark it lies at.
        move: Direction and amount, in units of an expression's amplitude; x outwards, y down.
        radius: How far it reaches, in face units.
        shift: Its place relative to the landmark.
    """

    at: str
    move: tuple[float, float]
    radius: tuple[float, float]
    shift: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class SkinFold:
    """A line that darkens, as a wrinkle does, or where ``depth`` is negative brightens, as a bulge does.

    Args:
        at: The landmark it lies at.
        start: One end, relative to the landmark.
        end: The other.
        width: Half its width in face units.
        depth: Share of the light it takes at the apex.
    """

    at: str
    start: tuple[float, float]
    end: tuple[float, float]
    width: float
    depth: float


@dataclass(frozen=True)
class Action:
    """What one action unit does.

    Args:
        name: Its name in FACS.
        pushes: What moves.
        folds: What darkens.
    """

    name: str
    pushes: tuple[Push, ...]
    folds: tuple[SkinFold, ...] = ()


ACTIONS: dict[int, Action] = {
    1: Action(
        "inner brow raiser",
        (Push("brow_inner", (0.0, -1.15), (0.32, 0.3)),),
        (SkinFold("brow_inner", (-0.22, -0.2), (0.1, -0.18), 0.035, 0.042),),
    ),
    2: Action(
        "outer brow raiser",
        (Push("brow_outer", (0.0, -1.15), (0.34, 0.3)),),
        (SkinFold("brow_outer", (-0.15, -0.22), (0.15, -0.16), 0.035, 0.036),),
    ),
    4: Action(
        "brow lowerer",
        (Push("brow_inner", (-0.6, 0.9), (0.3, 0.27)), Push("brow_middle", (-0.15, 0.55), (0.34, 0.24))),
        (SkinFold("glabella", (0.09, -0.12), (0.1, 0.06), 0.035, 0.06),),
    ),
    5: Action("upper lid raiser", (Push("upper_lid", (0.0, -0.8), (0.27, 0.13)),)),
    6: Action(
        "cheek raiser",
        (
            Push("cheek", (-0.1, -0.95), (0.36, 0.28)),
            Push("lower_lid", (0.0, -0.5), (0.28, 0.13)),
            Push("eye_outer", (-0.35, 0.1), (0.2, 0.16), (0.06, 0.0)),
        ),
        (
            SkinFold("eye_outer", (0.06, -0.02), (0.16, -0.08), 0.025, 0.048),
            SkinFold("eye_outer", (0.06, 0.04), (0.16, 0.1), 0.025, 0.048),
        ),
    ),
    7: Action(
        "lid tightener",
        (Push("lower_lid", (-0.1, -0.8), (0.29, 0.15)), Push("upper_lid", (0.0, 0.6), (0.27, 0.13))),
        (SkinFold("lower_lid", (-0.15, 0.07), (0.15, 0.07), 0.03, 0.042),),
    ),
    9: Action(
        "nose wrinkler",
        (
            Push("nose_side", (0.0, -1.1), (0.24, 0.3)),
            Push("nostril", (0.1, -0.7), (0.2, 0.18)),
            Push("brow_inner", (-0.2, 0.45), (0.25, 0.22)),
        ),
        (
            SkinFold("nose_side", (-0.06, -0.16), (0.07, -0.2), 0.03, 0.06),
            SkinFold("nose_side", (-0.05, -0.08), (0.08, -0.12), 0.03, 0.048),
        ),
    ),
    10: Action(
        "upper lip raiser",
        (Push("upper_lip", (0.05, -1.1), (0.27, 0.19)), Push("nostril", (0.25, -0.6), (0.24, 0.2))),
        (SkinFold("nostril", (0.05, 0.0), (0.14, 0.2), 0.035, 0.048),),
    ),
    12: Action(
        "lip corner puller",
        (Push("lip_corner", (0.75, -0.95), (0.34, 0.28)), Push("cheek", (0.0, -0.4), (0.34, 0.26), (0.0, 0.08))),
        (SkinFold("lip_corner", (0.0, -0.24), (0.1, -0.02), 0.035, 0.048),),
    ),
    14: Action(
        "dimpler",
        (Push("lip_corner", (0.95, 0.0), (0.24, 0.2)), Push("lip_corner", (-0.4, 0.0), (0.18, 0.2), (0.2, 0.0))),
        (SkinFold("lip_corner", (0.06, -0.06), (0.06, 0.07), 0.035, 0.078),),
    ),
    15: Action(
        "lip corner depressor",
        (Push("lip_corner", (0.15, 1.1), (0.3, 0.25)),),
        (SkinFold("lip_corner", (0.02, 0.04), (0.06, 0.18), 0.035, 0.054),),
    ),
    16: Action("lower lip depressor", (Push("lower_lip", (0.1, 0.9), (0.27, 0.18)),)),
    17: Action(
        "chin raiser",
        (Push("chin", (0.0, -1.15), (0.38, 0.27)), Push("lower_lip", (-0.05, -0.6), (0.28, 0.15))),
        (SkinFold("chin", (-0.1, -0.08), (0.1, -0.08), 0.04, 0.08),),
    ),
    18: Action("lip pucker", (Push("lip_corner", (-1.0, 0.0), (0.28, 0.2)),)),
    20: Action("lip stretcher", (Push("lip_corner", (1.1, 0.25), (0.34, 0.26)),)),
    23: Action(
        "lip tightener", (Push("lip_corner", (-0.7, 0.05), (0.24, 0.16)), Push("upper_lip", (0, 0.4), (0.24, 0.1)))
    ),
    24: Action(
        "lip pressor", (Push("upper_lip", (0.0, 0.7), (0.28, 0.13)), Push("lower_lip", (0.0, -0.7), (0.28, 0.13)))
    ),
    25: Action(
        "lips part",
        (Push("lower_lip", (0.0, 0.8), (0.3, 0.17)), Push("upper_lip", (0.0, -0.25), (0.26, 0.12))),
        (SkinFold("mouth", (-0.12, 0.005), (0.12, 0.005), 0.025, 0.2),),
    ),
    26: Action(
        "jaw drop",
        (Push("chin", (0.0, 1.1), (0.45, 0.3)), Push("lower_lip", (0.0, 0.9), (0.32, 0.2))),
        (SkinFold("mouth", (-0.14, 0.01), (0.14, 0.01), 0.03, 0.2),),
    ),
}

_CELL = re.compile(r"(?:AU)?([LR]?)(\d+)", re.IGNORECASE)


def parse(text: str) -> tuple[ActionUnit, ...]:
    """Read action units as they are written in an annotation: ``6+12``, ``4+R10``, ``AU12``.

    Raises:
        ConfigError: A part is not an action unit, one that is not drawn, or is named twice.
    """
    units: list[ActionUnit] = []
    for part in text.split("+"):
        match = _CELL.fullmatch(part.strip())
        if match is None or int(match[2]) not in ACTIONS:
            raise ConfigError(f"action units {text!r}: {unknown('action unit', part.strip(), choices())}")
        side: Side = {"L": "L", "R": "R"}.get(match[1].upper(), "")  # type: ignore[assignment]
        unit = ActionUnit(int(match[2]), side)
        if any(
            unit.number == other.number and (unit.side == other.side or "" in (unit.side, other.side))
            for other in units
        ):
            raise ConfigError(f"action units {text!r}: {unit} is named twice")
        units.append(unit)
    return tuple(units)


def choices() -> Sequence[str]:
    """Return the numbers of the action units that are drawn, in order."""
    return [str(number) for number in ACTIONS]


def written(units: Sequence[ActionUnit]) -> str:
    """Write action units as an annotation does: ``4+R10``."""
    return "+".join(str(unit) for unit in units)
