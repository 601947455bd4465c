"""Action units of a film out of a file of OpenFace, for ``bench predict --units``.

Source: Baltrusaitis et al., OpenFace 2.0, FG 2018; the columns are those of its wiki page "Output Format":
``timestamp`` in seconds, ``confidence``, ``success``, ``AU01_r`` (an intensity from 0 to 5) and ``AU01_c`` (0 or 1).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mexbench.data.video.clip_list import ListedClip
from mexbench.errors import ConfigError, DataError, counted, listed
from mexbench.interfaces import MeasuredUnits
from mexbench.metrics.action_units import THRESHOLD

#: The least confidence of a frame that counts, beside ``success``: that of the step ``action_units``.
CONFIDENCE = 0.75
_MOST_BYTES = 2**28
#: A row counts for a snapshot that is at most so far from it.
_NEAR_S = 0.5
_COLUMN = re.compile(r"AU0*(\d+)_([rc])")
#: The greatest value of each kind of column.
_MOST = {"r": 5.0, "c": 1.0}
_NEEDED = ("timestamp", "confidence", "success")


@dataclass(frozen=True, eq=False)
class FilmUnits:
    """The rows of a file that have a sure face.

    Args:
        times: In seconds (n,), rising.
        values: Kind, r or c -> number of the unit -> values from 0 to 1 (n,).
    """

    times: NDArray[np.float64]
    values: Mapping[str, Mapping[int, NDArray[np.float64]]]

    def within(self, start_s: float, end_s: float) -> MeasuredUnits | None:
        """Return the greatest value of each unit from a time to another, exclusive; None without a row there.

        Of a single moment, a still picture or a snapshot, the nearest row within half a second counts.
        """
        if end_s > start_s:
            rows = np.flatnonzero((self.times >= start_s - 1e-6) & (self.times < end_s - 1e-6))
        else:
            nearest = int(np.abs(self.times - start_s).argmin())
            is_near = abs(float(self.times[nearest]) - start_s) <= _NEAR_S
            rows = np.array([nearest] if is_near else [], dtype=np.intp)
        if not len(rows):
            return None
        intensity, presence = (
            {unit: float(column[rows].max()) for unit, column in self.values[kind].items()} for kind in "rc"
        )
        return MeasuredUnits(intensity=intensity, presence=presence)


def shown_units(measured: MeasuredUnits) -> frozenset[str]:
    """Return the units that a file says are present, ``{"AU6", "AU12"}``; by intensity where it has no presence.

    Without presence a unit shows from an intensity of 1 of 5 on, a trace in OpenFace's scale.
    """
    if measured.presence:
        return frozenset(f"AU{unit}" for unit, value in measured.presence.items() if value >= THRESHOLD)
    return frozenset(f"AU{unit}" for unit, value in measured.intensity.items() if value >= 1 / _MOST["r"])


def file_of(units: Path, clip: ListedClip, *, several: bool) -> Path:
    """Return the file that has a clip's units.

    Args:
        units: What ``--units`` names: a file for the only film, or a folder with a CSV for each.
        clip: The clip.
        several: Whether there are several clips.

    Raises:
        ConfigError: A folder has no file of the clip, or one file is given for several films.
    """
    if not units.is_dir():
        if several:
            raise ConfigError(f"--units {units}: is one file, and there are several films: give a folder of CSV files")
        return units
    names = list(dict.fromkeys(f"{name}.csv" for name in (clip.clip_id, Path(clip.clip_id).stem, Path(clip.path).stem)))
    root = units.resolve()
    for name in names:
        path = units / name
        if path.resolve().is_relative_to(root) and path.is_file():
            return path
    raise ConfigError(f"--units {units}: has no file of {clip.clip_id}: looked for {listed(names)}")


def read(path: Path) -> FilmUnits:
    """Read a CSV of OpenFace's FeatureExtraction for a film.

    Raises:
        DataError: It cannot be read, lacks columns, has a cell out of range, several faces, or no sure face at all.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"--units {path}: is larger than {_MOST_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
        header, *rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row] or [[]]
    except OSError as error:
        raise DataError(f"--units {path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"--units {path}: expected a CSV in UTF-8: {error}") from None
    columns = {(match[2], int(match[1])): name for name in header if (match := _COLUMN.fullmatch(name))}
    if lacking := [*(name for name in _NEEDED if name not in header), *([] if columns else ["AU01_c"])]:
        raise DataError(
            f"--units {path}: lacks the columns {listed(lacking)}; let OpenFace 2's FeatureExtraction write the file "
            "(-f FILM -aus)"
        )
    numbers = _numbers(path, header, rows, [*_NEEDED, *columns.values()])
    times, confidence, success = numbers[:3]
    if len(times) > 1 and not (np.diff(times) > 0).all():
        raise DataError(f"--units {path}: 'timestamp' does not rise: several faces? FeatureExtraction follows one")
    sure = (success == 1) & (confidence >= CONFIDENCE)
    if not sure.any():
        raise DataError(
            f"--units {path}: no sure face in its {counted(len(times), 'frame')} (confidence {CONFIDENCE:g})"
        )
    values: dict[str, dict[int, NDArray[np.float64]]] = {"r": {}, "c": {}}
    for ((kind, unit), name), column in zip(columns.items(), numbers[3:], strict=True):
        if column[sure].min() < 0 or column[sure].max() > _MOST[kind]:
            raise DataError(
                f"--units {path}: {name} lies from {column[sure].min():g} to {column[sure].max():g}, "
                f"expected 0 to {_MOST[kind]:g}"
            )
        values[kind][unit] = column[sure] / _MOST[kind]
    return FilmUnits(times[sure], values)


def _numbers(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], names: Sequence[str]
) -> NDArray[np.float64]:
    """Return columns as finite numbers (names, rows)."""
    places = [header.index(name) for name in names]
    numbers = np.empty((len(names), len(rows)))
    for index, row in enumerate(rows):
        if len(row) != len(header):
            raise DataError(
                f"--units {path}, row {index + 2}: {counted(len(row), 'cell')} under {counted(len(header), 'header')}"
            )
        for column, (name, place) in enumerate(zip(names, places, strict=True)):
            try:
                numbers[column, index] = float(row[place])
            except ValueError:
                numbers[column, index] = np.nan
            if not np.isfinite(numbers[column, index]):
                raise DataError(f"--units {path}, row {index + 2}: {name} is {row[place]!r}, expected a number")
    return numbers
