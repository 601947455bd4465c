"""Differences between the conditions of a case study: how often something is predicted, tested over subjects.

A subject counts once in each condition, by the share of its clips; clips of one person are alike. Subjects who are in
both conditions are compared with themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from mexbench.metrics.classification import REPLICATES, interval
from mexbench.metrics.few_subjects import enough
from mexbench.metrics.significance import holm

PERMUTATIONS = 10_000
#: Every two of so many conditions are compared, and no more.
MOST_CONDITIONS = 6
#: Rounding of shares must not decide whether a permutation is as great as what was seen.
_TIE = 1e-9


@dataclass(frozen=True)
class ConditionDifference:
    """One answer in two conditions.

    Args:
        answer: The class, or the action unit.
        conditions: The two.
        means: Mean over subjects of the share of their clips with this answer, in each condition.
        subjects: Number of subjects in each condition, and in both.
        ci: Of the first mean less the second, by bootstrap over subjects; None where there are too few of them, or
            where it has no width.
        p: Of the permutation test, two-sided.
        p_holm: The same, corrected for every answer and every two conditions that were tested.
        least_p: The least p that so many subjects can give.
        effect: Cliff's delta: how much more often a subject of the first condition has the greater share than one of
            the second, less how much less often; -1 to 1. Of subjects in both, each is compared with itself.
    """

    answer: str
    conditions: tuple[str, str]
    means: tuple[float, float]
    subjects: tuple[int, int, int]
    ci: tuple[float, float] | None
    p: float
    p_holm: float
    least_p: float
    effect: float

    @property
    def difference(self) -> float:
        """The first mean less the second."""
        return self.means[0] - self.means[1]


@dataclass(frozen=True, eq=False)
class ConditionPair:
    """Subjects' shares in two conditions.

    Args:
        both: Those of subjects who are in both conditions (2, m, K).
        first: Those of subjects who are in the first alone (a, K).
        second: Those of subjects who are in the second alone (b, K).
    """

    both: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]

    @property
    def sizes(self) -> tuple[int, int]:
        """Subjects in each condition."""
        return self.both.shape[1] + len(self.first), self.both.shape[1] + len(self.second)

    def means(self) -> NDArray[np.float64]:
        """Return the mean over subjects in each condition (2, K)."""
        n_first, n_second = self.sizes
        return np.stack([
            (self.both[0].sum(axis=0) + self.first.sum(axis=0)) / n_first,
            (self.both[1].sum(axis=0) + self.second.sum(axis=0)) / n_second,
        ])  # fmt: skip

    def arrangements(self) -> int:
        """Return how many ways there are to give the shares to the conditions."""
        return 2 ** self.both.shape[1] * comb(len(self.first) + len(self.second), len(self.first))

    def least_p(self) -> float:
        """Return the least p of the two-sided test: the opposite arrangement is as great where there is one."""
        mirrored = len(self.first) == len(self.second)
        return (2 if mirrored else 1) / min(self.arrangements(), PERMUTATIONS + 1)

    def permutation_test(self, seed: int = 0) -> NDArray[np.float64]:
        """Return the two-sided p of each answer (K,).

        If conditions make no difference, a subject who is in both could as well have shown each share in the other, and
        subjects who are in one could as well have been in the other. A permutation exchanges the two of a subject with
        probability one half and deals the others anew, as many to each condition as there were. All arrangements are
        tried once where there are at most ``PERMUTATIONS``.
        """
        exact = self.arrangements() <= PERMUTATIONS
        swaps, firsts = self._all() if exact else self._drawn(seed)
        n_first, n_second = self.sizes
        alone = np.concatenate([self.first, self.second])
        total = self.both.sum(axis=(0, 1)) + alone.sum(axis=0)
        sums = self.both[0].sum(axis=0) + swaps @ (self.both[1] - self.both[0]) + firsts @ alone
        drawn = sums / n_first - (total - sums) / n_second
        means = self.means()
        as_great = (np.abs(drawn) >= np.abs(means[0] - means[1]) - _TIE).sum(axis=0)
        return as_great / len(drawn) if exact else (1 + as_great) / (1 + len(drawn))

    def _all(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        m, a, n = self.both.shape[1], len(self.first), len(self.first) + len(self.second)
        swaps = (np.arange(2**m)[:, None] >> np.arange(m)) & 1
        chosen = np.array(list(combinations(range(n), a)), dtype=np.intp).reshape(comb(n, a), a)
        firsts = np.zeros((len(chosen), n))
        np.put_along_axis(firsts, chosen, 1.0, axis=1)
        return np.repeat(swaps, len(firsts), axis=0).astype(np.float64), np.tile(firsts, (len(swaps), 1))

    def _drawn(self, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        rng = np.random.default_rng(seed)
        m, a, n = self.both.shape[1], len(self.first), len(self.first) + len(self.second)
        swaps = rng.integers(2, size=(PERMUTATIONS, m))
        firsts = np.argsort(rng.random((PERMUTATIONS, n)), axis=1) < a
        return swaps.astype(np.float64), firsts.astype(np.float64)

    def intervals(self, seed: int = 0) -> list[tuple[float, float] | None]:
        """Return an interval of each difference by bootstrap over subjects, those of each kind among themselves.

        None for all where a condition has too few subjects, and for one without width.
        """
        if not all(enough(size) for size in self.sizes):
            return [None] * self.both.shape[2]
        rng = np.random.default_rng(seed)
        m, a, b = self.both.shape[1], len(self.first), len(self.second)
        of_both, of_first, of_second = (
            rng.multinomial(size, np.full(size, 1 / size), size=REPLICATES) if size else np.zeros((REPLICATES, 0))
            for size in (m, a, b)
        )
        n_first, n_second = self.sizes
        one = (of_both @ self.both[0] + of_first @ self.first) / n_first
        other = (of_both @ self.both[1] + of_second @ self.second) / n_second
        bounds = [interval(column) for column in (one - other).T]
        return [(low, high) if high - low > _TIE else None for low, high in bounds]

    def effects(self) -> NDArray[np.float64]:
        """Return Cliff's delta of each answer (K,); subjects in both are compared with themselves alone.

        Source: Cliff, Dominance statistics: ordinal analyses to answer ordinal questions, Psychological Bulletin 114,
        1993; within subjects, the share that is greater less the share that is smaller.
        """
        signs = [np.sign(np.round(self.both[0] - self.both[1], 9))] if self.both.shape[1] else []
        if len(self.first) and len(self.second):
            apart = np.round(self.first[:, None] - self.second[None], 9)
            signs.append(np.sign(apart).reshape(-1, apart.shape[2]))
        if not signs:  # nobody can be compared: one condition has subjects who are in both, the other has no others
            return np.zeros(self.both.shape[2])
        return np.concatenate(signs).mean(axis=0)


def pair_of(
    shares: NDArray[np.float64], subjects: Sequence[str], conditions: Sequence[str], two: tuple[str, str]
) -> ConditionPair:
    """Return the shares of two conditions.

    Args:
        shares: Share of clips with each answer (n, K), a row for each subject in each condition that it is in.
        subjects: Of each row.
        conditions: Of each row.
        two: The conditions.
    """
    rows = {which: {name: index for index, name in enumerate(subjects) if conditions[index] == which} for which in two}
    first, second = (rows[which] for which in two)
    both = sorted(first.keys() & second.keys())
    alone = [[index for name, index in sorted(side.items()) if name not in both] for side in (first, second)]
    of_both = np.stack([shares[[side[name] for name in both]] for side in (first, second)])
    return ConditionPair(of_both, shares[alone[0]], shares[alone[1]])


def compare_conditions(
    shares: NDArray[np.float64], subjects: Sequence[str], conditions: Sequence[str], answers: Sequence[str]
) -> list[ConditionDifference]:
    """Compare every two conditions in every answer, and correct for their number.

    An answer that has the same share in every row is not tested. Of more than ``MOST_CONDITIONS`` conditions none are
    compared: so many tests of so few subjects show nothing.

    Args:
        shares: As in ``pair_of``.
        subjects: Of each row.
        conditions: Of each row.
        answers: Classes or units (K,).
    """
    names = sorted(set(conditions))
    if not 2 <= len(names) <= MOST_CONDITIONS:
        return []
    varying = [index for index in range(len(answers)) if np.ptp(shares[:, index]) > _TIE]
    results: list[ConditionDifference] = []
    for two in combinations(names, 2):
        pair = pair_of(shares, subjects, conditions, two)
        means, ps, intervals, effects = pair.means(), pair.permutation_test(), pair.intervals(), pair.effects()
        results += [
            ConditionDifference(
                answer=answers[index], conditions=two, means=(float(means[0, index]), float(means[1, index])),
                subjects=(*pair.sizes, pair.both.shape[1]), ci=intervals[index], p=float(ps[index]),
                p_holm=float(ps[index]), least_p=pair.least_p(), effect=float(effects[index]),
            )
            for index in varying
        ]  # fmt: skip
    corrected = holm([one.p for one in results])
    return [replace(one, p_holm=p_holm) for one, p_holm in zip(results, corrected, strict=True)]
