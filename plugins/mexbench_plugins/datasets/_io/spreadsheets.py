"""Annotation sheets, .xlsx or .csv: rows by column name, wherever the header stands."""

from __future__ import annotations

import csv
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mexbench.errors import DataError, listed

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

#: What may stand above the header: one release has thirteen rows of prose there.
_PREAMBLE = 60
#: Unpacked size in bytes past which a file is not an annotation; the published ones have under one million.
_LARGEST = 64_000_000
_LONGEST = 100_000  # rows
_WIDEST = 16  # columns that a sheet without header can be asked for, whatever its own width

Cells = tuple[object, ...]

#: What sheets write where a frame is not known.
NO_FRAME = frozenset({"", "/", "-"})


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
        return "" if value is None else str(value).strip()

    def frame(self, column: str, *, missing: frozenset[str] = NO_FRAME) -> int | None:
        """Return a frame number; None for a cell that names none.

        Args:
            column: The column to read.
            missing: What this sheet writes for an unknown frame.

        Raises:
            DataError: The cell holds something else; the text says which cell.
        """
        text = self.text(column)
        if text in missing:
            return None
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
            raise DataError(f"{self.where}: {column} is {text!r}, expected the number of a frame, or / for none")
        return int(text)


def read_rows(path: Path, required: Sequence[str], *, sheet: str | None = None) -> list[SheetRow]:
    """Read the rows under the first header that has every required column, in the order of the file.

    Columns go by name, whatever their order, case, blanks and underscores: ``OnsetFrame`` is ``Onset Frame``. Rows in
    which every required column is blank are skipped.

    Args:
        path: An .xlsx or a .csv file.
        required: Columns that must be there, as errors shall call them.
        sheet: Sheet to look at first; the others follow.

    Raises:
        DataError: The file cannot be read, or no sheet has these columns.
    """
    sheets = _read(path)
    order = sorted(sheets, key=lambda name: sheet is None or name.strip().casefold() != sheet.casefold())
    nearest: tuple[int, str, Cells] | None = None
    for name in order:
        for index, cells in enumerate(sheets[name][:_PREAMBLE]):
            keys = {_key(cell) for cell in cells}
            count = sum(_key(column) in keys for column in required)
            if count == len(required):
                return list(_under(path, name, sheets[name], index, required))
            if count and (nearest is None or count > nearest[0]):
                nearest = count, f"{path}, sheet {name!r}, row {index + 1}", cells
    if nearest is None:
        raise DataError(
            f"{path}: no header row in the first {_PREAMBLE} rows of any sheet ({listed(sheets)}); expected the "
            f"columns {listed(required)}"
        )
    _, where, cells = nearest
    headers = [str(cell).strip() for cell in cells if _key(cell)]
    missing = [column for column in required if _key(column) not in {_key(cell) for cell in cells}]
    raise DataError(f"{where}: missing column {listed(missing)}; headers found: {listed(headers)}")


def read_cells(path: Path, *, sheet: int = 0) -> list[SheetRow]:
    """Read a sheet that has no header; columns are called ``1``, ``2``, ... from the left, blank rows are skipped.

    Args:
        path: An .xlsx or a .csv file.
        sheet: Position of the sheet in the workbook, from 0.

    Raises:
        DataError: The file cannot be read, or has fewer sheets.
    """
    sheets = list(_read(path).items())
    if sheet >= len(sheets):
        raise DataError(f"{path}: has {len(sheets)} sheets, expected at least {sheet + 1}")
    name, rows = sheets[sheet]
    width = max((len(cells) for cells in rows), default=0)
    return [
        SheetRow(
            f"{path}, sheet {name!r}, row {number}",
            {
                str(place + 1): _blank_to_none(cells[place]) if place < len(cells) else None
                for place in range(max(width, _WIDEST))
            },
        )
        for number, cells in enumerate(rows, start=1)
        if any(_blank_to_none(cell) is not None for cell in cells)
    ]


def _under(path: Path, sheet: str, rows: Sequence[Cells], header: int, required: Sequence[str]) -> Iterator[SheetRow]:
    keys = [_key(cell) for cell in rows[header]]
    where = f"{path}, sheet {sheet!r}" if path.suffix.lower() == ".xlsx" else str(path)
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


def _read(path: Path) -> dict[str, list[Cells]]:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return {path.name: _read_csv(path)}
    if suffix == ".xlsx":
        return _read_xlsx(path)
    raise DataError(f"{path}: a {suffix or 'nameless'} file cannot be read as a sheet; save it as .xlsx or .csv")


def _read_csv(path: Path) -> list[Cells]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows: list[Cells] = []
            for row in csv.reader(file):
                rows.append(tuple(row))
                _check_length(path, rows)
            return rows
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8 text; save it again as CSV UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}: is not a CSV file ({error}); save it again as CSV UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _read_xlsx(path: Path) -> dict[str, list[Cells]]:
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
            return {sheet.title: _read_sheet(path, sheet) for sheet in book.worksheets}
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged workbook can raise anything from any layer
        raise DataError(f"{broken} ({type(error).__name__}: {error})") from None


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
