"""Which rows of a table can be told apart, and how far apart rows must be to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist, median

import numpy as np
from numpy.typing import NDArray

from mexbench.metrics.classification import bootstrap_weights, replicated
from mexbench.metrics.significance import holm, permutation_test

ALPHA, POWER = 0.05, 0.8


@dataclass(frozen=True)
class CriticalDifference:
    """Pairwise tests of every two rows, and what follows from them.

    Args:
        order: Rows, the highest score first.
        p: Pair of rows, in this order -> p of the paired permutation test over subjects, corrected after Holm.
        groups: Rows next to each other of which no two differ significantly; only the largest ones, of two or more.
        detectable: Smallest difference that such a test shows with a power of 80 %: the least, the median and the
            greatest over all pairs of rows. None without a pair.
    """

    order: tuple[str, ...]
    p: Mapping[tuple[str, str], float]
    groups: tuple[tuple[str, ...], ...]
    detectable: tuple[float, float, float] | None


def critical_difference(
    pairs: Mapping[tuple[str, str], tuple[NDArray[np.int64], NDArray[np.int64]]],
    order: Sequence[str],
    counts: Mapping[str, NDArray[np.int64]],
    metric: str,
) -> CriticalDifference:
    """Compare every two rows.

    The smallest difference that a test can show is that of a normal approximation: the standard error of the
    difference, by bootstrap over subjects, times the sum of the normal quantiles of the level (5 %, two-sided) and of
    the power (80 %).

    Args:
        pairs: Two rows in the order of ``order`` -> their counts (runs, subjects, K, K), run by run.
        order: Rows, the highest score first.
        counts: Row -> its counts (runs, subjects, K, K).
        metric: One of ``metrics.HEADLINE``.
    """
    names = list(combinations(order, 2))
    values = [permutation_test(*pairs[pair], metric=metric) for pair in names]
    p = dict(zip(names, holm(values), strict=True))
    normal = NormalDist()
    factor = normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(POWER)
    detectable = None
    if names:
        weights = bootstrap_weights(next(iter(counts.values())).shape[1])
        drawn = {name: replicated(counts[name], weights)[metric] for name in order}
        errors = [float(np.nanstd(drawn[a] - drawn[b], ddof=1)) for a, b in names]
        detectable = (factor * min(errors), factor * median(errors), factor * max(errors))
    return CriticalDifference(tuple(order), p, _groups(order, p), detectable)


def _groups(order: Sequence[str], p: Mapping[tuple[str, str], float]) -> tuple[tuple[str, ...], ...]:
    """Return the longest stretches of rows in which no pair differs significantly."""
    stretches: list[tuple[int, int]] = []
    for start in range(len(order)):
        end = start
        while end + 1 < len(order) and all(p[other, order[end + 1]] >= ALPHA for other in order[start : end + 1]):
            end += 1
        if end > start and not (stretches and stretches[-1][1] >= end):
            stretches.append((start, end))
    return tuple(tuple(order[start : end + 1]) for start, end in stretches)
