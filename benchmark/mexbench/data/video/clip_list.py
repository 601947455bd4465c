"""The list beside a folder of films: which clips there are, who is in them and where they come from.

A CSV with the columns ``clip_id, path, subject, condition, start_s, end_s, emotion, source_url``, and, of the people,
``age_group, sex, ethnicity``; the first two are required, and a cell may be empty where nothing is known.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mexbench.errors import DataError, all_of, counted, listed

REQUIRED = ("clip_id", "path")
#: What a list may say of the people: figures are broken down by it.
GROUPS = ("age_group", "sex", "ethnicity")
COLUMNS = (*REQUIRED, "subject", "condition", "start_s", "end_s", "emotion", "source_url", *GROUPS)
_MOST_BYTES = 64 * 2**20
#: Ids become parts of sample ids and of file names.
_ID = re.compile(r"\w[\w .+=-]*")


@dataclass(frozen=True, kw_only=True)
class ListedClip:
    """One line: a clip.

    Args:
        line: Its place in the list, for error texts: ``clips.csv, line 3``.
        clip_id: Unique in the list.
        path: The film, as the list has it: relative to the list's folder.
        subject: Who is seen; None where unknown.
        condition: What a case study compares, such as the group of the person.
        start_s: Where the clip begins in the film, in seconds.
        end_s: Where it ends; None for the film's end.
        emotion: The label; None for an unlabelled clip.
        source_url: Where the film can be fetched.
        age_group: Of the person, in the list's own words.
        sex: Likewise.
        ethnicity: Likewise.
    """

    line: str
    clip_id: str
    path: str
    subject: str | None = None
    condition: str | None = None
    start_s: float = 0.0
    end_s: float | None = None
    emotion: str | None = None
    source_url: str | None = None
    age_group: str | None = None
    sex: str | None = None
    ethnicity: str | None = None

    @property
    def groups(self) -> dict[str, str]:
        """What the list says of the person, by column."""
        return {name: value for name in GROUPS if (value := getattr(self, name)) is not None}

    def film(self, folder: Path) -> Path:
        """Return the film's place in a folder.

        Raises:
            DataError: It leads out of the folder, by a link too.
        """
        path = folder / self.path
        if not path.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{self.line}: path {self.path!r} leads out of {folder}: put the film beside the list")
        return path


def read(path: Path, notice: Callable[[str], None] = lambda _: None) -> tuple[ListedClip, ...]:
    """Read a list, separated by commas, semicolons or tabs; no film is looked at.

    Args:
        path: The list.
        notice: Called with what a user should know, such as that a column is ignored.

    Raises:
        DataError: It cannot be read, or a line has an invalid value; the text names the line.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: is larger than {_MOST_BYTES >> 20} MiB, too large for a list of clips")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected a CSV with {listed(COLUMNS)}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not text in UTF-8; save the list as CSV in UTF-8") from None
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in ",;\t" if "clip_id" in [cell.strip(' "\r') for cell in first.split(mark)]), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(path, header)
        if others := [repr(name) for name in header if name not in COLUMNS]:
            notice(f"{path}: ignored: {listed(others)}; the columns that are read: {listed(COLUMNS)}")
        entries = tuple(_entries(path, header, reader))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: invalid CSV: {error}") from None
    if not entries:
        raise DataError(f"{path}: lists no clip; expected a line for each below the header {', '.join(COLUMNS)}")
    _check_unique(entries)
    return entries


def require_films(entries: Iterable[ListedClip], folder: Path) -> None:
    """Refuse a list some of whose films are missing.

    Raises:
        DataError: Names them.
    """
    missing = [entry for entry in entries if not entry.film(folder).is_file()]
    if missing:
        first = missing[0]
        raise DataError(
            f"{first.line}: file not found: {first.film(folder)}; {counted(len(missing), 'film is', 'films are')} "
            f"missing: {listed([entry.clip_id for entry in missing], limit=5)}; put what is missing there, fetch it "
            "with 'bench fetch-videos', or remove its lines"
        )


def _check_header(path: Path, header: list[str]) -> None:
    for name in header:
        if name in COLUMNS and header.count(name) > 1:
            raise DataError(f"{path}, line 1: duplicate column {name!r}")
    if lacking := [name for name in REQUIRED if name not in header]:
        raise DataError(f"{path}, line 1: lacks the column {listed(lacking)}; columns: {listed(COLUMNS)}")


def _entries(path: Path, header: list[str], rows: Iterator[list[str]]) -> Iterator[ListedClip]:
    for number, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        line = f"{path}, line {number}"
        if len(row) != len(header):
            raise DataError(f"{line}: has {counted(len(row), 'cell')}, the header {len(header)}")
        yield _entry(line, {name: cell.strip() for name, cell in zip(header, row, strict=True) if name in COLUMNS})


def _entry(line: str, cells: dict[str, str]) -> ListedClip:
    for name, cell in cells.items():
        if not cell.isprintable() or len(cell) > 4096:
            raise DataError(f"{line}: {name} {cell[:80]!r} holds characters that cannot be shown, or too many")
    for name in ("clip_id", "subject"):
        if (name == "clip_id" or cells.get(name)) and not _ID.fullmatch(cells[name]):
            raise DataError(f"{line}: {name} {cells[name]!r}: expected letters, digits, spaces or any of _ . + = -")
    path = cells["path"]
    if (
        not path
        or "\\" in path
        or ":" in path
        or PurePosixPath(path).is_absolute()
        or ".." in PurePosixPath(path).parts
    ):
        raise DataError(
            f"{line}: path {path!r}: expected the name of a film beside the list, or of one in a folder there: "
            "relative, with /, without .. and :"
        )
    start, end = (_seconds(line, name, cells.get(name, "")) for name in ("start_s", "end_s"))
    if end is not None and end <= (start or 0.0):
        raise DataError(f"{line}: end_s {end:g} must come after start_s {start or 0:g}")
    return ListedClip(
        line=line,
        clip_id=cells["clip_id"],
        path=path,
        start_s=start or 0.0,
        end_s=end,
        **{name: cells.get(name) or None for name in ("subject", "condition", "emotion", "source_url", *GROUPS)},
    )


def _seconds(line: str, name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text) if re.fullmatch(r"[0-9.eE+-]+", text) else math.nan
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        raise DataError(f"{line}: {name} {text!r}: expected seconds from 0, such as 12.5, or nothing")
    return seconds


def _check_unique(entries: Iterable[ListedClip]) -> None:
    seen: dict[str, ListedClip] = {}
    # Two ids that differ in case alone would share a file where the file system ignores case.
    pairs = [(entry, seen.setdefault(entry.clip_id.casefold(), entry)) for entry in entries]
    duplicates = [
        f"{entry.line}: duplicate clip_id {entry.clip_id!r}, as in {other.line}"
        for entry, other in pairs
        if other is not entry
    ]
    if duplicates:
        raise DataError(f"{all_of(duplicates)}; give each clip an id of its own")
