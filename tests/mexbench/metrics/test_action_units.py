"""Scores of action units: by hand, against scikit-learn, and what must not change them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

from mexbench.metrics.action_units import unit_scores
from mexbench.metrics.predictions import Predictions
from mexbench.metrics.summary import ACTION_UNITS, empty_figures, figures

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

NAMES = ("AU1", "AU4")


def reference(truth: NDArray[np.bool_], said: NDArray[np.bool_], average: str = "binary") -> tuple[float, float, float]:
    """scikit-learn's precision, recall and F1, 0 where a ratio has no denominator."""
    nothing: Any = 0  # scikit-learn's own annotation knows texts alone
    result: Any = precision_recall_fscore_support(truth, said, average=average, zero_division=nothing)
    return float(result[0]), float(result[1]), float(result[2])


def table(
    truth: NDArray[np.bool_],
    *predicted: NDArray[np.bool_],
    groups: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
    datasets: Sequence[str] = (),
) -> Predictions:
    """A table with a seed for each array of predicted units."""
    n = len(truth)
    return Predictions.from_columns(
        seed=[seed for seed in seeds for _ in truth],
        sample=[f"toy/{i:02}" for i in range(n)] * len(predicted),
        subject=list(groups or [f"s{i % 3}" for i in range(n)]) * len(predicted),
        dataset=list(datasets or ["toy"] * n) * len(predicted),
        truth=np.concatenate([truth] * len(predicted)),
        scores=np.concatenate(predicted),
    )


def answers(*rows: str) -> NDArray[np.bool_]:
    """A row of 0 and 1 per unit -> (samples, units)."""
    return np.array([[mark == "1" for mark in row] for row in rows]).T


def test_f1_by_hand() -> None:
    """AU1: 2 hits, 1 missed, 1 false alarm, 2 rightly absent. AU4: 1 hit, 3 false alarms, 2 rightly absent."""
    truth, output = answers("111000", "100000"), answers("110100", "111100")
    row = figures(table(truth, output), NAMES)
    one, four = row["units"]["AU1"], row["units"]["AU4"]
    assert one["f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert one["macro_f1"] == pytest.approx((4 / 6 + 2 * 2 / (2 * 2 + 1 + 1)) / 2)
    assert (one["precision"], one["recall"]) == pytest.approx((2 / 3, 2 / 3))
    assert four["f1"] == pytest.approx(2 / (2 + 3))
    assert four["macro_f1"] == pytest.approx((2 / 5 + 4 / (4 + 3)) / 2)
    assert (one["confusion"], four["confusion"]) == ([[2, 1], [1, 2]], [[2, 3], [0, 1]])
    assert (one["support"], one["predicted"], four["support"], four["predicted"]) == (3, 3, 1, 4)
    assert row["f1"] == pytest.approx((2 / 3 + 2 / 5) / 2)
    assert row["macro_f1"] == pytest.approx((2 / 3 + (2 / 5 + 4 / 7) / 2) / 2)
    assert (row["n_samples"], row["n_subjects"], row["never_shown"]) == (6, 3, [])


def test_a_unit_that_is_never_present_has_no_f1_and_is_excluded_from_averages() -> None:
    truth, output = answers("1100", "0000"), answers("1100", "0100")
    row = figures(table(truth, output), NAMES)
    assert row["never_shown"] == ["AU4"]
    assert (row["units"]["AU4"]["f1"], row["units"]["AU4"]["macro_f1"], row["units"]["AU4"]["ci"]["f1"]) == (None,) * 3
    assert row["units"]["AU4"]["predicted"] == 1
    assert (row["f1"], row["macro_f1"]) == (1, 1)


def test_scores_are_none_where_no_unit_is_present() -> None:
    nothing = np.zeros((4, 2), bool)
    row = figures(table(nothing, nothing), NAMES)
    assert (row["f1"], row["macro_f1"], row["ci"]["f1"], row["never_shown"]) == (None, None, None, list(NAMES))


def test_constant_predictions_have_the_f1_of_the_formula_on_the_page() -> None:
    truth = answers("1100000000", "1111111100")
    always = figures(table(truth, np.ones_like(truth)), NAMES)
    assert [always["units"][name]["f1"] for name in NAMES] == pytest.approx([2 * 0.2 / 1.2, 2 * 0.8 / 1.8])
    majority = figures(table(truth, answers("0000000000", "1111111111")), NAMES)
    assert [majority["units"][name]["f1"] for name in NAMES] == pytest.approx([0, 2 * 0.8 / 1.8])


def test_runs_are_averaged_not_pooled() -> None:
    truth = answers("1100", "1010")
    row = figures(table(truth, truth, ~truth, seeds=[0, 7]), NAMES)
    assert (row["f1"], row["seeds"], row["repeats"]) == (0.5, [0, 7], 1)
    assert row["spread"]["f1"] == pytest.approx(1 / math.sqrt(2))
    assert [(run["seed"], run["repeat"], run["f1"]) for run in row["per_seed"]] == [(0, 0, 1), (7, 0, 0)]
    for unit in NAMES:  # two of four samples in each run; all are right in the first and wrong in the second
        scores = row["units"][unit]
        assert (scores["support"], scores["predicted"], scores["f1"], scores["macro_f1"]) == (2, 2, 0.5, 0.5)
        assert (scores["precision"], scores["recall"], scores["confusion"]) == (0.5, 0.5, [[2, 2], [2, 2]])


def test_data_sets_are_scored_on_the_units_that_are_present_in_them() -> None:
    truth, output = answers("1100", "0011"), answers("1100", "0010")
    both = figures(table(truth, output), NAMES)
    assert both["by_dataset"]["toy"]["units"] == 2
    row = figures(table(truth, output, datasets=("a", "a", "b", "b")), NAMES)
    assert row["by_dataset"]["a"] == {"f1": 1, "macro_f1": 1, "units": 1, "n_samples": 2}
    b = row["by_dataset"]["b"]
    assert (b["f1"], b["units"], b["n_samples"]) == (pytest.approx(2 / 3), 1, 2)


def test_intervals_are_those_of_a_loop_over_drawn_subjects() -> None:
    """Units that no drawn subject shows do not count; the same draws as everywhere else."""
    rng = np.random.default_rng(3)
    truth, output = rng.random((30, 2)) < [0.4, 0.1], rng.random((30, 2)) < 0.4
    groups = [f"s{int(number)}" for number in rng.integers(0, 5, 30)]
    names = sorted(set(groups))
    row = figures(table(truth, output, groups=groups), NAMES)
    draws = np.random.default_rng(0).integers(len(names), size=(2000, len(names)))
    averages, of_second = [], []
    for draw in draws:
        chosen = np.concatenate([np.flatnonzero(np.array(groups) == names[i]) for i in draw])
        result = []
        for unit in range(2):
            t, p = truth[chosen, unit], output[chosen, unit]
            if t.any():
                result.append(2 * (t & p).sum() / (t.sum() + p.sum()))
        averages.append(np.mean(result))
        if truth[chosen, 1].any():
            of_second.append(result[-1])
    assert row["ci"]["f1"] == pytest.approx(np.quantile(averages, [0.025, 0.975]))
    assert len(of_second) < 2000
    assert row["units"]["AU4"]["ci"]["f1"] == pytest.approx(np.quantile(of_second, [0.025, 0.975]))


tables = st.integers(1, 25).flatmap(
    lambda n: st.tuples(*[st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=n, max_size=n)] * 2)
)


@given(tables)
@settings(max_examples=60, deadline=None)
def test_every_unit_scores_as_in_scikit_learn(units: tuple[list[list[bool]], list[list[bool]]]) -> None:
    truth, output = map(np.array, units)
    result = unit_scores(table(truth, output).counts().sum(axis=(0, 1)))
    for unit in range(3):
        t, p = truth[:, unit], output[:, unit]
        if not t.any():
            assert all(np.isnan(values[unit]) for values in result.values())
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ratios without a denominator
            precision, recall, f1 = reference(t, p)
            expected = {"f1": f1, "macro_f1": reference(t, p, "macro")[2], "precision": precision, "recall": recall}
        assert {name: values[unit] for name, values in result.items()} == pytest.approx(expected)


@given(tables, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_samples_changes_nothing(
    units: tuple[list[list[bool]], list[list[bool]]], random: np.random.Generator
) -> None:
    truth, output = map(np.array, units)
    order = list(range(len(truth)))
    random.shuffle(order)
    predictions, names = table(truth, output), ("AU1", "AU2", "AU4")
    assert figures(predictions.select(order), names) == figures(predictions, names)


def test_a_table_without_lines_gives_empty_figures() -> None:
    nothing = np.zeros((0, 2), bool)
    assert figures(table(nothing, nothing), NAMES) == empty_figures(ACTION_UNITS)
