"""Laws that every confusion matrix obeys, whatever its supports: the reasons that are easiest to understand.

All arithmetic is exact. For each class let x be the share of its predictions that are wrong, 1 - precision. The
errors are the sum of x times its predictions, so their share of all samples is at most the largest x, and that is at
most the sum of all
x: the number of classes times 1 - macro precision. The same holds for 1 - recall over supports, and for 1 - F1 over
supports plus predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from mexbench.studies.claims.feasibility.printed_figures import NAMES, Figure

#: The condition that exempts a row from the laws of precision and F1: then errors lower no column that counts.
UNLESS = "impossible as printed unless every error falls into a class without test samples"
_LOWERED = {
    "macro_precision": "the precision of the class that takes it in",
    "uar": "the recall of the class that it belongs to",
    "uf1": "the F1 of two classes",
}


@dataclass(frozen=True)
class Known:
    """What is known of the test set.

    Args:
        classes: Classes that a macro average runs over; None where that is not known.
        total: Test samples; None where that is not known.
        rarest: Least number of test samples of a class; None where that is not known.
        escapes: Whether errors may fall into a class outside the averages.
    """

    classes: int | None = None
    total: int | None = None
    rarest: int | None = None
    escapes: bool = False


def broken(figures: tuple[Figure, ...], known: Known) -> str | None:
    """Return the first law that a row breaks, as a sentence; None where it keeps them all."""
    named: dict[str, Figure] = {}
    for figure in figures:
        first = named.setdefault(figure.kind, figure)
        if (first.interval & figure.interval).empty:
            return f"{first} and {figure} contradict each other"
    laws = (
        _recall_is_accuracy,
        _whole_hits,
        _errors_show,
        _errors_show_weighted,
        _below_mean,
        _macro_floor,
        _weighted_floor,
    )
    return next((reason for law in laws for reason in law(named, known)), None)


def predictions_needed(figures: tuple[Figure, ...], classes: int) -> Fraction | None:
    """Return the least share of all predictions that one class must draw, for precision to survive the errors."""
    named = {figure.kind: figure for figure in figures}
    accuracy, precision = _accuracy(named), named.get("macro_precision")
    if accuracy is None or precision is None or precision.interval.low == 1:
        return None
    return (1 - accuracy.interval.high) / (classes * (1 - precision.interval.low))


def rarest_needed(figures: tuple[Figure, ...]) -> tuple[Figure, Fraction] | None:
    """Return a figure averaged by support, and the share of test samples that some class must stay below to allow it.

    With every class holding at least the share q, an average by support loses at least q times the largest x, and the
    errors' share is at most that x.
    """
    named = {figure.kind: figure for figure in figures}
    accuracy = _accuracy(named)
    if accuracy is None or accuracy.interval.high >= 1:
        return None
    wrong = 1 - accuracy.interval.high
    bounds = [(f, (1 - f.interval.low) / wrong) for f in figures if f.kind in ("weighted_precision", "weighted_f1")]
    return min(bounds, key=lambda pair: pair[1], default=None)


def _accuracy(named: Mapping[str, Figure]) -> Figure | None:
    return named.get("accuracy", named.get("weighted_recall"))


def _recall_is_accuracy(named: Mapping[str, Figure], known: Known) -> Iterator[str]:  # noqa: ARG001 - all laws alike
    if {"accuracy", "weighted_recall"} <= named.keys():
        accuracy, recall = named["accuracy"], named["weighted_recall"]
        if (accuracy.interval & recall.interval).empty:
            yield f"weighted recall equals accuracy in every matrix, and {recall.text} is not {accuracy.text}"


def _whole_hits(named: Mapping[str, Figure], known: Known) -> Iterator[str]:
    accuracy = _accuracy(named)
    if accuracy is None or known.total is None:
        return
    low, high = ceil(known.total * accuracy.interval.low), floor(known.total * accuracy.interval.high)
    if low > high:
        around = [f"{hits} are {accuracy.alike(Fraction(hits, known.total))}" for hits in (high, low)]
        yield f"no number of hits out of {known.total} gives {accuracy}: {' and '.join(around)}"


def _errors_show(named: Mapping[str, Figure], known: Known) -> Iterator[str]:
    accuracy = _accuracy(named)
    if accuracy is None or known.classes is None:
        return
    wrong = 1 - accuracy.interval.high
    for kind, lowered in _LOWERED.items():
        figure = named.get(kind)
        if figure is None or (known.escapes and kind != "uar"):
            continue
        most = known.classes * (1 - figure.interval.low)
        if wrong > most:
            unless = "impossible whatever the supports" if kind == "uar" else UNLESS
            yield (
                f"{unless}: at {accuracy} at least {_share(wrong)} of the samples are errors, each lowers {lowered}, "
                f"and over {known.classes} classes {figure} has room for at most {_share(most)}"
            )


def _errors_show_weighted(named: Mapping[str, Figure], known: Known) -> Iterator[str]:
    needed = rarest_needed(tuple(named.values()))
    if needed is None or known.total is None or known.rarest is None or known.escapes:
        return
    figure, share = needed
    if Fraction(known.rarest, known.total) > share:
        yield (
            f"{UNLESS}: {figure} with these errors asks for a class with fewer than {_share(share)} of the test "
            f"samples, and the rarest has {_share(Fraction(known.rarest, known.total))}"
        )


def _below_mean(named: Mapping[str, Figure], known: Known) -> Iterator[str]:  # noqa: ARG001
    """F1 of a class is at most the mean of its precision and recall, so the averages are."""
    for kinds in (("macro_precision", "uar", "uf1"), ("weighted_precision", "weighted_recall", "weighted_f1")):
        p, r, f1 = (named.get(kind) for kind in kinds)
        if kinds[1] == "weighted_recall":
            r = r or named.get("accuracy")
        if p is None or r is None or f1 is None:
            continue
        most = (p.interval.high + r.interval.high) / 2
        if f1.interval.low > most:
            yield f"no F1 exceeds the mean of precision and recall, here {f1.alike(most)}: {f1} is printed"


def _macro_floor(named: Mapping[str, Figure], known: Known) -> Iterator[str]:
    """How far macro F1 can fall below macro precision and recall.

    With x = 1 - precision and y = 1 - recall of a class, 1 - F1 = (x + y - 2xy) / (2 - x - y), which is at most
    x / (2 - x) + y / (2 - y): the difference is xy (4 - 3x - 3y + 2xy) over something positive, and the bracket is
    bilinear with corners 4, 1, 1 and 0. As t / (2 - t) is convex, the sum over classes is greatest where few classes
    bear it all.
    """
    p, r, f1 = (named.get(kind) for kind in ("macro_precision", "uar", "uf1"))
    if p is None or r is None or f1 is None or known.classes is None:
        return
    loss = sum((_gathered(known.classes * (1 - figure.interval.low)) for figure in (p, r)), Fraction(0))
    least = 1 - loss / known.classes
    if f1.interval.high < least:
        yield (
            f"over {known.classes} classes, {p} and {r} force macro F1 of at least {f1.alike(least)}, whatever the "
            f"supports; {f1.text} is printed"
        )


def _gathered(loss: Fraction) -> Fraction:
    """Return the greatest sum of t / (2 - t) over numbers t up to one that sum to ``loss``."""
    rest = loss - floor(loss)
    return floor(loss) + rest / (2 - rest)


def _weighted_floor(named: Mapping[str, Figure], known: Known) -> Iterator[str]:  # noqa: ARG001
    """How far averages by support can fall below accuracy.

    A class with h hits, e row errors and f column errors takes (h + e)(e + f) / (2h + e + f) <= e + f / 2 from
    weighted F1 and (h + e) f / (h + f) <= e + f from weighted precision, both per test sample; e and f each sum to
    the errors.
    """
    accuracy = _accuracy(named)
    if accuracy is None:
        return
    for kind, factor in (("weighted_f1", Fraction(3, 2)), ("weighted_precision", Fraction(2))):
        figure = named.get(kind)
        least = 1 - factor * (1 - accuracy.interval.low)
        if figure is not None and figure.interval.high < least:
            yield (
                f"{accuracy} forces {NAMES[kind]} of at least {figure.alike(least)}, whatever the supports; "
                f"{figure.text} is printed"
            )


def _share(value: Fraction) -> str:
    return f"{100 * float(value):.2g} %" if value < Fraction(1, 100) else f"{100 * float(value):.2f} %"
