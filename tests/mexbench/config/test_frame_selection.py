from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.config import frame_selection as frames
from mexbench.config.frame_selection import FrameSelection
from mexbench.errors import SampleRejected
from mexbench.interfaces import Clip, Dataset, Sample
from tests.helpers import sample


@dataclass(frozen=True, kw_only=True)
class Ramp(Dataset):
    """Frame number n shows the value 2 n; numbers 10, 11, ... 10 + length - 1.

    Args:
        length: Frames.
    """

    length: int = 21

    def label_map(self) -> Mapping[str, str]:
        return {"negative": "negative"}

    def samples(self) -> Sequence[Sample]:
        return [CLIP]

    def frame_numbers(self, sample: Sample) -> Sequence[int]:
        return range(10, 10 + self.length)

    def load(self, sample: Sample) -> Clip:
        return self.load_frames(sample, self.frame_numbers(sample))

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        assert list(numbers) == sorted(set(numbers))
        return Clip(frames=np.array([[[[2 * n]]] for n in numbers], dtype=np.uint8), fps=200.0)


CLIP = sample("toy/p1/c1", onset=10, apex=15, offset=30, fps=200.0)


def kept(selection: FrameSelection, length: int = 21) -> list[int]:
    data = Ramp(length=length)
    return frames.load(data, CLIP, selection.pick(data, CLIP)).frames.ravel().tolist()


def test_a_clip_is_interpolated_in_time() -> None:
    assert kept(FrameSelection(unit="clip", count=5)) == [20, 30, 40, 50, 60]
    assert kept(FrameSelection(unit="clip", count=3), length=2) == [20, 21, 22]  # halfway between frames 10 and 11
    assert kept(FrameSelection(unit="clip", count=4), length=1) == [20, 20, 20, 20]


@given(st.integers(1, 60), st.integers(1, 40))
def test_interpolation_keeps_ends_and_order(length: int, count: int) -> None:
    values = kept(FrameSelection(unit="clip", count=count), length=length)
    expected = np.interp(np.linspace(0, length - 1, count), range(length), 2 * np.arange(10, 10 + length))
    np.testing.assert_allclose(values, expected, atol=0.5001)


def test_moments_are_read_alone_and_get_positions() -> None:
    data = Ramp()
    pick = FrameSelection(unit="clip", at=("onset", "apex", "offset")).pick(data, CLIP)
    assert pick.numbers == (10, 15, 30)  # no other frame is read
    clip = frames.load(data, CLIP, pick)
    assert clip.frames.ravel().tolist() == [20, 30, 60]
    assert (clip.onset_index, clip.apex_index, clip.offset_index) == (0, 1, 2)


def test_positions_are_the_nearest_interpolated_frames() -> None:
    data = Ramp()
    clip = frames.load(data, CLIP, FrameSelection(unit="clip", count=6).pick(data, CLIP))
    assert (clip.onset_index, clip.apex_index, clip.offset_index) == (0, 1, 5)  # 10, 14, 18, 22, 26, 30


def test_each_frame_is_a_sample_with_the_clips_id_and_subject() -> None:
    data, selection = Ramp(), FrameSelection(unit="frame", fps=20)
    pick = selection.pick(data, CLIP)
    assert pick.numbers == (10, 20, 30)  # 200 Hz / 20 Hz: every tenth
    result = selection.split(CLIP, pick)
    assert [s.sample_id for s in result] == ["toy/p1/c1#10", "toy/p1/c1#20", "toy/p1/c1#30"]
    assert {(s.clip_id, s.subject) for s in result} == {("toy/p1/c1", "toy/p1")}


@pytest.mark.parametrize(
    ("count", "length", "numbers"),
    [
        (4, 21, [10, 17, 23, 30]),  # 10, 16.7, 23.3, 30
        (9, 3, [10, 11, 12]),  # more than there are: 10, 10.25, 10.5, ... and each once
        (2, 4, [10, 13]),
        (3, 4, [10, 12, 13]),  # 11.5 is rounded up
        (5, 1, [10]),
    ],
)
def test_frames_by_count_are_the_nearest_frames_each_once(count: int, length: int, numbers: list[int]) -> None:
    data, selection = Ramp(length=length), FrameSelection(unit="frame", count=count)
    pick = selection.pick(data, CLIP)
    assert [pick.numbers[position] for position in pick.lower] == numbers  # one sample each
    assert pick.upper == pick.lower
    assert set(pick.weight) == {0.0}  # no mixture of two frames
    assert frames.load(data, CLIP, pick).frames.ravel().tolist() == [2 * number for number in numbers]
    assert [s.sample_id for s in selection.split(CLIP, pick)] == [f"toy/p1/c1#{number}" for number in numbers]


@pytest.mark.parametrize(
    ("clip", "selection", "message"),
    [
        (sample("a/b", onset=10), FrameSelection(unit="clip", at=("onset", "apex")), "has no apex"),
        (sample("a/b", onset=9), FrameSelection(unit="clip", at=("onset",)), "its onset is not among its frames"),
        (sample("a/b"), FrameSelection(unit="frame", fps=10), "frames per second are not known"),
    ],
)
def test_unusable_clips_are_rejected(clip: Sample, selection: FrameSelection, message: str) -> None:
    with pytest.raises(SampleRejected, match=message):
        selection.pick(Ramp(), clip)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unit": "clip"}, "needs either 'count' or 'at', got none"),
        ({"unit": "clip", "count": 3, "at": ("onset",)}, "got count and at"),
        ({"unit": "clip", "fps": 3.0}, "unit clip needs either 'count' or 'at', got fps"),
        ({"unit": "frame", "at": ("onset",)}, "unit frame needs either 'count' or 'fps', got at"),
    ],
)
def test_invalid_combinations_are_rejected(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FrameSelection(**given)  # pyright: ignore[reportArgumentType]
