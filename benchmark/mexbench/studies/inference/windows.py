"""A stream of frames, cut into windows; no more frames are held than a window and a hop have."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mexbench.data.video.reader import Frame
from mexbench.errors import ConfigError

_EPSILON_S = 1e-6


@dataclass(frozen=True, kw_only=True)
class WindowSpec:
    """How windows lie.

    Args:
        fps: Frames of each second that are looked at, in Hz.
        length_s: Length of a window in seconds.
        hop_s: From the start of one window to that of the next.
        reach_back: Whether the last window reaches back to full length, over frames of the one before; else it holds
            what is left, however little.
    """

    fps: float
    length_s: float
    hop_s: float
    reach_back: bool

    def __post_init__(self) -> None:
        """Refuse what leaves frames out or holds none."""
        if not 0 < self.fps <= 200:
            raise ConfigError(f"--fps {self.fps:g}: expected more than 0 and at most 200 frames a second")
        if not 0 < self.length_s <= 3600 or self.length_s * self.fps < 1:
            raise ConfigError(
                f"--window {self.length_s:g}: expected seconds, at most 3600, in which at least one frame lies; "
                f"--fps is {self.fps:g}"
            )
        if not 0 < self.hop_s <= self.length_s:
            raise ConfigError(
                f"--hop {self.hop_s:g}: expected seconds above 0, at most the window's {self.length_s:g}: "
                "frames between two windows would not be seen"
            )

    @property
    def frames(self) -> int:
        """Most frames of a window."""
        return int(self.length_s * self.fps + 1 + _EPSILON_S)


@dataclass(frozen=True, eq=False)
class Window:
    """Frames that follow each other.

    Args:
        start_s: Where it begins, in seconds from the film's start.
        end_s: Where it ends, exclusive.
        frames: At least one, in time.
    """

    start_s: float
    end_s: float
    frames: tuple[Frame, ...]


def windows(frames: Iterable[Frame], cutting: WindowSpec) -> Iterator[Window]:
    """Yield windows from the first frame on, each as soon as it is whole; one in which no frame lies is left out."""
    held: deque[Frame] = deque()
    first = start = seen = None
    for frame in frames:
        if first is None or start is None:
            first = start = frame.time_s
        while frame.time_s >= start + cutting.length_s - _EPSILON_S:
            if inside := _from(held, start):
                yield Window(start, start + cutting.length_s, inside)
                seen = inside[-1].time_s
            start += cutting.hop_s
        held.append(frame)
        while held[0].time_s < frame.time_s - cutting.length_s:
            held.popleft()
    if first is None or start is None or (seen is not None and held[-1].time_s <= seen):
        return
    end = held[-1].time_s + 1 / cutting.fps
    if cutting.reach_back:
        start = max(first, min(start, end - cutting.length_s))
    yield Window(start, end, _from(held, start))


def _from(held: Iterable[Frame], start_s: float) -> tuple[Frame, ...]:
    return tuple(frame for frame in held if frame.time_s >= start_s - _EPSILON_S)
