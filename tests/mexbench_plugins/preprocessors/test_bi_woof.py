"""Bi-WOOF by hand, and against a loop over pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench.interfaces import Clip
from mexbench.testing import assert_conforms
from mexbench_plugins.preprocessors.bi_woof import BiWoof


def flow(*pixels: tuple[float, float, float], height: int, width: int) -> Clip:
    return Clip(frames=np.array(pixels, np.float32).reshape(1, height, width, 3))


def test_magnitude_is_the_local_weight_and_mean_strain_the_global_one() -> None:
    """One block of four pixels: to the right by 3, downwards by 2, upwards by 1, left by 5; mean strain .5."""
    clip = flow((3, 0, 0.2), (0, 2, 0.4), (0, -1, 0.6), (-5, 0, 0.8), height=2, width=2)
    assert BiWoof(blocks=1, bins=4)(clip).frames[0].tolist() == pytest.approx([2.5, 0.5, 1.5, 1.0])


def test_a_block_without_strain_or_motion_counts_nothing() -> None:
    clip = flow((3, 4, 0), (0, 0, 9), height=1, width=2)
    with pytest.raises(DataError, match="too small for 2 x 2 blocks"):
        BiWoof(blocks=2)(clip)
    tall = Clip(frames=np.repeat(clip.frames, 2, axis=1))
    assert not BiWoof(blocks=2, bins=8)(tall).frames.any()


def test_it_is_what_a_loop_over_pixels_gives() -> None:
    frames = np.random.default_rng(0).normal(size=(2, 11, 13, 3)).astype(np.float32)
    expected = np.zeros((2, 3, 3, 8))
    strains: dict[tuple[int, int, int], list[float]] = {}
    for t, y, x in np.ndindex(2, 11, 13):
        u, v, strain = map(float, frames[t, y, x])
        row, column = y * 3 // 11, x * 3 // 13
        bin_ = min(int((math.atan2(v, u) + math.pi) // (math.pi / 4)), 7)
        expected[t, row, column, bin_] += math.hypot(u, v)
        strains.setdefault((t, row, column), []).append(strain)
    for place, values in strains.items():
        expected[place] *= np.mean(values)
    result = BiWoof(blocks=3)(Clip(frames=frames)).frames
    assert result.shape == (2, 72)
    np.testing.assert_allclose(result, expected.reshape(2, -1), rtol=1e-4, atol=1e-6)


def test_stretched_maps_are_refused() -> None:
    with pytest.raises(DataError, match=r"bi_woof needs \(T,H,W,3\) float32 frames.*put optical_flow"):
        BiWoof()(Clip(frames=np.zeros((1, 28, 28, 3), np.uint8)))


def test_it_conforms() -> None:
    assert_conforms(BiWoof())
