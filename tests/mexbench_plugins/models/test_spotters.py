"""From curves to intervals, the choice of thresholds on the training side, and the sizes of SOFTNet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import Interval, ScoredInterval, VideoFrames
from mexbench.testing.spotters import example_videos
from mexbench_plugins.models import _spotting
from mexbench_plugins.models._spotting import (
    CurveSpotter,
    choose_threshold,
    fit_curve_spotter,
    median_seconds,
    scaled,
    smoothed,
    strongest,
    suppress,
)
from mexbench_plugins.models.every_k_frames import EveryKFrames
from mexbench_plugins.models.frame_difference import FrameDifference
from mexbench_plugins.models.lbp_chi2 import LbpChi2
from mexbench_plugins.models.lstm_spotter import LstmSpotter
from mexbench_plugins.models.mdmd import Mdmd
from mexbench_plugins.models.random_intervals import RandomIntervals


def claim(onset: int, offset: int, score: float) -> ScoredInterval:
    return ScoredInterval(onset=onset, offset=offset, kind="micro", score=score)


def video_of(curve: NDArray[Any], fps: float = 10) -> VideoFrames:
    return VideoFrames(frames=curve[:, None], first=101, fps=fps)


def read(video: VideoFrames) -> Mapping[str, NDArray[Any]]:
    return {"micro": video.frames[:, 0]}


def bumps(length: int, *places: tuple[int, float]) -> NDArray[np.float64]:
    time = np.arange(length)
    return sum((height * np.exp(-(((time - place) / 3) ** 2)) for place, height in places), np.zeros(length))


def test_a_peak_becomes_an_interval_of_the_usual_length_around_it() -> None:
    spotter = CurveSpotter(read, {"micro": 1.0}, "raw", {"micro": 0.5}, 1.0, ())
    (result,) = spotter([video_of(bumps(60, (30, 0.8), (50, 0.4)))])
    assert [(one.onset, one.apex, one.offset) for one in result] == [(126, 131, 136)]
    assert result[0].score == pytest.approx(1.6)
    (lower,) = spotter.at(0.7)([video_of(bumps(60, (30, 0.8), (50, 0.4)))])
    assert [one.apex for one in lower] == [131, 151]


def test_an_interval_is_cut_to_its_video() -> None:
    spotter = CurveSpotter(read, {"micro": 2.0}, "raw", {"micro": 1.0}, 0.5, ())
    (result,) = spotter([video_of(bumps(40, (2, 1.0)))])
    assert (result[0].onset, result[0].offset) == (101, 113)


def test_the_higher_of_two_that_overlap_stays() -> None:
    remaining = suppress([claim(1, 20, 0.5), claim(10, 29, 0.9), claim(27, 46, 0.4), claim(60, 70, 0.1)])
    assert [(one.onset, one.score) for one in remaining] == [(10, 0.9), (27, 0.4), (60, 0.1)]


def test_scales_make_curves_comparable() -> None:
    curve = np.array([1.0, 2, 3, 4, 100])
    assert scaled(curve, "z").tolist() == pytest.approx([(v - 3) / 1.4826 for v in curve])
    assert scaled(curve, "share").max() == 1
    assert scaled(np.ones(5), "z").tolist() == [0] * 5
    assert smoothed(np.array([0.0, 3, 0, 0]), 3).tolist() == pytest.approx([1.5, 1, 1, 0])


def test_what_the_whole_head_does_is_no_expression() -> None:
    blocks = np.array([[5.0] * 10, [0.0] * 9 + [5.0]])
    assert strongest(blocks, 0.1).tolist() == [0, 5]


def test_lengths_are_medians_in_seconds_and_a_type_that_does_not_occur_is_missing() -> None:
    intervals = [Interval(onset=1, apex=None, offset=offset, kind="micro") for offset in (5, 10, 30)]
    assert median_seconds([video_of(np.zeros(50))], [intervals]) == {"micro": 1.0}


def test_the_threshold_with_the_best_f1_is_chosen_the_highest_of_equals() -> None:
    true = [[Interval(onset=1, apex=None, offset=10, kind="micro")], []]
    candidates = [[claim(1, 10, 0.8)], [claim(1, 10, 0.4)]]
    assert choose_threshold(candidates, true, (0.2, 0.5, 0.7, 0.9)) == 0.7


def test_thresholds_are_chosen_on_the_training_side_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    choose = _spotting.choose_threshold

    def spy(candidates: Any, intervals: Any, thresholds: Any) -> float:  # noqa: ANN401
        seen.append(len(candidates))
        return choose(candidates, intervals, thresholds)

    monkeypatch.setattr(_spotting, "choose_threshold", spy)
    looked_at: list[int] = []

    def curves(video: VideoFrames) -> Mapping[str, NDArray[Any]]:
        looked_at.append(id(video))
        return read(video)

    train = [video_of(bumps(60, (30, 0.8))), video_of(bumps(60, (40, 0.2)))]
    true = [[Interval(onset=126, apex=None, offset=136, kind="micro")], []]
    test = [video_of(bumps(60, (20, 0.9)))]
    spotter = fit_curve_spotter(curves, train, true, scale="raw")
    assert seen == [2, 2]
    assert set(looked_at) == {id(video) for video in train}
    assert [one.apex for one in spotter(test)[0]] == [121]
    assert len(seen) == 2  # spotting chooses nothing


def test_softnet_has_the_sizes_of_the_authors_code() -> None:
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from mexbench_plugins.models._nn.softnet_network import ThreeStreams

    network = ThreeStreams((42, 42), np.random.default_rng(0))
    values = [int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(network, nnx.Param))]
    assert sum(values) == (75 + 3) + (125 + 5) + (200 + 8) + (784 * 400 + 400) + (400 + 1)
    assert network(jnp.zeros((2, 42, 42, 3), jnp.float32)).shape == (2,)


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (FrameDifference(), (32, 32, 3), "needs gray frames"),
        (LbpChi2(), (32, 32, 1), "lbp_chi2 needs histograms"),
        (Mdmd(), (28, 28, 3), "mdmd needs fields .* add frame_flow"),
    ],
)
def test_frames_of_another_kind_are_refused_with_the_step_to_add(model: Any, shape: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(DataError, match=message):
        model.check(shape)


def test_means_of_blocks_of_unequal_size() -> None:
    from mexbench_plugins.models._spotting import block_means

    pictures = np.arange(2 * 5 * 4, dtype=np.float32).reshape(2, 5, 4)
    expected = [
        [one[r, c].mean() for r in (slice(3), slice(3, 5)) for c in (slice(2), slice(2, 4))] for one in pictures
    ]
    assert block_means(pictures, 2).tolist() == expected


def test_one_convolution_gives_the_scores_of_three() -> None:
    import jax
    import jax.numpy as jnp

    from mexbench_plugins.models._nn.softnet_network import ThreeStreams

    network = ThreeStreams((12, 12), np.random.default_rng(0))
    network.biases[1][...] = jnp.linspace(-0.1, 0.2, 5)
    x = jnp.asarray(np.random.default_rng(1).normal(size=(3, 12, 12, 3)), jnp.float32)
    streams = []
    for channel, (kernel, bias) in enumerate(zip(network.kernels, network.biases, strict=True)):
        y = jax.lax.conv_general_dilated(
            x[..., channel : channel + 1], kernel[...], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        streams.append(jax.nn.relu(y + bias[...]).reshape(3, 4, 3, 4, 3, -1).max(axis=(2, 4)))
    y = jnp.concatenate(streams, axis=-1).reshape(3, 2, 2, 2, 2, -1).max(axis=(2, 4)).reshape(3, -1)
    y = jax.nn.relu(y @ network.dense[...] + network.dense_bias[...]) @ network.output[...] + network.output_bias[...]
    np.testing.assert_allclose(network(x), y[:, 0], rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": float("nan")}, "spotter.json"),
        ({"threshold": "1"}, "'threshold' should have finite numbers, got '1'"),
        ({"seconds": {"micro": -1.0}}, "'seconds' is -1, expected 1e-09 to 60"),
        ({"seconds": {"micro": 1e9}}, r"'seconds' is 1e\+09, expected 1e-09 to 60"),
        ({"units": {"micro": 1e-320, "macro": 1.0}}, "'units' is 9.99989e-321, expected 1e-09"),
        ({"units": {"micro": 1.0}}, "name different types"),
        ({"scale": "log"}, "unknown scale 'log'; known: z, share, raw"),
    ],
)
def test_a_saved_spotter_with_invalid_contents_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    content = {
        "seconds": {"micro": 0.4, "macro": 1.2}, "units": {"micro": 5.0, "macro": 7.0}, "scale": "z", "threshold": 1.0,
        "thresholds": [0.5, 1.0],
    }  # fmt: skip
    (tmp_path / "spotter.json").write_text(json.dumps(content))
    assert FrameDifference().load(tmp_path).threshold == 1
    (tmp_path / "spotter.json").write_text(json.dumps(content | change))
    with pytest.raises(ValueError, match=message):
        FrameDifference().load(tmp_path)
    if "seconds" in change:  # as many passes over the video as frames: it would not end
        with pytest.raises(ValueError, match=message):
            LbpChi2().load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": {"micro": 1e12, "macro": 0.1}}, r"'rate' is 1e\+12, expected 0 to 100"),
        ({"seconds": {"micro": [0.4, 1e300], "macro": [2.0]}}, r"'seconds' is 1e\+300, expected"),
        ({"seconds": {"micro": [0.4], "macro": [2.0] * 100_001}}, "a list of at most 100000 lengths"),
        ({"seconds": {"micro": 0.4, "macro": [2.0]}}, "a list of at most 100000 lengths"),
        ({"seed": 10**300}, "invalid seed, expected an integer from 0 to 18446744073709551615"),
        ({"seed": True}, "invalid seed"),
    ],
)
def test_a_null_model_that_would_never_end_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    content = {"seconds": {"micro": [0.4], "macro": [2.0]}, "rate": {"micro": 0.1, "macro": 0.1}, "seed": 0}
    (tmp_path / "spotter.json").write_text(json.dumps(content))
    assert RandomIntervals().load(tmp_path).statistics.seconds == {"micro": (0.4,), "macro": (2.0,)}
    (tmp_path / "spotter.json").write_text(json.dumps(content | change))
    with pytest.raises(ValueError, match=message):
        RandomIntervals().load(tmp_path)


@pytest.mark.parametrize("change", [{"seconds": 1e300}, {"seconds": 0}, {"period": 1e300}, {"period": -1}])
def test_a_regular_spotter_with_a_length_that_training_cannot_give_is_refused(
    change: dict[str, Any], tmp_path: Path
) -> None:
    content = {"kind": "micro", "seconds": 0.4, "period": 1.6}
    (tmp_path / "spotter.json").write_text(json.dumps(content))
    assert EveryKFrames().load(tmp_path).regular.period == 1.6
    (tmp_path / "spotter.json").write_text(json.dumps(content | change))
    with pytest.raises(ValueError, match="expected 1e-09 to"):
        EveryKFrames().load(tmp_path)


def test_a_curve_that_is_not_finite_is_an_error_instead_of_a_video_without_expressions() -> None:
    spotter = CurveSpotter(read, {"micro": 1.0}, "raw", {"micro": 0.5}, 1.0, ())
    with pytest.raises(DataError, match="the curve of micro-expressions is not finite: training has diverged"):
        spotter([video_of(bumps(60, (30, np.inf)))])


@pytest.mark.parametrize("model", [Mdmd(grid=13), LstmSpotter(grid=13)])
def test_more_blocks_than_points_are_refused(model: Mdmd | LstmSpotter) -> None:
    model.check((13, 13, 6))
    with pytest.raises(DataError, match="of at least 13 x 13"):
        model.check((12, 13, 6))


def test_a_recurrent_spotter_with_more_cells_than_its_file_takes_no_memory(tmp_path: Path) -> None:
    model = LstmSpotter(epochs=1, hidden=2)
    videos, intervals = example_videos(model)
    model.save(model.fit_spotting(videos, intervals, groups=np.array(["a"] * len(videos)), seed=0), tmp_path)
    for hostile in (LstmSpotter(hidden=10**12), LstmSpotter(hidden=2, grid=10**9)):
        with pytest.raises(ValueError, match="arrays of another network"):
            hostile.load(tmp_path)
