from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mexbench.errors import DataError
from mexbench_plugins.preprocessors._lbp_codes import uniform_table
from mexbench_plugins.preprocessors.lbp import Lbp
from tests.pictures import locked, noise_clip, texture

SCIKIT = Lbp(comparison="at_least", neighbours="circle")


def codes(step: Lbp, image: np.ndarray) -> np.ndarray:
    return step(locked(image[None, ..., None].copy())).frames[0, ..., 0]


def slow_codes(image: np.ndarray, *, strict: bool) -> np.ndarray:
    """Paper 4's patterns, pixel by pixel: the bits stand at 0, 45, 90, ... degrees; outside lies 0."""
    around = {1: (0, 1), 2: (-1, 1), 4: (-1, 0), 8: (-1, -1), 16: (0, -1), 32: (1, -1), 64: (1, 0), 128: (1, 1)}
    height, width = image.shape
    result = np.zeros((height, width), np.uint8)
    for row in range(height):
        for column in range(width):
            for value, (down, right) in around.items():
                y, x = row + down, column + right
                neighbour = int(image[y, x]) if 0 <= y < height and 0 <= x < width else 0
                centre = int(image[row, column])
                if neighbour > centre or (neighbour == centre and not strict):
                    result[row, column] += value
    return result


def test_a_case_worked_by_hand() -> None:
    image = np.array([[5, 9, 1], [4, 5, 6], [5, 5, 7]], np.uint8)
    # greater than 5: right 6 (bit 0), above 9 (bit 2), below right 7 (bit 7)
    assert codes(Lbp(), image)[1, 1] == 1 + 4 + 128
    # equal: above left (bit 3), below left (bit 5), below (bit 6)
    assert codes(Lbp(comparison="at_least"), image)[1, 1] == 1 + 4 + 128 + 8 + 32 + 64


@given(
    image=arrays.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 3)),
    comparison=st.sampled_from(["strict", "at_least"]),
)
def test_square_equals_the_slow_reference(image: np.ndarray, comparison: Literal["strict", "at_least"]) -> None:
    expected = slow_codes(image, strict=comparison == "strict")
    np.testing.assert_array_equal(codes(Lbp(comparison=comparison), image), expected, strict=True)


@pytest.mark.parametrize("levels", [2, 5, 256])
@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (48, 48), (61, 300)])
def test_circle_at_least_is_scikit_images_code_map(shape: tuple[int, int], levels: int) -> None:
    texture_module = pytest.importorskip("skimage.feature", reason="needs scikit-image")
    image = np.random.default_rng(levels).integers(0, levels, shape).astype(np.uint8)
    expected = texture_module.local_binary_pattern(image, 8, 1, method="default")
    np.testing.assert_array_equal(codes(SCIKIT, image), expected)


@pytest.mark.parametrize("value", [0, 1, 100, 255])
def test_even_areas_round_as_scikit_image_does(value: int) -> None:
    texture_module = pytest.importorskip("skimage.feature", reason="needs scikit-image")
    image = np.full((150, 200), value, np.uint8)
    expected = texture_module.local_binary_pattern(image, 8, 1, method="default")
    np.testing.assert_array_equal(codes(SCIKIT, image), expected)


def test_even_areas_have_one_code_on_the_square() -> None:
    image = np.full((40, 50), 100, np.uint8)
    assert not codes(Lbp(), image).any()
    assert (codes(Lbp(comparison="at_least"), image)[1:-1, 1:-1] == 255).all()


def test_division_by_255_leaves_the_codes_alone() -> None:
    image = texture(30, 40)
    np.testing.assert_array_equal(codes(Lbp(), (image / np.float32(255))), codes(Lbp(), image))


def test_codes_of_a_clip_are_those_of_its_frames() -> None:
    clip = noise_clip(3, 8, 9, 1, onset_index=0, apex_index=2)
    for step in (Lbp(), SCIKIT):
        done = step(clip)
        assert (done.frames.shape, done.frames.dtype) == (clip.frames.shape, np.uint8)
        assert (done.onset_index, done.apex_index) == (0, 2)
        for frame, result in zip(clip.frames, done.frames, strict=True):
            np.testing.assert_array_equal(result[..., 0], codes(step, frame[..., 0]))


@given(
    image=arrays.arrays(np.uint8, st.tuples(st.integers(5, 12), st.integers(5, 12)), elements=st.integers(0, 9)),
    grid=st.integers(1, 5),
)
def test_each_cells_histogram_sums_to_1(image: np.ndarray, grid: int) -> None:
    done = Lbp(output="histogram", grid=grid)(locked(image[None, ..., None]))
    assert (done.frames.shape, done.frames.dtype) == ((1, grid * grid * 256), np.float32)
    np.testing.assert_allclose(done.frames.reshape(grid * grid, 256).sum(axis=1), 1, rtol=1e-5)


def test_histogram_counts_the_codes_of_each_cell_row_by_row() -> None:
    clip = noise_clip(2, 10, 13, 1, levels=4)
    done = Lbp(output="histogram", grid=2)(clip).frames
    assert done.shape == (2, 1024)
    for frame, result in zip(Lbp()(clip).frames[..., 0], done, strict=True):
        cells = [frame[:5, :7], frame[:5, 7:], frame[5:, :7], frame[5:, 7:]]
        expected = [np.bincount(cell.ravel(), minlength=256) / cell.size for cell in cells]
        np.testing.assert_allclose(result, np.concatenate(expected), rtol=1e-6)


def test_uniform_codes_change_twice_at_most() -> None:
    table = uniform_table()
    assert sorted(set(table)) == list(range(59))
    assert [int(code) for code in np.flatnonzero(table < 58)][:8] == [0, 1, 2, 3, 4, 6, 7, 8]
    assert table[0b01010101] == table[0b00001001] == 58
    assert table[255] == 57


def test_refuses_colour_and_says_what_to_do() -> None:
    with pytest.raises(
        DataError,
        match=r"lbp needs \(T,H,W,1\) uint8 or float32 frames, got \(1, 4, 4, 3\) uint8; put grayscale before",
    ):
        Lbp()(noise_clip(1, 4, 4, 3))


def test_refuses_more_cells_than_pixels() -> None:
    with pytest.raises(DataError, match=r"frames \(4, 9\) are too small for a grid of 5 x 5 cells"):
        Lbp(output="histogram", grid=5)(noise_clip(1, 4, 9, 1))
