"""The contributions of each class: tables over its row and column errors, reduced to what the figures leave open.

Floating point is allowed here because every comparison gives way by ``EPSILON``, far more than the rounding errors of a
dozen additions of numbers up to one. A verdict of possible rests on exact arithmetic elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import ClaimError
from mexbench.studies.claims.feasibility.margins import Over, shown
from mexbench.studies.claims.feasibility.printed_figures import Figure, FigureRange

EPSILON = 1e-9
#: Tables larger than this, in cells over all classes, are not made: the verdict is undecided.
MAX_CELLS = 10_000_000
_ROUNDS = 4
Bounds = tuple[float, float]


@dataclass(frozen=True)
class Problem:
    """A row of figures over known supports.

    Args:
        supports: Test samples of each class, all at least one.
        figures: What is claimed.
        outside: Predicted classes without any test sample.
        over: What a macro average runs over; see ``Over``. Over ``present`` classes, each of the ``outside`` is
            predicted at least once; over ``supported`` ones, they are one column that may stay empty.

    Raises:
        ClaimError: Fewer than two supports, or one that is not an integer of at least 1.
    """

    supports: tuple[int, ...]
    figures: tuple[Figure, ...]
    outside: int = 0
    over: Over = "present"

    def __post_init__(self) -> None:
        if len(self.supports) < 2 or any(type(s) is not int or s < 1 for s in self.supports):
            raise ClaimError(f"expected two or more class supports, integers of at least 1, got {shown(self.supports)}")
        if self.outside < 0:
            raise ClaimError(f"expected a number of classes from 0, got {self.outside}")

    @property
    def total(self) -> int:
        """Test samples."""
        return sum(self.supports)

    @property
    def counted(self) -> int:
        """Classes that a macro average runs over."""
        return len(self.supports) + (self.outside if self.over == "present" else 0)

    def targets(self) -> dict[str, FigureRange]:
        """Return kind -> the interval it must fall into; weighted recall counts as the accuracy that it is."""
        intervals: dict[str, FigureRange] = {}
        for figure in self.figures:
            kind = "accuracy" if figure.kind == "weighted_recall" else figure.kind
            intervals[kind] = intervals[kind] & figure.interval if kind in intervals else figure.interval
        return intervals


@dataclass
class ClassTable:
    """One class: which pairs (row errors, column errors) are open, and what each adds to each figure.

    Args:
        support: Its test samples.
        errors: Row errors of the table's rows (n,).
        intruders: Column errors of the table's columns (m,).
        adds: Kind -> what a pair adds to the figure (n, m).
        open: Pairs that no figure rules out (n, m).
    """

    support: int
    errors: NDArray[np.int64]
    intruders: NDArray[np.int64]
    adds: dict[str, NDArray[np.float64]]
    open: NDArray[np.bool_]

    def crop(self) -> None:
        """Remove rows and columns without an open pair."""
        rows, columns = self.open.any(axis=1), self.open.any(axis=0)
        if rows.all() and columns.all():
            return
        self.errors, self.intruders = self.errors[rows], self.intruders[columns]
        self.open = self.open[np.ix_(rows, columns)]
        self.adds = {kind: table[np.ix_(rows, columns)] for kind, table in self.adds.items()}


class Space:
    """The space that is searched.

    Attributes:
        targets: Kind -> (low, high), widened; without accuracy, which is ``errors``.
        errors: (lowest, highest) number of errors in all.
        classes: A table for each class.
        state: ``open``, ``empty`` (no matrix is left: the row is impossible) or ``large`` (no tables were made).
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        exact = problem.targets()
        total = problem.total
        hits = exact.pop("accuracy", FigureRange(Fraction(0), Fraction(1)))
        self.errors = (total - floor(total * hits.high), total - ceil(total * hits.low))
        self.targets: dict[str, Bounds] = {
            kind: (float(interval.low) - EPSILON, float(interval.high) + EPSILON) for kind, interval in exact.items()
        }
        self.classes: list[ClassTable] = []
        self.state = "empty" if self.errors[0] > self.errors[1] else "open"
        if self.state == "open" and self._cells() > MAX_CELLS:
            self.state = "large"
        if self.state == "open":
            self.classes = self._tables()
            self._reduce()

    def _sizes(self) -> list[tuple[int, int]]:
        most, total = self.errors[1], self.problem.total
        return [(min(s, most) + 1, min(total - s, most) + 1) for s in self.problem.supports]

    def _cells(self) -> int:
        return sum(rows * columns for rows, columns in self._sizes()) * max(len(self.targets), 1)

    def _tables(self) -> list[ClassTable]:
        problem = self.problem
        tables = []
        for support, (rows, columns) in zip(problem.supports, self._sizes(), strict=True):
            e, f = np.arange(rows), np.arange(columns)
            adds = contributions(problem, support, e[:, None], f[None, :], self.targets)
            tables.append(ClassTable(support, e, f, adds, np.ones((rows, columns), dtype=bool)))
        # A class without test samples has no hits: it adds nothing, and only receives errors.
        least = 1 if problem.over == "present" else 0
        for _ in range(problem.outside if least else min(problem.outside, 1)):
            e, f = np.zeros(1, dtype=np.int64), np.arange(least, self.errors[1] + 1)
            adds = {kind: np.zeros((1, f.size)) for kind in self.targets}
            tables.append(ClassTable(0, e, f, adds, np.ones((1, f.size), dtype=bool)))
        return tables

    def _reduce(self) -> None:
        """Close every pair that falls short, or goes too far, even where the other classes do their best."""
        for _ in range(_ROUNDS):
            before = sum(int(table.open.sum()) for table in self.classes)
            self._close()
            if any(not table.open.any() for table in self.classes) or self.errors[0] > self.errors[1]:
                self.state = "empty"
                return
            for table in self.classes:
                table.crop()
            if sum(int(table.open.sum()) for table in self.classes) == before:
                return

    def _close(self) -> None:
        least, most = self.errors
        for table in self.classes:
            table.open &= table.errors[:, None] + table.intruders[None, :] <= most
        if any(not table.open.any() for table in self.classes):
            return
        for kind, (low, high) in self.targets.items():
            floors = [float(table.adds[kind][table.open].min()) for table in self.classes]
            ceilings = [float(table.adds[kind][table.open].max()) for table in self.classes]
            for table, own_floor, own_ceiling in zip(self.classes, floors, ceilings, strict=True):
                adds = table.adds[kind]
                table.open &= adds >= low - (sum(ceilings) - own_ceiling) - EPSILON
                table.open &= adds <= high - (sum(floors) - own_floor) + EPSILON
            if any(not table.open.any() for table in self.classes):
                return
        for name in ("errors", "intruders"):
            axis = 1 if name == "errors" else 0
            counts = [getattr(table, name)[table.open.any(axis=axis)] for table in self.classes]
            least = max(least, sum(int(c.min()) for c in counts))
            most = min(most, sum(int(c.max()) for c in counts))
        self.errors = (least, most)


def contributions(
    problem: Problem, support: int, e: NDArray[np.int64], f: NDArray[np.int64], kinds: Mapping[str, Bounds]
) -> dict[str, NDArray[np.float64]]:
    """Return what a class adds to each figure, for row errors ``e`` and column errors ``f`` that broadcast."""
    hits = (support - e).astype(np.float64)
    predicted = hits + f
    shape = np.broadcast_shapes(e.shape, f.shape)
    macro, weighted = 1 / problem.counted, support / problem.total

    def compute(kind: str) -> NDArray[np.float64]:
        if kind == "uar":
            return np.broadcast_to(hits / support * macro, shape)
        if kind in ("uf1", "weighted_f1"):
            return 2 * hits / (support + predicted) * (macro if kind == "uf1" else weighted)
        precision = np.divide(hits, predicted, out=np.zeros(shape), where=predicted > 0)
        return precision * (macro if kind == "macro_precision" else weighted)

    return {kind: compute(kind) for kind in kinds}
