"""The steps that change pixels and keep frames: clahe, grayscale, resize, normalise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.errors import DataError
from mexbench.interfaces import Preprocessor
from mexbench_plugins.preprocessors import _images
from mexbench_plugins.preprocessors.clahe import Clahe
from mexbench_plugins.preprocessors.grayscale import Grayscale
from mexbench_plugins.preprocessors.normalise import Normalise
from mexbench_plugins.preprocessors.resize import Resize
from mexbench_plugins.preprocessors.rgb import Rgb
from tests.pictures import face_frame, locked, noise_clip, texture

FRAME_STEPS = [
    Clahe(),
    Grayscale(),
    Resize(size=20),
    Normalise(mode="unit"),
    Normalise(mode="standard"),
    Normalise(mode="imagenet"),
]


@pytest.mark.parametrize("step", FRAME_STEPS, ids=repr)
def test_steps_change_only_the_frames(step: Preprocessor) -> None:
    frames = np.stack([face_frame(size=(48, 64), seed=seed) for seed in range(3)])
    before = frames.copy()
    clip = locked(frames, onset_index=0, apex_index=1, offset_index=2, notes=("before",))
    done = step(clip)
    assert (done.fps, done.onset_index, done.apex_index, done.offset_index) == (200.0, 0, 1, 2)
    assert done.notes == ("before",)
    assert len(done.frames) == 3
    np.testing.assert_array_equal(frames, before)
    np.testing.assert_array_equal(step(clip).frames, done.frames)


@pytest.mark.parametrize(("clip_limit", "tiles"), [(2.0, 8), (4.5, 3)])
def test_clahe_is_opencvs_own_call_on_l(clip_limit: float, tiles: int) -> None:
    frames = np.stack([face_frame(size=(101, 77), faces=((40, 50, 60),), seed=seed) for seed in range(2)])
    done = Clahe(clip_limit=clip_limit, tiles=tiles)(locked(frames))
    assert (done.frames.shape, done.frames.dtype) == (frames.shape, frames.dtype)
    for frame, result in zip(frames, done.frames, strict=True):
        lightness, a, b = cv2.split(cv2.cvtColor(frame, cv2.COLOR_RGB2Lab))
        own = cv2.createCLAHE(clip_limit, (tiles, tiles)).apply(lightness)
        np.testing.assert_array_equal(result, cv2.cvtColor(cv2.merge([own, a, b]), cv2.COLOR_Lab2RGB))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_byte_of_a_large_clip(threads: int) -> None:
    frames = np.stack([face_frame(size=(240, 240), faces=((120, 120, 180),), seed=seed) for seed in range(7)])
    assert frames.nbytes >= _images.BYTES_FOR_THREADS
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        done = Resize(size=224)(Clahe()(locked(frames)))
    finally:
        cv2.setNumThreads(before)
    for frame, result in zip(frames, done.frames, strict=True):
        lightness, a, b = cv2.split(cv2.cvtColor(frame, cv2.COLOR_RGB2Lab))
        own = cv2.createCLAHE(2.0, (8, 8)).apply(lightness)
        rgb = cv2.cvtColor(cv2.merge([own, a, b]), cv2.COLOR_Lab2RGB)
        np.testing.assert_array_equal(result, cv2.resize(rgb, (224, 224), interpolation=cv2.INTER_AREA))


def test_an_error_in_a_thread_is_raised() -> None:
    frames = np.zeros((9, 512, 512, 1), np.uint8)
    frames[7] = 1

    def action(frame: np.ndarray) -> np.ndarray:
        if frame.any():
            raise ValueError("this frame")
        return frame

    with pytest.raises(ValueError, match="this frame"):
        _images.each(frames, action)


def test_clahe_on_gray_is_opencvs_own_call() -> None:
    image = texture(60, 90) // 4
    done = Clahe(on="gray")(locked(image[None, ..., None]))
    assert done.frames.shape == (1, 60, 90, 1)
    np.testing.assert_array_equal(done.frames[0, ..., 0], cv2.createCLAHE(2.0, (8, 8)).apply(image))
    assert done.frames.std() > image.std()  # it raises contrast


def test_clahe_says_which_mode_fits() -> None:
    with pytest.raises(
        DataError,
        match=r"clahe \(on: lab\) needs \(T,H,W,3\) uint8 frames, got \(1, 9, 9, 1\) uint8; on: gray is for",
    ):
        Clahe()(noise_clip(1, 9, 9, 1))
    with pytest.raises(DataError, match="on: lab is for RGB frames"):
        Clahe(on="gray")(noise_clip(1, 9, 9, 3))
    with pytest.raises(DataError, match=r"frames \(9, 7\) are too small for 8 x 8 tiles"):
        Clahe()(noise_clip(1, 9, 7, 3))


def test_grayscale_weighs_red_green_and_blue() -> None:
    frames = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 20, 30]], np.uint8)
    done = Grayscale()(locked(frames.reshape(1, 1, 5, 3)))
    assert done.frames.shape == (1, 1, 5, 1)
    assert done.frames.dtype == np.uint8
    assert done.frames.ravel().tolist() == [76, 150, 29, 255, 18]


def test_rgb_repeats_gray_as_opencv_reads_it(tmp_path: Path) -> None:
    gray = np.random.default_rng(0).integers(0, 256, (4, 5, 1), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "gray.png"), gray)
    done = Rgb()(locked(gray[None]))
    np.testing.assert_array_equal(done.frames[0], cv2.imread(str(tmp_path / "gray.png")))
    assert Rgb()(done) is done


def test_grayscale_leaves_gray_frames_alone() -> None:
    clip = noise_clip(2, 5, 4, 1)
    assert Grayscale()(clip) is clip


@pytest.mark.parametrize(
    ("frames", "got"),
    [
        (np.zeros((5, 10, 10, 2), np.uint8), r"\(5, 10, 10, 2\) uint8"),
        (np.zeros((5, 10, 10, 3), np.float32), r"\(5, 10, 10, 3\) float32"),
        (np.zeros((0, 10, 10, 3), np.uint8), r"\(0, 10, 10, 3\) uint8"),
        (np.zeros((5, 30), np.float32), r"\(5, 30\) float32"),
    ],
)
def test_grayscale_says_what_it_needs(frames: np.ndarray, got: str) -> None:
    with pytest.raises(DataError, match=rf"^grayscale needs \(T,H,W,3\) or \(T,H,W,1\) uint8 frames, got {got}$"):
        Grayscale()(locked(frames))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_resize_to_height_and_width(channels: int, dtype: type) -> None:
    frames = noise_clip(2, 12, 10, channels).frames.astype(dtype)
    done = Resize(size=(7, 5))(locked(frames))
    assert (done.frames.shape, done.frames.dtype) == ((2, 7, 5, channels), dtype)
    assert Resize(size=6)(locked(frames)).frames.shape == (2, 6, 6, channels)


def test_resize_by_area_averages_what_falls_together() -> None:
    frames = np.arange(32, dtype=np.float32).reshape(1, 4, 8, 1)
    done = Resize(size=(2, 4))(locked(frames)).frames
    np.testing.assert_array_equal(done[0, ..., 0], frames[0, ..., 0].reshape(2, 2, 4, 2).mean(axis=(1, 3)))


def test_resize_by_area_enlarges_as_linear_does() -> None:
    clip = noise_clip(1, 9, 9, 3)
    for size in (18, (5, 20), (20, 5)):
        area, linear = (Resize(size=size, interpolation=how)(clip).frames for how in ("area", "linear"))
        np.testing.assert_array_equal(area, linear)


def test_resize_nearest_copies_pixels() -> None:
    frames = np.array([[1, 2], [3, 4]], np.uint8).reshape(1, 2, 2, 1)
    done = Resize(size=4, interpolation="nearest")(locked(frames)).frames[0, ..., 0]
    assert done.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


def test_resize_to_the_same_size_changes_nothing() -> None:
    clip = noise_clip(2, 6, 6, 3)
    assert Resize(size=6)(clip) is clip


def test_unit_divides_by_255() -> None:
    frames = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    done = Normalise()(locked(frames)).frames
    assert (done.dtype, done.shape) == (np.float32, frames.shape)
    np.testing.assert_allclose(done.ravel(), np.arange(256) / 255, rtol=1e-6)
    assert (done.min(), done.max()) == (0, 1)


@given(seed=st.integers(0, 1000), offset=st.floats(-1e4, 1e4, width=32), spread=st.floats(0.5, 1e3, width=32))
def test_standard_brings_a_clip_to_mean_0_and_deviation_1(seed: int, offset: float, spread: float) -> None:
    values = np.random.default_rng(seed).random((3, 6, 5, 2), dtype=np.float32)
    done = Normalise(mode="standard")(locked((values * spread + offset).astype(np.float32))).frames
    assert done.dtype == np.float32
    assert done.mean(dtype=np.float64) == pytest.approx(0, abs=1e-5)
    assert done.std(dtype=np.float64) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("value", [0.1, 255.0])
def test_standard_makes_zeros_of_a_constant_clip_and_says_so(value: float) -> None:
    done = Normalise(mode="standard")(locked(np.full((2, 50, 50, 3), value, np.float32)))
    assert not done.frames.any()
    assert done.notes == ("all pixels are equal: standardised to zeros",)


def test_imagenet_uses_its_channels_own_mean_and_deviation() -> None:
    frames = np.array([124, 116, 104, 255, 0, 255], np.uint8).reshape(1, 1, 2, 3)
    done = Normalise(mode="imagenet")(locked(frames)).frames
    assert done.dtype == np.float32
    expected = [0.0056, -0.0049, 0.0082, (1 - 0.485) / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(done.ravel(), expected, atol=1e-4)


def test_normalise_names_the_mode_that_does_not_fit() -> None:
    with pytest.raises(DataError, match=r"normalise \(mode imagenet\) needs \(T,H,W,3\) uint8 frames"):
        Normalise(mode="imagenet")(noise_clip(1, 4, 4, 1))
    with pytest.raises(DataError, match=r"normalise \(mode unit\) needs .* uint8 frames, got .* float32"):
        Normalise()(locked(np.zeros((1, 4, 4, 3), np.float32)))
