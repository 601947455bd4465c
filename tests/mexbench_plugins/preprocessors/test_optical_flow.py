from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import pytest

from mexbench.errors import DataError, SampleRejected
from mexbench_plugins.preprocessors.optical_flow import OpticalFlow, strain
from tests.pictures import face_frame, locked, texture

Method = Literal["farneback", "dis", "tvl1_skimage"]
METHODS: tuple[Method, ...] = ("farneback", "dis", "tvl1_skimage")
INNER = (slice(20, -20), slice(20, -20))


def moved(image: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Move what is at each pixel by (u, v): for small and smooth fields, take each pixel from where it came."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    return cv2.remap(image, columns - u, rows - v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def pair(u: np.ndarray | float, v: np.ndarray | float) -> np.ndarray:
    """A textured frame and the same one moved: (2, 120, 140, 1)."""
    image = texture(120, 140)
    full = [np.broadcast_to(np.float32(part), image.shape).astype(np.float32) for part in (u, v)]
    return np.stack([image, moved(image, *full)])[..., None]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("u", "v"), [(2.0, 0.0), (0.0, -1.5), (-0.6, 0.4)])
def test_a_shift_is_found_to_the_right_and_downwards(method: Method, u: float, v: float) -> None:
    done = OpticalFlow(method=method)(locked(pair(u, v), onset_index=0, apex_index=1))
    assert (done.frames.shape, done.frames.dtype) == ((1, 120, 140, 3), np.float32)
    found_u, found_v, found_strain = (done.frames[0][INNER][..., channel] for channel in range(3))
    assert np.median(found_u) == pytest.approx(u, abs=0.1)
    assert np.median(found_v) == pytest.approx(v, abs=0.1)
    assert np.abs(found_u - u).mean() < 0.15
    assert np.abs(found_v - v).mean() < 0.15
    assert np.median(found_strain) < 0.05  # a shift strains nothing


@pytest.mark.parametrize("method", METHODS)
def test_a_stretch_is_found_with_its_strain(method: Method) -> None:
    columns = np.broadcast_to(np.arange(140, dtype=np.float32) - 70, (120, 140))
    done = OpticalFlow(method=method)(locked(pair(0.04 * columns, 0.0), apex_index=1))
    u, _, measured = (done.frames[0][INNER][..., channel] for channel in range(3))
    np.testing.assert_allclose(u.mean(axis=0), 0.04 * columns[0, 20:-20], atol=0.25)
    assert np.median(measured) == pytest.approx(0.04, abs=0.015)


@pytest.mark.parametrize(
    ("gradient", "expected"),
    [
        ((0.1, 0.0, 0.0, 0.0), 0.1),
        ((0.0, 0.0, 0.0, -0.2), 0.2),
        ((0.0, 0.1, 0.1, 0.0), np.sqrt(2) * 0.1),  # shear: exy = 0.1
        ((0.0, 0.1, -0.1, 0.0), 0.0),  # a turn strains nothing
        ((0.3, 0.2, 0.0, 0.4), np.sqrt(0.09 + 0.16 + 2 * 0.01)),
    ],
)
def test_strain_of_linear_fields(gradient: tuple[float, float, float, float], expected: float) -> None:
    u_x, u_y, v_x, v_y = gradient
    y, x = np.mgrid[:6, :9].astype(np.float32)
    measured = strain(np.stack([u_x * x + u_y * y, v_x * x + v_y * y], axis=-1).astype(np.float32))
    assert measured.dtype == np.float32
    np.testing.assert_allclose(measured, expected, atol=1e-6)


def test_channels_are_chosen_and_ordered() -> None:
    clip = locked(pair(1.0, 0.5), apex_index=1)
    u, v, strained = np.moveaxis(OpticalFlow()(clip).frames, -1, 0)
    chosen = OpticalFlow(channels=("strain", "v"))(clip).frames
    np.testing.assert_array_equal(chosen, np.stack([strained, v], axis=-1))
    np.testing.assert_array_equal(OpticalFlow(channels=("u",))(clip).frames, u[..., None])


def test_a_channel_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"channels names one twice: \['u', 'u'\]"):
        OpticalFlow(channels=("u", "u"))


def test_farneback_is_opencvs_own_call() -> None:
    first, second = pair(1.0, 0.0)[..., 0]
    own = cv2.calcOpticalFlowFarneback(first, second, np.zeros((120, 140, 2), np.float32), 0.5, 3, 15, 3, 5, 1.2, 0)
    done = OpticalFlow(channels=("u", "v"))(locked(np.stack([first, second])[..., None], apex_index=1))
    np.testing.assert_array_equal(done.frames[0], own)


def test_goes_from_the_onset_to_the_apex_and_nowhere_else() -> None:
    still, shifted = pair(1.5, 0.0)
    other = texture(120, 140, seed=9)[..., None]
    clip = locked(np.stack([other, still, other, shifted, other]), onset_index=1, apex_index=3, offset_index=4)
    done = OpticalFlow(channels=("u",))(clip)
    assert np.median(done.frames[0][INNER]) == pytest.approx(1.5, abs=0.1)
    assert (done.fps, done.onset_index, done.apex_index, done.offset_index, done.notes) == (None, None, None, None, ())


def test_colour_frames_are_measured_in_gray() -> None:
    frames = np.stack([face_frame(size=(60, 80), faces=((x, 30, 40),), seed=0) for x in (40, 41)])
    grays = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])[..., None]
    colour, gray = (OpticalFlow()(locked(given, apex_index=1)).frames for given in (frames, grays))
    np.testing.assert_array_equal(colour, gray)


@pytest.mark.parametrize(
    ("apex", "reason"), [(None, "no apex is known"), (1, "the apex is the onset itself")], ids=["none", "onset"]
)
def test_without_an_apex_the_sample_is_rejected(apex: int | None, reason: str) -> None:
    frames = np.repeat(texture(20, 20)[None, ..., None], 4, axis=0)
    with pytest.raises(SampleRejected, match=rf"{reason} \(optical_flow: no_apex: reject\)"):
        OpticalFlow()(locked(frames, onset_index=1, apex_index=apex))


@pytest.mark.parametrize(("offset", "middle"), [(None, 3), (3, 2)])
def test_middle_frame_replaces_a_missing_apex_with_a_note(offset: int | None, middle: int) -> None:
    frames = np.stack([texture(30, 30, seed=seed) for seed in range(6)])[..., None]
    done = OpticalFlow(no_apex="middle")(locked(frames, onset_index=1, offset_index=offset, notes=("before",)))
    expected = OpticalFlow()(locked(frames, onset_index=1, apex_index=middle))
    np.testing.assert_array_equal(done.frames, expected.frames)
    assert done.notes == ("before", "no apex known: optical flow to the frame midway between onset and offset")


def test_frame_of_largest_difference_replaces_a_missing_apex_with_a_note() -> None:
    image = texture(30, 30) // 2
    frames = np.stack([image + 90, image, image + 5, image + 20, image + 9, image + 90])[..., None]
    done = OpticalFlow(no_apex="largest")(locked(frames, onset_index=1, offset_index=4))
    expected = OpticalFlow()(locked(frames, onset_index=1, apex_index=3))
    np.testing.assert_array_equal(done.frames, expected.frames)
    assert done.notes == ("no apex known: optical flow to the frame that differs most from the onset",)


def test_two_frames_are_enough() -> None:
    done = OpticalFlow(no_apex="middle", channels=("u",))(locked(pair(1.0, 0.0)))
    assert np.median(done.frames[0][INNER]) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("no_apex", ["reject", "middle", "largest"])
def test_one_frame_has_no_motion(no_apex: Literal["reject", "middle", "largest"]) -> None:
    for apex in (None, 0):
        with pytest.raises(SampleRejected, match="a clip of one frame has no motion"):
            OpticalFlow(no_apex=no_apex)(locked(texture(20, 20)[None, ..., None], apex_index=apex))


def test_an_onset_at_the_end_leaves_nothing_to_measure() -> None:
    frames = np.repeat(texture(20, 20)[None, ..., None], 3, axis=0)
    with pytest.raises(SampleRejected, match="no frame follows the onset up to the offset"):
        OpticalFlow(no_apex="middle")(locked(frames, onset_index=2))


@pytest.mark.skipif(hasattr(cv2, "optflow"), reason="this OpenCV is the contrib build")
def test_tvl1_says_which_build_it_needs() -> None:
    with pytest.raises(DataError, match=r"'tvl1' needs OpenCV's contrib build.*opencv-contrib-python-headless"):
        OpticalFlow(method="tvl1")(locked(pair(1.0, 0.0), apex_index=1))


@pytest.mark.skipif(not hasattr(cv2, "optflow"), reason="needs OpenCV's contrib build")
def test_tvl1_finds_a_shift() -> None:
    done = OpticalFlow(method="tvl1", channels=("u",))(locked(pair(2.0, 0.0), apex_index=1))
    assert np.median(done.frames[0][INNER]) == pytest.approx(2.0, abs=0.1)


def test_frames_that_cannot_be_measured_are_rejected() -> None:
    with pytest.raises(DataError, match=r"optical_flow needs \(T,H,W,3\) or \(T,H,W,1\) uint8 frames, got"):
        OpticalFlow()(locked(np.zeros((2, 30, 30, 1), np.float32)))
    with pytest.raises(DataError, match=r"frames \(12, 300\) are too small: 16 x 16 at least"):
        OpticalFlow(method="dis")(locked(np.zeros((2, 12, 300, 1), np.uint8), apex_index=1))
    with pytest.raises(DataError, match="apex_index is 2, but the clip has frames 0 to 1"):
        OpticalFlow()(locked(np.zeros((2, 30, 30, 1), np.uint8), apex_index=2))


@pytest.mark.parametrize("shape", [(16, 16), (16, 900), (900, 16)])
@pytest.mark.parametrize("method", METHODS)
def test_the_smallest_frames_are_safe(method: Method, shape: tuple[int, int]) -> None:
    frames = np.stack([texture(*shape, seed=seed) for seed in (0, 1)])[..., None]
    assert np.isfinite(OpticalFlow(method=method)(locked(frames, apex_index=1)).frames).all()
