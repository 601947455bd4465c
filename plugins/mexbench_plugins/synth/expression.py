"""From action units to what they do to the pixels of one face: smooth displacements and a little shading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mexbench_plugins.synth.action_units import ACTIONS, ActionUnit, Push, SkinFold, written
from mexbench_plugins.synth.geometry import Box, Geometry, Point
from mexbench_plugins.synth.numerics import Plane

#: What an amount of 1 moves at intensity 1, in face units: 2.4 pixels in a face that is 210 pixels wide.
AMPLITUDE = 0.023


@dataclass(frozen=True, eq=False)
class Expression:
    """An expression at its apex, on one face. Outside ``box``, and outside the action units in it, all is zero.

    Args:
        box: Left, top, right, bottom of what can change; the planes below cover it alone.
        dx: How many columns each point has moved (h, w).
        dy: How many rows.
        shade: Share of the light that is lost (h, w).
        aus: The action units; none where a learned generator made the motion.
        fade: Columns and rows that the face fades by, where it does not return the way that it came.
        label: The class that a learned generator was asked for.
    """

    box: Box
    dx: Plane
    dy: Plane
    shade: Plane
    aus: tuple[ActionUnit, ...]
    fade: tuple[Plane, Plane] | None = None
    label: str | None = None

    @property
    def title(self) -> str:
        """What it is called on pages and pictures."""
        return f"AU {written(self.aus)}" if self.label is None else f"learned motion of class {self.label}"

    def displacement(self, amount: float, *, fading: bool = False) -> tuple[Plane, Plane]:
        """Return columns and rows by which each point has moved at a share of the apex.

        Args:
            amount: Share of the apex, 0 to 1.
            fading: Whether the apex is over: then the face returns along ``fade``, which it follows the more the
                less is left.
        """
        share = np.float32(amount)
        if self.fade is None or not fading:
            return share * self.dx, share * self.dy
        near = share * share
        return (
            near * self.dx + (share - near) * self.fade[0],
            near * self.dy + (share - near) * self.fade[1],
        )

    def mask(self, width: int, height: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """Return where a picture of this size can change (H, W)."""
        left, top, right, bottom = self.box
        full = np.zeros((height, width), np.bool_)
        full[top:bottom, left:right] = (self.dx != 0) | (self.dy != 0) | (self.shade != 0)
        return full

    def peak(self) -> float:
        """Return the greatest displacement in pixels."""
        return float(np.hypot(self.dx, self.dy).max(initial=0.0))


def express(
    aus: Sequence[ActionUnit],
    face: Geometry,
    width: int,
    height: int,
    *,
    intensity: float = 1.0,
    strengths: Sequence[float] | None = None,
) -> Expression:
    """Work out what action units do to a face.

    Args:
        aus: The action units.
        face: Where the parts of the face lie.
        width: Width of the picture in pixels.
        height: Its height.
        intensity: Amplitude of the whole; 1 is a micro-expression, 3 an expression that anybody sees.
        strengths: A factor for each action unit; 1 for each where not given.
    """
    factors = [1.0] * len(aus) if strengths is None else list(strengths)
    box = _bounds(aus, face, width, height)
    x, y = face.grid(box)
    dx, dy, shade = (np.zeros(x.shape, np.float32) for _ in range(3))
    anchors = face.anchors()
    for unit, factor in zip(aus, factors, strict=True):
        action = ACTIONS[unit.number]
        for side in _sides(unit):
            for push in action.pushes:
                (ax, ay), half = _place(push.at, push.shift, anchors)
                weight = np.float32(factor * intensity * AMPLITUDE * half) * _hill(
                    (side * x - ax) / push.radius[0], (y - ay) / push.radius[1]
                )
                dx += np.float32(side * push.move[0]) * weight
                dy += np.float32(push.move[1]) * weight
            for fold in action.folds:
                (ax, ay), half = _place(fold.at, (0.0, 0.0), anchors)
                shade += np.float32(factor * intensity * fold.depth * half) * _line(side * x - ax, y - ay, fold)
    moved = face.to_pixels(dx, dy)
    return Expression(box, *moved, np.clip(shade, -0.5, 0.5), tuple(aus))


def _sides(unit: ActionUnit) -> tuple[int, ...]:
    """Return 1 for the right half of the picture, which is the person's left, and -1 for the other."""
    return {"L": (1,), "R": (-1,), "": (1, -1)}[unit.side]


def _place(at: str, shift: Point, anchors: dict[str, Point]) -> tuple[Point, float]:
    """Return where something lies, and the share that each side adds: a half where it lies in the middle."""
    x, y = anchors[at]
    place = (x + shift[0], y + shift[1])
    return place, 0.5 if place[0] == 0 else 1.0


def _hill(u: Plane, v: Plane) -> Plane:
    """Return a hill like a Gaussian's whose foot is exactly zero from radius 1 on, with two smooth derivatives."""
    return np.clip(1 - u * u - v * v, 0, None) ** 3


def _line(x: Plane, y: Plane, fold: SkinFold) -> Plane:
    """Return a ridge along a fold that ends in zero at three times its half width."""
    (x0, y0), (x1, y1) = fold.start, fold.end
    length = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)
    along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
    far = ((x - x0 - along * (x1 - x0)) ** 2 + (y - y0 - along * (y1 - y0)) ** 2) / np.float32((3 * fold.width) ** 2)
    return np.clip(1 - far, 0, None) ** 3


def _bounds(aus: Sequence[ActionUnit], face: Geometry, width: int, height: int) -> Box:
    """Return the smallest box around everything that the action units touch, cut at the picture's border."""
    anchors, corners = face.anchors(), [face.pixel(0, 0)]
    for unit in aus:
        for side in _sides(unit):
            for part in (*ACTIONS[unit.number].pushes, *ACTIONS[unit.number].folds):
                corners += [face.pixel(side * x, y) for x, y in _reach(part, anchors[part.at])]
    columns, rows = zip(*corners, strict=True)
    return (
        int(np.clip(min(columns) - 1, 0, width - 1)), int(np.clip(min(rows) - 1, 0, height - 1)),
        int(np.clip(max(columns) + 2, 1, width)), int(np.clip(max(rows) + 2, 1, height)),
    )  # fmt: skip


def _reach(part: Push | SkinFold, at: Point) -> list[Point]:
    if isinstance(part, Push):
        middle, (rx, ry) = [(at[0] + part.shift[0], at[1] + part.shift[1])], part.radius
    else:
        rx = ry = 3 * part.width
        middle = [(at[0] + x, at[1] + y) for x, y in (part.start, part.end)]
    return [(x + sx * rx, y + sy * ry) for x, y in middle for sx in (-1, 1) for sy in (-1, 1)]
