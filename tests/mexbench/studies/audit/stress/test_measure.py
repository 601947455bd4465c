"""Scores where some samples have no answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mexbench.metrics import classification
from mexbench.studies.audit.stress.measure import scores


@settings(deadline=None)  # a loaded machine
@given(arrays(np.int64, (3, 3), elements=st.integers(0, 9)))
def test_without_missing_answers_they_are_the_scores_of_every_run(matrix: np.ndarray) -> None:
    expected = classification.scores(matrix)
    result = scores(np.concatenate([matrix, np.zeros((3, 1), int)], axis=1))
    for name in ("uf1", "uar"):
        np.testing.assert_allclose(result[name], expected[name])


def test_a_sample_without_an_answer_is_missed_by_its_class_alone() -> None:
    """Class 0: 3 of 5 right, 1 as class 1, 1 unanswered; class 1: 4 of 4 right.

    F1 of class 0 is 6 / (5 + 3), of class 1 it is 8 / (4 + 5).
    """
    result = scores(np.array([[3, 1, 1], [0, 4, 0]]))
    assert result["uf1"] == pytest.approx((6 / 8 + 8 / 9) / 2)
    assert result["uar"] == pytest.approx((3 / 5 + 1) / 2)


def test_no_answer_at_all_is_worth_nothing() -> None:
    result = scores(np.array([[0, 0, 5], [0, 0, 4]]))
    assert (result["uf1"], result["uar"]) == (0, 0)
    assert np.isnan(scores(np.zeros((2, 3), int))["uf1"])
