"""Why nothing fits: the fewest figures that already contradict each other, and how far one forces another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

from mexbench.studies.claims.feasibility.bounds import separated
from mexbench.studies.claims.feasibility.margins import shown
from mexbench.studies.claims.feasibility.printed_figures import NAMES, Figure, Interval
from mexbench.studies.claims.feasibility.search import search
from mexbench.studies.claims.feasibility.search_space import Problem, Space

#: Operations spent on finding a shorter reason for a row that is known to be impossible.
_EFFORT = 5_000_000
#: Which figure a reader wants to see bounded, given the others.
_BOUNDED_FIRST = ("uf1", "weighted_f1", "macro_precision", "weighted_precision", "uar", "weighted_recall", "accuracy")


def explain(problem: Problem) -> str:
    """Say why a row is impossible that a bound or a finished search has shown to be."""
    figures = sorted(problem.figures, key=lambda figure: _BOUNDED_FIRST.index(figure.kind))
    for size in range(1, len(figures) + 1):
        for chosen in combinations(figures, size):
            reduced = dataclasses.replace(problem, figures=chosen)
            if separated(Space(reduced)):
                return _bounded(reduced, chosen[0], chosen[1:])
        for chosen in combinations(figures, size):
            if _excluded(dataclasses.replace(problem, figures=chosen)):
                return _exhausted(problem, chosen)
    return _exhausted(problem, figures)


def _excluded(problem: Problem) -> bool:
    """Say whether a row is known to be impossible, by a bound or by a short search that was finished."""
    space = Space(problem)
    if separated(space):
        return True
    outcome = search(space, _EFFORT)
    return outcome.margins is None and outcome.complete


def _bounded(problem: Problem, figure: Figure, given: Sequence[Figure]) -> str:
    where = f"at {shown(problem.supports)}"
    if not given:
        return f"{where} no matrix comes near {figure}"
    others = " with ".join(map(str, given))
    interval = figure.interval
    whole = Interval(Fraction(0), Fraction(1))

    def excluded(low: Fraction, high: Fraction) -> bool:
        changed = dataclasses.replace(figure, interval=Interval(low, high))
        return _excluded(dataclasses.replace(problem, figures=(changed, *given)))

    too_low, too_high = excluded(whole.low, interval.high), excluded(interval.low, whole.high)
    if too_low and too_high:
        return f"{where} no matrix comes near {others}"
    if not too_low and not too_high:
        return f"{where} {others} leave no room for {figure}"
    # The bound that is told is one that was proved: the last excluded end, not the first reachable one.
    near, far = (interval.high, whole.high) if too_low else (interval.low, whole.low)
    for _ in range(14):
        middle = (near + far) / 2
        inside = excluded(whole.low, middle) if too_low else excluded(middle, whole.high)
        near, far = (middle, far) if inside else (near, middle)
    side = "least" if too_low else "most"
    scale = 10_000
    told = Fraction(near * scale // 1 if too_low else -(-near * scale // 1), scale)
    return (
        f"{where} {others} forces {NAMES[figure.kind]} of at {side} {figure.alike(told)}, whatever the predictions; "
        f"{figure.text} is printed"
    )


def _exhausted(problem: Problem, figures: Sequence[Figure]) -> str:
    where = f"at {shown(problem.supports)}"
    if len(figures) == 1:
        return f"every case was tried: {where} no matrix gives {figures[0]}"
    return f"every case was tried: {where} no matrix gives {' with '.join(map(str, reversed(figures)))}"
