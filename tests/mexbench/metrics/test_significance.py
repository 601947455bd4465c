from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mexbench.metrics import classification as metrics
from mexbench.metrics.significance import Comparison, compare, holm, permutation_test, ranks


def slow(matrix: NDArray[Any], metric: str) -> float:
    return float(metrics.scores(matrix)[metric])


def slow_uf1(matrix: NDArray[Any]) -> float:
    return slow(matrix, "uf1")


def every_swap(first: NDArray[Any], second: NDArray[Any], metric: str = "uf1") -> float:
    """The exact p, as its definition says: all ways to swap, in plain loops."""

    def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
        return float(
            np.mean(
                [slow(a.sum(axis=0), metric) - slow(b.sum(axis=0), metric) for a, b in zip(one, other, strict=True)]
            )
        )

    observed = abs(difference(first, second))
    as_great = []
    for swaps in product([False, True], repeat=first.shape[1]):
        one, other = first.copy(), second.copy()
        for subject, swap in enumerate(swaps):
            if swap:
                one[:, subject], other[:, subject] = second[:, subject], first[:, subject]
        as_great.append(abs(difference(one, other)) >= observed - 1e-12)
    return float(np.mean(as_great))


def two_models(seed: int, runs: int, subjects: int, n_classes: int = 3) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    counts = np.zeros((2, runs, subjects, n_classes, n_classes), dtype=np.int64)
    for subject in range(subjects):
        truth = rng.integers(n_classes, size=5)
        for model, run in product(range(2), range(runs)):
            predicted = np.where(rng.random(5) < 0.4 + 0.3 * model, truth, rng.integers(n_classes, size=5))
            np.add.at(counts[model, run, subject], (truth, predicted), 1)
    return counts[0], counts[1]


@pytest.mark.parametrize(("seed", "runs", "subjects"), [(0, 1, 5), (1, 2, 6), (2, 1, 7)])
def test_p_of_few_subjects_equals_the_enumeration_of_all_swaps(seed: int, runs: int, subjects: int) -> None:
    first, second = two_models(seed, runs, subjects)
    for metric in ("uf1", "uar", "accuracy"):
        p = permutation_test(first, second, metric=metric)
        assert p == pytest.approx(every_swap(first, second, metric), abs=1e-12)


def test_by_hand() -> None:
    """Three subjects, one clip each; A right on all, B wrong on all: all swaps or none are as great."""
    right = np.array([[[1, 0], [0, 0]], [[0, 0], [0, 1]], [[1, 0], [0, 0]]])
    wrong = np.array([[[0, 1], [0, 0]], [[0, 0], [1, 0]], [[0, 1], [0, 0]]])
    assert permutation_test(right[None], wrong[None]) == 2 / 8
    assert permutation_test(wrong[None], right[None]) == 2 / 8
    assert permutation_test(right[None], right[None]) == 1
    # The third subject's predictions are equal: swapping it changes nothing.
    mixed = np.stack([wrong[0], wrong[1], right[2]])
    assert permutation_test(right[None], mixed[None]) == every_swap(right[None], mixed[None]) == 2 / 4


def test_draws_agree_with_the_enumeration() -> None:
    first, second = two_models(3, 1, 11)
    exact = permutation_test(first, second, permutations=2**11)
    assert exact == pytest.approx(every_swap(first, second))
    drawn = permutation_test(first, second, permutations=500)
    assert drawn == permutation_test(first, second, permutations=500)
    assert drawn == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 500) ** 0.5 + 0.002)
    assert drawn * 501 == pytest.approx(round(drawn * 501))


def test_drawn_p_is_never_zero() -> None:
    """(1 + count) / (1 + permutations), Phipson and Smyth 2010."""
    truth = np.zeros((1, 40, 2, 2), dtype=np.int64)
    truth[0, ::2, 0, 0], truth[0, 1::2, 1, 1] = 1, 1
    assert permutation_test(truth, truth[..., ::-1]) == 1 / 2001


def test_p_is_uniform_where_nothing_differs() -> None:
    """Two equally good models: five per cent of p lie below five per cent."""
    ps = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        counts = np.zeros((2, 1, 9, 2, 2), dtype=np.int64)
        for subject in range(9):
            truth = rng.integers(2, size=4)
            for model in range(2):
                predicted = np.where(rng.random(4) < 0.7, truth, 1 - truth)
                np.add.at(counts[model, 0, subject], (truth, predicted), 1)
        ps.append(permutation_test(counts[0], counts[1]))
    assert np.mean(np.array(ps) <= 0.05) <= 0.09
    assert 0.35 <= np.mean(np.array(ps) <= 0.5) <= 0.65


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_never_lowers(ps: list[float]) -> None:
    corrected = holm(ps)
    for p, c in zip(ps, corrected, strict=True):
        assert p <= c <= min(1, len(ps) * p)  # never more than Bonferroni's
    order = np.argsort(ps, kind="stable")
    assert np.all(np.diff(np.array(corrected)[order]) >= 0)


def test_the_interval_of_a_difference_uses_the_same_draws() -> None:
    first, second = two_models(5, 2, 12)
    (result,) = compare({"a": first, "b": second}, replicates=200, seed=3)
    assert (result.first, result.second) == ("b", "a")  # the better one first
    draws = np.random.default_rng(3).integers(12, size=(200, 12))
    differences = [
        np.mean(
            [slow_uf1(b[draw].sum(axis=0)) - slow_uf1(a[draw].sum(axis=0)) for a, b in zip(first, second, strict=True)]
        )
        for draw in draws
    ]
    assert result.interval == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))
    assert result.difference == pytest.approx(
        np.mean([slow_uf1(b.sum(axis=0)) - slow_uf1(a.sum(axis=0)) for a, b in zip(first, second, strict=True)])
    )
    assert result.p == result.p_holm == permutation_test(second, first, seed=3)
    assert result.p != permutation_test(second, first, seed=4)
    assert compare({"a": first}) == []


def test_a_paired_interval_is_narrower_than_two_intervals_suggest() -> None:
    """B is A with one clip of each subject spoilt: scores vary with the subjects, the difference hardly does."""
    rng = np.random.default_rng(0)
    good = np.zeros((1, 20, 2, 2), dtype=np.int64)
    for subject in range(20):
        skill = rng.integers(2, 10)
        good[0, subject] = [[skill, 10 - skill], [10 - skill, skill]]
    bad = good + np.array([[-1, 1], [1, -1]])
    (result,) = compare({"good": good, "bad": bad})
    low, high = metrics.subject_bootstrap(bad)["uf1"]
    assert low < slow_uf1(good[0].sum(axis=0)) < high  # the intervals overlap
    assert result.is_clear
    assert result.interval == pytest.approx((0.1, 0.1), abs=0.002)


def clear(first: str, second: str, interval: tuple[float, float] = (0.1, 0.2)) -> Comparison:
    return Comparison(first, second, 0.15, interval, 0.01, 0.01)


def test_ranks_admit_ties() -> None:
    tie = (-0.1, 0.2)
    result = [
        clear("a", "b", tie),
        clear("a", "c", tie),
        clear("b", "c", tie),
        clear("a", "d"),
        clear("b", "d"),
        clear("c", "d", tie),
    ]
    assert ranks(["a", "b", "c", "d"], result) == {"a": (1, 3), "b": (1, 3), "c": (1, 4), "d": (3, 4)}
    assert ranks(["a"], []) == {"a": (1, 1)}
    assert ranks(["a", "b"], [clear("a", "b")]) == {"a": (1, 1), "b": (2, 2)}
    assert ranks(["a", "b"], [clear("a", "b", (-0.3, -0.1))]) == {"a": (2, 2), "b": (1, 1)}


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_uf1_alone_equals_uf1_among_the_scores(seed: int, leading: int, n_classes: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 3, (leading, n_classes, n_classes))
    np.testing.assert_allclose(metrics.uf1(counts), metrics.scores(counts)["uf1"], atol=1e-12)


def test_coverage_of_the_subject_bootstrap() -> None:
    """People differ in how well they are recognised, so clips of one person are right or wrong together.

    The interval over subjects holds the true score about as often as it says; that over single clips does not.
    """
    subjects, clips, worlds = 40, 12, 250
    rng = np.random.default_rng(11)

    def world(people: int) -> NDArray[np.int64]:
        """Counts (people, 2, 2): each person has an own rate of right answers, which alone decides about the clips."""
        skill = rng.beta(1.2, 0.8, size=(people, 2))
        support = np.full((people, 2), clips // 2)
        hits = rng.binomial(support, skill)
        counts = np.empty((people, 2, 2), dtype=np.int64)
        counts[:, [0, 1], [0, 1]] = hits
        counts[:, [0, 1], [1, 0]] = support - hits
        return counts

    truth = slow_uf1(world(200_000).sum(axis=0))
    covered = {"subjects": 0, "clips": 0}
    for seed in range(worlds):
        counts = world(subjects)
        rows = counts.reshape(-1, 4).sum(axis=0)
        single = np.repeat(np.eye(4, dtype=np.int64), rows, axis=0).reshape(-1, 2, 2)  # every clip its own cluster
        for unit, clusters in (("subjects", counts), ("clips", single)):
            low, high = metrics.subject_bootstrap(clusters[None], replicates=400, seed=seed)["uf1"]
            covered[unit] += low <= truth <= high
    assert 0.90 <= covered["subjects"] / worlds <= 0.98
    assert covered["clips"] / worlds < 0.80
