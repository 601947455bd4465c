"""Usual misnomers: other metrics that a printed figure may be, and whether the row is possible when read so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from mexbench.metrics import classification as metrics
from mexbench.studies.claims.feasibility.printed_figures import Figure, FigureRange
from mexbench.studies.claims.feasibility.verdict import Verdict, judge

#: Operations for each reading: more than for a single row, since a row without recall leaves many hits open.
_BUDGET = 400_000_000
#: What no check on supports can decide.
FOLDS = (
    "A score averaged over folds instead of pooled cannot be decided from supports alone: it depends on the classes of "
    "each fold's samples."
)


@dataclass(frozen=True)
class Reading:
    """A row read otherwise than printed.

    Args:
        name: What is assumed.
        verdict: Of the row, read so.
    """

    name: str
    verdict: Verdict


def misnomers(supports: Sequence[int], figures: Sequence[Figure], *, budget: int = _BUDGET) -> list[Reading]:
    """Judge a row under every usual misnomer that applies to it."""
    readings = []
    for name, renamed in _RENAMED.items():
        read = _renamed(figures, renamed)
        if read is not None:
            readings.append(Reading(name, judge(supports, read, budget=budget, explained=False)))
    readings += _of_averages(supports, figures, budget)
    truncated = [figure.reread("truncated") for figure in figures]
    readings.append(Reading("figures cut off, not rounded", judge(supports, truncated, budget=budget, explained=False)))
    return readings


#: Reading -> printed kind -> the kind that it may really be.
_RENAMED: dict[str, dict[str, str]] = {
    "macro precision printed as UAR": {"uar": "macro_precision"},
    "UF1 and UAR in each other's place": {"uf1": "uar", "uar": "uf1"},
    "weighted F1 printed as macro F1": {"uf1": "weighted_f1"},
    "accuracy (weighted recall) printed as UAR": {"uar": "weighted_recall"},
    "weighted precision printed as macro precision": {"macro_precision": "weighted_precision"},
    "weighted averages printed as macro averages": {
        "uf1": "weighted_f1",
        "uar": "weighted_recall",
        "macro_precision": "weighted_precision",
    },
}


def _renamed(figures: Sequence[Figure], renamed: dict[str, str]) -> list[Figure] | None:
    """Rename figures; None where the reading does not change this row, or equals another one."""
    kinds = {figure.kind for figure in figures}
    applies = kinds & renamed.keys()
    swap = set(renamed) == set(renamed.values())
    if not applies or (swap and not set(renamed) <= kinds) or (len(renamed) > 1 and len(applies) < 2):
        return None
    if not swap and set(renamed.values()) & (kinds - {"accuracy"}):
        return None  # the row prints that figure too
    return [figure.called(renamed.get(figure.kind, figure.kind)) for figure in figures]


def _of_averages(supports: Sequence[int], figures: Sequence[Figure], budget: int) -> list[Reading]:
    """Read macro F1 as the harmonic mean of macro precision and macro recall."""
    name = "F1 of the averaged precision and recall printed as macro F1"
    named = {figure.kind: figure for figure in figures}
    f1, recall = named.get("uf1"), named.get("uar")
    if f1 is None or recall is None or 2 * recall.interval.low <= f1.interval.high:
        return []
    # For a given F1 there is one precision to every recall, and it falls as recall grows. So the first interval suits
    # some recall within its rounding, and the second suits every one.
    some = _precisions(f1.interval.low, recall.interval.high, f1.interval.high, recall.interval.low)
    every = _precisions(f1.interval.low, recall.interval.low, f1.interval.high, recall.interval.high)
    if "macro_precision" in named:
        printed_so = named["macro_precision"].interval
        some, every = some & printed_so, every & printed_so
    if some.empty:
        return [Reading(name, Verdict("impossible", "precision and recall have another harmonic mean"))]
    others = [figure for figure in figures if figure.kind not in ("uf1", "macro_precision")]
    verdict = Verdict("undecided", "")
    for needed in (every, some):
        if not needed.empty and verdict.status != "possible":
            figures_read = [*others, Figure("macro_precision", needed, f1.text)]
            verdict = judge(supports, figures_read, budget=budget, explained=False)
            if verdict.matrix is not None and not _harmonic(verdict.matrix, f1):
                verdict = Verdict("undecided", "the matrix that was found misses the harmonic mean")
    return [Reading(name, verdict)]


def _precisions(f1_low: Fraction, recall_at_low: Fraction, f1_high: Fraction, recall_at_high: Fraction) -> FigureRange:
    return FigureRange(_partner(f1_low, recall_at_low), min(Fraction(1), _partner(f1_high, recall_at_high)))


def _partner(f1: Fraction, partner: Fraction) -> Fraction:
    return f1 * partner / (2 * partner - f1)


def _harmonic(matrix: Sequence[Sequence[int]], f1: Figure) -> bool:
    scored = metrics.scores(matrix)
    precision, recall = float(scored["macro_precision"]), float(scored["uar"])
    value = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return float(f1.interval.low) - 1e-12 <= value <= float(f1.interval.high) + 1e-12
