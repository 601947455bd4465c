"""Ranks are those of the run's page; tests are made where the page says."""

from __future__ import annotations

import numpy as np
import pytest

from mexbench.metrics.significance import compare, holm, permutation_test, ranks
from mexbench.reports.leaderboards.ranking import Counts, paired, rank


def rows(*, seeds: int = 1, repeats: int = 1, models: int = 6, subjects: int = 15) -> dict[str, Counts]:
    """Models that are right the more often, the higher their number."""
    rng = np.random.default_rng(1)
    runs = tuple((seed, repeat) for seed in range(seeds) for repeat in range(repeats))
    result = {}
    for model in range(models):
        right = rng.binomial(4, 0.3 + 0.1 * model, size=(len(runs), subjects, 3))
        counts = np.zeros((len(runs), subjects, 3, 3), dtype=np.int64)
        for label in range(3):
            counts[..., label, label] = right[..., label]
            counts[..., label, (label + 1) % 3] = 4 - right[..., label]
        result[f"m{model}"] = Counts(runs, counts)
    return result


@pytest.mark.parametrize(("seeds", "repeats"), [(1, 1), (3, 2)])
def test_ranks_and_tests_equal_those_of_the_page_of_the_run(seeds: int, repeats: int) -> None:
    result = rows(seeds=seeds, repeats=repeats)
    expected = compare({name: counts.matrices for name, counts in result.items()})
    got = rank(result, "uf1")
    assert got.ranks == ranks(list(result), expected)
    assert len(set(got.ranks.values())) > 2  # neither all equal nor all apart
    by_pair = {(one.first, one.second): one for one in expected}
    for one in got.comparisons:
        other = by_pair[one.first, one.second]
        assert (one.difference, one.p) == (pytest.approx(other.difference), other.p)
        assert one.interval == pytest.approx(other.interval)


def test_each_row_is_tested_against_the_leader_and_the_next() -> None:
    got = rank(rows(models=5), "uf1")
    order = list(got.order)
    pairs = [(one.first, one.second) for one in got.comparisons]
    assert pairs == [
        *((order[0], other) for other in order[1:]),
        (order[1], order[2]), (order[2], order[3]), (order[3], order[4]),
    ]  # fmt: skip
    assert [one.p_holm for one in got.comparisons] == holm([one.p for one in got.comparisons])


def test_another_headline_ranks_by_itself() -> None:
    balanced = np.array([[[[8, 2], [2, 8]]] * 6])
    one_sided = np.array([[[[90, 0], [5, 5]]] * 6])
    result = {"balanced": Counts(((0, 0),), balanced), "one-sided": Counts(((0, 0),), one_sided)}
    assert rank(result, "uar").order == ("balanced", "one-sided")  # 0.80 and 0.75
    ranking = rank(result, "accuracy")
    assert ranking.order == ("one-sided", "balanced")
    assert ranking.comparisons[0].difference == pytest.approx(0.95 - 0.80)


def test_rows_with_different_numbers_of_seeds_are_paired_each_with_each() -> None:
    three, one = rows(seeds=3)["m2"], rows(seeds=1)["m3"]
    first, second = paired(three, one)
    assert first.shape == second.shape == (3, 15, 3, 3)
    assert (second == one.matrices[0]).all()
    two = rows(seeds=2)["m4"]
    first, second = paired(three, two)
    assert len(first) == 6
    assert [int((three.matrices == run).all(axis=(1, 2, 3)).argmax()) for run in first] == [0, 0, 1, 1, 2, 2]
    assert 0 < permutation_test(first, second) <= 1
    assert rank({"a": three, "b": two, "c": one}, "uf1").order


def test_repeats_are_paired_with_the_same_repeat() -> None:
    three, two = rows(seeds=3, repeats=2)["m2"], rows(seeds=2, repeats=2)["m3"]
    first, second = paired(three, two)
    assert len(first) == 12
    for mine, other in zip(first, second, strict=True):
        index = int((three.matrices == mine).all(axis=(1, 2, 3)).argmax())
        against = int((two.matrices == other).all(axis=(1, 2, 3)).argmax())
        assert three.runs[index][1] == two.runs[against][1]


def test_no_row_one_row_and_equal_rows_are_ranked() -> None:
    assert rank({}, "uf1").order == ()
    alone = rank({"m": rows()["m1"]}, "uf1")
    assert (alone.ranks, alone.comparisons) == ({"m": (1, 1)}, ())
    same = rows()["m1"]
    assert rank({"b": same, "a": same}, "uf1").ranks == {"a": (1, 2), "b": (1, 2)}
