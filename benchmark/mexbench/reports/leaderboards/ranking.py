"""Ranks with ties, and paired tests, for a board of many rows.

Every two rows are compared by the interval of their difference, which gives the ranks: that is cheap, since all rows
share one draw of subjects. The permutation test costs more, and its number grows with the square of the rows, so it is
made for the pairs that a reader looks for: each row and the leader, each row and the row behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from mexbench.metrics.classification import LEVEL, bootstrap_weights, interval, replicated
from mexbench.metrics.few_subjects import enough
from mexbench.metrics.significance import Comparison, holm, permutation_test, pooled_score, rank_ranges


@dataclass(frozen=True)
class Counts:
    """A row's predictions, counted.

    Args:
        runs: Seed and repeat of each run.
        matrices: Counts (runs, subjects, K, K), the subjects in the board's order.
    """

    runs: tuple[tuple[int, int], ...]
    matrices: NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """The order of rows.

    Args:
        order: Rows, the highest score first.
        ranks: Row -> the best and the worst rank that it may have; empty where too few subjects are tested.
        comparisons: The tests that were made, by the first row, then by the second.
    """

    order: tuple[str, ...]
    ranks: Mapping[str, tuple[int, int]]
    comparisons: tuple[Comparison, ...]


def rank(rows: Mapping[str, Counts], metric: str) -> Ranking:
    """Rank rows that were tested on the same samples.

    Args:
        rows: Row -> its counts.
        metric: One of ``metrics.HEADLINE``.
    """
    if not rows:
        return Ranking((), {}, ())
    score = pooled_score(metric)
    pooled = {name: float(score(counts.matrices.sum(axis=1)).mean()) for name, counts in rows.items()}
    order = sorted(rows, key=lambda name: (-pooled[name], name))
    subjects = next(iter(rows.values())).matrices.shape[1]
    if not enough(subjects):
        return Ranking(tuple(order), {}, ())
    weights = bootstrap_weights(subjects)
    drawn = np.stack([replicated(rows[name].matrices, weights)[metric] for name in order])
    pairs = sorted({*((0, other) for other in range(1, len(order))), *pairwise(range(len(order)))})
    ps = [permutation_test(*paired(rows[order[a]], rows[order[b]]), metric=metric) for a, b in pairs]
    comparisons = tuple(
        Comparison(
            order[a], order[b], pooled[order[a]] - pooled[order[b]], interval(drawn[a] - drawn[b], LEVEL), p, corrected
        )
        for (a, b), p, corrected in zip(pairs, ps, holm(ps), strict=True)
    )
    return Ranking(tuple(order), dict(zip(order, rank_ranges(drawn), strict=True)), comparisons)


def paired(first: Counts, second: Counts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bring runs together: seed by seed within a repeat; where two rows have other numbers of seeds, each with each."""
    repeats = sorted({repeat for _, repeat in first.runs})
    ours, theirs = [], []
    for repeat in repeats:
        one = [index for index, (_, other) in enumerate(first.runs) if other == repeat]
        two = [index for index, (_, other) in enumerate(second.runs) if other == repeat]
        for a, b in zip(one, two, strict=True) if len(one) == len(two) else product(one, two):
            ours.append(a)
            theirs.append(b)
    return first.matrices[ours], second.matrices[theirs]
