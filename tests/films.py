"""Films that tests make for themselves, healthy ones and others."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.pictures import face_frame

#: The matrices by which a phone says that it was turned by so many degrees clockwise, as 16.16 and 2.30 fixed point.
_TURNS = {
    90: (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30),
    180: (-(1 << 16), 0, 0, 0, -(1 << 16), 0, 0, 0, 1 << 30),
}


def write(path: Path, frames: Iterable[NDArray[np.uint8]], *, fps: float = 10, codec: str = "") -> Path:
    """Write frames (H, W, 3), RGB: MPEG-4 into .mp4 and .mov, motion JPEG into .avi, VP8 into .webm."""
    frames = iter(frames)
    first = next(frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = codec or {".avi": "MJPG", ".webm": "VP80"}.get(path.suffix, "mp4v")
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, first.shape[1::-1])
    assert film.isOpened()
    for frame in (first, *frames):
        film.write(np.ascontiguousarray(frame[..., ::-1]))
    film.release()
    return path


def plain(count: int, size: tuple[int, int] = (48, 64), *, step: int = 8) -> Iterator[NDArray[np.uint8]]:
    """Yield frames whose grey says which one it is: 16, 16 + step, ...; the left top quarter is bright."""
    for index in range(count):
        frame = np.full((*size, 3), min(16 + step * index, 250), np.uint8)
        frame[: size[0] // 2, : size[1] // 2] = 255
        yield frame


def number(image: NDArray[np.uint8], step: int = 8) -> int:
    """Return which frame of ``plain`` this is, by its right bottom quarter."""
    height, width = image.shape[:2]
    return round((float(image[height * 5 // 8 :, width * 5 // 8 :].mean()) - 16) / step)


def person(path: Path, seconds: float = 2, *, fps: float = 10, size: tuple[int, int] = (240, 320)) -> Path:
    """Write a film of a drawn face."""
    frames = (
        face_frame(size=size, faces=((size[1] // 2, size[0] // 2, 110),), seed=i) for i in range(round(seconds * fps))
    )
    return write(path, frames, fps=fps)


def nobody(path: Path, seconds: float = 2, *, fps: float = 10) -> Path:
    """Write a film of a wall."""
    return write(path, plain(round(seconds * fps), (240, 320), step=2), fps=fps)


def sound(path: Path) -> Path:
    """Write a sound file, whatever its name."""
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(8000)
        stream.writeframes(bytes(16000))
    return path


def turned(path: Path, degrees: int) -> None:
    """Make an .mp4 say that the camera was turned."""
    content = bytearray(path.read_bytes())
    start, _ = _find(content, b"moov", b"trak", b"tkhd")
    matrix = b"".join(value.to_bytes(4, "big", signed=True) for value in _TURNS[degrees])
    content[start + 48 : start + 84] = matrix
    path.write_bytes(content)


def uneven(path: Path, durations: Sequence[tuple[int, int]]) -> None:
    """Give the frames of an .mp4 other durations: (count, factor) after (count, factor)."""
    content = bytearray(path.read_bytes())
    where = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts")
    start, size = _find(content, *where)
    tick = int.from_bytes(content[start + 20 : start + 24], "big")
    table = b"".join(count.to_bytes(4, "big") + (factor * tick).to_bytes(4, "big") for count, factor in durations)
    created = (16 + len(table)).to_bytes(4, "big") + b"stts" + bytes(4) + len(durations).to_bytes(4, "big") + table
    total = sum(count * factor for count, factor in durations) * tick
    for depth in range(1, len(where)):
        inside, old = _find(content, *where[:depth])
        content[inside : inside + 4] = (old + len(created) - size).to_bytes(4, "big")
    content[start : start + size] = created
    _lengthen(content, total)
    path.write_bytes(content)


def _lengthen(content: bytearray, ticks: int) -> None:
    """Say the new length in the track's header and take out the edit list, which has the old one."""
    start, _ = _find(content, b"moov", b"trak", b"mdia", b"mdhd")
    content[start + 24 : start + 28] = ticks.to_bytes(4, "big")
    start, _ = _find(content, b"moov", b"trak", b"edts")
    content[start + 4 : start + 8] = b"free"


def index_first(path: Path) -> None:
    """Put the index of an .mp4 before its frames, as films for the web have it."""
    content = bytearray(path.read_bytes())
    start, size = _find(content, b"moov")
    table, _ = _find(content, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stco")
    for place in range(table + 16, table + 16 + 4 * int.from_bytes(content[table + 12 : table + 16], "big"), 4):
        content[place : place + 4] = (int.from_bytes(content[place : place + 4], "big") + size).to_bytes(4, "big")
    index, rest = content[start : start + size], content[:start]
    head = int.from_bytes(rest[:4], "big")
    path.write_bytes(rest[:head] + index + rest[head:])


def cut(path: Path, share: float) -> None:
    """Keep the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def _find(content: bytearray, *kinds: bytes) -> tuple[int, int]:
    """Return the place and size of a box inside boxes."""
    place, end, size = 0, len(content), 0
    for kind in kinds:
        while content[place + 4 : place + 8] != kind:
            place += int.from_bytes(content[place : place + 4], "big")
            assert place < end, kind
        size = int.from_bytes(content[place : place + 4], "big")
        if kind != kinds[-1]:
            place, end = place + 8, place + size
    return place, size
