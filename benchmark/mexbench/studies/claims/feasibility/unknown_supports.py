"""The judgement on a row whose class supports were not published."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor

from mexbench.studies.claims.feasibility.identities import Known, broken, predictions_needed, rarest_needed
from mexbench.studies.claims.feasibility.margins import shown
from mexbench.studies.claims.feasibility.printed_figures import Figure, FigureRange
from mexbench.studies.claims.feasibility.verdict import Verdict, judge

#: Operations per guess: a longer search would decide nothing that matters here.
_BUDGET = 4_000_000
#: Sizes of the guesses, in samples per class on average.
_SIZES = (15, 30, 60, 120)
#: Sizes of a class above all others, where those have 100 samples together.
_LARGEST = (100, 200, 400, 800, 1600)


def judge_any(
    figures: Sequence[Figure],
    *,
    classes: int,
    total: int | None = None,
    shape: Sequence[int] = (),
    budget: int = _BUDGET,
) -> Verdict:
    """Judge a row by what holds for all supports; then look for supports that allow it.

    ``impossible`` means: for all supports. ``possible`` means: for some, which are named and may differ
    from the authors'.

    Args:
        figures: What is claimed.
        classes: How many classes.
        total: Test samples, where they are known.
        shape: Class counts of the whole data set, to guess supports from.
        budget: Elementary operations for each guess.
    """
    row = tuple(figures)
    if reason := broken(row, Known(classes=classes, total=total)):
        return Verdict("impossible", reason)
    if all(figure.kind in ("accuracy", "weighted_recall") for figure in row):
        return _accuracy_alone(row, classes, total)
    tried = guesses(row, classes, total, shape)
    for supports in tried:
        verdict = judge(supports, row, budget=budget, explained=False)
        if verdict.status == "possible":
            reason = f"for some supports, such as {shown(supports)}; the real ones are not published"
            return Verdict("possible", reason + _conditions(row, classes, shape), verdict.matrix)
    examples = "; ".join(shown(supports) for supports in tried[:2])
    reason = f"no law forbids it for all supports, and none of {len(tried)} guesses ({examples}; ...) gives it"
    return Verdict("undecided", reason + _conditions(row, classes, shape))


def guesses(row: Sequence[Figure], classes: int, total: int | None, shape: Sequence[int]) -> list[tuple[int, ...]]:
    """List supports to try: the data set's own proportions, equal classes, one class above all others.

    Without a known total, sizes are tried for which some number of hits gives the accuracy.
    """
    rest = 100 // (classes - 1)
    shapes = [tuple(shape)] if len(shape) == classes else []
    shapes += [(1,) * classes, *((large, *(rest,) * (classes - 1)) for large in _LARGEST)]
    shapes += [(80 * (classes - 2), 14 * (classes - 2), *(18,) * (classes - 2))] if classes > 2 else []
    reached = [figure.interval for figure in row if figure.kind in ("accuracy", "weighted_recall")]
    totals = [total] if total else [_reaching(size * classes, reached) for size in _SIZES]
    candidates = [_scaled(s, n) for n in totals for s in shapes]
    return list(dict.fromkeys(s for s in candidates if min(s) > 0))


def _reaching(size: int, reached: Sequence[FigureRange]) -> int:
    """Return the least size, from ``size`` on, for which some number of hits gives the accuracy."""
    while any(ceil(size * interval.low) > floor(size * interval.high) for interval in reached):
        size += 1
    return size


def _scaled(shape: Sequence[int], total: int) -> tuple[int, ...]:
    """Share out a total in given proportions, the largest remainders first."""
    exact = [Fraction(total * count, sum(shape)) for count in shape]
    counts = [floor(share) for share in exact]
    order = sorted(range(len(shape)), key=lambda k: (counts[k] - exact[k], k))
    for k in order[: total - sum(counts)]:
        counts[k] += 1
    return tuple(counts)


def _accuracy_alone(row: tuple[Figure, ...], classes: int, total: int | None) -> Verdict:
    interval = row[0].interval
    if total is not None:
        return Verdict("possible", f"{ceil(total * interval.low)} hits out of {total} give it")
    size = _reaching(classes, [interval])
    hits = ceil(size * interval.low)
    return Verdict("possible", f"accuracy alone says little: {hits} hits out of {size} give it")


def _conditions(row: tuple[Figure, ...], classes: int, shape: Sequence[int]) -> str:
    """Return conditions on the test set that are out of the ordinary."""
    text = ""
    share = predictions_needed(row, classes)
    if share is not None and share > Fraction(2, classes):
        text += f"; one class must draw at least {floor(100 * share)} % of all predictions"
        if shape:
            text += f", where the most frequent has {100 * max(shape) / sum(shape):.0f} % of the data set's clips"
    needed = rarest_needed(row)
    if needed is not None and needed[1] < Fraction(1, 2 * classes):
        figure, rarest = needed
        text += f"; for {figure} a class must hold fewer than {float(100 * rarest):.2f} % of the test samples"
        if shape:
            text += f", where the rarest has {100 * min(shape) / sum(shape):.1f} % of the data set's clips"
    return text
