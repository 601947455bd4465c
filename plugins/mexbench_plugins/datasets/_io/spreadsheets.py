"""Annotation sheets, .xlsx or .csv: rows by column name, wherever the header stands."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mexbench.errors import DataError, counted, listed
from mexbench.files import read_plain

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

#: What may stand above the header: one release has thirteen rows of prose there.
_PREAMBLE = 60
#: Unpacked size in bytes past which a file is not an annotation; the published ones have under one million.
_LARGEST = 64_000_000
_LONGEST = 100_000  # rows
_WIDEST = 16  # columns that a sheet without header can be asked for, whatever its own width

Cells = tuple[object, ...]

#: What sheets, and programs that save them, write where a frame is not known.
NO_FRAME = frozenset({"", "/", "-", "nan", "NaN", "None", "N/A", "NA"})
#: A whole number as programs save it that take a column with blanks for one of fractions: 94.0, or 94,0.
_WHOLE = re.compile(r"(-?\d+)[.,]0+", re.ASCII)
#: What separates the cells of a CSV, in the order of preference, and what errors call it.
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


class CellError(DataError):
    """A cell holds neither a value nor a sign for none."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A sheet of a workbook, or a CSV under one of the delimiters.

    Args:
        name: Of the sheet; of a CSV what separates its cells.
        where: File and sheet, as a user would look for it.
        rows: Its cells.
        hidden: Whether the workbook hides the sheet.
    """

    name: str
    where: str
    rows: list[Cells]
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row of a sheet, by column name.

    Args:
        where: File, sheet and row number, as a user would look for it.
        cells: Value of each column that was asked for; None where the cell is blank or the column is absent.
    """

    where: str
    cells: Mapping[str, object]

    def text(self, column: str) -> str:
        """Return a cell as text without outer blanks; a whole number loses its ``.0``, a blank cell gives ''."""
        value = self.cells[column]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = "" if value is None else str(value).strip()
        match = _WHOLE.fullmatch(text)
        return match[1] if match else text

    def frame(self, column: str, *, missing: frozenset[str] = NO_FRAME) -> int | None:
        """Return a frame number; None for a cell that names none.

        Args:
            column: The column to read.
            missing: What this sheet writes for an unknown frame.

        Raises:
            CellError: The cell holds something else; the text says which cell.
        """
        text = self.text(column)
        if text in missing:
            return None
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
            raise CellError(f"{self.where}: {column} is {text!r}, expected the number of a frame, or / for none")
        return int(text)


def read_rows(path: Path, required: Sequence[str], *, sheet: str | None = None) -> list[SheetRow]:
    """Read the rows under the header that has every required column, in the order of the file.

    A CSV may be separated by commas, semicolons, tabs or bars. Columns go by name, whatever their order, case, blanks
    and underscores: ``OnsetFrame`` is ``Onset Frame``. Rows in which every required column is blank are skipped.

    Args:
        path: An .xlsx or a .csv file.
        required: Columns that must be there, as errors shall call them.
        sheet: Name of the sheet to read where several have these columns.

    Raises:
        DataError: The file cannot be read, no sheet has these columns, or several have; the text names them.
    """
    tables = _read(path)
    headers = {table.name: place for table in tables if (place := _header(table, required)) is not None}
    candidates = [table for table in tables if table.name in headers]
    if candidates:
        table = candidates[0] if path.suffix.lower() == ".csv" else _only(path, candidates, sheet)
        return list(_under(table, headers[table.name], required))
    nearest: tuple[int, str, Cells] | None = None
    for table in tables:
        for index, cells in enumerate(table.rows[:_PREAMBLE]):
            keys = {_key(cell) for cell in cells}
            count = sum(_key(column) in keys for column in required)
            if count and (nearest is None or count > nearest[0]):
                nearest = count, f"{table.where}, row {index + 1}", cells
    if nearest is None:
        raise DataError(
            f"{path}: no header row in the first {_PREAMBLE} rows of any sheet "
            f"({listed(table.name for table in tables)}); expected the columns {listed(required)}"
        )
    _, where, cells = nearest
    present = [str(cell).strip() for cell in cells if _key(cell)]
    missing = [column for column in required if _key(column) not in {_key(cell) for cell in cells}]
    raise DataError(f"{where}: missing column {listed(missing)}; headers found: {listed(present)}")


def _header(table: _Table, required: Sequence[str]) -> int | None:
    """Return the place of the first row that has every required column."""
    wanted = {_key(column) for column in required}
    return next((i for i, cells in enumerate(table.rows[:_PREAMBLE]) if wanted <= {_key(c) for c in cells}), None)


def _only(path: Path, candidates: Sequence[_Table], name: str | None) -> _Table:
    """Return the one sheet to read: the only one, or the visible one of the name that the data set publishes.

    Raises:
        DataError: There are several; one of them must not be taken in silence.
    """
    named = [
        table
        for table in candidates
        if name is not None and table.name.strip().casefold() == name.casefold() and not table.hidden
    ]
    if len(candidates) > 1 and len(named) != 1:
        several = listed(repr(table.name) + " (hidden)" * table.hidden for table in candidates)
        raise DataError(
            f"{path}: {len(candidates)} sheets have the columns of the annotation, {several}: keep the right one, "
            "remove the others or rename their columns"
        )
    return named[0] if named else candidates[0]


def read_cells(path: Path, *, sheet: int = 0) -> list[SheetRow]:
    """Read a sheet that has no header; columns are called ``1``, ``2``, ... from the left, blank rows are skipped.

    Args:
        path: An .xlsx or a .csv file.
        sheet: Position of the sheet in the workbook, from 0.

    Raises:
        DataError: The file cannot be read, or has fewer sheets.
    """
    tables = _read(path)
    if path.suffix.lower() == ".csv":
        tables = sorted(tables, key=_width, reverse=True)[:1]
    if sheet >= len(tables):
        raise DataError(f"{path}: has {counted(len(tables), 'sheet')}, expected at least {sheet + 1}")
    table = tables[sheet]
    return [
        SheetRow(
            f"{table.where}, row {number}",
            {
                str(place + 1): _blank_to_none(cells[place]) if place < len(cells) else None
                for place in range(max(_width(table), _WIDEST))
            },
        )
        for number, cells in enumerate(table.rows, start=1)
        if any(_blank_to_none(cell) is not None for cell in cells)
    ]


def _width(table: _Table) -> int:
    return max((len(cells) for cells in table.rows), default=0)


def _under(table: _Table, header: int, required: Sequence[str]) -> Iterator[SheetRow]:
    rows, where = table.rows, table.where
    keys = [_key(cell) for cell in rows[header]]
    twice = [column for column in required if keys.count(_key(column)) > 1]
    if twice:
        raise DataError(f"{where}, row {header + 1}: column {listed(twice)} appears twice; remove one of them")
    places = {column: keys.index(_key(column)) for column in required}
    for number, cells in enumerate(rows[header + 1 :], start=header + 2):
        values = {
            column: _blank_to_none(cells[place]) if place < len(cells) else None for column, place in places.items()
        }
        if any(value is not None for value in values.values()):
            yield SheetRow(f"{where}, row {number}", values)


def _blank_to_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _key(cell: object) -> str:
    return re.sub(r"[\W_]+", "", str(cell)).casefold() if cell is not None else ""


def _read(path: Path) -> list[_Table]:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path)
    if suffix == ".xlsx":
        return _read_xlsx(path)
    raise DataError(f"{path}: a {suffix or 'nameless'} file cannot be read as a sheet; save it as .xlsx or .csv")


def _read_csv(path: Path) -> list[_Table]:
    """Read a CSV under each delimiter that it has, the likeliest first."""
    try:
        content = read_plain(path, most=_LARGEST)
    except ValueError as error:
        raise DataError(f"{path}: cannot be read as a sheet: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8 text; save it again as CSV UTF-8") from None
    start = text[:100_000]
    delimiters = [delimiter for delimiter in _DELIMITERS if delimiter in start] or [","]
    tables = []
    for delimiter in delimiters:
        rows: list[Cells] = []
        try:
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
                rows.append(tuple(row))
                _check_length(path, rows)
        except csv.Error as error:
            raise DataError(f"{path}: is not a CSV file ({error}); save it again as CSV UTF-8") from None
        tables.append(_Table(f"separated by {_DELIMITERS[delimiter]}", str(path), rows))
    return tables


def _read_xlsx(path: Path) -> list[_Table]:
    """Read every sheet. The file may come from anywhere, so nothing about it is taken for granted."""
    import openpyxl

    broken = f"{path}: is not an .xlsx workbook that can be read; open it in a spreadsheet program and save it as .xlsx"
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        raise DataError(broken) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if size > _LARGEST:
        raise DataError(
            f"{path}: unpacks to {size} bytes, more than any annotation has ({_LARGEST}); is it the right one?"
        )
    try:
        # The file is opened here, because openpyxl leaves it open where it cannot read it.
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions, of which nothing is read
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            return [_sheet_table(path, sheet) for sheet in book.worksheets]
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged workbook can raise anything from any layer
        raise DataError(f"{broken} ({type(error).__name__}: {error})") from None


def _sheet_table(path: Path, sheet: ReadOnlyWorksheet) -> _Table:
    hidden = sheet.sheet_state != "visible"
    where = f"{path}, sheet {sheet.title!r}{' (hidden)' if hidden else ''}"
    return _Table(sheet.title, where, _read_sheet(path, sheet), hidden)


def _read_sheet(path: Path, sheet: ReadOnlyWorksheet) -> list[Cells]:
    # Some programs write a wrong size into the file, and the reader would believe it.
    sheet.reset_dimensions()
    rows: list[Cells] = []
    for row in sheet.iter_rows(values_only=True):
        rows.append(tuple(row))
        _check_length(path, rows)
    return rows


def _check_length(path: Path, rows: Sequence[Cells]) -> None:
    if len(rows) > _LONGEST:
        raise DataError(f"{path}: has more than {_LONGEST} rows, more than any annotation; is it the right file?")
