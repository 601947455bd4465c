"""STRS, correct and as the challenge's script prints it: a case for every difference, and the script's own example."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mexbench.metrics.spotting.strs import EmotionInterval, as_printed, correct, differences


def rows(*cells: tuple[str, str, int, int, str]) -> list[EmotionInterval]:
    return [EmotionInterval(subject=s, video=v, onset=a, offset=b, emotion=e) for s, v, a, b, e in cells]


TRUTH = rows(("1", "a", 1, 10, "joy"), ("1", "b", 1, 10, "fear"), ("2", "a", 1, 10, "joy"), ("2", "b", 1, 10, "fear"))
HITS = rows(("1", "a", 1, 10, "joy"), ("1", "b", 1, 10, "fear"), ("2", "a", 1, 10, "fear"), ("2", "b", 1, 10, "fear"))


def effects(truth: list[EmotionInterval], predicted: list[EmotionInterval]) -> list[bool]:
    return [bool(result.effect) for result in differences(truth, predicted)]


def test_uar_of_the_script_is_macro_precision() -> None:
    # joy: precision 1, recall 1/2; fear: precision 2/3, recall 1.
    printed, right = as_printed(TRUTH, HITS), correct(TRUTH, HITS)
    assert printed.uar_analysis == pytest.approx((1 + 2 / 3) / 2)
    assert right.uar_analysis == pytest.approx((1 / 2 + 1) / 2)
    p, r = (1 + 2 / 3) / 2, (1 / 2 + 1) / 2
    assert right.strs == printed.strs == pytest.approx(2 * p * r / (p + r))
    assert right.uf1_analysis == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert effects(TRUTH, HITS) == [True, False, False, False, False]


def test_a_subject_without_predictions_costs_nothing_in_the_script() -> None:
    printed, right = as_printed(TRUTH, HITS[:2]), correct(TRUTH, HITS[:2])
    assert (printed.fn, printed.f1_spotting) == (0, 1)
    assert (right.fn, right.f1_spotting) == (2, pytest.approx(4 / 6))
    assert effects(TRUTH, HITS[:2])[1]


def test_false_alarms_in_videos_without_truth_cost_nothing_in_the_script() -> None:
    noisy = [*HITS, *rows(("1", "other", 1, 10, "joy"), ("1", "other", 20, 30, "joy"))]
    printed, right = as_printed(TRUTH, noisy), correct(TRUTH, noisy)
    assert (printed.fp, right.fp) == (0, 2)
    assert right.f1_spotting == pytest.approx(8 / 10)
    assert effects(TRUTH, noisy)[2]


def test_the_script_matches_one_prediction_with_several_true_intervals() -> None:
    truth = rows(("1", "a", 1, 10, "joy"), ("1", "a", 2, 11, "fear"))
    predicted = rows(("1", "a", 1, 11, "joy"))
    printed, right = as_printed(truth, predicted), correct(truth, predicted)
    assert (printed.tp, printed.fp, printed.fn) == (2, 0, 0)
    assert (right.tp, right.fp, right.fn) == (1, 0, 1)
    assert effects(truth, predicted)[3]


def test_the_script_loses_the_hits_of_a_single_emotion() -> None:
    truth, predicted = rows(("1", "a", 1, 10, "joy")), rows(("1", "a", 1, 10, "joy"))
    printed, right = as_printed(truth, predicted), correct(truth, predicted)
    assert (printed.f1_analysis, printed.strs) == (None, None)
    assert (right.f1_analysis, right.strs) == (1, 1)
    assert effects(truth, predicted)[4]


def test_nothing_spotted_scores_zero() -> None:
    right = correct(TRUTH, [])
    assert (right.tp, right.fn, right.strs) == (0, 4, 0)


def test_the_scripts_own_example_gives_the_printed_figures(shared_data: Path) -> None:
    folder = shared_data / "strs_example"
    truth, predicted = (
        rows(*((r["subject"], r["video"], int(r["onset"]), int(r["offset"]), r["emotion"])
               for r in csv.DictReader((folder / f"{name}.csv").read_text().splitlines())))
        for name in ("gt", "pred")
    )  # fmt: skip
    printed, right = as_printed(truth, predicted), correct(truth, predicted)
    assert printed.f1_spotting == pytest.approx(0.6516, abs=5e-5)
    assert printed.f1_analysis == pytest.approx(0.5927, abs=5e-5)
    assert printed.strs == pytest.approx(0.3862, abs=5e-5)
    assert right.strs == printed.strs  # here every subject has predictions, and every video truth
    assert (printed.uar_analysis, right.uar_analysis) == (pytest.approx(0.5983, abs=5e-5), right.recall_analysis)
    assert effects(truth, predicted) == [True, False, False, False, False]
