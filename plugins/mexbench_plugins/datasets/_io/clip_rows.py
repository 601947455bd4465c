"""Rows of annotation sheets as records: one per annotated expression, whatever the sheet calls its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mexbench.errors import DataError
from mexbench.interfaces import DAMAGED_CELL, DataIssue, IntervalKind
from mexbench_plugins.datasets._io.spreadsheets import NO_FRAME, CellError, SheetRow, read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRow:
    """One annotated expression.

    Args:
        where: File, sheet and row, as a user would look for it.
        name: Id below the data set's name: ``sub01/EP02_01f``.
        subject: The subject's name in ids: ``sub01``.
        folder: Names of the folders from the root of the frames to the clip's own: ``("sub01", "EP02_01f")``.
        onset: Published number of the first frame; None where the sheet does not say.
        apex: Published number of the frame of greatest intensity.
        offset: Published number of the last frame.
        emotion: The sheet's word in lower case; None for a blank cell.
        aus: The cell of the action units, unchanged; None where the sheet has no such column.
        fps: Frames per second, in Hz.
        video: The long video that the clip is part of, below the data set's name: ``006/006_1``; None for a clip that
            has a folder of its own.
        video_frames: First and last frame of that video where the sheet says so.
        kind: Micro- or macro-expression.
        part: The part of the data set that the clip belongs to, for data sets that publish a split.
    """

    where: str
    name: str
    subject: str
    folder: tuple[str, ...]
    onset: int | None
    apex: int | None
    offset: int | None
    emotion: str | None
    aus: object = None
    fps: float
    video: str | None = None
    video_frames: tuple[int, int] | None = None
    kind: IntervalKind = "micro"
    part: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetColumns:
    """What a sheet calls its columns; case, blanks and underscores do not matter. None for a column it has not."""

    subject: str = "Subject"
    clip: str = "Filename"
    onset: str = "Onset Frame"
    apex: str | None = "Apex Frame"
    offset: str = "Offset Frame"
    aus: str | None = "Action Units"
    emotion: str | None = "Estimated Emotion"
    fps: str | None = None
    kind: str | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """Every column that must be there."""
        names = (
            self.subject, self.clip, self.onset, self.apex, self.offset, self.aus, self.emotion, self.fps, self.kind,
        )  # fmt: skip
        return tuple(name for name in names if name is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipTable:
    """How one data set writes its sheet, as data.

    The templates are filled with ``subject``, ``number`` (the subject's, without zeros), ``clip``, ``video``, ``onset``
    and ``emotion`` of a row.

    Args:
        path: The annotation.
        sheet_name: The sheet of the workbook to look at first.
        columns: Names of its columns.
        subject_prefix: Prefix of a subject's number in its folder's name: ``sub``.
        subject_digits: Number of digits that a subject's number is padded to; 0 keeps it as written.
        name: Template of an id below the data set's name.
        folder: Template of a clip's folder below the root of the frames, with ``/`` between folders.
        video: Template of a long video's id below the data set's name; None for clips with folders of their own.
        fps: Frames per second, in Hz, where no column has them.
        missing: What the sheet writes for an unknown frame.
        lower_case_clips: Whether ``J`` and ``j`` are one file name.
        kinds: Words of the column ``kind`` in lower case -> kind.
        clip_folders: Clip -> names of its folders, for releases whose folders do not follow from the row.
    """

    path: Path
    sheet_name: str | None = None
    columns: SheetColumns = SheetColumns()
    subject_prefix: str = ""
    subject_digits: int = 0
    name: str = "{subject}/{clip}"
    folder: str = "{subject}/{clip}"
    video: str | None = None
    fps: float
    missing: frozenset[str] = NO_FRAME
    lower_case_clips: bool = False
    kinds: Mapping[str, IntervalKind] | None = None
    clip_folders: Mapping[str, tuple[str, ...]] | None = None


def read_clip_rows(table: ClipTable) -> tuple[list[ClipRow], list[DataIssue]]:
    """Read a sheet; hidden rows count, and rows that name no clip, such as remarks, are reported.

    Raises:
        DataError: The sheet cannot be read, or not one of its rows. A row with a cell that holds neither a frame
            number nor a word for none is reported and left out.
    """
    rows: list[ClipRow] = []
    issues: list[DataIssue] = []
    columns = table.columns
    for row in read_rows(table.path, columns.required, sheet=table.sheet_name):
        if not row.text(columns.clip):
            text = row.text(columns.subject)
            issues.append(DataIssue(what="row names no clip", where=row.where, detail=text[:60], excluded=True))
        else:
            name = f"{row.text(columns.subject)}/{row.text(columns.clip)}"
            rows += readable(name, lambda row=row: [_clip_row(table, row)], issues)
    if not rows and issues:
        check_any_readable(issues)
    if not rows:
        raise DataError(f"{table.path}: has a header row and no clip below it")
    return rows, issues


def readable(name: str, parse: Callable[[], list[ClipRow]], issues: list[DataIssue]) -> list[ClipRow]:
    """Return the rows that ``parse`` makes of one; a cell that cannot be read costs the clip, which is named."""
    try:
        return parse()
    except CellError as error:
        issues.append(DataIssue(what=DAMAGED_CELL, where=name, detail=str(error), excluded=True))
        return []


def check_any_readable(issues: Sequence[DataIssue]) -> None:
    """Refuse a sheet in which not one row could be read.

    Raises:
        DataError: With what is wrong with the first row.
    """
    damaged = [issue for issue in issues if issue.what == DAMAGED_CELL]
    if damaged:
        raise DataError(f"{damaged[0].detail}; no row of the annotation can be read, {len(damaged)} were tried")


def subject_name(text: str, *, prefix: str, digits: int) -> str:
    """Return a subject's name: ``sub01`` for 1, "1", "01" and "sub01"."""
    number = text.removeprefix(prefix)
    # A spreadsheet program that takes a subject for a number loses its zeros.
    return prefix + (number.zfill(digits) if number.isascii() and number.isdigit() else number)


def emotion_word(text: str) -> str | None:
    """Return an emotion as ids and label maps have it: lower case, single blanks; None for none."""
    return " ".join(text.lower().split()) or None


def _clip_row(table: ClipTable, row: SheetRow) -> ClipRow:
    columns = table.columns
    subject = subject_name(row.text(columns.subject), prefix=table.subject_prefix, digits=table.subject_digits)
    clip = row.text(columns.clip)
    clip = clip.lower() if table.lower_case_clips else clip
    onset = row.frame(columns.onset, missing=table.missing)
    emotion = emotion_word(row.text(columns.emotion)) if columns.emotion else None
    values = {
        "subject": subject,
        "number": subject.removeprefix(table.subject_prefix).lstrip("0") or "0",
        "clip": clip,
        "video": clip.rpartition("_")[0] or clip,
        "onset": "unknown" if onset is None else onset,
        "emotion": emotion or "unknown",
    }
    folder = (table.clip_folders or {}).get(clip) or tuple(part.format_map(values) for part in table.folder.split("/"))
    return ClipRow(
        where=row.where,
        name=table.name.format_map(values),
        subject=subject,
        folder=folder,
        onset=onset,
        apex=row.frame(columns.apex, missing=table.missing) if columns.apex else None,
        offset=row.frame(columns.offset, missing=table.missing),
        emotion=emotion,
        aus=(row.cells[columns.aus] or "") if columns.aus else None,
        fps=_fps(table, row),
        video=None if table.video is None else table.video.format_map(values),
        kind=_kind(table, row),
    )


def _fps(table: ClipTable, row: SheetRow) -> float:
    if table.columns.fps is None:
        return table.fps
    text = row.text(table.columns.fps)
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 0 < fps < 100_000:
        raise CellError(f"{row.where}: {table.columns.fps} is {text!r}, expected frames per second, such as 200")
    return fps


def _kind(table: ClipTable, row: SheetRow) -> IntervalKind:
    if table.columns.kind is None or table.kinds is None:
        return "micro"
    word = row.text(table.columns.kind).lower()
    if word not in table.kinds:
        raise CellError(f"{row.where}: {table.columns.kind} is {word!r}, expected {' or '.join(table.kinds)}")
    return table.kinds[word]
