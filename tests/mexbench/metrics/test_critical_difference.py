from __future__ import annotations

from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest

from mexbench.metrics.classification import bootstrap_weights, replicated
from mexbench.metrics.critical_difference import critical_difference
from mexbench.metrics.significance import holm, permutation_test


def counts(accuracy: float, seed: int) -> np.ndarray:
    """Thirty subjects with ten clips of two classes each, of which so many are right."""
    rng = np.random.default_rng(seed)
    right = rng.binomial(5, accuracy, size=(30, 2))
    matrices = np.zeros((1, 30, 2, 2), dtype=np.int64)
    matrices[0, :, 0, 0], matrices[0, :, 1, 1] = right[:, 0], right[:, 1]
    matrices[0, :, 0, 1], matrices[0, :, 1, 0] = 5 - right[:, 0], 5 - right[:, 1]
    return matrices


def test_rows_that_differ_are_parted_and_equal_ones_are_joined() -> None:
    rows = {"a": counts(0.9, 0), "b": counts(0.88, 1), "c": counts(0.6, 2), "d": counts(0.58, 3)}
    pairs = {(one, other): (rows[one], rows[other]) for one, other in combinations(rows, 2)}
    tests = critical_difference(pairs, list(rows), rows, "uf1")
    assert tests.groups == (("a", "b"), ("c", "d"))
    assert list(tests.p.values()) == holm([permutation_test(*pair) for pair in pairs.values()])


def test_the_smallest_difference_follows_from_the_standard_error() -> None:
    rows = {"a": counts(0.8, 0), "b": counts(0.7, 1)}
    tests = critical_difference({("a", "b"): (rows["a"], rows["b"])}, ["a", "b"], rows, "accuracy")
    weights = bootstrap_weights(30)
    error = np.std(replicated(rows["a"], weights)["accuracy"] - replicated(rows["b"], weights)["accuracy"], ddof=1)
    factor = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
    assert tests.detectable == pytest.approx((factor * error,) * 3)
    assert factor == pytest.approx(2.8016, abs=1e-4)


def test_one_row_has_nothing_to_compare() -> None:
    tests = critical_difference({}, ["a"], {"a": counts(0.8, 0)}, "uf1")
    assert (tests.groups, tests.detectable, dict(tests.p)) == ((), None, {})
