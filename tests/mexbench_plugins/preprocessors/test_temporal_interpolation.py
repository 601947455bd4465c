from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import eigh

from mexbench.errors import SampleRejected
from mexbench.interfaces import Clip
from mexbench_plugins.preprocessors.temporal_interpolation import (
    TemporalInterpolation,
    graph_weights,
    linear_weights,
)


def published_algorithm(frames: NDArray[np.float64], wanted: int) -> NDArray[np.float64]:
    """The equations of the paper as they are printed: SVD, generalised eigenvectors, the curve at new times.

    X = U S V', Q = S V'; Q L Q' w = lambda Q Q' w; y_k = Q' w_k is an eigenvector of the Laplacian L of the path.
    """
    n = len(frames)
    x = (frames - frames.mean(axis=0)).T  # (D, n)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    u, q = u[:, : n - 1], (s[:, None] * vt)[: n - 1]
    laplacian = np.diag([1.0, *[2.0] * (n - 2), 1.0]) - np.eye(n, k=1) - np.eye(n, k=-1)
    w = np.asarray(eigh(q @ laplacian @ q.T, q @ q.T)[1])
    embedded = w.T @ q  # (n - 1, n), row k proportional to the k-th eigenvector
    k = np.arange(1, n)

    def curve(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sin(np.pi * k[:, None] * t + np.pi * (n - k[:, None]) / (2 * n))

    scale = np.diag(embedded[:, 0] / curve(np.array([1 / n]))[:, 0])
    back = u @ np.linalg.inv(w.T) @ scale
    return (back @ curve(np.linspace(1 / n, 1, wanted))).T + frames.mean(axis=0)


@pytest.mark.parametrize(("count", "wanted"), [(5, 10), (12, 10), (7, 7), (2, 9)])
def test_the_written_out_solution_is_that_of_the_published_equations(count: int, wanted: int) -> None:
    frames = np.random.default_rng(count).normal(size=(count, 30))
    result = TemporalInterpolation(frames=wanted)(Clip(frames=frames)).frames
    np.testing.assert_allclose(result, published_algorithm(frames, wanted), atol=1e-9)


@pytest.mark.parametrize("weights", [graph_weights, linear_weights])
def test_weights_sum_to_one_and_meet_every_frame(weights: Callable[[int, int], NDArray[np.float64]]) -> None:
    np.testing.assert_allclose(weights(9, 23).sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(weights(9, 9), np.eye(9), atol=1e-12)
    np.testing.assert_allclose(weights(9, 17)[::2], np.eye(9), atol=1e-12)


def test_linear_interpolation_of_a_ramp() -> None:
    ramp = Clip(frames=np.array([[0], [10], [40]], np.float32), fps=100, onset_index=0, apex_index=1, offset_index=2)
    result = TemporalInterpolation(frames=5, method="linear")(ramp)
    assert result.frames[:, 0].tolist() == [0, 5, 10, 25, 40]
    assert (result.fps, result.onset_index, result.apex_index, result.offset_index) == (200.0, 0, 2, 4)


def test_bytes_stay_bytes_and_do_not_wrap_around() -> None:
    """The curve through 0, 0, 255, 255 overshoots at both ends of the step."""
    frames = np.repeat(np.array([0, 0, 255, 255], np.uint8), 4).reshape(4, 2, 2, 1)
    values = TemporalInterpolation(frames=40)(Clip(frames=frames.astype(np.float64))).frames
    assert values.min() < -5
    assert values.max() > 260
    result = TemporalInterpolation(frames=40)(Clip(frames=frames)).frames
    assert (result.dtype, result.min(), result.max()) == (np.uint8, 0, 255)
    np.testing.assert_array_equal(result, np.clip(np.rint(values), 0, 255))


def test_a_static_clip_stays_as_it_is() -> None:
    """Equal frames are linearly dependent, where the decomposition of the paper fails."""
    frames = np.full((6, 3, 3, 1), 117, np.uint8)
    np.testing.assert_array_equal(TemporalInterpolation()(Clip(frames=frames)).frames, np.full((10, 3, 3, 1), 117))


def test_a_clip_of_one_frame_is_excluded() -> None:
    with pytest.raises(SampleRejected, match="one frame"):
        TemporalInterpolation()(Clip(frames=np.zeros((1, 4, 4, 1), np.uint8)))
