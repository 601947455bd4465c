"""A stream of frames, cut into scenes and these into windows; a window and a hop of frames are held in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from mexbench.data.video.reader import Frame
from mexbench.data.video.scene_cuts import scenes
from mexbench.errors import ConfigError

_EPSILON_S = 1e-6


@dataclass(frozen=True, kw_only=True)
class WindowSpec:
    """The rate, length and hop of windows.

    Args:
        fps: Rate at which frames are sampled, in Hz.
        length_s: Length of a window in seconds.
        hop_s: From the start of one window to that of the next.
        reach_back: Whether the last window is extended backwards to full length, over frames of the one before; else it
            holds the remaining frames, however few.
    """

    fps: float
    length_s: float
    hop_s: float
    reach_back: bool

    def __post_init__(self) -> None:
        """Check that windows hold frames and that no frame falls between two of them."""
        if not 0 < self.fps <= 200:
            raise ConfigError(f"--fps {self.fps:g}: expected more than 0 and at most 200 frames a second")
        if not 0 < self.length_s <= 3600 or self.length_s * self.fps < 1:
            raise ConfigError(
                f"--window {self.length_s:g}: expected seconds, at most 3600, that hold at least one frame; "
                f"--fps is {self.fps:g}"
            )
        if not 0 < self.hop_s <= self.length_s:
            raise ConfigError(
                f"--hop {self.hop_s:g}: expected seconds above 0, at most the window's {self.length_s:g}: "
                "frames between two windows would be skipped"
            )

    @property
    def frames(self) -> int:
        """Most frames of a window."""
        return int(self.length_s * self.fps + 1 + _EPSILON_S)


@dataclass(frozen=True, eq=False)
class Window:
    """Consecutive frames.

    Args:
        start_s: Where it begins, in seconds from the film's start.
        end_s: Where it ends, exclusive.
        frames: At least one, in time.
        scene: Number of the scene that all of them are from: 0 before the first cut.
        apex: Position of the apex among the frames; None where nobody says.
    """

    start_s: float
    end_s: float
    frames: tuple[Frame, ...]
    scene: int = 0
    apex: int | None = None


def windows(frames: Iterable[Frame], spec: WindowSpec) -> Iterator[Window]:
    """Yield windows from the first frame on, each as soon as it is complete; a window without a frame is skipped.

    No window spans a scene cut: each scene is cut into windows as a film of its own would be.
    """
    for scene, group in groupby(scenes(frames), key=itemgetter(0)):
        yield from _windows_of_scene((frame for _, frame in group), spec, scene)


def _windows_of_scene(frames: Iterable[Frame], spec: WindowSpec, scene: int) -> Iterator[Window]:
    buffer: deque[Frame] = deque()
    first = start = last_s = None
    for frame in frames:
        if first is None or start is None:
            first = start = frame.time_s
        while frame.time_s >= start + spec.length_s - _EPSILON_S:
            if inside := _from(buffer, start):
                yield Window(start, start + spec.length_s, inside, scene)
                last_s = inside[-1].time_s
            start += spec.hop_s
        buffer.append(frame)
        while buffer[0].time_s < frame.time_s - spec.length_s:
            buffer.popleft()
    if first is None or start is None or (last_s is not None and buffer[-1].time_s <= last_s):
        return
    end = buffer[-1].time_s + 1 / spec.fps
    if spec.reach_back:
        start = max(first, min(start, end - spec.length_s))
    yield Window(start, end, _from(buffer, start), scene)


def _from(buffer: Iterable[Frame], start_s: float) -> tuple[Frame, ...]:
    return tuple(frame for frame in buffer if frame.time_s >= start_s - _EPSILON_S)
