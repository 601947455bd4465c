from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import cv2.data
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.errors import DataError, SampleRejected
from mexbench_plugins.preprocessors import face
from mexbench_plugins.preprocessors._images import gray
from mexbench_plugins.preprocessors.face import Box, DetectOptions, Face, detect, square
from tests.pictures import face_frame, locked

EMPTY = face_frame(faces=())
LEFT, RIGHT = ((180, 240, 200),), ((450, 240, 200),)


def frames_of(*faces: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    return np.stack([face_frame(faces=places, seed=seed) for seed, places in enumerate(faces)])


def video(folder: Path, name: str) -> np.ndarray:
    """Every sixth frame of a real video, RGB."""
    capture = cv2.VideoCapture(str(folder / "video" / name))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1][..., ::-1])
    assert len(frames) > 20
    return np.ascontiguousarray(frames[::6])


def test_finds_the_one_face_of_a_real_video_at_one_place(shared_data: Path) -> None:
    frames = video(shared_data, "single_face.mp4")
    for frame in frames:
        assert len(detect(gray(frame), DetectOptions())) == 1
    cropped = Face()(locked(frames))
    assert cropped.notes == ()
    side = cropped.frames.shape[1]
    assert cropped.frames.shape == (len(frames), side, side, 3)
    assert 150 < side < 250


def test_finds_no_face_in_a_real_video_without_one(shared_data: Path) -> None:
    frames = video(shared_data, "no_face.mp4")
    assert [detect(gray(frame), DetectOptions()) for frame in frames] == [[]] * len(frames)
    with pytest.raises(SampleRejected, match="no face found in the onset frame"):
        Face()(locked(frames[:1]))


@pytest.mark.parametrize("width", [150, 220, 300])
def test_box_lies_on_the_face_that_was_drawn(width: int) -> None:
    (box,) = detect(gray(face_frame(faces=((300, 220, width),))), DetectOptions())
    assert box.x + box.width / 2 == pytest.approx(300, abs=0.05 * width)
    assert box.y + box.height / 2 == pytest.approx(220, abs=0.15 * width)
    assert 0.8 * width < box.width < 1.3 * width


def test_onset_cuts_every_frame_where_the_onset_has_its_face() -> None:
    frames = frames_of(LEFT, RIGHT, LEFT)
    (box,) = detect(gray(frames[1]), DetectOptions())
    clip = locked(frames, onset_index=1, apex_index=2, offset_index=2, notes=("before",))
    done = Face()(clip)
    np.testing.assert_array_equal(
        done.frames, frames[:, box.y : box.y + box.height, box.x : box.x + box.width], strict=True
    )
    assert (done.fps, done.onset_index, done.apex_index, done.offset_index) == (200.0, 1, 2, 2)
    assert done.notes == ("before",)


def test_without_a_known_onset_the_first_frame_counts() -> None:
    frames = frames_of(LEFT, RIGHT)
    np.testing.assert_array_equal(
        Face()(locked(frames)).frames, Face()(locked(frames, onset_index=0)).frames, strict=True
    )


def test_every_brings_all_crops_to_the_size_of_the_first() -> None:
    small, large = ((300, 240, 160),), ((340, 240, 300),)
    frames = frames_of(small, large, small)
    boxes = [detect(gray(frame), DetectOptions())[0] for frame in frames]
    done = Face(detect="every")(locked(frames))
    side = boxes[0].width
    assert done.frames.shape == (3, side, side, 3)
    x, y, width, height = boxes[1]
    expected = cv2.resize(frames[1, y : y + height, x : x + width], (side, side), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(done.frames[1], expected)


def test_gray_frames_are_cut_like_their_colour_ones() -> None:
    frames = frames_of(LEFT, LEFT)
    grays = np.stack([gray(frame) for frame in frames])[..., None]
    for mode in ("onset", "every"):
        colour, alone = Face(detect=mode)(locked(frames.copy())), Face(detect=mode)(locked(grays.copy()))
        assert alone.frames.shape == (*colour.frames.shape[:3], 1)


def test_margin_adds_a_share_of_the_box_at_each_side() -> None:
    frames = frames_of(((320, 240, 200),))
    (box,) = detect(gray(frames[0]), DetectOptions())
    side = Face(margin=0.25)(locked(frames)).frames.shape[1]
    assert side == round(1.5 * box.width)


def test_several_faces_the_largest_is_taken_and_noted() -> None:
    frames = frames_of(((180, 240, 160), (460, 240, 220)))
    boxes = detect(gray(frames[0]), DetectOptions())
    assert [box.x > 320 for box in boxes] == [True, False]  # the right one is larger
    done = Face()(locked(frames, notes=("before",)))
    assert done.notes == ("before", "several faces found: the largest taken")
    box = boxes[0]
    np.testing.assert_array_equal(done.frames[0], frames[0, box.y :, box.x :][: box.height, : box.width])


def test_several_faces_are_noted_once_a_clip() -> None:
    two = ((180, 240, 160), (460, 240, 220))
    assert Face(detect="every")(locked(frames_of(two, two))).notes == ("several faces found: the largest taken",)


def test_several_faces_can_be_refused() -> None:
    frames = frames_of(((180, 240, 160), (460, 240, 220)))
    with pytest.raises(SampleRejected, match=r"several faces found in the onset frame \(face: several: reject\)"):
        Face(several="reject")(locked(frames))


def test_no_face_rejects_the_sample() -> None:
    frames = np.stack([face_frame(), EMPTY])
    with pytest.raises(SampleRejected, match=r"no face found in the onset frame \(face: none: reject\)"):
        Face()(locked(frames, onset_index=1))
    with pytest.raises(SampleRejected, match="no face found in one of the frames"):
        Face(detect="every")(locked(frames))
    assert len(Face()(locked(frames)).frames) == 2  # the onset has one


def test_no_face_can_keep_the_whole_frames_and_says_so() -> None:
    frames = np.stack([EMPTY, face_frame()])
    done = Face(none="whole")(locked(frames, notes=("before",)))
    np.testing.assert_array_equal(done.frames, frames)
    assert done.notes == ("before", "no face found: the whole frame kept")


def test_no_face_in_one_of_every_frame_keeps_all_whole() -> None:
    frames = np.stack([face_frame(), EMPTY])
    done = Face(detect="every", none="whole")(locked(frames))
    np.testing.assert_array_equal(done.frames, frames)
    assert done.notes == ("no face found in some frames: the whole frames kept",)


def test_min_size_is_a_share_of_the_shorter_side() -> None:
    image = gray(face_frame(faces=((320, 240, 150),)))
    (box,) = detect(image, DetectOptions(min_size=0.2))
    assert box.width < 0.5 * 480
    assert detect(image, DetectOptions(min_size=0.5)) == []


@given(
    data=st.data(), height=st.integers(1, 300), width=st.integers(1, 300), margin=st.floats(0, 2, allow_subnormal=False)
)
def test_square_lies_within_the_image_and_holds_the_box(
    data: st.DataObject, height: int, width: int, margin: float
) -> None:
    side = data.draw(st.integers(1, min(height, width)))
    box = Box(data.draw(st.integers(0, width - side)), data.draw(st.integers(0, height - side)), side, side)
    crop = square(box, margin, height, width)
    assert crop.width == crop.height == min(round(side * (1 + 2 * margin)), height, width)
    assert 0 <= crop.x <= box.x
    assert 0 <= crop.y <= box.y
    assert box.x + side <= crop.x + crop.width <= width
    assert box.y + side <= crop.y + crop.height <= height


def test_square_without_a_margin_is_the_box() -> None:
    assert square(Box(7, 3, 50, 50), 0.0, 100, 100) == Box(7, 3, 50, 50)


@pytest.mark.parametrize(
    ("frames", "got"),
    [
        (np.zeros((2, 40, 40, 3), np.float32), r"\(2, 40, 40, 3\) float32"),
        (np.zeros((2, 40, 40, 2), np.uint8), r"\(2, 40, 40, 2\) uint8"),
        (np.zeros((40, 40, 3), np.uint8), r"\(40, 40, 3\) uint8"),
        (np.zeros((0, 40, 40, 3), np.uint8), r"\(0, 40, 40, 3\) uint8"),
        (np.zeros((2, 40, 40, 3), np.uint16), r"\(2, 40, 40, 3\) uint16"),
    ],
)
def test_non_images_are_rejected(frames: np.ndarray, got: str) -> None:
    with pytest.raises(DataError, match=rf"face needs \(T,H,W,3\) or \(T,H,W,1\) uint8 frames, got {got}"):
        Face()(locked(frames))


@pytest.mark.parametrize("onset", [-1, 2])
def test_an_onset_outside_the_clip_is_an_error(onset: int) -> None:
    with pytest.raises(DataError, match=rf"onset_index is {onset}, but the clip has frames 0 to 1"):
        Face()(locked(np.stack([EMPTY, EMPTY]), onset_index=onset))


@pytest.fixture
def fresh_cascade() -> Iterator[None]:
    face._cascade.cache_clear()
    yield
    face._cascade.cache_clear()


@pytest.mark.usefixtures("fresh_cascade")
def test_a_missing_cascade_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    with pytest.raises(DataError, match=r"haarcascade_frontalface_default\.xml; install opencv-python-headless"):
        Face()(locked(EMPTY[None].copy()))


@pytest.mark.usefixtures("fresh_cascade")
@pytest.mark.parametrize("content", ["", "<?xml version='1.0'?><opencv_storage></opencv_storage>"])
def test_a_broken_cascade_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str) -> None:
    (tmp_path / face.CASCADE).write_text(content)
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    with pytest.raises(DataError, match="no usable"):
        Face()(locked(EMPTY[None].copy()))
