"""The table of a ``features`` data set: a row per sample, from CSV or parquet, with others joined by sample id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mexbench.errors import DataError, all_of, listed, suggest
from mexbench.interfaces import DataIssue
from mexbench_plugins.datasets._io.array_files import TextRow, read_csv, read_parquet

KEY = "sample_id"
#: Columns that a table may have beside the labels, and what they mean.
COLUMNS = (
    KEY, "subject", "clip", "dataset", "path", "row", "aus", "onset", "apex", "offset", "fps", "part", "condition",
)  # fmt: skip
_FRAMES = ("onset", "apex", "offset")
_LONGEST = 400


@dataclass(slots=True)
class FeatureRow:
    """One sample.

    Args:
        where: File and line.
        position: Its place among the rows of the table, from 0.
        cells: Column -> text; '' for a blank cell.
        joined: Column -> name of the file that it was joined from.
    """

    where: str
    position: int
    cells: dict[str, str]
    joined: dict[str, str] = field(default_factory=dict)

    def get(self, column: str) -> str | None:
        """Return a cell; None for a blank one, and where there is no such column."""
        return self.cells.get(column) or None

    def whole(self, column: str) -> int | None:
        """Return a whole number from 0, such as the number of a frame; None for a blank cell.

        Raises:
            DataError: The cell holds something else.
        """
        text = self.get(column)
        if text is None:
            return None
        if not re.fullmatch(r"\d{1,9}(\.0+)?", text, re.ASCII):
            raise DataError(f"{self.where}: {column} is {text!r}, expected a whole number from 0, or nothing")
        return int(float(text))

    def fps(self) -> float | None:
        """Return the frame rate in Hz.

        Raises:
            DataError: It is not a rate.
        """
        text = self.get("fps")
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value < 100_000:
            raise DataError(f"{self.where}: fps is {text!r}, expected frames per second, such as 200")
        return value


def read_table(table: Path, *, label: str, joins: Sequence[Path]) -> tuple[list[FeatureRow], list[DataIssue]]:
    """Read a table and what is joined to it.

    Args:
        table: CSV or parquet with the column ``sample_id``.
        label: The column of the labels.
        joins: Other tables with the column ``sample_id``, whose columns are added.

    Returns:
        The rows in the order of the table, and what is irregular: columns that nothing reads, and joined rows that no
        sample has.

    Raises:
        DataError: A file cannot be read, two rows have one id, or two files contradict each other.
    """
    rows = _rows(table)
    if not rows:
        raise DataError(f"{table}: has a header and no row below it")
    for row in rows:
        _check_cells(row)
    check_unique_ids(rows, [row.cells[KEY] for row in rows])
    by_id = {row.cells[KEY]: row for row in rows}
    known = {*COLUMNS, label}
    issues = [_unused(table, name, known) for name in rows[0].cells if name not in known]
    for path in joins:
        issues += _join(path, by_id, known)
    return rows, issues


def read_apexes(path: Path) -> dict[str, int]:
    """Read apexes by sample id: a CSV or parquet with the columns ``sample_id`` and ``apex``; blank cells are skipped.

    Raises:
        DataError: It cannot be read, has no such column, or names a sample twice.
    """
    rows = _rows(path)
    if rows and "apex" not in rows[0].cells:
        raise DataError(f"{path}: has no column apex; its columns: {listed(rows[0].cells, limit=12)}")
    apexes: dict[str, int] = {}
    for row in rows:
        _check_cells(row)
    check_unique_ids(rows, [row.cells[KEY] for row in rows])
    for row in rows:
        if (apex := row.whole("apex")) is not None:
            apexes[row.cells[KEY]] = apex
    return apexes


def check_unique_ids(rows: Sequence[FeatureRow], ids: Sequence[str]) -> None:
    """Check that no two rows have one sample id.

    Args:
        rows: The rows.
        ids: The id of each.

    Raises:
        DataError: Names every row whose id an earlier one has.
    """
    first: dict[str, FeatureRow] = {}
    pairs = [(row, name, first.setdefault(name, row)) for row, name in zip(rows, ids, strict=True)]
    duplicates = [
        f"{row.where}: sample_id {name!r} appears twice, first in {other.where}"
        for row, name, other in pairs
        if other is not row
    ]
    if duplicates:
        raise DataError(f"{all_of(duplicates)}; remove one row of each")


def _join(path: Path, by_id: Mapping[str, FeatureRow], known: set[str]) -> list[DataIssue]:
    others = _rows(path)
    issues: list[DataIssue] = []
    if others:
        issues += [_unused(path, name, known) for name in others[0].cells if name not in known]
    joined = [other for other in others if other.cells[KEY] in by_id]
    check_unique_ids(joined, [other.cells[KEY] for other in joined])
    for other in others:
        name = other.cells[KEY]
        row = by_id.get(name)
        if row is None:
            issues.append(DataIssue(what="joined row without a sample", where=name, detail=other.where))
            continue
        for column, text in other.cells.items():
            if column == KEY or column not in known or not text:
                continue
            if (before := row.cells.get(column)) and _plain(before) != _plain(text):
                raise DataError(
                    f"{other.where}: {column} of {name} is {text!r}, and {before!r} in {row.where}: which one is it? "
                    "Remove one"
                )
            row.cells[column] = text
            row.joined[column] = path.name
    issues += [
        DataIssue(what="sample not in a joined table", where=name, detail=path.name)
        for name in by_id
        if name not in {other.cells[KEY] for other in joined}
    ]
    return issues


def _plain(text: str) -> str:
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text)


def _rows(path: Path) -> list[FeatureRow]:
    if path.suffix.lower() == ".parquet":
        return [FeatureRow(row.where, position, dict(row.cells)) for position, row in enumerate(_parquet(path))]
    if path.suffix.lower() != ".csv":
        raise DataError(f"{path}: a table of features is .csv or .parquet")
    rows = read_csv(path, required=KEY)
    return [FeatureRow(row.where, position, dict(row.cells)) for position, row in enumerate(rows)]


def _parquet(path: Path) -> list[TextRow]:
    table: Any = read_parquet(path)
    if KEY not in table.column_names:
        raise DataError(f"{path}: has no column {KEY}; its columns: {listed(table.column_names, limit=12)}")
    columns = {name: [_text(value) for value in table[name].to_pylist()] for name in table.column_names}
    return [
        TextRow(f"{path}, row {number + 1}", {name: cells[number] for name, cells in columns.items()})
        for number in range(table.num_rows)
    ]


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return ""
    return _plain(str(value)).strip()


def _check_cells(row: FeatureRow) -> None:
    if not row.cells[KEY]:
        raise DataError(f"{row.where}: sample_id is blank; every row needs one")
    for name, text in row.cells.items():
        if not text.isprintable() or len(text) > _LONGEST:
            raise DataError(f"{row.where}: {name} {text[:80]!r} holds characters that cannot be shown, or too many")


def _unused(path: Path, name: str, known: set[str]) -> DataIssue:
    return DataIssue(what="column not used", where=f"{path.name}: {name}", detail=suggest(name, known).strip())
