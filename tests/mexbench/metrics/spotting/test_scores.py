"""Counts, F1, average precision, the figures of a row: by hand, and properties that must hold of any videos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mexbench.metrics.spotting.scores import SpottedVideo, average_precision, count, f1, pooled_f1
from mexbench.metrics.spotting.summary import SpottingPool, confidence, figures
from tests.mexbench.metrics.spotting.videos import VIDEOS, claim, shifted, true, video

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

BY_HAND = [
    video(
        "a",
        [true(100, 119, apex=110, emotion="disgust"), true(500, 599, "macro", apex=550, emotion="happiness")],
        [claim(100, 119, score=0.9, apex=105), claim(510, 599, "macro", 0.8), claim(1000, 1009, score=0.7)],
    ),
    video("b", [true(100, 119, emotion="disgust")], [claim(100, 119, "macro", 0.6)], group="s2"),
    video("c", [], [claim(1, 10, score=0.95)], group="s2"),
]


def test_counts_by_hand() -> None:
    # micro: one hit in a; one false alarm in a, one in c, one miss in b. macro: one hit in a, a false alarm in b.
    assert np.sum([count(one) for one in BY_HAND], axis=0).tolist() == [[1, 2, 1], [1, 1, 0]]
    row = figures([SpottingPool(0, 0, tuple(BY_HAND))])
    assert row["f1_micro"] == pytest.approx(2 / 5)
    assert row["f1_macro"] == pytest.approx(2 / 3)
    assert row["f1"] == pytest.approx(4 / 8)
    assert (row["precision"], row["recall"]) == (2 / 5, 2 / 3)
    assert row["counts"] == {"micro": {"tp": 1, "fp": 2, "fn": 1}, "macro": {"tp": 1, "fp": 1, "fn": 0}}


def test_videos_without_expression_are_counted() -> None:
    row = figures([SpottingPool(0, 0, tuple(BY_HAND))])
    assert row["n_videos_without_expression"] == 1
    assert row["false_alarms_per_minute"] == pytest.approx(3 / 3)
    without = figures([SpottingPool(0, 0, tuple(BY_HAND[:2]))])
    assert without["f1"] == pytest.approx(4 / 7)
    assert row["f1"] < without["f1"]


def test_false_alarms_per_minute_are_unknown_where_a_length_is() -> None:
    row = figures([SpottingPool(0, 0, (*BY_HAND, video("d", n_frames=None)))])
    assert row["false_alarms_per_minute"] is None
    assert row["ci"]["false_alarms_per_minute"] is None


def test_apex_error_in_milliseconds() -> None:
    # a: apex 105 for 110 is 50 ms at 100 fps; the middle of 510..599 is 554.5, 45 ms off; b has no pair.
    row = figures([SpottingPool(0, 0, tuple(BY_HAND))])
    assert row["apex_error_ms"] == pytest.approx((50 + 45) / 2)
    assert row["apex_pairs"] == 2


def test_emotions_say_how_many_of_theirs_were_spotted() -> None:
    row = figures([SpottingPool(0, 0, tuple(BY_HAND))])
    assert row["per_emotion"] == {
        "disgust": {"recall": 0.5, "support": 2},
        "happiness": {"recall": 1.0, "support": 1},
    }


def test_average_precision_by_hand() -> None:
    # By score: c's false alarm (.95), a's micro hit (.9), a's macro hit (.8), a's false alarm, b's of the wrong type.
    # Recall 1/3 at precision 1/2 and 2/3 at 2/3; monotone from the right both are 2/3.
    assert average_precision(BY_HAND) == pytest.approx(2 / 3 * 2 / 3)
    assert average_precision(BY_HAND, kind="micro") == pytest.approx(1 / 2 * 1 / 2)
    assert average_precision([video("x", [], [claim(1, 2)])]) is None
    assert average_precision([video("x", [true(1, 2)])]) == 0


def test_average_precision_equals_the_pascal_area_of_distinct_scores() -> None:
    truth = [true(100 * i, 100 * i + 9) for i in range(1, 5)]
    scores = {100: 0.9, 200: 0.7, 300: 0.5, 555: 0.8, 755: 0.6}
    one = video("v", truth, [claim(onset, onset + 9, score=score) for onset, score in scores.items()])
    # precision at the hits: 1/1, 2/3, 3/5; recall steps of 1/4.
    assert average_precision([one]) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)


def test_f1_of_nothing_is_undefined_and_of_a_vain_claim_zero() -> None:
    assert np.isnan(f1([0, 0, 0]))
    assert f1([0, 1, 0]) == 0
    assert np.isnan(pooled_f1([]))
    assert figures([SpottingPool(0, 0, (video("v"),))])["f1"] is None


def test_seeds_are_averaged_and_not_pooled() -> None:
    hit = video("v", [true(1, 10)], [claim(1, 10)])
    row = figures([SpottingPool(0, 0, (hit,)), SpottingPool(1, 0, (replace(hit, predicted=()),))])
    assert row["f1"] == 0.5
    assert row["spread"]["f1"] == pytest.approx(np.std([0, 1], ddof=1))
    assert row["seeds"] == [0, 1]


def test_the_sweep_falls_as_the_threshold_rises() -> None:
    one = video("v", [true(1, 10)], [claim(1, 6)])  # IoU .6
    sweep = figures([SpottingPool(0, 0, (one,))])["sweep"]
    assert [sweep[name]["f1_micro"] for name in ("0.3", "0.5", "0.6", "0.7")] == [1, 1, 1, 0]


def test_intervals_are_over_subjects() -> None:
    # All videos of a subject are alike: one subject is all right, the other all wrong, however many videos they have.
    videos = [video(f"a{i}", [true(1, 10)], [claim(1, 10)], group="good") for i in range(20)]
    videos += [video(f"b{i}", [true(1, 10)], [], group="bad") for i in range(20)]
    low, high = confidence([SpottingPool(0, 0, tuple(videos))], replicates=400)["f1"] or [None, None]
    assert (low, high) == (0, 1)


def pool(videos: list[SpottedVideo]) -> list[SpottingPool]:
    return [SpottingPool(0, 0, tuple(videos))]


@settings(max_examples=40)
@given(VIDEOS, st.randoms(use_true_random=False))
def test_the_order_of_videos_and_predictions_changes_nothing(videos: list[SpottedVideo], random: object) -> None:
    mixed = list(videos)
    random.shuffle(mixed)  # pyright: ignore[reportAttributeAccessIssue]
    mixed = [replace(one, predicted=one.predicted[::-1]) for one in mixed]
    before, after = figures(pool(videos)), figures(pool(mixed))
    before["apex_error_ms"] = pytest.approx(before["apex_error_ms"])
    assert after | {"apex_error_ms": None} == before | {"apex_error_ms": None}


@given(VIDEOS, st.integers(1, 40), st.integers(1, 30), st.sampled_from(["micro", "macro"]))
def test_a_further_false_alarm_never_raises_f1(videos: list[SpottedVideo], onset: int, length: int, kind: str) -> None:
    far = claim(1_000 + onset, 1_000 + onset + length, kind)  # pyright: ignore[reportArgumentType]
    noisy = [replace(videos[0], predicted=(*videos[0].predicted, far)), *videos[1:]]
    before, after = figures(pool(videos))["f1"], figures(pool(noisy))["f1"]
    assert after <= (1 if before is None else before)
    area, noisy_area = average_precision(videos), average_precision(noisy)
    assert area is None or (noisy_area or 0) <= area + 1e-12


@given(VIDEOS, st.integers(0, 500))
def test_shifting_truth_and_prediction_alike_changes_nothing(videos: list[SpottedVideo], by: int) -> None:
    assert figures(pool([shifted(one, by) for one in videos])) == figures(pool(videos))


@given(VIDEOS)
def test_optimal_matching_is_never_below_the_greedy_order(videos: list[SpottedVideo]) -> None:
    greedy, optimal = pooled_f1(videos, matching="greedy"), pooled_f1(videos)
    assert np.isnan(optimal) or optimal >= greedy


@given(VIDEOS)
def test_truth_as_prediction_is_perfect(videos: list[SpottedVideo]) -> None:
    perfect = [replace(one, predicted=tuple(claim(i.onset, i.offset, i.kind) for i in one.truth)) for one in videos]
    assert pooled_f1(perfect) == 1 or not any(one.truth for one in videos)
    assert average_precision(perfect) in (None, 1.0)
