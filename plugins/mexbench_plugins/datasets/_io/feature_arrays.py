"""Joins the rows of a table of features with arrays in files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from mexbench.errors import DataError, counted
from mexbench.interfaces import DataIssue
from mexbench_plugins.datasets._io.array_files import ArrayFile, ArraySpec, open_arrays
from mexbench_plugins.datasets._io.feature_table import FeatureRow

Axes = Literal["auto", "vector", "sequence", "image", "video"]
#: Number of dimensions of a sample's array -> what its axes are, for ``axes: auto``.
AXES: Mapping[int, Axes] = {1: "vector", 2: "sequence", 3: "image", 4: "video"}
_DIMENSIONS = {"vector": (1,), "sequence": (2,), "image": (2, 3), "video": (4,)}
#: Values whose finiteness is looked at in one go.
_CHUNK = 2**22


def axes_of(shape: Sequence[int], axes: Axes) -> Axes | None:
    """Return what the axes of a sample's array are; None where no kind has so many."""
    return AXES.get(len(shape)) if axes == "auto" else axes


class FeatureArrays:
    """Where the array of each row is, and what is wrong with it."""

    def __init__(
        self,
        rows: Sequence[FeatureRow],
        *,
        table: Path,
        arrays: Path | None,
        array: str | None,
        axes: Axes,
        full_id: Callable[[FeatureRow], str],
    ) -> None:
        self.rows, self.table, self.array, self.full_id = rows, table, array, full_id
        self.axes: Axes = axes
        self.files: list[ArrayFile] = []
        self.issues: list[DataIssue] = []
        self._places: dict[int, tuple[int, str, int | None, ArraySpec]] = {}
        self._reasons: dict[int, tuple[str, str]] = {}
        if arrays is None:
            self._own_files()
        else:
            self._one_file(open_arrays(arrays))

    def of(self, row: FeatureRow) -> tuple[int, str, int | None, ArraySpec | None]:
        """Return file, name, row in the array and header; of a row without an array nothing that can be read."""
        return self._places.get(row.position, (0, "", None, None))

    def unusable(self) -> Iterator[tuple[int, tuple[str, str]]]:
        """Yield the position of each row that cannot be used, with kind and detail."""
        yield from self._reasons.items()
        usual = self._usual_shape()
        for position, (file, name, place, spec) in self._places.items():
            shape = spec.shape if place is None else spec.shape[1:]
            if (reason := self._shape_problem(shape, usual)) is not None:
                yield position, ("shape differs", reason)
            elif spec.dtype.kind == "f" and (bad := self._not_finite(file, name, place)):
                yield position, ("values not finite", f"{bad} of {int(np.prod(shape))} are NaN or infinite")

    def _own_files(self) -> None:
        if "path" not in self.rows[0].cells:
            raise DataError(
                f"{self.table}: where are the arrays? Give 'arrays', one file for all, or the table a column "
                "path with a file for each sample"
            )
        opened: dict[str, int] = {}
        for row in self.rows:
            text = row.get("path")
            if text is None:
                self._reasons[row.position] = "array missing", "no path"
                continue
            path = _below(self.table.parent, text, row.where)
            if not path.is_file():
                self._reasons[row.position] = "array missing", f"file not found: {text}"
                continue
            if text not in opened:
                opened[text] = len(self.files)
                self.files.append(open_arrays(path))
            file = self.files[opened[text]]
            name = self._own_name(file, row)
            place, spec = row.whole("row"), file.entries[name]
            if place is not None and place >= (spec.shape or (0,))[0]:
                raise DataError(f"{row.where}: row {place}, and the array of {text} is {spec.shape}")
            self._places[row.position] = (opened[text], name, place, spec)

    def _own_name(self, file: ArrayFile, row: FeatureRow) -> str:
        for name in self._keys(row):
            if name and name in file.entries:
                return name
        return file.single(self.array)

    def _one_file(self, file: ArrayFile) -> None:
        self.files.append(file)
        keys = {name: row.position for row in self.rows for name in self._keys(row)}
        if not file.keyed and (self.array is not None or not keys.keys() & file.entries.keys()):
            self._by_row(file, file.single(self.array))
            return
        for row in self.rows:
            name = next((name for name in self._keys(row) if name in file.entries), None)
            if name is None:
                self._reasons[row.position] = "array missing", f"{file.path.name} has none of this sample id"
            else:
                self._places[row.position] = (0, name, None, file.entries[name])
        self.issues += [
            DataIssue(what="array without a row in the table", where=name, detail=file.path.name)
            for name in file.entries
            if name not in keys
        ]

    def _by_row(self, file: ArrayFile, name: str) -> None:
        spec = file.entries[name]
        if not spec.shape:
            raise DataError(f"{file.path}: holds a single number, expected a row for each sample")
        explicit = "row" in self.rows[0].cells
        if not explicit and spec.shape[0] != len(self.rows):
            raise DataError(
                f"{file.path}: has {counted(spec.shape[0], 'row')}, and {self.table} {len(self.rows)}: they must go "
                "together, row by row; give the table a column row with the place of each sample in the array, from 0"
            )
        taken: dict[int, FeatureRow] = {}
        for row in self.rows:
            place = row.whole("row") if explicit else row.position
            if place is None:
                self._reasons[row.position] = "array missing", "no row"
                continue
            if place >= spec.shape[0]:
                raise DataError(f"{row.where}: row {place}, and {file.path} has rows 0 to {spec.shape[0] - 1}")
            if place in taken:
                raise DataError(f"{row.where}: row {place} is that of {taken[place].where} already")
            taken[place] = row
            self._places[row.position] = (0, name, place, spec)
        if unused := spec.shape[0] - len(taken):
            self.issues.append(
                DataIssue(what="array without a row in the table", where=file.path.name, detail=counted(unused, "row"))
            )

    def _keys(self, row: FeatureRow) -> tuple[str, str]:
        """Return the names that a sample's array may have: its id as written, and in full."""
        return row.cells["sample_id"], self.full_id(row)

    def _usual_shape(self) -> tuple[int, ...]:
        """Return the most frequent shape, without the length of sequences; of equally frequent ones the first."""
        shapes = Counter(
            self._comparable(spec.shape if place is None else spec.shape[1:])
            for _, _, place, spec in self._places.values()
        )
        return shapes.most_common(1)[0][0] if shapes else ()

    def _comparable(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        axes = axes_of(shape, self.axes)
        return (-1, *shape[1:]) if axes in ("sequence", "video") and shape else shape

    def _shape_problem(self, shape: tuple[int, ...], usual: tuple[int, ...]) -> str | None:
        axes = self.axes
        allowed = tuple(AXES) if axes == "auto" else _DIMENSIONS[axes]
        if len(shape) not in allowed or 0 in shape:
            wanted = "1 to 4 axes" if axes == "auto" else f"the axes of a {axes}"
            return f"{shape}, expected {wanted}, none of length 0"
        if self._comparable(shape) != usual:
            return f"{shape}, most have {tuple('T' if size < 0 else size for size in usual)}".replace("'", "")
        return None

    def _not_finite(self, file: int, name: str, place: int | None) -> int:
        """Count the values of a sample that are NaN or infinite."""
        array = self.files[file].read(name)
        values = np.asarray(array if place is None else array[place]).reshape(-1)
        return sum(
            int(np.count_nonzero(~np.isfinite(values[start : start + _CHUNK])))
            for start in range(0, len(values), _CHUNK)
        )


def _below(root: Path, text: str, where: str) -> Path:
    """Return a file below a folder.

    Raises:
        DataError: The path leads out of it, by a link too.
    """
    pure = PurePosixPath(text)
    if "\\" in text or ":" in text or pure.is_absolute() or ".." in pure.parts:
        raise DataError(
            f"{where}: path {text!r}: expected a file below the table's folder: relative, with /, without .."
        )
    path = root / text
    if not path.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{where}: path {text!r} leads out of {root}")
    return path
