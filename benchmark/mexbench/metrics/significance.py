"""How sure a difference between two rows is: paired tests, intervals of the difference, ranks that admit ties.

Every comparison is between models that were tested on the same samples, and its unit is the subject: clips of one
person are alike, so five hundred clips of twenty people are twenty observations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mexbench.metrics.classification import LEVEL, REPLICATES, bootstrap_weights, interval, replicated, scores, uf1

PERMUTATIONS = 2_000
#: Up to so many models, every two are compared.
ALL_PAIRS = 40


@dataclass(frozen=True)
class Comparison:
    """Two models on the same samples.

    Args:
        first: The one with the higher UF1.
        second: The other.
        difference: UF1 of the first less that of the second.
        interval: Of the difference, by bootstrap over subjects.
        p: Of the paired permutation test.
        p_holm: The same, corrected for the number of comparisons.
    """

    first: str
    second: str
    difference: float
    interval: tuple[float, float]
    p: float
    p_holm: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero."""
        low, high = self.interval
        return low > 0 or high < 0


def permutation_test(
    first: ArrayLike, second: ArrayLike, *, permutations: int = PERMUTATIONS, seed: int = 0, metric: str = "uf1"
) -> float:
    """Test whether two models differ in a score, by swapping their predictions subject by subject.

    If neither is better, a subject's two sets of predictions could as well have come from each other. A permutation
    swaps each subject's with probability one half, in every run (seed, repeat) alike, and scores the pooled
    predictions anew.

    Args:
        first: Counts (runs, subjects, K, K).
        second: Counts (runs, subjects, K, K) of the other model on the same samples.
        permutations: How many are drawn. Where there are no more than that in all, each is tried once instead.
        seed: Of the draw.
        metric: One of ``metrics.SCORES``.

    Returns:
        The two-sided p: the share of permutations with a difference at least as great, the observed one included;
        ``(1 + count) / (1 + permutations)`` where they are drawn.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    runs, subjects, n_classes, _ = one.shape
    moved = (other - one).reshape(runs, subjects, n_classes**2)
    # Swapping a subject whose predictions are the same changes nothing: what is left may be few enough to try all.
    differing = moved.any(axis=(0, 2))
    moved = moved[:, differing]
    subjects = moved.shape[1]
    exact = 2**subjects <= permutations
    if exact:
        swapped = (np.arange(2**subjects)[:, None] >> np.arange(subjects)) & 1
    else:
        swapped = np.random.default_rng(seed).integers(2, size=(permutations, subjects))
    shift = (swapped.astype(np.float64) @ moved).reshape(runs, -1, n_classes, n_classes)
    ours, theirs = (counts.sum(axis=1)[:, None] for counts in (one, other))
    scored = pooled_score(metric)
    drawn = (scored(ours + shift) - scored(theirs - shift)).mean(axis=0)
    observed = (scored(ours) - scored(theirs)).mean()
    as_great = int((np.abs(drawn) >= abs(observed) - 1e-12).sum())
    return as_great / len(drawn) if exact else (1 + as_great) / (1 + len(drawn))


def pooled_score(metric: str) -> Callable[[ArrayLike], NDArray[np.float64]]:
    """Return what scores confusion matrices (..., K, K) by one of ``metrics.SCORES``."""
    return uf1 if metric == "uf1" else lambda confusion: scores(confusion)[metric]


def holm(values: Sequence[float]) -> list[float]:
    """Correct p values for their number.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979.
    """
    corrected = [0.0] * len(values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = highest
    return corrected


def compare(
    counts: Mapping[str, NDArray[np.int64]], *, replicates: int = REPLICATES, seed: int = 0
) -> list[Comparison]:
    """Compare every pair of models.

    Args:
        counts: Model -> counts (runs, subjects, K, K), all over the same samples; of any order.
        replicates: How many times subjects are drawn for the intervals: the same draws for every model, so that a
            draw of hard subjects is hard for both.
        seed: Of all draws.

    Returns:
        One comparison per pair, by UF1 of the first, then of the second.
    """
    if len(counts) < 2:
        return []
    pooled = {name: float(uf1(matrices.sum(axis=1)).mean()) for name, matrices in counts.items()}
    order = sorted(counts, key=lambda name: -pooled[name])
    weights = bootstrap_weights(next(iter(counts.values())).shape[1], replicates=replicates, seed=seed)
    drawn = {name: replicated(matrices, weights)["uf1"] for name, matrices in counts.items()}
    pairs = list(combinations(order, 2))
    ps = [permutation_test(counts[a], counts[b], seed=seed) for a, b in pairs]
    return [
        Comparison(a, b, pooled[a] - pooled[b], interval(drawn[a] - drawn[b], LEVEL), p, corrected)
        for (a, b), p, corrected in zip(pairs, ps, holm(ps), strict=True)
    ]


def compare_with_best(
    counts: Mapping[str, NDArray[np.int64]], *, replicates: int = REPLICATES, seed: int = 0
) -> tuple[list[Comparison], dict[str, tuple[int, int]]]:
    """Compare every model with the best one, and rank all by the intervals of every difference.

    Args:
        counts: As in ``compare``.
        replicates: As in ``compare``.
        seed: As in ``compare``.

    Returns:
        One comparison per model but the best, corrected for their number, and the ranges of ``ranks``.
    """
    pooled = {name: float(uf1(matrices.sum(axis=1)).mean()) for name, matrices in counts.items()}
    order = sorted(counts, key=lambda name: -pooled[name])
    best = order[0]
    weights = bootstrap_weights(counts[best].shape[1], replicates=replicates, seed=seed)
    drawn = np.stack([replicated(counts[name], weights)["uf1"] for name in order])
    ps = [permutation_test(counts[best], counts[name], seed=seed) for name in order[1:]]
    compared = [
        Comparison(best, name, pooled[best] - pooled[name], interval(drawn[0] - drawn[place], LEVEL), p, corrected)
        for place, (name, p, corrected) in enumerate(zip(order[1:], ps, holm(ps), strict=True), start=1)
    ]
    return compared, dict(zip(order, rank_ranges(drawn), strict=True))


def rank_ranges(drawn: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Give each row its range of ranks, as ``ranks`` does, from replicates (rows, replicates)."""
    better, worse = np.zeros(len(drawn), dtype=int), np.zeros(len(drawn), dtype=int)
    for index in range(len(drawn) - 1):
        low, high = _interval_bounds(drawn[index] - drawn[index + 1 :])
        ahead, behind = low > 0, high < 0
        worse[index] += ahead.sum()
        better[index] += behind.sum()
        better[index + 1 :] += ahead
        worse[index + 1 :] += behind
    return [(1 + int(above), len(drawn) - int(below)) for above, below in zip(better, worse, strict=True)]


def _interval_bounds(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what ``np.quantile`` gives for both ends of an interval of each row (rows, replicates), without sorting.

    Half a million pairs are sorted in a minute, and partitioned in seconds.
    """
    last = values.shape[1] - 1
    tail = (1 - LEVEL) / 2 * last
    places = [(int(np.floor(at)), int(np.ceil(at)), at % 1) for at in (tail, last - tail)]
    parts = np.partition(values, sorted({place for low, high, _ in places for place in (low, high)}), axis=1)
    low, high = (parts[:, a] + (parts[:, b] - parts[:, a]) * share for a, b, share in places)
    return low, high


def ranks(models: Sequence[str], comparisons: Sequence[Comparison]) -> dict[str, tuple[int, int]]:
    """Give each model the range of ranks that it may have.

    The range runs from one behind those that are clearly better to one before those that are clearly worse; clearly
    means that the interval of the difference excludes zero.
    """
    better: dict[str, int] = dict.fromkeys(models, 0)
    worse: dict[str, int] = dict.fromkeys(models, 0)
    for comparison in comparisons:
        if comparison.is_clear:
            winner, loser = (
                (comparison.first, comparison.second)
                if comparison.interval[0] > 0
                else (comparison.second, comparison.first)
            )
            better[loser] += 1
            worse[winner] += 1
    return {model: (1 + better[model], len(models) - worse[model]) for model in models}
