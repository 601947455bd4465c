"""Each alteration does what its strength says, and draws nothing anew from one strength to the next."""

from __future__ import annotations

import numpy as np
import pytest

from mexbench.errors import ConfigError, DataError
from mexbench.studies.audit.stress.alterations import ALTERATIONS, Alteration, chosen_alterations


def picture(value: int, *, channels: int = 3) -> np.ndarray:
    return np.full((3, 40, 50, channels), value, np.uint8)


def textured(channels: int = 3) -> np.ndarray:
    """Smooth blobs in the middle range of grey."""
    import cv2

    noise = np.random.default_rng(0).normal(size=(2, 240, 300, channels)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(frame, (0, 0), 3).reshape(frame.shape) for frame in noise])
    return (128 + 200 * smooth).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("alteration", ALTERATIONS.values(), ids=list(ALTERATIONS))
@pytest.mark.parametrize("channels", [1, 3])
def test_the_change_grows_with_the_strength(alteration: Alteration, channels: int) -> None:
    frames = textured(channels)
    before = frames.copy()
    altered = [alteration(frames, strength, "toy/p0/c0") for strength in alteration.strengths]
    assert len(alteration.strengths) == 5
    assert all((one.shape, one.dtype) == (frames.shape, frames.dtype) for one in altered)
    distances = [np.abs(one.astype(float) - frames).mean() for one in altered]
    assert distances[0] > 0
    assert distances == sorted(distances)
    np.testing.assert_array_equal(frames, before)
    np.testing.assert_array_equal(altered[2], alteration(frames, alteration.strengths[2], "toy/p0/c0"))


def test_half_of_the_clips_become_lighter() -> None:
    levels = [int(ALTERATIONS["brightness"](picture(100), 25.0, f"toy/p0/c{clip}")[0, 0, 0, 0]) for clip in range(40)]
    assert set(levels) == {75, 125}
    assert 10 <= levels.count(125) <= 30
    assert ALTERATIONS["brightness"](picture(250), 100.0, "toy/p0/c0").max() in (150, 255)


@pytest.mark.parametrize(("strength", "share"), [(1.0, 0.01), (6.0, 0.06), (20.0, 0.2)])
def test_occlusion_covers_its_share_at_one_place_of_every_frame(strength: float, share: float) -> None:
    frames = np.zeros((3, 200, 240, 1), np.uint8)
    covered = ALTERATIONS["occlusion"](frames, strength, "toy/p1/c1") > 0
    assert covered.mean() == pytest.approx(share, rel=0.05)
    assert (covered == covered[0]).all()


def test_noise_has_the_standard_deviation_of_its_strength_and_differs_by_frame() -> None:
    altered = ALTERATIONS["noise"](np.full((2, 100, 100, 3), 128, np.uint8), 10.0, "toy/p0/c0").astype(float) - 128
    assert altered.std() == pytest.approx(10, rel=0.03)
    assert abs(np.corrcoef(altered[0].ravel(), altered[1].ravel())[0, 1]) < 0.05


def test_rotation_turns_about_the_centre_by_its_angle() -> None:
    """A bright dot right of the centre by 20 pixels is 20 sin(15 degrees) higher or lower afterwards."""
    frames = np.zeros((1, 81, 81, 1), np.uint8)
    frames[0, 38:43, 58:63] = 255
    altered = ALTERATIONS["rotation"](frames, 15.0, "toy/p0/c0")[0, ..., 0].astype(float)
    rows, columns = np.indices(altered.shape)
    y, x = ((axis * altered).sum() / altered.sum() - 40 for axis in (rows, columns))
    assert np.hypot(y, x) == pytest.approx(20, abs=0.3)
    assert abs(y) == pytest.approx(20 * np.sin(np.radians(15)), abs=0.3)


def test_compression_keeps_the_order_of_colours() -> None:
    frames = np.zeros((1, 32, 32, 3), np.uint8)
    frames[..., 0] = 200
    red, green, blue = ALTERATIONS["compression"](frames, 20.0, "toy/p0/c0").mean(axis=(0, 1, 2))
    assert red == pytest.approx(200, abs=4)
    assert max(green, blue) < 8


@pytest.mark.parametrize(
    "frames", [np.zeros((2, 8, 8, 3)), np.zeros((2, 8), np.uint8), np.zeros((1, 8, 8, 2), np.uint8)]
)
def test_frames_that_are_not_pictures_are_refused(frames: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"a clip has frames .* and 'bench audit --stress' alters pictures"):
        ALTERATIONS["blur"](frames, 1.0, "toy/p0/c0")


def test_names_are_chosen_in_the_order_of_the_table() -> None:
    assert [one.name for one in chosen_alterations("noise, brightness")] == ["brightness", "noise"]
    assert [one.name for one in chosen_alterations("all")] == list(ALTERATIONS)
    with pytest.raises(ConfigError, match=r"--alterations: unknown alteration 'nois' \(did you mean 'noise'\?\)"):
        chosen_alterations("nois")
