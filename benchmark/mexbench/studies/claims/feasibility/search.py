"""Look for hits and predictions that give the figures: row errors first, then column errors for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mexbench.studies.claims.feasibility.joins import Floats, Ints, Meeting, Options, Work, combine, halves
from mexbench.studies.claims.feasibility.margins import Margins, exact_scores
from mexbench.studies.claims.feasibility.printed_figures import FigureRange
from mexbench.studies.claims.feasibility.search_space import Space

#: Elementary operations before the search gives up: under a second for three classes, a quarter of a minute for more.
BUDGET_OF_THREE = 120_000_000
BUDGET = 600_000_000
#: Least cost of trying one vector of row errors, however few column errors it leaves open.
_STEPS_PER_VECTOR = 3_000
_SLOPES = 10
_SEED = 0


@dataclass(frozen=True)
class Outcome:
    """What the search found.

    Args:
        margins: A solution, verified in exact arithmetic; None where there is none, or none was reached.
        complete: Whether every case was tried.
        vectors: How many vectors of row errors were tried.
        steps: Elementary operations spent.
    """

    margins: Margins | None
    complete: bool
    vectors: int
    steps: int


def search(space: Space, budget: int | None = None) -> Outcome:
    """Search a space; the same space and budget give the same outcome everywhere.

    Args:
        space: What is open.
        budget: Elementary operations; None for ``BUDGET``, or ``BUDGET_OF_THREE`` for up to three classes.
    """
    if budget is None:
        budget = BUDGET_OF_THREE if len(space.problem.supports) <= 3 else BUDGET
    if space.state != "open":
        return Outcome(None, space.state == "empty", 0, 0)
    return _Search(space, Work(budget)).run()


class _Search:
    def __init__(self, space: Space, work: Work) -> None:
        self.space, self.work = space, work
        self.rng = np.random.default_rng(_SEED)
        self.complete = True
        self.vectors = 0
        #: Figures that depend on the columns; recall depends on the rows alone.
        self.kinds = [kind for kind in space.targets if kind != "uar"]
        self.low = np.array([space.targets[kind][0] for kind in self.kinds])
        self.high = np.array([space.targets[kind][1] for kind in self.kinds])
        self.exact: dict[str, FigureRange] = space.problem.targets()
        self.filters = _Filters(space, self.kinds)

    def run(self) -> Outcome:
        margins = None
        for rows, errors in self.row_errors():
            candidates = rows[self.filters.keep(rows, errors)]
            self.work.add(rows.size * self.filters.size)
            candidates = candidates[self.rng.permutation(len(candidates))]
            margins = self.try_all(candidates, errors)
            if margins is not None or self.work.spent:
                break
        complete = self.complete and not self.work.spent
        return Outcome(margins, complete, self.vectors, self.work.done)

    def try_all(self, rows: Ints, errors: int) -> Margins | None:
        """Try vectors of positions (n, K), each the rows of the class tables."""
        for vector in rows:
            if self.work.spent:
                return None
            self.vectors += 1
            self.work.add(_STEPS_PER_VECTOR)
            if (margins := self.column_errors(vector, errors)) is not None:
                return margins
        return None

    def row_errors(self) -> Iterator[tuple[Ints, int]]:
        """Yield vectors (n, K) of positions in the tables that satisfy accuracy and recall, with their sum."""
        recall = "uar" in self.space.targets
        least, most = self.space.errors
        options = []
        for table in self.space.classes:
            values = table.adds["uar"][:, :1].T if recall else np.zeros((0, table.errors.size))
            options.append(Options(table.errors, values))
        low, high = (np.array([bound]) for bound in self.space.targets["uar"]) if recall else (np.zeros(0),) * 2
        left_classes, right_classes = halves([o.counts.size for o in options])
        left = combine([options[i] for i in left_classes], most, self.rng, self.work)
        right = combine([options[i] for i in right_classes], most, self.rng, self.work)
        self.complete &= left.complete and right.complete
        meeting = Meeting(left.take(self.rng.permutation(left.counts.size)), right, low, high)
        order = np.empty(len(options), dtype=np.int64)
        order[[*left_classes, *right_classes]] = np.arange(len(options))
        for errors in self.rng.permutation(np.arange(least, most + 1)):
            for rows, columns in meeting.pairs(int(errors), self.work, chunk=20_000):
                yield (
                    np.concatenate([meeting.left.chosen[rows], meeting.right.chosen[columns]], axis=1)[:, order],
                    int(errors),
                )
                if self.work.spent:
                    return

    def column_errors(self, vector: Ints, errors: int) -> Margins | None:
        """Look for column errors that go with row errors."""
        e = [int(table.errors[row]) for table, row in zip(self.space.classes, vector, strict=True)]
        options, at = [], []
        for table, row, own in zip(self.space.classes, vector, e, strict=True):
            columns = np.flatnonzero(table.open[row] & (table.intruders <= errors - own))
            if not columns.size:
                return None
            values = np.stack([table.adds[kind][row, columns] for kind in self.kinds]) if self.kinds else None
            options.append(Options(table.intruders[columns], np.zeros((0, columns.size)) if values is None else values))
            at.append(table.intruders[columns])
        if not self.kinds and (shifted := self.shifted(e)) is not None:
            return shifted
        left_classes, right_classes = halves([o.counts.size for o in options])
        if len(options) <= 3:  # the smaller half is sorted, the larger one looks up
            left_classes, right_classes = sorted([left_classes, right_classes], key=len, reverse=True)
        left = combine([options[i] for i in left_classes], errors, self.rng, self.work)
        right = combine([options[i] for i in right_classes], errors, self.rng, self.work)
        self.complete &= left.complete and right.complete
        meeting = Meeting(left, right, self.low, self.high)
        for rows, columns in meeting.pairs(errors, self.work):
            for row, column in zip(rows, columns, strict=True):
                f = np.empty(len(options), dtype=np.int64)
                f[left_classes] = [at[i][p] for i, p in zip(left_classes, meeting.left.chosen[row], strict=True)]
                f[right_classes] = [at[i][p] for i, p in zip(right_classes, meeting.right.chosen[column], strict=True)]
                self.work.add(100)
                if (margins := self.verified(e, f.tolist())) is not None:
                    return margins
            if self.work.spent:
                return None
        return None

    def shifted(self, e: list[int]) -> Margins | None:
        """Send every class's errors to the next one: it always exists, where no figure depends on the columns."""
        if any(table.support == 0 and not table.open.all() for table in self.space.classes):
            return None
        return self.verified(e, [*e[-1:], *e[:-1]])

    def verified(self, e: list[int], f: list[int]) -> Margins | None:
        """Return the margins where their exact figures all fall into their exact intervals."""
        support = tuple(table.support for table in self.space.classes)
        hits = tuple(s - own for s, own in zip(support, e, strict=True))
        margins = Margins(support, hits, tuple(h + intruders for h, intruders in zip(hits, f, strict=True)))
        scored = exact_scores(margins, self.space.problem.over)
        return margins if all(scored[kind] in interval for kind, interval in self.exact.items()) else None


class _Filters:
    """Tests that a vector of row errors fails where no column errors can go with it.

    For a price ``g`` per column error, the least that class k can add to a figure plus its price is a table over its
    row errors; the sum of these, less the price of all errors, bounds the figure from below. Several prices give
    several bounds, and the same with opposite sign bounds it from above.
    """

    def __init__(self, space: Space, kinds: list[str]) -> None:
        self.tables: list[tuple[list[Floats], float, float]] = []
        scale = 1 / max(space.problem.total, 1)
        prices = [0.0, *(scale * 4.0**power for power in range(-_SLOPES // 2, _SLOPES // 2))]
        for kind in kinds:
            low, high = space.targets[kind]
            for sign, limit, sided in ((1.0, high, prices), (-1.0, -low, [*prices, *(-p for p in prices[1:])])):
                for price in sided:
                    least = [
                        np.where(t.open, sign * t.adds[kind] + price * t.intruders, np.inf).min(axis=1)
                        for t in space.classes
                    ]
                    self.tables.append((least, price, limit))
        self.size = max(len(self.tables), 1)

    def keep(self, rows: Ints, errors: int) -> Ints:
        """Return the positions of the vectors (n, K) that pass."""
        passing = np.arange(len(rows))
        for tables, price, limit in self.tables:
            bound = sum((table[rows[passing, k]] for k, table in enumerate(tables)), np.zeros(passing.size))
            passing = passing[bound - price * errors <= limit + 1e-9]
            if not passing.size:
                break
        return passing
