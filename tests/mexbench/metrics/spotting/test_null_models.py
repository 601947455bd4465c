"""Null models: rates and lengths come from the training side, and they score about what chance does."""

from __future__ import annotations

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench.interfaces.video import LongVideo
from mexbench.metrics.spotting.null_models import (
    IntervalStatistics,
    RegularSpotter,
    random_intervals,
    regular_intervals,
)
from tests.mexbench.metrics.spotting.videos import true


def long_video(name: str, n_frames: int, fps: float, *intervals: tuple[int, int, str]) -> LongVideo:
    return LongVideo(
        video_id=name, subject=name, dataset="d", fps=fps, frames=(1, n_frames),
        intervals=tuple(true(a, b, kind) for a, b, kind in intervals),  # pyright: ignore[reportArgumentType]
    )  # fmt: skip


def test_statistics_are_in_seconds_so_that_frame_rates_may_differ() -> None:
    result = IntervalStatistics.of(
        [long_video("a", 1_000, 100, (1, 20, "micro")), long_video("b", 2_000, 200, (1, 60, "micro"))]
    )
    assert result.seconds == {"micro": (0.2, 0.3), "macro": ()}
    assert result.rate == {"micro": 2 / 20, "macro": 0}


def test_statistics_of_a_video_of_unknown_length_are_refused() -> None:
    one = LongVideo(video_id="d/x", subject="s", dataset="d", fps=30, frames=None, intervals=())
    with pytest.raises(DataError, match="d/x: its first and last frame are unknown"):
        IntervalStatistics.of([one])


def test_random_intervals_have_the_rate_and_lengths_of_the_training_side() -> None:
    statistics = IntervalStatistics({"micro": (0.2, 0.4), "macro": (1.0,)}, {"micro": 0.5, "macro": 0.25})
    rng = np.random.default_rng(0)
    result = [random_intervals(statistics, (101, 2_100), 100, rng) for _ in range(400)]
    lengths = {(i.kind, i.offset - i.onset + 1) for one in result for i in one}
    assert lengths == {("micro", 20), ("micro", 40), ("macro", 100)}
    assert all(i.onset >= 101 and i.offset <= 2_100 for one in result for i in one)
    micro = [sum(i.kind == "micro" for i in one) for one in result]
    assert np.mean(micro) == pytest.approx(10, abs=0.5)  # 20 s at .5 a second
    assert np.var(micro) == pytest.approx(10, abs=2.5)


def test_an_interval_longer_than_the_video_is_cut_to_it() -> None:
    statistics = IntervalStatistics({"micro": (), "macro": (9.0,)}, {"micro": 0.0, "macro": 50.0})
    result = random_intervals(statistics, (1, 10), 10, np.random.default_rng(0))
    assert {(i.onset, i.offset) for i in result} == {(1, 10)}


def test_regular_intervals_fill_the_video_and_stay_inside() -> None:
    assert [(i.onset, i.offset) for i in regular_intervals(10, 20, (1, 50), "micro")] == [(1, 10), (21, 30), (41, 50)]
    assert [(i.onset, i.offset) for i in regular_intervals(10, 20, (1, 49), "micro")] == [(1, 10), (21, 30)]


def test_the_regular_spotter_takes_the_period_that_scores_best_on_the_training_side() -> None:
    intervals = [(1 + 40 * i, 10 + 40 * i, "micro") for i in range(10)]
    result = RegularSpotter.fit([long_video("a", 400, 10, *intervals)])
    assert (result.kind, result.seconds, result.period) == ("micro", 1.0, 4.0)
    assert len(result.spot((1, 80), 10)) == 2
    assert RegularSpotter.fit([long_video("a", 400, 10)]).spot((1, 80), 10) == ()
