"""Figures that are printed class by class, against those of the whole row: averages of what each class has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mexbench.studies.claims.feasibility.printed_figures import Figure, FigureRange


@dataclass(frozen=True)
class RecallRange:
    """The recall of one class.

    Args:
        text: As printed, with its unit.
        interval: The values that print so.
    """

    text: str
    interval: FigureRange


@dataclass(frozen=True)
class PerClass:
    """What is printed of every class: recalls or counts.

    Args:
        recalls: Class -> its recall; empty where counts are known.
        hits: Class -> (correct, tested); empty where recalls alone are known.
    """

    recalls: Mapping[str, RecallRange]
    hits: Mapping[str, tuple[int, int]]

    def contradicts(self, figures: Sequence[Figure]) -> str | None:
        """Return why these figures cannot belong to these classes; None where they can.

        Accuracy is the mean of the classes' recalls weighted by their supports, so it lies between the least and the
        largest of them whatever the supports are; with counts it is known exactly. UAR is their mean.
        """
        laws = {"accuracy": self._accuracy, "weighted_recall": self._accuracy, "uar": self._mean}
        for figure in figures:
            if figure.kind in laws and (reason := laws[figure.kind](figure)):
                return reason
        return None

    def _accuracy(self, figure: Figure) -> str | None:
        if self.hits:
            correct, tested = (sum(pair[side] for pair in self.hits.values()) for side in (0, 1))
            share = Fraction(correct, tested)
            if share in figure.interval:
                return None
            terms = " + ".join(f"{one}/{of}" for one, of in self.hits.values())
            return (
                f"the classes' counts {terms} add up to {correct} correct of {tested}, an accuracy of "
                f"{figure.alike(share)}; {figure} is printed"
            )
        most = max(self.recalls, key=lambda name: self.recalls[name].interval.high)
        least = min(self.recalls, key=lambda name: self.recalls[name].interval.low)
        high, low = self.recalls[most].interval.high, self.recalls[least].interval.low
        if figure.interval.low > high:
            bound = f"most the largest of them: {self.recalls[most].text} ({most}), at most {figure.alike(high)}"
        elif figure.interval.high < low:
            bound = f"least the smallest of them: {self.recalls[least].text} ({least}), at least {figure.alike(low)}"
        else:
            return None
        return (
            "accuracy is the mean of the classes' recalls weighted by their supports, so it is at "
            f"{bound} before rounding; {figure} is printed"
        )

    def _mean(self, figure: Figure) -> str | None:
        if self.hits:
            shares = [FigureRange(share, share) for share in (Fraction(*pair) for pair in self.hits.values())]
        else:
            shares = [recall.interval for recall in self.recalls.values()]
        low, high = (
            sum(ends, Fraction(0)) / len(shares) for ends in zip(*((s.low, s.high) for s in shares), strict=True)
        )
        if not (FigureRange(low, high) & figure.interval).empty:
            return None
        mean = figure.alike(low) if low == high else f"{figure.alike(low)} to {figure.alike(high)}"
        return f"the mean of the {len(shares)} classes' recalls is {mean}; {figure} is printed"
