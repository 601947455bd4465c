"""Drawings that stand alone: SVG made by string, the same to the byte on every machine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from mexbench.runs.plot_style import GREY, GRID, INK, PAPER


def text(x: float, y: float, content: str, *, anchor: str = "start", size: int = 13, fill: str = INK) -> str:
    """Write a text with its baseline at ``y``."""
    look = f'font-size="{size}" fill="{fill}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, *, stroke: str = GREY, width: float = 1, dash: str = "") -> str:
    """Draw a straight line."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
        f'stroke-width="{width:g}"{dashed}/>'
    )


def dot(x: float, y: float, colour: str, *, hollow: bool = False, radius: float = 5) -> str:
    """Draw a round mark."""
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{PAPER if hollow else colour}" '
        f'stroke="{colour}" stroke-width="2"/>'
    )


def ring(x: float, y: float, colour: str) -> str:
    """Draw a hollow round mark."""
    return dot(x, y, colour, hollow=True)


def square(x: float, y: float, colour: str) -> str:
    """Draw a square mark."""
    return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="{colour}"/>'


def diamond(x: float, y: float, colour: str) -> str:
    """Draw a mark that stands on its corner."""
    return f'<path d="M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z" fill="{colour}"/>'


def drawing(width: int, height: int, title: str, description: str, parts: Iterable[str]) -> str:
    """Return the text of a file; the title and the description are for those who do not see it."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" role="img" aria-label={quoteattr(title)}>\n<title>{escape(title)}</title>\n'
        f"<desc>{escape(description)}</desc>\n"
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>\n{body}\n</svg>\n'
    )


def width_of(content: str, size: int = 13) -> float:
    """Return how wide a text can get: letters of a sans serif are at most .62 of its size on average."""
    return 0.62 * size * len(content)


def percent_axis(
    x: tuple[float, float], y: tuple[float, float], low: int, high: int, *, step: int = 10
) -> list[str]:  # fmt: skip
    """Draw grid lines of a score x 100, each ``step``, between the ends in x and y."""
    (left, right), (top, bottom) = x, y
    parts = []
    for value in range(low, high + 1, step):
        at = left + (right - left) * (value - low) / (high - low)
        parts += [
            line(at, top, at, bottom, stroke=GRID),
            text(at, bottom + 16, str(value), anchor="middle", size=12),
        ]
    return parts


def log_ticks(low: float, high: float) -> list[float]:
    """Return the powers of ten from ``low`` to ``high``, both ends included."""
    return [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def spread_labels(places: Sequence[float], gap: float, end: float | None = None) -> list[float]:
    """Move labels apart along one axis, as little as their order allows, so that none covers another.

    Args:
        places: Where each would stand.
        gap: The least distance of two.
        end: Where the last may be at most; the others make room.
    """
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    if end is not None and order:
        moved[order[-1]] = min(moved[order[-1]], end)
        for after, before in pairwise(reversed(order)):
            moved[before] = min(moved[before], moved[after] - gap)
    return moved
