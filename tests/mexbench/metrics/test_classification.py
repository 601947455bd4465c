from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from mexbench.metrics import classification as metrics

ZERO: Any = 0  # scikit-learn takes numbers, its annotations do not say so
labels = st.integers(2, 6).flatmap(
    lambda k: st.tuples(
        st.just(k), st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=1, max_size=60)
    )
)


@given(labels)
@settings(max_examples=300, deadline=None)
def test_scores_equal_those_of_scikit_learn(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    n_classes, pairs = drawn
    truth, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    ours = metrics.scores(metrics.confusion_matrix(truth, predicted, n_classes))
    expected = {
        "accuracy": sk.accuracy_score(truth, predicted),
        "uf1": sk.f1_score(truth, predicted, average="macro", zero_division=ZERO),
        "uar": sk.recall_score(truth, predicted, average="macro", zero_division=ZERO),
        "macro_precision": sk.precision_score(truth, predicted, average="macro", zero_division=ZERO),
        "weighted_precision": sk.precision_score(truth, predicted, average="weighted", zero_division=ZERO),
        "weighted_recall": sk.recall_score(truth, predicted, average="weighted", zero_division=ZERO),
        "weighted_f1": sk.f1_score(truth, predicted, average="weighted", zero_division=ZERO),
    }
    assert {name: float(value) for name, value in ours.items()} == pytest.approx(expected, abs=1e-12)


@given(labels)
@settings(max_examples=100, deadline=None)
def test_confusion_and_class_scores_equal_those_of_scikit_learn(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    n_classes, pairs = drawn
    truth, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    confusion = metrics.confusion_matrix(truth, predicted, n_classes)
    names = list(range(n_classes))
    np.testing.assert_array_equal(confusion, sk.confusion_matrix(truth, predicted, labels=names))
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        truth, predicted, labels=names, zero_division=ZERO
    )
    ours = metrics.per_class(confusion)
    np.testing.assert_allclose(ours["precision"], precision)
    np.testing.assert_allclose(ours["recall"], recall)
    np.testing.assert_allclose(ours["f1"], f1)
    np.testing.assert_array_equal(ours["support"], support)


def test_by_hand() -> None:
    # truth 0: 3 right, 1 taken for 1; truth 1: 2 right, 2 taken for 0; nothing is or was taken for 2.
    scores = metrics.scores([[3, 1, 0], [2, 2, 0], [0, 0, 0]])
    f1 = (2 * 3 / (4 + 5), 2 * 2 / (4 + 3))
    assert scores["accuracy"] == pytest.approx(5 / 8)
    assert scores["uf1"] == pytest.approx(sum(f1) / 2)
    assert scores["uar"] == pytest.approx((3 / 4 + 2 / 4) / 2)
    assert scores["macro_precision"] == pytest.approx((3 / 5 + 2 / 3) / 2)


def test_a_class_without_truth_or_prediction_changes_no_score_and_gives_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        padded = metrics.scores([[5, 1, 0], [2, 4, 0], [0, 0, 0]])
    bare = metrics.scores([[5, 1], [2, 4]])
    assert {name: float(v) for name, v in padded.items()} == {name: float(v) for name, v in bare.items()}


def test_a_class_that_is_predicted_and_never_true_counts_zero() -> None:
    scores = metrics.scores([[4, 0], [0, 0]])
    assert scores["uf1"] == 1
    assert metrics.scores([[3, 1], [0, 0]])["uar"] == pytest.approx(0.75 / 2)


def test_no_sample_at_all_is_nan() -> None:
    assert np.isnan(metrics.scores(np.zeros((3, 3)))["uf1"])
    one_empty = metrics.scores(np.stack([np.eye(3), np.zeros((3, 3))]))
    for name in metrics.SCORES:
        assert one_empty[name][0] == 1
        assert np.isnan(one_empty[name][1])


def test_leading_axes_are_scored_one_by_one() -> None:
    rng = np.random.default_rng(0)
    many = rng.integers(0, 9, size=(4, 5, 3, 3))
    together = metrics.scores(many)
    for index in np.ndindex(4, 5):
        alone = metrics.scores(many[index])
        for name in metrics.SCORES:
            assert together[name][index] == pytest.approx(float(alone[name]))


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([0, 1], [0], r"expected two vectors of one length, got shapes \(2,\) and \(1,\)"),
        ([0, 3], [0, 0], r"class index outside 0\.\.2: 0\.\.3"),
        ([0, 0], [-1, 0], r"class index outside 0\.\.2: -1\.\.0"),
    ],
)
def test_indices_outside_the_classes_and_unequal_lengths_are_rejected(
    truth: list[int], predicted: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.confusion_matrix(truth, predicted, 3)


def test_bootstrap_draws_subjects_not_clips() -> None:
    """Ten subjects, each entirely right or entirely wrong: accuracy varies as a mean of ten coins."""
    right = np.array([[10, 0], [0, 10]])
    wrong = np.array([[0, 10], [10, 0]])
    counts = np.stack([right] * 5 + [wrong] * 5)[None]
    low, high = metrics.subject_bootstrap(counts)["accuracy"]
    # A binomial of ten at one half has quantiles 2 and 8; two hundred independent clips would have .43 and .57.
    assert (low, high) == pytest.approx((0.2, 0.8))


def test_bootstrap_equals_a_loop_over_drawn_subjects() -> None:
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 6, size=(2, 7, 3, 3))
    fast = metrics.subject_bootstrap(counts, replicates=50, seed=5)
    draws = np.random.default_rng(5).integers(7, size=(50, 7))
    slow = []
    for draw in draws:
        per_run = [metrics.scores(sum(run[subject] for subject in draw))["uf1"] for run in counts]
        slow.append(np.mean(per_run))
    assert fast["uf1"] == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])))


def test_a_run_without_samples_of_the_drawn_subjects_does_not_count() -> None:
    counts = np.zeros((2, 2, 2, 2))
    counts[0] = [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]  # the first run knows both subjects, one right and one wrong
    counts[1, 0] = [[1, 0], [0, 1]]  # the second only the first, right
    intervals = metrics.subject_bootstrap(counts)
    # Draws: twice the first: 1; once each: (1/2 + 1) / 2; twice the second: 0, from the first run alone.
    assert intervals["accuracy"] == (0, 1)


def test_bootstrap_is_seeded() -> None:
    counts = np.random.default_rng(0).integers(0, 5, size=(1, 9, 3, 3))
    assert metrics.subject_bootstrap(counts) == metrics.subject_bootstrap(counts)
    assert metrics.subject_bootstrap(counts) != metrics.subject_bootstrap(counts, seed=1)


def test_by_cluster_joins_by_name() -> None:
    counts = metrics.by_cluster([0, 1, 1], [0, 0, 1], ["b", "a", "b"], ["a", "b"], 2)
    np.testing.assert_array_equal(counts, [[[0, 0], [1, 0]], [[1, 0], [0, 1]]])
