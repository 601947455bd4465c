from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Literal, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.errors import DataError, SampleRejected
from mexbench_plugins.preprocessors import lbp_top
from mexbench_plugins.preprocessors.lbp_top import LbpTop
from tests.pictures import locked, noise_clip

# Decimals have 28 digits: whether an interpolated neighbour equals the centre is beyond doubt.
HALF_ROOT = Decimal("0.5").sqrt()
ONE, NIL = Decimal(1), Decimal(0)
#: cos and sin of 0, 45, 90, ... degrees.
ANGLES = [
    (ONE, NIL),
    (HALF_ROOT, HALF_ROOT),
    (NIL, ONE),
    (-HALF_ROOT, HALF_ROOT),
    (-ONE, NIL),
    (-HALF_ROOT, -HALF_ROOT),
    (NIL, -ONE),
    (HALF_ROOT, -HALF_ROOT),
]


def value_at(volume: np.ndarray, t: Decimal, y: Decimal, x: Decimal) -> Decimal:
    """Interpolate linearly along every axis."""
    total = NIL
    lows = [int(place.to_integral_value("ROUND_FLOOR")) for place in (t, y, x)]
    for dt in (0, 1):
        for dy in (0, 1):
            for dx in (0, 1):
                corner = (lows[0] + dt, lows[1] + dy, lows[2] + dx)
                weight = ONE
                for place, at in zip((t, y, x), corner, strict=True):
                    weight *= 1 - abs(place - at)
                if weight:
                    total += weight * int(volume[corner])
    return total


def sign(value: Decimal) -> Decimal:
    return NIL if value == 0 else value / abs(value)


def slow_lbp_top(
    volume: np.ndarray, radius_t: int, radius_y: int, radius_x: int, *, strict: bool, circle: bool, grid: int
) -> np.ndarray:
    """Count 256 codes: (cells down, cells across, plane, code), by loops over every pixel and neighbour."""
    frames, height, width = volume.shape
    inner_height, inner_width = height - 2 * radius_y, width - 2 * radius_x
    counts = np.zeros((grid, grid, 3, 256), int)
    for t in range(radius_t, frames - radius_t):
        for y in range(radius_y, height - radius_y):
            for x in range(radius_x, width - radius_x):
                cell = ((y - radius_y) * grid // inner_height, (x - radius_x) * grid // inner_width)
                for plane in (0, 1, 2):
                    code = 0
                    for bit, (cos, sin) in enumerate(ANGLES):
                        right, up = (cos, sin) if circle else (sign(cos), sign(sin))
                        if plane == 0:  # XY
                            place = (t + NIL, y - up * radius_y, x + right * radius_x)
                        elif plane == 1:  # XT
                            place = (t - up * radius_t, y + NIL, x + right * radius_x)
                        else:  # YT
                            place = (t - up * radius_t, y + right * radius_y, x + NIL)
                        difference = value_at(volume, *place) - int(volume[t, y, x])
                        if abs(difference) < Decimal("1e-20"):
                            difference = NIL
                        code += (difference > 0 or (difference == 0 and not strict)) << bit
                    counts[(*cell, plane, code)] += 1
    return counts


def is_uniform(code: int) -> bool:
    bits = f"{code:08b}"
    return sum(a != b for a, b in zip(bits, bits[1:] + bits[0], strict=True)) <= 2


class Case(NamedTuple):
    shape: tuple[int, int, int]
    radii: tuple[int, int, int]
    grid: int
    levels: int


CASES = [
    Case((5, 7, 8), (1, 1, 1), 1, levels=3),  # few levels: many ties, some of them between interpolated values
    Case((4, 6, 7), (1, 1, 1), 2, levels=256),
    Case((6, 8, 9), (2, 1, 3), 2, levels=6),
    Case((3, 9, 5), (1, 2, 1), 3, levels=2),
]


@pytest.mark.parametrize("neighbours", ["circle", "square"])
@pytest.mark.parametrize("comparison", ["at_least", "strict"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_the_slow_reference(
    case: Case, comparison: Literal["at_least", "strict"], neighbours: Literal["circle", "square"]
) -> None:
    clip = noise_clip(*case.shape, 1, levels=case.levels)
    counts = slow_lbp_top(
        clip.frames[..., 0],
        *case.radii,
        strict=comparison == "strict",
        circle=neighbours == "circle",
        grid=case.grid,
    )
    step = LbpTop(
        radius_t=case.radii[0],
        radius_y=case.radii[1],
        radius_x=case.radii[2],
        neighbours=neighbours,
        comparison=comparison,
        patterns="all",
        grid=case.grid,
    )
    shares = counts / counts.sum(axis=-1, keepdims=True)
    done = step(clip).frames
    assert (done.shape, done.dtype) == ((1, case.grid**2 * 3 * 256), np.float32)
    np.testing.assert_allclose(done.reshape(shares.shape), shares, rtol=1e-6)

    uniform = [code for code in range(256) if is_uniform(code)]
    rest = [code for code in range(256) if not is_uniform(code)]
    binned = np.concatenate([shares[..., uniform], shares[..., rest].sum(axis=-1, keepdims=True)], axis=-1)
    done = dataclasses.replace(step, patterns="uniform")(clip).frames
    assert done.shape == (1, case.grid**2 * 3 * 59)
    np.testing.assert_allclose(done.reshape(binned.shape), binned, rtol=1e-6, atol=1e-7)


def test_an_interpolated_tie_counts_as_equal() -> None:
    volume = np.full((3, 4, 4), 10, np.uint8)
    # The upper right neighbour of pixel (y 2, x 1) lies as near to the pixel above as to the one on the right: one
    # more and one less cancel.
    volume[1, 2, 2], volume[1, 1, 1] = 11, 9
    bit = 0b10
    equal = LbpTop(patterns="all", grid=2)
    for step, expected in ((equal, bit), (dataclasses.replace(equal, comparison="strict"), 0)):
        xy = step(locked(volume[..., None].copy())).frames.reshape(2, 2, 3, 256)[1, 0, 0]
        (code,) = np.flatnonzero(xy)  # one pixel in the cell
        assert code & bit == expected


@given(seed=st.integers(0, 1000), grid=st.integers(1, 3), frames=st.integers(3, 6))
def test_every_histogram_sums_to_1(seed: int, grid: int, frames: int) -> None:
    done = LbpTop(grid=grid)(noise_clip(frames, 8, 7, 1, seed=seed)).frames
    np.testing.assert_allclose(done.reshape(-1, 59).sum(axis=1), 1, rtol=1e-5)


def test_a_still_clip_changes_in_space_alone() -> None:
    still = np.repeat(noise_clip(1, 12, 12, 1).frames, 5, axis=0)
    done = LbpTop(patterns="all", grid=1, comparison="strict", neighbours="square")(locked(still)).frames
    for plane in (1, 2):
        for code in np.flatnonzero(done.reshape(3, 256)[plane]):
            set_bits = [bool(code >> bit & 1) for bit in range(8)]
            assert not set_bits[2]  # the centre itself, a frame earlier
            assert not set_bits[6]  # and a frame later
            assert set_bits[0] == set_bits[1] == set_bits[7]
            assert set_bits[3] == set_bits[4] == set_bits[5]


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = noise_clip(9, 8, 8, 1, levels=5)
    step = LbpTop(grid=2, radius_t=2)
    at_once = step(clip).frames
    monkeypatch.setattr(lbp_top, "_CHUNK", 80)  # two frames of 6 x 6 at a time
    np.testing.assert_array_equal(step(clip).frames, at_once)


def test_result_has_no_frame_positions() -> None:
    clip = noise_clip(4, 8, 8, 1, onset_index=0, apex_index=2)
    done = LbpTop(grid=1)(clip)
    assert (done.fps, done.onset_index, done.apex_index, done.offset_index) == (None, None, None, None)


@pytest.mark.parametrize(("frames", "radius"), [(1, 1), (2, 1), (8, 4)])
def test_too_few_frames_reject_the_sample(frames: int, radius: int) -> None:
    with pytest.raises(SampleRejected, match=rf"fewer frames than the {2 * radius + 1} that lbp_top needs"):
        LbpTop(radius_t=radius)(noise_clip(frames, 9, 9, 1))


def test_minimum_number_of_frames_is_accepted() -> None:
    assert LbpTop(radius_t=4)(noise_clip(9, 9, 9, 1)).frames.shape == (1, 25 * 3 * 59)


def test_frames_that_cannot_be_coded_are_rejected() -> None:
    with pytest.raises(DataError, match=r"frames \(6, 9\) are too small for a grid of 5 x 5 cells with radius_y 1"):
        LbpTop()(noise_clip(3, 6, 9, 1))
    with pytest.raises(DataError, match=r"lbp_top needs \(T,H,W,1\) uint8 frames.*; put grayscale before it"):
        LbpTop()(noise_clip(3, 9, 9, 3))
