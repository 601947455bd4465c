"""A figure as a paper prints it -> the exact interval of values that print so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from mexbench.errors import ClaimError, unknown
from mexbench.metrics.classification import SCORES

#: What can be judged: the scores of ``mexbench.metrics.classification``, by the same names and definitions.
KINDS = SCORES
#: Kind -> its name in texts.
NAMES = {
    "accuracy": "accuracy",
    "uf1": "macro F1 (UF1)",
    "uar": "macro recall (UAR)",
    "macro_precision": "macro precision",
    "weighted_precision": "weighted precision",
    "weighted_recall": "weighted recall",
    "weighted_f1": "weighted F1",
}

Rounding = Literal["nearest", "truncated", "either"]
ROUNDINGS: tuple[Rounding, ...] = ("nearest", "truncated", "either")

#: Authors print from doubles: a value this close to the border between two printed figures may fall on either side.
SLACK = Fraction(1, 10**12)

PERCENT = " %"
_NUMBER = re.compile(r"(?P<whole>\d*)(?:\.(?P<decimals>\d*))?")


@dataclass(frozen=True)
class FigureRange:
    """The values from ``low`` to ``high``, exact; both ends belong to it."""

    low: Fraction
    high: Fraction

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Fraction) and self.low <= value <= self.high

    @property
    def empty(self) -> bool:
        """Whether no value lies inside."""
        return self.low > self.high

    def __and__(self, other: FigureRange) -> FigureRange:
        return FigureRange(max(self.low, other.low), min(self.high, other.high))


@dataclass(frozen=True)
class Figure:
    """One figure of a row.

    Args:
        kind: One of ``KINDS``.
        interval: The values that print so, as fractions of one.
        text: As printed, with its unit.
    """

    kind: str
    interval: FigureRange
    text: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ClaimError(unknown("figure", self.kind, KINDS))

    def __str__(self) -> str:
        return f"{NAMES[self.kind]} {self.text}"

    def called(self, kind: str) -> Figure:
        """Return the same number under another name."""
        return Figure(kind, self.interval, self.text)

    def reread(self, rounding: Rounding) -> Figure:
        """Return the same print, made by another kind of rounding."""
        return printed(self.kind, self.text.removesuffix(PERCENT), percent=self.percent, rounding=rounding)

    @property
    def percent(self) -> bool:
        """Whether it was printed in percent."""
        return self.text.endswith(PERCENT)

    def alike(self, value: Fraction | float) -> str:
        """Write another value in this figure's unit, with four digits."""
        return f"{100 * float(value):.2f}{PERCENT}" if self.percent else f"{float(value):.4f}".removeprefix("0")


def printed(kind: str, text: str, *, percent: bool = False, rounding: Rounding = "nearest") -> Figure:
    """Read a figure as printed, such as ``.5280`` or ``97.52``; every printed decimal counts.

    Args:
        kind: One of ``KINDS``.
        text: Digits with at most one point.
        percent: Whether the figure is in percent.
        rounding: ``nearest`` (a tie may go either way), ``truncated``, or ``either``.

    Raises:
        ClaimError: Not a number, or outside 0 to 1 (0 to 100 in percent).
    """
    if rounding not in ROUNDINGS:
        raise ClaimError(unknown("rounding", rounding, ROUNDINGS))
    match = _NUMBER.fullmatch(text.strip())
    if match is None or not (match["whole"] or match["decimals"]):
        raise ClaimError(f"expected digits with at most one point, such as 97.52 or .5280, got {text!r}")
    top = 100 if percent else 1
    value = Fraction(f"{match['whole'] or 0}.{match['decimals'] or 0}")
    if value > top:
        raise ClaimError(f"a figure above {top}{PERCENT * percent}: {text}")
    unit = Fraction(1, 10 ** len(match["decimals"] or ""))
    below = Fraction(0) if rounding == "truncated" else unit / 2
    above = unit / 2 if rounding == "nearest" else unit
    interval = FigureRange(
        max(Fraction(0), (value - below) / top - SLACK),
        min(Fraction(1), (value + above) / top + SLACK),
    )
    return Figure(kind, interval, f"{text.strip()}{PERCENT * percent}")
