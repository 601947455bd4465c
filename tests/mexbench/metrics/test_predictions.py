"""The table of predictions: joined by sample id, counted by run and group, brought down to clips."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mexbench.interfaces import Sample
from mexbench.metrics.predictions import UNKNOWN, Predictions, shared_lines


def sample(name: str, subject: str | None = "s1", clip: str | None = None) -> Sample:
    return Sample(sample_id=name, clip_id=clip or name, subject=subject, dataset="toy", emotion=None)


def columns(**changed: Any) -> Predictions:  # noqa: ANN401
    """Two subjects, two seeds."""
    known: dict[str, Any] = {
        "seed": [5, 5, 5, 2, 2, 2],
        "sample": ["a", "b", "c"] * 2,
        "subject": ["s2", "s1", "s1"] * 2,
        "truth": [0, 1, 1] * 2,
        "scores": [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.1, 0.9], [0.5, 0.5], [0.2, 0.8]],
    }
    return Predictions.from_columns(**{**known, **changed})


def test_results_are_joined_with_samples_by_id() -> None:
    samples = [sample("a"), sample("b", None, "clip b"), sample("c", "s2")]
    results = [
        (5, 1, "repeat 2, f1", {"c": [0.0, 1.0]}),
        (5, 0, "f2", {"c": [0.3, 0.7], "a": [0.6, 0.4]}),
        (5, 0, "f1", {"b": [1.0, 0.0]}),
        (2, 0, "f2", {"a": [0.2, 0.8]}),
    ]
    table = Predictions.join(samples, [0, 1, 1], results, 2)
    assert table.runs == ((5, 0), (5, 1), (2, 0))
    assert table.seeds == [5, 2]
    assert table.sample.tolist() == ["a", "b", "c", "c", "a"]
    assert table.fold.tolist() == ["f2", "f1", "f2", "repeat 2, f1", "f2"]
    assert table.clip.tolist() == ["a", "clip b", "c", "c", "a"]
    assert table.subject.tolist() == ["s1", "", "s2", "s2", "s1"]
    assert table.group.tolist() == ["s1", "clip b", "s2", "s2", "s1"]
    assert set(table.dataset) == {"toy"}
    assert table.truth.tolist() == [0, 1, 1, 1, 0]
    assert table.scores.tolist() == [[0.6, 0.4], [1, 0], [0.3, 0.7], [0, 1], [0.2, 0.8]]
    assert table.predicted.tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(KeyError, match="d"):
        Predictions.join(samples, [0, 1, 1], [(0, 0, "f", {"d": [1.0, 0.0]})], 2)


@pytest.mark.parametrize(("truth", "multilabel"), [(np.zeros(1, int), False), (np.zeros((1, 2), bool), True)])
def test_a_table_without_lines_keeps_its_shape(truth: Any, multilabel: bool) -> None:  # noqa: ANN401
    table = Predictions.join([sample("a")], truth, [], 2)
    assert (len(table), table.n_classes, table.multilabel, table.runs) == (0, 2, multilabel, ())
    clips = table.per_clip()
    assert (len(clips), clips.n_classes, clips.multilabel) == (0, 2, multilabel)


def test_counts_by_run_and_subject() -> None:
    s1, s2 = [[[0, 0], [1, 1]], [[0, 0], [1, 1]]], [[[1, 0], [0, 0]], [[0, 1], [0, 0]]]
    table = columns()
    assert_array_equal(table.counts(), np.stack([s1, s2], axis=1))
    assert_array_equal(table.counts(["s2", "nobody", "s1"])[:, 1], np.zeros((2, 2, 2)))
    assert_array_equal(table.counts(["s2", "nobody", "s1"])[:, [2, 0]], table.counts())
    assert_array_equal(table.counts(runs=[(2, 0), (7, 3), (5, 0)])[[2, 0]], table.counts())
    labels, counts = table.counts_by(table.sample)
    assert labels == ["a", "b", "c"]
    assert_array_equal(counts, [[[1, 1], [0, 0]], [[0, 0], [1, 1]], [[0, 0], [1, 1]]])


def test_units_are_present_from_the_threshold_on() -> None:
    truth = [[True, False], [True, True], [False, False]] * 2
    table = columns(truth=truth)
    assert table.multilabel
    assert table.truth.dtype == bool
    assert table.predicted.tolist() == [
        [True, False], [False, True], [True, False], [False, True], [True, True], [False, True],
    ]  # fmt: skip
    first_seed = table.counts()[0]  # (subjects, units, truth, predicted)
    assert_array_equal(first_seed[0], [[[0, 1], [1, 0]], [[1, 0], [0, 1]]])
    assert_array_equal(first_seed[1], [[[0, 0], [0, 1]], [[1, 0], [0, 0]]])


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_every_line_is_counted_once_in_its_cell(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 20))
    ints = lambda high: data.draw(st.lists(st.integers(0, high), min_size=n, max_size=n))  # noqa: E731
    seeds, groups, truth, predicted = ints(2), ints(3), ints(2), ints(2)
    table = Predictions.from_columns(
        sample=[f"{i}" for i in range(n)], seed=seeds, subject=[f"s{g}" for g in groups],
        truth=truth, predicted=predicted, n_classes=3,
    )  # fmt: skip
    counts = table.counts()
    assert counts.sum() == n
    names = sorted(set(table.group))
    for seed, group, t, p in zip(seeds, groups, truth, predicted, strict=True):
        same = sum(line == (seed, group, t, p) for line in zip(seeds, groups, truth, predicted, strict=True))
        assert counts[table.runs.index((seed, 0)), names.index(f"s{group}"), t, p] == same


def test_samples_without_a_class_are_not_counted() -> None:
    table = columns(truth=[0, UNKNOWN, 1, 0, UNKNOWN, 1])
    assert table.labelled().sample.tolist() == ["a", "c", "a", "c"]
    with pytest.raises(ValueError, match="without a class"):
        table.counts()


def test_columns_that_do_not_fit_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"class index outside 0\.\.1: 0\.\.2"):
        columns(truth=[0, 1, 2] * 2)
    with pytest.raises(ValueError, match=r"class index outside 0\.\.1: -2\.\.1"):
        columns(truth=[0, 1, -2] * 2)
    with pytest.raises(ValueError, match="expected columns of one length"):
        columns(truth=[0, 1])
    with pytest.raises(ValueError, match="expected a truth for each score"):
        columns(truth=[[True]] * 6)
    with pytest.raises(ValueError, match="expected columns of one length"):
        replace(columns(), scores=np.zeros(6))


def test_a_pool_has_the_lines_of_one_seed_and_repeat() -> None:
    pools = columns(repeat=[0, 1, 0, 0, 0, 0]).pools()
    assert list(pools) == [(5, 0), (5, 1), (2, 0)]
    assert [pool.sample.tolist() for pool in pools.values()] == [["a", "c"], ["b"], ["a", "b", "c"]]


def test_a_clip_has_the_mean_score_of_its_frames() -> None:
    table = Predictions.from_columns(
        seed=[0, 0, 0, 1], sample=["z#1", "z#2", "y#1", "z#1"], clip=["z", "z", "y", "z"], fold="f",
        subject=["s", "s", "", "s"], dataset="toy", truth=[1, 1, 0, 1],
        scores=[[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]],
    )  # fmt: skip
    clips = table.per_clip()
    assert clips.keys == [(0, 0, "y"), (0, 0, "z"), (1, 0, "z")]
    assert clips.scores.tolist() == [[0.3, 0.7], pytest.approx([0.55, 0.45]), [0.4, 0.6]]
    assert (clips.predicted.tolist(), clips.truth.tolist()) == ([1, 0, 1], [0, 1, 1])
    assert (clips.group.tolist(), clips.dataset.tolist()) == (["y", "s", "s"], ["toy"] * 3)
    assert clips.fold.tolist() == [""] * 3


def test_predicted_classes_by_run_are_minus_one_where_a_run_does_not_test_a_sample() -> None:
    table = columns().select([0, 2, 4])
    assert table.predicted_by_run(["c", "b", "a"]).tolist() == [[0, -1, 0], [-1, 0, -1]]


def test_only_samples_of_the_same_run_are_shared() -> None:
    first = columns()
    second = columns(seed=[2, 2, 2, 9, 9, 9], sample=["c", "x", "b"] * 2, truth=[0] * 6)
    ours, theirs = shared_lines(first, second)
    assert ours.keys == theirs.keys == [(2, 0, "b"), (2, 0, "c")]
    assert ours.truth.tolist() == [1, 1]
    assert theirs.scores.tolist() == [[0.7, 0.3], [0.9, 0.1]]
    assert [len(table) for table in shared_lines(first, first)] == [6, 6]
    assert shared_lines(first, first)[0].keys == first.keys  # seed 5 before seed 2, as in the first
