"""Frames of a film, one at a time: however long it is, one frame is in memory.

Times are those that the file gives each frame, so a variable rate is sampled as evenly as a constant one. A film that
says how the phone was held comes out upright.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mexbench.data.image_header import check_size
from mexbench.errors import DataError, check_name

if TYPE_CHECKING:
    import cv2
    import numpy as np
    from numpy.typing import NDArray

#: Endings of the films that the data sets come in.
FILMS = frozenset({".mp4", ".m4v", ".avi", ".mov", ".webm", ".mkv", ".3gp"})

# Counted over clips by their text, so they hold no numbers.
ENDS_EARLY = "the film ends before the time that its header promises: it may be cut off"
VARIABLE = "the film's frame rate varies: sampled by the time of each frame"
TURNED = "the film says that the camera was turned: frames are upright"
BACKWARDS = "some frames do not follow the one before in time: skipped"

#: Beyond this, a film that is shorter than it says is worth a word: an edit list hides a few frames of sound films.
_SHORT_S = 0.5
#: Steps between frames differ by less than this factor at a constant rate, whose times may be rounded to milliseconds.
_UNEVEN = 1.5
_EPSILON_S = 1e-4


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame.

    Args:
        time_s: When it is shown, in seconds from the film's start.
        image: (H, W, 3), RGB, uint8.
    """

    time_s: float
    image: NDArray[np.uint8]


class Sampler:
    """Says of each frame, by its time, whether it is kept: at most ``fps`` a second, as evenly as they come."""

    def __init__(self, fps: float, start_s: float = 0.0) -> None:
        self.fps, self.start_s, self.due = fps, start_s, 0

    def __call__(self, time_s: float) -> bool:
        """Return whether the first frame at or after a tick of the clock has come."""
        tick = math.floor((time_s - self.start_s + _EPSILON_S) * self.fps)
        if tick < self.due:
            return False
        self.due = tick + 1
        return True


class Video:
    """A film, opened; close it, or use it in a ``with`` block.

    Args:
        path: An .mp4, .mov, .avi or .webm file on this machine.

    Raises:
        DataError: It is missing, empty, not a film, without pictures, cut off before its index, or of absurd size.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_is_video(path)
        self._capture = _open(path)
        cv2 = _cv2()
        self.width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.turned = self._capture.get(cv2.CAP_PROP_ORIENTATION_META) % 360 != 0
        rate, count = (self._capture.get(key) for key in (cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT))
        #: Frames per second as the header has them, on average; None where it says nothing that can be.
        self.fps = rate if math.isfinite(rate) and 0 < rate <= 1000 else None
        #: Length in seconds that the header promises; None where it does not.
        self.promised_s = count / self.fps if self.fps and math.isfinite(count) and 0 < count < 1e9 else None
        self._last_s = -math.inf
        self._shortest_s, self._longest_s = math.inf, 0.0
        self._decoded = self._backwards = 0
        self._reached_end = False
        try:
            if min(self.width, self.height) <= 0:
                raise DataError(f"{path}: has no frame that can be decoded; get the film again")
            check_size(path, self.width, self.height)
        except DataError:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the film."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Give back what the decoder holds."""
        self._capture.release()

    def frames(self, *, fps: float, start_s: float = 0.0, end_s: float | None = None) -> Iterator[Frame]:
        """Decode a stretch and yield at most ``fps`` frames of each second.

        Args:
            fps: In Hz; every frame of a film that has fewer.
            start_s: Where the stretch begins, in seconds.
            end_s: Where it ends, exclusive; None for the film's end.

        Raises:
            DataError: The stretch has no frame, times do not rise, or frames change in size.
        """
        wanted, shape = Sampler(fps, start_s), None
        cv2 = _cv2()
        for time_s in self._grabbed(start_s, end_s):
            if not wanted(time_s):
                continue
            try:
                done, image = self._capture.retrieve()
                image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if done and image is not None else None
            except cv2.error:  # such as a frame that does not fit into memory
                image = None
            if image is None:
                raise DataError(f"{self.path}: the frame at {time_s:.3f} s cannot be decoded; get the film again")
            if shape is not None and image.shape != shape:
                raise DataError(
                    f"{self.path}: frames change from {shape[1]}x{shape[0]} to {image.shape[1]}x{image.shape[0]} at "
                    f"{time_s:.3f} s: convert the film to one size"
                )
            shape = image.shape
            yield Frame(time_s, image)

    def times(self, *, fps: float, start_s: float = 0.0, end_s: float | None = None) -> Iterator[float]:
        """Yield the times of the frames that ``frames`` yields, without turning one into pixels."""
        wanted = Sampler(fps, start_s)
        return (time_s for time_s in self._grabbed(start_s, end_s) if wanted(time_s))

    def issues(self) -> tuple[str, ...]:
        """Return what is irregular about what was decoded so far; the whole of it once a stretch was read to its end.

        Equal texts for equal things: no numbers.
        """
        issues = {
            TURNED: self.turned,
            VARIABLE: self._longest_s > _UNEVEN * self._shortest_s,
            BACKWARDS: self._backwards > 0,
            ENDS_EARLY: self.missing_s > _SHORT_S,
        }
        return tuple(text for text, true in issues.items() if true)

    @property
    def missing_s(self) -> float:
        """Seconds that the header promises and that could not be decoded; 0 before the film's end was reached."""
        if not self._reached_end or self.promised_s is None or self.fps is None:
            return 0.0
        return max(0.0, self.promised_s - max(self._last_s, 0.0) - 1 / self.fps)

    def _grabbed(self, start_s: float, end_s: float | None) -> Iterator[float]:
        """Go to a place and yield the time of each frame from there, decoded and ready to be turned into pixels."""
        first = self._seek(start_s)
        yielded = False
        time_s = first
        while time_s is not None and (end_s is None or time_s < end_s - _EPSILON_S):
            if time_s >= start_s - _EPSILON_S:
                yielded = True
                yield time_s
            time_s = self._next()
        if self._decoded > 1 and self._backwards == self._decoded - 1:
            raise DataError(f"{self.path}: the times of its frames do not rise: convert the film")
        if not yielded:
            nothing = first is None and start_s == 0
            what = "has no frame that can be decoded" if nothing else f"has no frame from {start_s:g} s"
            until = f" to {end_s:g} s" if end_s is not None and first is not None else ""
            length = f"; its header promises {self.promised_s:.3f} s" if self.promised_s else ""
            raise DataError(f"{self.path}: {what}{until}{length}")

    def _seek(self, start_s: float) -> float | None:
        """Return the time of the first frame that was decoded, at or before a place where there is such a frame."""
        self._last_s, self._decoded, self._backwards, self._reached_end = -math.inf, 0, 0, False
        cv2 = _cv2()
        if start_s > 0:
            # OpenCV goes by the number of a frame, which a variable rate puts at another time: a second early.
            self._capture.set(cv2.CAP_PROP_POS_MSEC, max(0.0, start_s - 1) * 1000)
            time_s = self._next()
            if time_s is not None and time_s <= start_s + _EPSILON_S:
                return time_s
            self._last_s, self._decoded, self._backwards, self._reached_end = -math.inf, 0, 0, False
        self._capture.release()
        self._capture = _open(self.path)
        return self._next()

    def _next(self) -> float | None:
        """Decode the next frame that follows in time; None at the end, or where decoding breaks off."""
        cv2 = _cv2()
        while self._capture.grab():
            time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            self._decoded += 1
            if not math.isfinite(time_s) or time_s <= self._last_s:
                self._backwards += 1
                continue
            if self._last_s > -math.inf:
                step = time_s - self._last_s
                self._shortest_s, self._longest_s = min(self._shortest_s, step), max(self._longest_s, step)
            self._last_s = time_s
            return time_s
        self._reached_end = True
        return None


def check_is_video(path: Path) -> None:
    """Look at a file's first bytes: a decoder would follow a play list, whatever its name, to other files.

    Raises:
        DataError: It is missing, empty or something else than a film.
    """
    check_name(path.absolute())
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise DataError(f"{path}: not a plain file; expected a film")
        with path.open("rb") as stream:
            start = stream.read(12)
    except OSError as error:
        what = "is a folder" if path.is_dir() else f"cannot be read ({error.strerror})"
        raise DataError(f"{path}: {what}; expected a film: {', '.join(sorted(FILMS))}") from None
    if not start:
        raise DataError(f"{path}: is empty (0 bytes); get the film again")
    if not (
        start[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
        or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")
        or start[:4] == b"\x1aE\xdf\xa3"
    ):
        sound = {b"RIFF": "a WAVE sound file", b"OggS": "an Ogg sound file", b"fLaC": "a FLAC sound file"}
        kind = sound.get(start[:4], "an MP3 sound file" if start[:3] == b"ID3" or start[:2] == b"\xff\xfb" else "")
        what = f"is {kind}, not a film" if kind else f"is not a film: it begins with {start!r}"
        raise DataError(f"{path}: {what}; expected mp4, mov, avi or webm by content, not only by name")


def _open(path: Path) -> cv2.VideoCapture:
    cv2, capture = _cv2(), None
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what it says is said below, once
    try:
        # By FFmpeg alone, which takes no pattern of image files; one thread, as everything here.
        capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    except cv2.error:  # such as a size that does not fit into memory
        pass
    finally:
        cv2.utils.logging.setLogLevel(level)
    if capture is None or not capture.isOpened():
        if _lacks_index(path):
            raise DataError(f"{path}: is cut off: its index (moov) is missing, without which no frame is found")
        raise DataError(f"{path}: has no pictures that can be decoded: a sound file, or damaged; get the film again")
    return capture


def _lacks_index(path: Path) -> bool:
    """Return whether a file of MPEG-4 boxes has none with the index."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        if stream.read(8)[4:] != b"ftyp":
            return False
        place = 0
        while place + 8 <= size:
            stream.seek(place)
            head = stream.read(16)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if kind == b"moov":
                return place + length > size
            if length < 8:  # 0: up to the end
                return True
            place += length
    return True


def _cv2() -> Any:  # noqa: ANN401 - a module
    """Import OpenCV when a film is opened; its decoder keeps what it thinks of a film to itself."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    return cv2
