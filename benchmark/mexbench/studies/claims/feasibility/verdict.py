"""The judgement on a row whose class supports are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mexbench.errors import ClaimError
from mexbench.studies.claims.feasibility.bounds import separated
from mexbench.studies.claims.feasibility.explain import explain
from mexbench.studies.claims.feasibility.identities import Known, broken
from mexbench.studies.claims.feasibility.margins import Margins, Over, matrix, rescored, shown
from mexbench.studies.claims.feasibility.printed_figures import Figure
from mexbench.studies.claims.feasibility.search import search
from mexbench.studies.claims.feasibility.search_space import Problem, Space

_GLANCE = 2_000_000
Status = Literal["possible", "impossible", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """Whether any confusion matrix gives a row of figures.

    Args:
        status: ``possible``, ``impossible`` or ``undecided``.
        reason: Why, as a sentence.
        matrix: Where possible: one that does, truth in rows, as the harness's own metrics confirmed.
    """

    status: Status
    reason: str
    matrix: tuple[tuple[int, ...], ...] | None = None


def judge(
    supports: Sequence[int],
    figures: Sequence[Figure],
    *,
    outside: int = 0,
    over: Over = "present",
    budget: int | None = None,
    explained: bool = True,
) -> Verdict:
    """Decide whether any confusion matrix with these supports gives all figures within their rounding.

    Args:
        supports: Test samples of each class, from one.
        figures: What is claimed; see ``printed``.
        outside: Up to how many classes without test samples may have been predicted.
        over: What a macro average runs over where such classes were; see ``Over``.
        budget: Elementary operations after which the search gives up; see ``search``.
        explained: Whether to look for a reason where the row is impossible, which may take longer than the verdict.

    Raises:
        ClaimError: No figures, or invalid supports.
    """
    if not figures:
        raise ClaimError("expected at least one figure to judge, got none")
    largest = Problem(tuple(supports), tuple(figures), outside, over)
    escapes = outside > 0 and over == "supported"
    known = Known(classes=largest.counted, total=largest.total, rarest=min(largest.supports), escapes=outside > 0)
    if reason := broken(largest.figures, known):
        return Verdict("impossible", reason)
    counts = [outside] if escapes else range(outside + 1)
    verdicts = [
        _judge(Problem(largest.supports, largest.figures, count, over), budget, explained=explained) for count in counts
    ]
    for status in ("possible", "undecided"):
        for verdict in verdicts:
            if verdict.status == status:
                return verdict
    return verdicts[0]


def _judge(problem: Problem, budget: int | None, *, explained: bool) -> Verdict:
    space = Space(problem)
    if space.state == "large":
        return Verdict("undecided", f"{problem.total} samples are too many to search")
    # Most rows are possible, which a short search shows; a bound costs more than that and less than a full search.
    outcome = search(space, _GLANCE if budget is None else min(budget, _GLANCE))
    if outcome.margins is None and not outcome.complete:
        if separated(space):
            return Verdict("impossible", explain(problem) if explained else "a bound excludes it")
        outcome = search(space, budget)
    if outcome.margins is not None:
        return _witnessed(problem, outcome.margins)
    if outcome.complete:
        return Verdict("impossible", explain(problem) if explained else "every case was tried")
    return Verdict(
        "undecided",
        f"neither a bound nor the search decides: {outcome.vectors} vectors of row errors were tried in "
        f"{outcome.steps} operations without a match, and not all",
    )


def _witnessed(problem: Problem, margins: Margins) -> Verdict:
    cells = matrix(margins)
    measured = rescored(cells, problem.over)
    for figure in problem.figures:
        low, high = float(figure.interval.low), float(figure.interval.high)
        if not low - 1e-12 <= measured[figure.kind] <= high + 1e-12:  # an error of this package, never of the row
            raise AssertionError(f"the witness scores {measured[figure.kind]} where {figure} was asked for")
    rows = tuple(tuple(map(int, row)) for row in cells)
    return Verdict("possible", f"a matrix with supports {shown(problem.supports)} gives it", rows)
