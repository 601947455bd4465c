"""Reasons for an impossible row: the fewest figures that contradict each other, and the bound one sets another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

from mexbench.studies.claims.feasibility.bounds import separated
from mexbench.studies.claims.feasibility.margins import shown
from mexbench.studies.claims.feasibility.printed_figures import NAMES, Figure, FigureRange
from mexbench.studies.claims.feasibility.search import search
from mexbench.studies.claims.feasibility.search_space import Problem, Space

#: Operations spent on finding a shorter reason for a row that is known to be impossible.
_EFFORT = 5_000_000
#: Which figure a reader wants to see bounded, given the others.
_BOUNDED_FIRST = ("uf1", "weighted_f1", "macro_precision", "weighted_precision", "uar", "weighted_recall", "accuracy")


def explain(problem: Problem) -> str:
    """Return the reason for a row that a bound or a finished search has shown to be impossible."""
    figures = sorted(problem.figures, key=lambda figure: _BOUNDED_FIRST.index(figure.kind))
    for size in range(1, len(figures) + 1):
        for subset in combinations(figures, size):
            reduced = dataclasses.replace(problem, figures=subset)
            if separated(Space(reduced)):
                return _bounded(reduced, subset[0], subset[1:])
        for subset in combinations(figures, size):
            if _excluded(dataclasses.replace(problem, figures=subset)):
                return _exhausted(problem, subset)
    return _exhausted(problem, figures)


def _excluded(problem: Problem) -> bool:
    """Whether a row is known to be impossible, by a bound or by a short search that was finished."""
    space = Space(problem)
    if separated(space):
        return True
    outcome = search(space, _EFFORT)
    return outcome.margins is None and outcome.complete


def _bounded(problem: Problem, figure: Figure, others: Sequence[Figure]) -> str:
    where = f"at {shown(problem.supports)}"
    if not others:
        return f"{where} no matrix comes near {figure}"
    given = " with ".join(map(str, others))
    interval = figure.interval
    unit_interval = FigureRange(Fraction(0), Fraction(1))

    def excluded(low: Fraction, high: Fraction) -> bool:
        changed = dataclasses.replace(figure, interval=FigureRange(low, high))
        return _excluded(dataclasses.replace(problem, figures=(changed, *others)))

    too_low, too_high = excluded(unit_interval.low, interval.high), excluded(interval.low, unit_interval.high)
    if too_low and too_high:
        return f"{where} no matrix comes near {given}"
    if not too_low and not too_high:
        return f"{where} {given} leave no room for {figure}"
    # The reported bound is one that was proved: the last excluded end, not the first reachable one.
    near, far = (interval.high, unit_interval.high) if too_low else (interval.low, unit_interval.low)
    for _ in range(14):
        middle = (near + far) / 2
        inside = excluded(unit_interval.low, middle) if too_low else excluded(middle, unit_interval.high)
        near, far = (middle, far) if inside else (near, middle)
    side = "least" if too_low else "most"
    scale = 10_000
    bound = Fraction(near * scale // 1 if too_low else -(-near * scale // 1), scale)
    return (
        f"{where} {given} forces {NAMES[figure.kind]} of at {side} {figure.alike(bound)}, whatever the predictions; "
        f"{figure.text} is printed"
    )


def _exhausted(problem: Problem, figures: Sequence[Figure]) -> str:
    where = f"at {shown(problem.supports)}"
    if len(figures) == 1:
        return f"every case was tried: {where} no matrix gives {figures[0]}"
    return f"every case was tried: {where} no matrix gives {' with '.join(map(str, reversed(figures)))}"
