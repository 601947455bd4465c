from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mexbench.data.arrays import Arrays, load_arrays
from mexbench.data.samples import LabelledSamples, read_samples
from mexbench.errors import DataError, SampleRejected
from mexbench.interfaces import Clip, Preprocessor
from mexbench.registry.catalogue import Catalogue
from mexbench_plugins.preprocessors.clahe import Clahe
from mexbench_plugins.preprocessors.difference import NO_ONSET, Difference
from mexbench_plugins.preprocessors.face import Face
from mexbench_plugins.preprocessors.resize import Resize
from tests.helpers import config_of
from tests.pictures import face_frame, locked

#: One row of four gray pixels in three frames; the second is the onset in most tests.
PIXELS = np.array([[12, 90, 200, 0], [10, 100, 200, 255], [13, 60, 231, 0]], np.uint8).reshape(3, 1, 4, 1)


def values(step: Difference, clip: Clip) -> list[list[float]]:
    return step(clip).frames[:, 0, :, 0].tolist()


def test_float_differences_by_hand() -> None:
    done = Difference()(locked(PIXELS, onset_index=1))
    assert (done.frames.shape, done.frames.dtype) == ((3, 1, 4, 1), np.float32)
    expected = np.array([[8, -40, 0, -127], [0, 0, 0, 0], [12, -127, 124, -127]]) / 127  # times 4, then clipped
    np.testing.assert_allclose(done.frames[:, 0, :, 0], expected, atol=1e-7)
    assert done.notes == ()


def test_bytes_are_the_same_differences_around_128() -> None:
    done = Difference(output="uint8")(locked(PIXELS, onset_index=1))
    assert done.frames.dtype == np.uint8
    assert done.frames[:, 0, :, 0].tolist() == [[136, 88, 128, 1], [128, 128, 128, 128], [140, 1, 252, 1]]


def test_halves_are_rounded_to_even() -> None:
    assert values(Difference(scale=0.5, output="uint8"), locked(PIXELS, onset_index=1))[2] == [130, 108, 144, 1]


def test_a_small_scale_clips_nothing_and_a_large_one_leaves_the_sign() -> None:
    clip = locked(PIXELS, onset_index=1)
    np.testing.assert_allclose(values(Difference(scale=0.25), clip)[0], np.array([0.5, -2.5, 0, -63.75]) / 127)
    assert values(Difference(scale=1000), clip)[2] == [1, -1, 1, -1]


def test_without_an_onset_the_first_frame_is_subtracted_and_a_note_says_so() -> None:
    done = Difference(scale=1)(locked(PIXELS))
    np.testing.assert_allclose(done.frames[1, 0, :, 0] * 127, [-2, 10, 0, 127], atol=1e-5)
    assert not done.frames[0].any()
    assert done.notes == (NO_ONSET,)


def test_the_onset_is_removed_and_positions_move_up() -> None:
    clip = locked(PIXELS, onset_index=1, apex_index=2, offset_index=2)
    removed, remaining = (Difference(onset=onset)(clip) for onset in ("remove", "keep"))
    np.testing.assert_array_equal(removed.frames, remaining.frames[[0, 2]])
    assert (removed.onset_index, removed.apex_index, removed.offset_index) == (None, 1, 1)
    assert (remaining.onset_index, remaining.apex_index, remaining.offset_index) == (1, 2, 2)
    earlier = Difference(onset="remove")(locked(PIXELS, onset_index=1, apex_index=0))
    assert earlier.apex_index == 0
    same = Difference(onset="remove")(locked(PIXELS, onset_index=1, apex_index=1))
    assert same.apex_index is None


def test_looks_cancel() -> None:
    """Two people of other brightness who move alike give the same differences."""
    darker = PIXELS[:, :, :2]
    for output in ("float32", "uint8"):
        step = Difference(output=output)
        np.testing.assert_array_equal(
            step(locked(darker, onset_index=0)).frames, step(locked(darker + 100, onset_index=0)).frames
        )


def test_a_clip_of_one_frame_is_left_out() -> None:
    with pytest.raises(SampleRejected, match=r"^a clip of one frame has no motion \(difference\)$"):
        Difference()(locked(PIXELS[:1], onset_index=0))


@pytest.mark.parametrize(
    ("frames", "onset", "message"),
    [
        (PIXELS.astype(np.float32), 0, r"needs .* uint8 frames, got \(3, 1, 4, 1\) float32; put it before normalise"),
        (PIXELS, 3, r"difference: onset_index is 3, but the clip has frames 0 to 2"),
    ],
)
def test_unusable_input_is_an_error(frames: np.ndarray, onset: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Difference()(locked(frames, onset_index=onset))


@pytest.mark.parametrize("output", ["float32", "uint8"])
def test_it_crosses_with_resize_clahe_and_face(output: str) -> None:
    still = face_frame(size=(240, 320), faces=((160, 120, 130),))
    moved = still.copy()
    moved[140:150, 150:170] += 9  # the mouth region brightens
    clip = locked(np.stack([still, moved]), onset_index=0, apex_index=1)
    difference = Difference(output=output, onset="remove")  # type: ignore[arg-type]
    before: list[Preprocessor] = [Face(), Resize(size=48), difference]
    behind: list[Preprocessor] = [Face(), difference, Resize(size=48)]
    results = []
    for steps in (before, behind, [Face(), Clahe(), Resize(size=48), difference]):
        done = clip
        for step in steps:
            done = step(done)
        assert (done.frames.shape, done.frames.dtype.name) == ((1, 48, 48, 3), output)
        results.append(done.frames.astype(np.float32))
    zero = 128 if output == "uint8" else 0
    unit = 1 if output == "uint8" else 1 / 127
    assert results[0].max() - zero > 20 * unit  # nine gray levels times four, spread by the averaging
    np.testing.assert_allclose(results[0], results[1], atol=4 * unit)  # linear, but for the rounding of resize
    assert np.abs(results[2] - zero).max() > np.abs(results[0] - zero).max() * 0.5


CONFIG = """
dataset:
  plugin: casme2
  root: stand-in
  stand_in: {subjects: 2, clips: 3, frames: 6, width: 200, height: 160}
frames: FRAMES
preprocess: [{plugin: resize, size: 16}, STEP]
protocol: loso
models: [majority]
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stand-in")


@pytest.fixture(autouse=True)
def _built_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEXBENCH_CACHE", str(cache))


def loaded(catalogue: Catalogue, frames: str, step: str) -> tuple[LabelledSamples, Arrays]:
    (group,) = config_of(CONFIG.replace("FRAMES", frames).replace("STEP", step), catalogue).parts
    return load_arrays(group, read_samples(group))


@pytest.mark.parametrize(
    ("frames", "step", "shape"),
    [
        ("{unit: clip, at: [onset, apex]}", "{plugin: difference, onset: remove}", (6, 1, 16, 16, 3)),
        ("{unit: clip, at: [onset, apex]}", "difference", (6, 2, 16, 16, 3)),
        ("{unit: clip, at: [apex, offset]}", "difference", (6, 2, 16, 16, 3)),
        ("{unit: clip, count: 5}", "difference", (6, 5, 16, 16, 3)),
        ("{unit: clip, count: 5}", "{plugin: difference, onset: remove}", (6, 4, 16, 16, 3)),
        ("{unit: frame, count: 3}", "difference", (18, 1, 16, 16, 3)),
    ],
)
def test_it_crosses_with_selections_of_frames(
    builtin: Catalogue, frames: str, step: str, shape: tuple[int, ...]
) -> None:
    samples, arrays = loaded(builtin, frames, step)
    assert arrays.x.shape == (len(samples.samples), *shape[1:]) == shape
    assert arrays.x.any()
    if "frame," in frames:  # the first frame of each clip is the onset
        assert not arrays.x[::3].any()


def test_every_frame_is_needed_where_frames_are_samples(builtin: Catalogue) -> None:
    with pytest.raises(DataError, match="3 frames became 2 in preprocessing"):
        loaded(builtin, "{unit: frame, count: 3}", "{plugin: difference, onset: remove}")


def test_clips_without_a_second_frame_are_counted(builtin: Catalogue) -> None:
    with pytest.raises(DataError, match=r"a clip of one frame has no motion \(difference\)"):
        loaded(builtin, "{unit: clip, at: [apex]}", "difference")
