"""Differences between conditions, against values computed by hand, scipy and simulated studies."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from mexbench.studies.case_study.differences import PERMUTATIONS, compare_conditions, pair_of

ANSWERS = ("sad", "glad")


def of_one(values: list[float]) -> NDArray[np.float64]:
    """Shares of two answers that add up to one."""
    first = np.array(values)
    return np.stack([first, 1 - first], axis=1)


def test_complete_separation_of_four_and_four_has_the_p_of_two_in_seventy() -> None:
    shares = of_one([1, 1, 1, 1, 0, 0, 0, 0])
    subjects = [f"p{index}" for index in range(8)]
    sad, glad = compare_conditions(shares, subjects, ["a"] * 4 + ["b"] * 4, ANSWERS)
    assert sad.p == pytest.approx(2 / 70)
    assert sad.least_p == pytest.approx(2 / 70)
    assert (sad.means, sad.difference, sad.effect) == ((1.0, 0.0), 1.0, 1.0)
    assert (glad.difference, glad.effect) == (-1.0, -1.0)
    assert sad.p_holm == pytest.approx(4 / 70)  # two tests
    assert sad.subjects == (4, 4, 0)
    assert sad.ci is None  # four subjects are too few for an interval


def test_subjects_in_both_conditions_are_compared_with_themselves() -> None:
    first, second = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    names = [f"p{index}" for index in range(6)]
    one = compare_conditions(of_one(first + second), names * 2, ["a"] * 6 + ["b"] * 6, ANSWERS)[0]
    # Every subject is higher by .1: of 64 ways to exchange, only none and all are as great.
    assert one.p == pytest.approx(2 / 64)
    assert one.difference == pytest.approx(0.1)
    assert one.effect == 1.0
    assert one.subjects == (6, 6, 6)
    assert one.ci is None  # all differ alike: an interval would have no width


def test_the_test_of_separate_subjects_equals_scipys() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.random(5), rng.random(6) + 0.3
    names = [f"p{index}" for index in range(11)]
    one = compare_conditions(of_one([*first, *second]), names, ["a"] * 5 + ["b"] * 6, ANSWERS)[0]
    expected = stats.permutation_test(
        (first, second), lambda a, b: abs(a.mean() - b.mean()), alternative="greater", n_resamples=10_000
    )
    assert one.p == pytest.approx(expected.pvalue)


def test_cliffs_delta_by_hand() -> None:
    # 2 against 1, 3 and 0 against 1, 3: higher once, lower three times, of four pairs.
    one = compare_conditions(np.array([[0.2], [0.0], [0.1], [0.3]]), list("abcd"), ["x", "x", "y", "y"], ["sad"])[0]
    assert one.effect == pytest.approx((1 - 3) / 4)


def test_some_subjects_in_both_conditions_and_some_in_one() -> None:
    shares = np.array([[1.0], [0.5], [0.0], [0.5]])
    pair = pair_of(shares, ["p", "q", "p", "r"], ["a", "a", "b", "b"], ("a", "b"))
    assert pair.sizes == (2, 2)
    assert pair.arrangements() == 2 * 2
    np.testing.assert_allclose(pair.means(), [[0.75], [0.25]])
    # p exchanged or not, q and r exchanged or not: the two of p alone move the mean.
    np.testing.assert_allclose(pair.permutation_test(), [1.0])


def test_an_interval_needs_six_subjects_in_each_condition_and_some_width() -> None:
    names = [f"p{index}" for index in range(12)]
    values = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    one = compare_conditions(of_one(values), names, ["a"] * 6 + ["b"] * 6, ANSWERS)[0]
    assert one.ci is not None
    low, high = one.ci
    assert one.difference == pytest.approx(0.5)
    assert low < one.difference < high
    apart = compare_conditions(of_one([1.0] * 6 + [0.0] * 6), names, ["a"] * 6 + ["b"] * 6, ANSWERS)[0]
    assert apart.ci is None
    few = compare_conditions(of_one(values), names, ["a"] * 5 + ["b"] * 7, ANSWERS)[0]
    assert few.ci is None


def test_nothing_is_compared_of_one_condition_of_too_many_or_where_all_are_alike() -> None:
    names = [f"p{index}" for index in range(8)]
    assert compare_conditions(of_one([1, 0] * 4), names, ["a"] * 8, ANSWERS) == []
    assert compare_conditions(of_one([1, 0] * 4), names, list("abcdefgh"), ANSWERS) == []
    assert compare_conditions(of_one([0.5] * 8), names, ["a", "b"] * 4, ANSWERS) == []


def simulated(rng: np.random.Generator, *, planted: float = 0.0) -> tuple[NDArray[np.float64], list[str], list[str]]:
    """Shares of five answers of twenty people with a habit each; three to six clips; a difference where planted."""
    rows, conditions = [], []
    for index in range(20):
        condition = "patient" if index % 2 else "control"
        habit = rng.dirichlet([1.5, 1.0, 1.0, 1.0, 0.5])
        if condition == "patient":
            habit = (1 - planted) * habit + planted * np.eye(5)[2]
        clips = int(rng.integers(3, 7))
        rows.append(rng.multinomial(clips, habit) / clips)
        conditions.append(condition)
    return np.array(rows), [f"p{index}" for index in range(20)], conditions


def test_false_alarms_of_two_hundred_studies_without_a_difference_are_at_five_percent() -> None:
    rng = np.random.default_rng(20)
    alarms = any_alarm = 0
    names = ("happiness", "disgust", "repression", "surprise", "others")
    for _ in range(200):
        compared = compare_conditions(*simulated(rng), names)
        alarms += next(one.p for one in compared if one.answer == "disgust") <= 0.05
        any_alarm += any(one.p_holm <= 0.05 for one in compared)
    # With a rate of 5 % these bounds are exceeded in 1 of 1,000 runs on each side.
    low, high = stats.binom.ppf([0.001, 0.999], 200, 0.05)
    assert low <= alarms <= high
    assert any_alarm <= high  # after Holm, any alarm at all


def test_a_planted_difference_is_found_in_nearly_all_studies() -> None:
    rng = np.random.default_rng(21)
    names = ("happiness", "disgust", "repression", "surprise", "others")
    hits = 0
    for _ in range(20):
        compared = compare_conditions(*simulated(rng, planted=0.75), names)
        clear = [one for one in compared if one.p_holm <= 0.05]
        hits += any(one.answer == "repression" and one.difference < 0 for one in clear)
    assert hits >= 18


def test_many_subjects_are_drawn_and_few_are_all_tried() -> None:
    names = [f"p{index}" for index in range(40)]
    one = compare_conditions(of_one([1.0] * 20 + [0.0] * 20), names, ["a"] * 20 + ["b"] * 20, ANSWERS)[0]
    assert one.p == pytest.approx(1 / (1 + PERMUTATIONS))
