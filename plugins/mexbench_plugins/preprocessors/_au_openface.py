"""Action units as OpenFace 2 writes them: a CSV with a row per frame.

Source: Baltrusaitis et al., OpenFace 2.0, FG 2018; the columns are those of its wiki page "Output Format". After a
comma a header may have a blank. ``AU01_r`` is an intensity from 0 to 5, ``AU01_c`` is 0 or 1.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError, SampleRejected, check_name, listed
from mexbench.fingerprint import digest, digest_files

UNSURE = "OpenFace is not sure of the face in some frames, which do not count (action_units)"
#: The greatest value of each kind of column.
_MOST = {"r": 5, "c": 1}


@dataclass(frozen=True, eq=False)
class OpenFaceTable:
    """What a CSV says of a clip: the value of each unit (units,), from 0 to 1, and notes."""

    values: NDArray[np.float64]
    notes: tuple[str, ...]


def find(folder: Path, clip_id: str) -> Path | None:
    """Return a clip's CSV: FOLDER/CLIP_ID.csv, or the same without the name of the data set; None without one."""
    for name in (clip_id, clip_id.partition("/")[2]):
        path = folder / f"{name}.csv"
        if name and path.resolve().is_relative_to(folder.resolve()) and path.is_file():
            return path
    return None


def digest_of(folder: Path) -> str:
    """Return the digest of the names and bytes of all CSV files.

    Raises:
        DataError: The folder does not exist or holds no CSV, or a name is not UTF-8.
    """
    if not folder.is_dir():
        raise DataError(f"action_units: folder {folder}: no such folder; give that of OpenFace's CSV files")
    paths = sorted(folder.rglob("*.csv"))
    for path in paths:
        check_name(path)
    if not paths:
        raise DataError(f"action_units: folder {folder}: holds no CSV; give that of OpenFace's CSV files")
    names = tuple(path.relative_to(folder).as_posix() for path in paths)
    return _digest(folder, names, tuple(path.stat().st_mtime_ns for path in paths))


@functools.lru_cache(maxsize=8)
def _digest(folder: Path, names: tuple[str, ...], changed: tuple[int, ...]) -> str:
    del changed
    return digest([names, digest_files([folder / name for name in names])])


def read(path: Path, units: Sequence[int], *, kind: Literal["r", "c"], length: int, confidence: float) -> OpenFaceTable:
    """Read a clip's CSV.

    Args:
        path: The file.
        units: Numbers of the units.
        kind: r for intensities, c for presence.
        length: Frames of the clip.
        confidence: The least of a frame that counts; its ``success`` must be 1 as well.

    Raises:
        SampleRejected: No frame counts.
        DataError: Columns are missing, the number of frames is not the clip's, or a cell is not a number in range.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8: {error}") from None
    try:
        header, *rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row] or [[]]
    except csv.Error as error:
        raise DataError(f"{path}: expected a CSV: {error}") from None
    wanted = [f"AU{unit:02}_{kind}" for unit in units]
    if lacking := [name for name in (*wanted, "frame", "confidence", "success") if name not in header]:
        aus = [name for name in header if name.startswith("AU")]
        raise DataError(
            f"{path}: lacks the columns {listed(lacking, limit=6)}; it has {len(aus)} columns of action units: let "
            "OpenFace 2's FeatureExtraction write them (-aus), or choose other 'units'"
        )
    numbers = _numbers(path, header, rows, [*wanted, "frame", "confidence", "success"])
    *of_units, frame, sure, success = numbers.T
    if len(np.unique(frame)) != len(frame):
        raise DataError(f"{path}: has a frame twice, as where several faces are followed; FeatureExtraction writes one")
    if len(frame) != length:
        raise DataError(
            f"{path}: has {len(frame)} frames, the clip has {length}; run FeatureExtraction on the frames of the clip, "
            "from onset to offset"
        )
    counts = (success == 1) & (sure >= confidence)
    if not counts.any():
        raise SampleRejected("has no frame with a sure face in its OpenFace CSV (action_units)")
    values = np.stack(of_units)[:, counts]
    if values.min() < 0 or values.max() > _MOST[kind]:
        raise DataError(
            f"{path}: {wanted[0]} and so on lie from {values.min():g} to {values.max():g}, not 0 to {_MOST[kind]}"
        )
    return OpenFaceTable(values.max(axis=1) / _MOST[kind], () if counts.all() else (UNSURE,))


def _numbers(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], names: Sequence[str]
) -> NDArray[np.float64]:
    """Return cells as finite numbers (rows, names)."""
    places = [header.index(name) for name in names]
    numbers = np.empty((len(rows), len(names)))
    for index, row in enumerate(rows):
        if len(row) != len(header):
            raise DataError(f"{path}, row {index + 2}: {len(row)} cells under {len(header)} headers")
        for column, (name, place) in enumerate(zip(names, places, strict=True)):
            try:
                numbers[index, column] = float(row[place])
            except ValueError:
                raise DataError(f"{path}, row {index + 2}: {name} is {row[place]!r}, expected a number") from None
            if not np.isfinite(numbers[index, column]):
                raise DataError(f"{path}, row {index + 2}: {name} is {row[place]}, expected a finite number")
    return numbers
