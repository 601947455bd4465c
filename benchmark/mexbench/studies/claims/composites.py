"""A composite's figures against those of the data sets that it is made of: the sum leaves only so much room.

The composite pools the counts of its members. Its accuracy is therefore their mean by size. Its recall of a class is
the mean of theirs, weighted by their samples of the class: with the mean recall of each member known, the composite's
lies between two bounds, which are exact. Macro F1 is not compared: its weights are how often each class was predicted,
which no document prints, and without them the bounds exclude next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from mexbench.studies.claims.feasibility.printed_figures import Figure, FigureRange, printed

if TYPE_CHECKING:
    from mexbench.studies.claims.claims import Claim, FigureName

#: What is compared, and its name among the scores.
_COMPARED: dict[FigureName, str] = {"accuracy": "accuracy", "recall": "uar"}


@dataclass(frozen=True)
class SumCheck:
    """One figure of a composite, and what its members leave room for.

    Args:
        figure: As the composite prints it.
        members: As they print it, in the order of the claim's ``members``.
        allowed: Every value that the composite may have lies in it.
    """

    figure: Figure
    members: tuple[Figure, ...]
    allowed: FigureRange

    @property
    def excluded(self) -> bool:
        """Whether no value that prints so is allowed."""
        return (self.figure.interval & self.allowed).empty

    @property
    def reason(self) -> str:
        """What the members print, and what that allows."""
        low, high = (self.figure.alike(value) for value in (self.allowed.low, self.allowed.high))
        texts = ", ".join(member.text for member in self.members)
        verb = "excludes" if self.excluded else "allows"
        return f"{self.figure}: the sum of its members ({texts}) {verb} it: from {low} to {high}"


def check_sum(whole: Claim, members: Sequence[Claim]) -> list[SumCheck]:
    """Compare every figure that the composite and all its members print.

    Args:
        whole: The composite, with supports.
        members: Its data sets, with supports that add up to its own; none where they are not claimed.
    """
    if not members or whole.averaging != "macro":
        return []
    supports = [member.supports or () for member in members]
    checks = []
    for name, kind in _COMPARED.items():
        if name not in whole.figures or any(name not in member.figures for member in members):
            continue
        figure, *parts = (
            printed(kind, claim.figures[name].printed, percent=claim.figures[name].percent)
            for claim in (whole, *members)
        )
        ranges = [part.interval for part in parts]
        allowed = (_accuracy if name == "accuracy" else _mean_recall)(ranges, supports)
        checks.append(SumCheck(figure, tuple(parts), allowed))
    return checks


def _accuracy(ranges: Sequence[FigureRange], supports: Sequence[Sequence[int]]) -> FigureRange:
    """Return the mean by size, exact."""
    sizes = [sum(counts) for counts in supports]
    low, high = (
        sum((size * end for size, end in zip(sizes, ends, strict=True)), Fraction(0)) / sum(sizes)
        for ends in ([one.low for one in ranges], [one.high for one in ranges])
    )
    return FigureRange(low, high)


def _mean_recall(ranges: Sequence[FigureRange], supports: Sequence[Sequence[int]]) -> FigureRange:
    """Put what each member recalls where it weighs least, and where it weighs most, in the composite."""
    totals = [sum(counts) for counts in zip(*supports, strict=True)]
    n_classes = len(totals)
    low = high = Fraction(0)
    for interval, counts in zip(ranges, supports, strict=True):
        weights = sorted(Fraction(count, total) for count, total in zip(counts, totals, strict=True))
        low += _filled(weights, n_classes * interval.low)
        high += _filled(weights[::-1], n_classes * interval.high)
    return FigureRange(low / n_classes, high / n_classes)


def _filled(weights: Sequence[Fraction], amount: Fraction) -> Fraction:
    """Give each weight at most 1 of an amount, in their order, and return the weighted sum."""
    total = Fraction(0)
    for weight in weights:
        part = min(Fraction(1), amount)
        total, amount = total + weight * part, amount - part
    return total
