from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.errors import DataError
from mexbench.interfaces import Augmentation
from mexbench_plugins.preprocessors.augment import Augment
from tests.pictures import locked, noise_clip, texture

FLIP_ALONE = Augment(rotation=0.0, scale=0.0)


class Fixed(np.random.Generator):
    """Returns the given draws: a turn and a growth in [-1, 1], then the toss of a coin."""

    def __init__(self, turn: float, growth: float, toss: float) -> None:
        super().__init__(np.random.PCG64(0))
        self._uniform, self._toss = iter((turn, growth)), toss

    def uniform(self, *_: object) -> float:  # type: ignore[override]
        return next(self._uniform)

    def random(self) -> float:  # type: ignore[override]
        return self._toss


def test_rescale_of_values_changes_no_size() -> None:
    """Keras's division by 255 is shared with the original: a copy differs by its turn and its flip alone."""
    clip = noise_clip(1, 40, 40, 3)
    zoomed = Augment().vary(clip, Fixed(turn=0.0, growth=1.0, toss=0.9))
    same = Augment(rescale="values").vary(clip, Fixed(turn=0.0, growth=1.0, toss=0.9))
    np.testing.assert_array_equal(same.frames, clip.frames)
    assert (zoomed.frames != clip.frames).any()


def test_the_original_is_left_alone_and_copies_are_counted() -> None:
    clip = noise_clip(2, 8, 8, 3)
    step = Augment(copies=3)
    assert isinstance(step, Augmentation)
    assert step(clip) is clip
    assert step.copies == 3
    assert Augment().copies == 1


@given(
    seed=st.integers(0, 2**32 - 1),
    channels=st.sampled_from([1, 3]),
    rotation=st.floats(0, 180),
    scale=st.floats(0, 0.9),
)
def test_same_seed_same_copy_of_the_same_shape(seed: int, channels: int, rotation: float, scale: float) -> None:
    clip = noise_clip(2, 9, 12, channels, onset_index=0, apex_index=1)
    before = clip.frames.copy()
    step = Augment(rotation=rotation, scale=scale)
    one, two = (step.vary(clip, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one.frames, two.frames)
    assert (one.frames.shape, one.frames.dtype) == (clip.frames.shape, clip.frames.dtype)
    assert (one.fps, one.onset_index, one.apex_index) == (clip.fps, 0, 1)
    np.testing.assert_array_equal(clip.frames, before)
    assert not np.shares_memory(one.frames, clip.frames)


def test_other_seeds_give_other_copies() -> None:
    clip = noise_clip(1, 16, 16, 1)
    copies = {Augment().vary(clip, np.random.default_rng(seed)).frames.tobytes() for seed in range(20)}
    assert len(copies) == 20


@given(seed=st.integers(0, 2**32 - 1))
def test_the_same_flip_twice_is_the_original(seed: int) -> None:
    clip = noise_clip(2, 5, 7, 3)
    once = FLIP_ALONE.vary(clip, np.random.default_rng(seed))
    twice = FLIP_ALONE.vary(once, np.random.default_rng(seed))
    np.testing.assert_array_equal(twice.frames, clip.frames)


def test_flips_left_to_right_half_of_the_time() -> None:
    clip = noise_clip(1, 5, 7, 1)
    copies = [FLIP_ALONE.vary(clip, np.random.default_rng(seed)).frames for seed in range(400)]
    mirrored = sum(np.array_equal(copy, clip.frames[:, :, ::-1]) for copy in copies)
    assert mirrored + sum(np.array_equal(copy, clip.frames) for copy in copies) == 400
    assert 160 < mirrored < 240


def test_without_flip_nothing_is_mirrored() -> None:
    clip = noise_clip(1, 5, 7, 1)
    step = Augment(rotation=0.0, scale=0.0, flip=False)
    assert all(np.array_equal(step.vary(clip, np.random.default_rng(s)).frames, clip.frames) for s in range(20))


def test_all_frames_move_alike() -> None:
    still = np.repeat(texture(20, 24)[None, ..., None], 4, axis=0)
    for seed in range(5):
        frames = Augment().vary(locked(still.copy()), np.random.default_rng(seed)).frames
        assert (frames == frames[0]).all()


def test_turns_counter_clockwise_about_the_centre() -> None:
    image = texture(21, 21)
    done = Augment(rotation=90.0, scale=0.0).vary(locked(image[None, ..., None]), Fixed(1, 0, 0.9))
    np.testing.assert_array_equal(done.frames[0, ..., 0], np.rot90(image))


def test_scales_about_the_centre() -> None:
    # A disc of radius 10 grows to 12: the area tells.
    y, x = np.mgrid[-20:21, -20:21]
    disc = (x**2 + y**2 <= 100).astype(np.uint8) * 255
    done = Augment(rotation=0.0, scale=0.2).vary(locked(disc[None, ..., None]), Fixed(0, 1, 0.9)).frames[0, ..., 0]
    assert done.sum() / disc.sum() == pytest.approx(1.44, rel=0.03)
    rows, columns = np.nonzero(done)
    assert (rows.mean(), columns.mean()) == (20, 20)


def test_draws_stay_within_their_limits_on_both_sides() -> None:
    y, x = np.mgrid[-30:31, -30:31]
    disc = ((x - 15) ** 2 + y**2 <= 36).astype(np.uint8) * 255
    clip = locked(disc[None, ..., None])
    step = Augment(rotation=30.0, scale=0.2, flip=False)
    angles, distances = [], []
    for seed in range(200):
        copy = step.vary(clip, np.random.default_rng(seed)).frames[0, ..., 0] / 255
        down, right = (float((copy * axis).sum() / copy.sum()) for axis in (y, x))
        angles.append(np.degrees(np.arctan2(-down, right)))
        distances.append(np.hypot(down, right) / 15)
    assert (min(angles), max(angles)) == pytest.approx((-30, 30), abs=1.5)
    assert (min(distances), max(distances)) == pytest.approx((0.8, 1.2), abs=0.02)


def test_border_pixels_fill_the_uncovered_area() -> None:
    image = np.full((20, 20), 77, np.uint8)
    done = Augment(rotation=0.0, scale=0.5).vary(locked(image[None, ..., None]), Fixed(0, -1, 0.9))
    assert (done.frames == 77).all()


def test_non_images_are_rejected() -> None:
    flow = locked(np.zeros((1, 28, 28, 3), np.float32))
    with pytest.raises(DataError, match=r"augment needs .* uint8 frames, got \(1, 28, 28, 3\) float32; put it before"):
        Augment().vary(flow, np.random.default_rng(0))
