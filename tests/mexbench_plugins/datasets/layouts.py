"""Small data in the official layouts, written by the tests themselves."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import openpyxl
from numpy.typing import NDArray

from mexbench.interfaces import Dataset, Sample

CASME2_HEADER = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion")
CASME2_ROWS: list[Sequence[object]] = [
    ("01", "EP02_01f", 46, 50, 53, 12, "happiness"),
    (1, "EP03_02", 98, 101, 103, "4+R10", "others"),
    ("02", "EP03_02", 8, 10, 12, "?", " Disgust "),
    (26.0, "EP18_50", 3, "/", 6, "L12 or L14", "sadness"),
]
SAMM_HEADER = (
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset Frame",
    "Apex Frame",
    "Offset Frame",
    "Duration",
    "Micro",
    "Action Units",
    "Estimated Emotion",
    "Objective Classes",
    "Notes",
)


def by_id(dataset: Dataset) -> dict[str, Sample]:
    return {sample.sample_id: sample for sample in dataset.samples()}


def image(value: int, *, size: tuple[int, int] = (12, 16), gray: bool = False) -> NDArray[np.uint8]:
    """An even image: RGB (value, value // 2, 0), or gray."""
    if gray:
        return np.full(size, value, np.uint8)
    return np.full((*size, 3), (value, value // 2, 0), np.uint8)


def encode(pixels: NDArray[np.uint8] | NDArray[np.uint16], suffix: str) -> bytes:
    """RGB or gray pixels as the bytes of a file."""
    bgr = pixels[..., ::-1] if pixels.ndim == 3 and pixels.shape[2] == 3 else pixels
    done, content = cv2.imencode(suffix, np.ascontiguousarray(bgr))
    assert done
    return content.tobytes()


def write_frames(
    folder: Path,
    numbers: Iterable[int],
    name: str = "img{}.jpg",
    *,
    size: tuple[int, int] = (12, 16),
    gray: bool = False,
) -> Path:
    """Write frames whose gray or red value is their number, so that a test sees which ones were read."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path = folder / name.format(number)
        path.write_bytes(encode(image(number % 250, size=size, gray=gray), path.suffix))
    return folder


def write_xlsx(
    path: Path,
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    preamble: Iterable[Sequence[object]] = (),
    title: str = "Sheet1",
    empty_sheets: Sequence[str] = ("Sheet2", "Sheet3"),
    empty_first: bool = False,
) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in (*preamble, header, *rows):
        sheet.append(list(row))
    for index, name in enumerate(empty_sheets):
        book.create_sheet(name, index if empty_first else None)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    return path


def write_casme2(
    root: Path,
    rows: Sequence[Sequence[object]],
    *,
    header: Sequence[object] = CASME2_HEADER,
    version: str = "20140508",
    frames: str = "CASME2_RAW_selected",
    name: str = "img{}.jpg",
) -> Path:
    """Write the annotation and the frames from onset to offset of each row."""
    write_xlsx(root / f"CASME2-coding-{version}.xlsx", header, rows)
    for subject, clip, onset, _, offset, *_ in rows:
        if isinstance(onset, int) and isinstance(offset, int):
            folder = f"sub{int(float(str(subject))):02}"
            write_frames(root / frames / folder / str(clip), range(onset, offset + 1), name)
    return root


def samm_row(
    subject: object, clip: str, frames: tuple[object, object, object], au: object, emotion: str
) -> list[object]:
    onset, apex, offset = frames
    return [subject, clip, 1, onset, apex, offset, 10, "1/2", au, emotion, 1, None]


def write_samm(
    root: Path, rows: Sequence[Sequence[object]], *, preamble: int = 0, name: str = "SAMM_Micro.xlsx"
) -> Path:
    lines = [[f"Remark {index} about the Subject and its Filename"] for index in range(preamble)]
    write_xlsx(
        root / name, SAMM_HEADER, rows, preamble=lines, title="MICRO_ONLY", empty_sheets=("About",), empty_first=True
    )
    for row in rows:
        subject, clip = f"{int(str(row[0])):03}", str(row[1])
        onset, offset = row[3], row[5]
        assert isinstance(onset, int)
        assert isinstance(offset, int)
        write_frames(
            root / "SAMM" / subject / clip, range(onset, offset + 1), f"{subject}_{{:05}}.jpg", gray=True, size=(10, 20)
        )
    return root


def noise_frames(folder: Path, numbers: Iterable[int], name: str, *, size: tuple[int, int] = (8, 8)) -> Path:
    """Write tiny frames that all differ, so that none is taken for a copy of another."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in sorted(numbers):
        path = folder / name.format(number)
        rng = np.random.default_rng([zlib.crc32(str(folder).encode()), number])
        path.write_bytes(encode(rng.integers(0, 256, (*size, 3), dtype=np.uint8), path.suffix))
    return folder
