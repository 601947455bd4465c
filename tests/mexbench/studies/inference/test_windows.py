from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.data.video.reader import Frame
from mexbench.errors import ConfigError
from mexbench.studies.inference.windows import WindowSpec, windows

IMAGE = np.zeros((2, 2, 3), np.uint8)


def cut(
    times: list[float], length_s: float, hop_s: float, *, reach_back: bool
) -> list[tuple[float, float, list[float]]]:
    spec = WindowSpec(fps=10, length_s=length_s, hop_s=hop_s, reach_back=reach_back)
    return [
        (round(w.start_s, 6), round(w.end_s, 6), [frame.time_s for frame in w.frames])
        for w in windows((Frame(time_s, IMAGE) for time_s in times), spec)
    ]


def tenths(first: int, last: int) -> list[float]:
    return [index / 10 for index in range(first, last)]


def test_adjacent_windows_and_the_remainder() -> None:
    assert cut(tenths(0, 24), 1, 1, reach_back=False) == [
        (0, 1, tenths(0, 10)), (1, 2, tenths(10, 20)), (2, 2.4, tenths(20, 24))
    ]  # fmt: skip
    assert cut(tenths(0, 20), 1, 1, reach_back=False) == [(0, 1, tenths(0, 10)), (1, 2, tenths(10, 20))]


def test_windows_that_overlap_and_the_last_one_reaches_back() -> None:
    assert cut(tenths(5, 29), 1, 0.5, reach_back=True) == [
        (0.5, 1.5, tenths(5, 15)), (1, 2, tenths(10, 20)), (1.5, 2.5, tenths(15, 25)), (1.9, 2.9, tenths(19, 29))
    ]  # fmt: skip


def test_a_film_shorter_than_a_window_is_one() -> None:
    assert cut(tenths(0, 4), 1, 0.5, reach_back=True) == [(0, 0.4, tenths(0, 4))]
    assert cut([7.0], 1, 1, reach_back=False) == [(7, 7.1, [7.0])]
    assert cut([], 1, 1, reach_back=False) == []


def test_windows_without_frames_are_skipped() -> None:
    assert cut([0.0, 0.5, 3.2], 1, 1, reach_back=False) == [(0, 1, [0.0, 0.5]), (3, 3.3, [3.2])]


@given(st.lists(st.floats(0.01, 2), min_size=1, max_size=60), st.floats(0.2, 3), st.floats(0.1, 1), st.booleans())
def test_every_frame_is_in_a_window_and_windows_are_no_longer_than_they_may(
    steps: list[float], length_s: float, share: float, reach_back: bool
) -> None:
    times = np.cumsum(steps).tolist()
    rows = cut(times, length_s, share * length_s, reach_back=reach_back)
    assert {time_s for _, _, inside in rows for time_s in inside} == set(times)
    for start_s, end_s, inside in rows:
        assert inside == sorted(inside)
        assert inside
        assert end_s - start_s <= length_s + 0.1 + 1e-6
        assert all(start_s - 1e-5 <= time_s < end_s + 1e-5 for time_s in inside)


def test_no_more_frames_are_held_than_a_window_and_a_hop_have() -> None:
    alive: set[int] = set()

    def frames() -> Iterator[Frame]:
        for index in range(500):
            image = np.zeros((1, 1, 3), np.uint8)
            alive.add(index)
            weakref.finalize(image, alive.discard, index)
            yield Frame(index / 10, image)
            del image

    spec = WindowSpec(fps=10, length_s=2, hop_s=0.5, reach_back=True)
    most = 0
    for window in windows(frames(), spec):
        most = max(most, len(alive))
        del window
    assert 20 <= most <= spec.frames + 5


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fps": 0}, "--fps 0: expected more than 0 and at most 200"),
        ({"fps": 1000}, "--fps 1000: expected"),
        ({"length_s": 0}, "--window 0: expected seconds, at most 3600, that hold at least one frame; --fps is 10"),
        ({"length_s": 0.05}, "--window 0.05: expected seconds"),
        ({"length_s": 4000}, "--window 4000: expected seconds"),
        ({"hop_s": 0}, "--hop 0: expected seconds above 0"),
        ({"hop_s": 2}, "--hop 2: expected seconds above 0, at most the window's 1: frames between two windows"),
    ],
)
def test_invalid_numbers_are_rejected(options: dict[str, float], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        WindowSpec(**{"fps": 10, "length_s": 1, "hop_s": 1, "reach_back": False, **options})
