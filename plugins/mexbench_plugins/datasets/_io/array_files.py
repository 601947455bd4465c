"""Files of arrays that a user computed: ``.npy``, ``.npz``, ``.safetensors``, ``.parquet`` and ``.csv``.

Nothing in them is executed: arrays of Python objects, which need pickle, are refused, and a header that promises more
than its file holds is noticed before memory is taken.
"""

from __future__ import annotations

import csv
import io
import zipfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError, counted, listed, missing_extra

SUFFIXES = (".npy", ".npz", ".safetensors", ".parquet", ".csv")
#: Name of the array of a file that holds a single one without a name.
ONLY = ""
#: Bytes that an archive's members may have together once they are unpacked.
_LARGEST_ARCHIVE = 64 * 2**30
#: Bytes of a CSV of features.
_LARGEST_CSV = 2**30


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """What a header says about an array.

    Args:
        shape: Its shape.
        dtype: Its type.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class ArrayFile(ABC):
    """Arrays by name in one file. What was opened stays open in this process and is not sent to another one."""

    #: Whether the names are sample ids by the nature of the file.
    keyed = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is open or read."""
        return {"path": self.path}

    @cached_property
    def entries(self) -> Mapping[str, ArraySpec]:
        """Name -> shape and type, from the headers where the format has some.

        Raises:
            DataError: The file is damaged, or an array holds no numbers.
        """
        return self._read_entries()

    @abstractmethod
    def _read_entries(self) -> Mapping[str, ArraySpec]: ...

    @abstractmethod
    def read(self, name: str) -> NDArray[Any]:
        """Read one array; a large one may be a read-only map of the file.

        Raises:
            DataError: It cannot be read.
        """

    def single(self, name: str | None) -> str:
        """Return the name of the one array to take.

        Raises:
            DataError: The name is unknown, or none is given and there are several.
        """
        if name is not None and self.entries.keys() != {ONLY}:
            if name not in self.entries:
                raise DataError(f"{self.path}: no array {name!r}; its arrays: {listed(self.entries, limit=8)}")
            return name
        if len(self.entries) != 1:
            raise DataError(
                f"{self.path}: holds {len(self.entries)} arrays ({listed(self.entries, limit=5)}); choose one by "
                "'array'"
            )
        return next(iter(self.entries))

    def damaged(self, problem: object) -> DataError:
        """Return the error of a file that cannot be read."""
        return DataError(f"{self.path}: cannot be read as {self.path.suffix} ({problem}); write it again")


def open_arrays(path: Path) -> ArrayFile:
    """Return a file of arrays by its suffix; it is opened when it is first read.

    Raises:
        DataError: The suffix is unknown, or the file is not there.
    """
    kinds: dict[str, type[ArrayFile]] = {
        ".npy": _Npy,
        ".npz": _Npz,
        ".safetensors": _Safetensors,
        ".parquet": _Parquet,
        ".csv": _Csv,
    }
    if path.suffix.lower() not in kinds:
        raise DataError(f"{path}: files of arrays end in {listed(SUFFIXES)}")
    if not path.is_file():
        raise DataError(f"{path}: file not found")
    return kinds[path.suffix.lower()](path)


def _numbers(path: Path, name: str, spec: ArraySpec) -> ArraySpec:
    if spec.dtype.kind not in "biuf":
        what = "Python objects, which are never unpickled" if spec.dtype.hasobject else f"{spec.dtype} values"
        array = f"array {name!r} holds" if name else "holds"
        raise DataError(f"{path}: {array} {what}; save numbers, such as float32")
    return spec


class _Npy(ArrayFile):
    @cached_property
    def _array(self) -> NDArray[Any]:
        try:
            with self.path.open("rb") as stream:
                _numbers(self.path, ONLY, _npy_header(stream))
            return np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise self.damaged(error) from None

    def _read_entries(self) -> Mapping[str, ArraySpec]:
        return {ONLY: ArraySpec(self._array.shape, self._array.dtype)}

    def read(self, name: str) -> NDArray[Any]:
        del name
        return self._array


class _Npz(ArrayFile):
    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError) as error:
            raise self.damaged(error) from None

    def _read_entries(self) -> Mapping[str, ArraySpec]:
        members = [info for info in self._archive.infolist() if info.filename.endswith(".npy")]
        if sum(info.file_size for info in members) > _LARGEST_ARCHIVE:
            raise self.damaged(f"its arrays unpack to more than {_LARGEST_ARCHIVE >> 30} GiB")
        entries: dict[str, ArraySpec] = {}
        for info in members:
            name = info.filename.removesuffix(".npy")
            try:
                with self._archive.open(info) as stream:
                    spec = _npy_header(stream)
                    start = stream.tell()
            except (ValueError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
                raise self.damaged(f"array {name!r}: {error}") from None
            _numbers(self.path, name, spec)
            if start + int(np.prod(spec.shape, dtype=object)) * spec.dtype.itemsize != info.file_size:
                raise self.damaged(f"array {name!r} is not of the length that its header gives")
            entries[name] = spec
        return entries

    def read(self, name: str) -> NDArray[Any]:
        if (self.path, name) == self._last[0]:
            return self._last[1]
        self.entries[name]  # the header was compared with the length
        try:
            with self._archive.open(f"{name}.npy") as stream:
                array = np.lib.format.read_array(stream, allow_pickle=False)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zipfile.error) as error:
            raise self.damaged(f"array {name!r}: {error}") from None
        array.flags.writeable = False
        self._last[:] = [(self.path, name), array]
        return array

    @cached_property
    def _last(self) -> list[Any]:
        """The array that was read last: one array for all samples is unpacked once."""
        return [None, None]


class _Safetensors(ArrayFile):
    @cached_property
    def _file(self) -> Any:  # noqa: ANN401 - safetensors has no public type for it
        from safetensors import SafetensorError, safe_open

        try:
            return safe_open(self.path, framework="numpy")
        except (SafetensorError, OSError) as error:
            raise self.damaged(error) from None

    def _read_entries(self) -> Mapping[str, ArraySpec]:
        types = {
            "F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1", "U8": "u1",
            "U16": "u2", "U32": "u4", "U64": "u8", "BOOL": "?",
        }  # fmt: skip
        entries: dict[str, ArraySpec] = {}
        for name in self._file.keys():  # noqa: SIM118 - not a dict
            view = self._file.get_slice(name)
            if view.get_dtype() not in types:
                raise DataError(f"{self.path}: array {name!r} is {view.get_dtype()}, which numpy lacks; save float32")
            entries[name] = ArraySpec(tuple(view.get_shape()), np.dtype(types[view.get_dtype()]))
        return entries

    def read(self, name: str) -> NDArray[Any]:
        if name != self._last[0]:
            self._last[:] = [name, self._file.get_tensor(name)]
        return self._last[1]

    @cached_property
    def _last(self) -> list[Any]:
        return [None, None]


class _Table(ArrayFile):
    """A table of features: a column ``sample_id`` and one column for each feature, in the order of the file."""

    keyed = True

    @abstractmethod
    def _columns(self) -> tuple[list[str], NDArray[Any]]:
        """Return the ids and the features (rows, columns)."""

    @cached_property
    def _content(self) -> tuple[Mapping[str, int], NDArray[Any]]:
        ids, values = self._columns()
        rows = {name: row for row, name in enumerate(ids)}
        if len(rows) < len(ids):
            twice = [repr(name) for name, count in Counter(ids).items() if count > 1]
            raise DataError(f"{self.path}: sample_id {listed(twice)} appears twice; remove one row of each")
        if values.ndim < 2 or 0 in values.shape:
            raise DataError(f"{self.path}: has no column of features beside sample_id, or no row")
        values.flags.writeable = False
        return rows, values

    def _read_entries(self) -> Mapping[str, ArraySpec]:
        rows, values = self._content
        spec = ArraySpec(values.shape[1:], values.dtype)
        return dict.fromkeys(rows, spec)

    def read(self, name: str) -> NDArray[Any]:
        rows, values = self._content
        return values[rows[name]]

    def _no_ids(self, columns: list[str]) -> DataError:
        return DataError(f"{self.path}: has no column sample_id; its columns: {listed(columns, limit=8)}")


class _Parquet(_Table):
    def _columns(self) -> tuple[list[str], NDArray[Any]]:
        table = read_parquet(self.path)
        if "sample_id" not in table.column_names:
            raise self._no_ids(table.column_names)
        ids = [str(value) for value in table["sample_id"].to_pylist()]
        features = [name for name in table.column_names if name != "sample_id"]
        columns = []
        for name in features:
            column = np.asarray(table[name].to_numpy())
            # A list column: each cell is a vector.
            values = np.stack(list(column)) if column.dtype == object and _equal_lengths(column) else column[:, None]
            columns.append(values)
            _numbers(self.path, name, ArraySpec(values.shape, values.dtype))
        return ids, np.concatenate(columns, axis=1) if columns else np.empty((len(ids), 0))


class _Csv(_Table):
    def _columns(self) -> tuple[list[str], NDArray[Any]]:
        rows = read_csv(self.path, required="sample_id", most_bytes=_LARGEST_CSV)
        header = list(rows[0].cells) if rows else []
        features = [name for name in header if name != "sample_id"]
        values = np.empty((len(rows), len(features)), np.float64)
        for index, row in enumerate(rows):
            for place, name in enumerate(features):
                text = row.cells[name]
                try:
                    values[index, place] = float(text) if text else np.nan
                except ValueError:
                    raise DataError(f"{row.where}: {name} is {text!r}, expected a number") from None
        return [row.cells["sample_id"] for row in rows], values


def _equal_lengths(column: NDArray[Any]) -> bool:
    lengths = {len(cell) if isinstance(cell, np.ndarray) else -1 for cell in column}
    return len(lengths) == 1 and -1 not in lengths


def _npy_header(stream: IO[bytes]) -> ArraySpec:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return ArraySpec(shape, dtype)


def read_parquet(path: Path) -> Any:  # noqa: ANN401 - a pyarrow.Table; pyarrow has no types
    """Read a parquet file.

    Raises:
        DataError: pyarrow is not installed, or the file is damaged.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise DataError(f"{path}: {missing_extra('parquet', 'pyarrow', 'parquet')}") from None
    try:
        return parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as .parquet ({error}); write it again") from None


@dataclass(frozen=True, slots=True)
class TextRow:
    """One row of a table of text.

    Args:
        where: File and line.
        cells: Column -> text without outer blanks.
    """

    where: str
    cells: Mapping[str, str]


def read_csv(path: Path, *, required: str, most_bytes: int = 64 * 2**20) -> list[TextRow]:
    """Read a CSV with commas, semicolons or tabs, whichever its header has; every row has as many cells as the header.

    Args:
        path: The file, UTF-8.
        required: A column that must be there; the separator is known by it.
        most_bytes: A larger file is refused.

    Raises:
        DataError: It cannot be read; the text names the line.
    """
    try:
        if path.stat().st_size > most_bytes:
            raise DataError(f"{path}: is larger than {most_bytes >> 20} MiB")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8 text; save it again as CSV UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    first = text.partition("\n")[:1]
    headers = {mark: [cell.strip() for cell in next(csv.reader(first, delimiter=mark), [])] for mark in ",;\t"}
    mark = next((mark for mark, cells in headers.items() if required in cells), None)
    if mark is None:
        raise DataError(f"{path}, line 1: has no column {required}; its columns: {listed(headers[','], limit=12)}")
    header = headers[mark]
    if twice := [name for name in header if header.count(name) > 1]:
        raise DataError(f"{path}, line 1: column {twice[0]!r} appears twice; remove one")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    rows = []
    try:
        next(reader)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{path}, line {reader.line_num}"
            if len(cells) != len(header):
                raise DataError(f"{where}: has {counted(len(cells), 'cell')}, the header {len(header)}")
            rows.append(TextRow(where, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: invalid CSV: {error}") from None
    return rows
