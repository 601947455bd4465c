"""Spotted intervals that were made elsewhere: logs of the MEGC2020, annotations, pairs of the spot-then-recognise task.

A log has a line ``1`` (SAMM Long Videos) or ``2`` (CAS(ME)^2) before the lines of that data set:

    16_0101   1792      1836    1798    1835    TP     <- video, true onset and offset, predicted onset and offset
    16_0101   -         -       2101    2130    FP     <- a dash where there is no such interval

The annotation beside it has ``subject video type onset apex offset`` in each line. The pairs of spot-then-recognise
are two CSV files, truth and prediction, with the columns ``subject, video, onset, offset, emotion``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from mexbench.errors import DataError, counted, listed
from mexbench.interfaces.video import Interval, IntervalKind
from mexbench.metrics.spotting.strs import EmotionInterval
from mexbench.runs.predictions_csv import csv_cells, text_lines

Mark = Literal["TP", "FP", "FN"]
FileKind = Literal["MEGC2020 spotting log", "spot-then-recognise CSV"]
Span = tuple[int, int]
#: Columns of ``gt.csv`` and ``pred.csv``.
STRS_COLUMNS = ("subject", "video", "onset", "offset", "emotion")
#: The number of a frame, of so many digits as a whole number of 64 bits has.
_FRAME = re.compile(r"-?\d{1,15}(\.0*)?")


@dataclass(frozen=True)
class LogDataset:
    """A data set that a log may be of.

    Args:
        name: As the field writes it.
        fps: Frames per second.
        micro_frames: The longest prediction, in frames, that is of a micro-expression. A log names no types; the
            baseline's public evaluation code tells them by these lengths, which are not quite half a second.
    """

    name: str
    fps: int
    micro_frames: int


#: What the numbers in a log stand for.
LOG_DATASETS = {"1": LogDataset("SAMM-LV", 200, 105), "2": LogDataset("CAS(ME)^2", 30, 16)}


@dataclass(frozen=True)
class LogLine:
    """One line of a log.

    Args:
        number: Of the line, from 1.
        video: Subject and video, ``16_0101``.
        truth: First and last frame of the true interval; None where the line has none.
        predicted: First and last frame of the prediction; None where the line has none.
        mark: What the log says of the line.
    """

    number: int
    video: str
    truth: Span | None
    predicted: Span | None
    mark: Mark


@dataclass(frozen=True)
class LogBlock:
    """The lines of one data set.

    Args:
        number: What stands before them: ``1`` or ``2``.
        lines: At least one.
    """

    number: str
    lines: tuple[LogLine, ...]

    @property
    def dataset(self) -> LogDataset:
        """What the number stands for."""
        return LOG_DATASETS[self.number]


def file_kind(path: Path) -> FileKind | None:
    """Return which file of spotted intervals this is, by its first line; None where it is none.

    Raises:
        DataError: It cannot be read as text.
    """
    first = text_lines(path)[0][1].strip()
    if first in LOG_DATASETS:
        return "MEGC2020 spotting log"
    names = {cell.strip().lower() for cell in first.split(",")}
    return "spot-then-recognise CSV" if {"video", "onset", "offset"} <= names else None


def read_spotting_log(path: Path) -> tuple[LogBlock, ...]:
    """Read a log.

    Raises:
        DataError: A line cannot be understood, or contradicts its own mark; the text names it.
    """
    blocks: dict[str, list[LogLine]] = {}
    lines: list[LogLine] | None = None
    for number, text in text_lines(path):
        words = text.split()
        if len(words) == 1 and words[0] in LOG_DATASETS:
            if words[0] in blocks:
                raise DataError(f"{path}, line {number}: a second block {words[0]!r}; each data set has one")
            lines = blocks.setdefault(words[0], [])
        elif lines is None:
            raise DataError(f"{path}, line {number}: expected 1 (SAMM-LV) or 2 (CAS(ME)^2) first, got {text.strip()!r}")
        else:
            lines.append(_log_line(path, number, words))
    if empty := [name for name, inside in blocks.items() if not inside]:
        raise DataError(f"{path}: block {empty[0]!r} has no lines")
    return tuple(LogBlock(name, tuple(inside)) for name, inside in blocks.items())


def _log_line(path: Path, number: int, words: Sequence[str]) -> LogLine:
    expected = "'VIDEO ONSET OFFSET ONSET OFFSET TP|FP|FN' with '-' where there is no interval"
    if len(words) != 6 or words[5] not in get_args(Mark):
        raise DataError(f"{path}, line {number}: expected {expected}, got {' '.join(words)!r}")
    truth, predicted = (_span(path, number, words[start : start + 2]) for start in (1, 3))
    mark = cast("Mark", words[5])
    if (truth is not None, predicted is not None) != (mark != "FP", mark != "FN"):
        raise DataError(f"{path}, line {number}: {mark} with {' '.join(words[1:5])}; expected {expected}")
    return LogLine(number, words[0], truth, predicted, mark)


def _span(path: Path, number: int, words: Sequence[str]) -> Span | None:
    if list(words) == ["-", "-"]:
        return None
    if not all(re.fullmatch(r"-?\d{1,15}", word) for word in words):
        raise DataError(f"{path}, line {number}: expected two frame numbers or two dashes, got {' '.join(words)!r}")
    onset, offset = int(words[0]), int(words[1])
    if onset > offset:
        raise DataError(f"{path}, line {number}: onset {onset} comes after offset {offset}")
    return onset, offset


def read_annotation(path: Path) -> dict[str, list[Interval]]:
    """Read an annotation of long videos: video, as a log names it -> its true intervals, apexes as they are written.

    Raises:
        DataError: A line cannot be understood; the text names it.
    """
    videos: dict[str, list[Interval]] = {}
    for number, text in text_lines(path):
        words = text.split()
        kind = words[2].partition("-")[0].lower() if len(words) == 6 else ""
        if kind not in get_args(IntervalKind) or not all(
            re.fullmatch(r"-?\d{1,15}(\.0*)?", word) for word in words[3:]
        ):
            raise DataError(
                f"{path}, line {number}: expected 'SUBJECT VIDEO micro-expression|macro-expression ONSET APEX OFFSET', "
                f"got {text.strip()!r}"
            )
        onset, apex, offset = (int(float(word)) for word in words[3:])
        name = f"{words[0].removeprefix('s')}_{words[1]}"
        if onset > offset:
            raise DataError(f"{path}, line {number}: onset {onset} comes after offset {offset}")
        interval = Interval(onset=onset, apex=apex, offset=offset, kind=cast("IntervalKind", kind))
        videos.setdefault(name, []).append(interval)
    return videos


def read_emotion_intervals(path: Path) -> list[EmotionInterval]:
    """Read ``gt.csv`` or ``pred.csv``; a file with a header alone has no intervals.

    Raises:
        DataError: A column is missing, or a line cannot be understood; the text names it.
    """
    rows = text_lines(path)
    cells = csv_cells(path, rows)
    header = [cell.strip().lower() for cell in cells[0]]
    if missing := [name for name in STRS_COLUMNS if name not in header]:
        raise DataError(f"{path}, line {rows[0][0]}: the header lacks {listed(missing)}; got {listed(header)}")
    return list(_emotion_intervals(path, [number for number, _ in rows[1:]], header, cells[1:]))


def _emotion_intervals(
    path: Path, numbers: Sequence[int], header: Sequence[str], cells: Sequence[Sequence[str]]
) -> Iterator[EmotionInterval]:
    for number, row in zip(numbers, cells, strict=True):
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {number}: {counted(len(row), 'cell')} under {counted(len(header), 'header')}"
            )
        values = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
        if empty := [name for name in STRS_COLUMNS if not values[name]]:
            raise DataError(f"{path}, line {number}: {listed(empty)} is empty")
        frames = [values["onset"], values["offset"]]
        if not all(map(_FRAME.fullmatch, frames)):
            raise DataError(f"{path}, line {number}: expected whole frames, got {' and '.join(frames)}")
        onset, offset = (int(float(frame)) for frame in frames)
        if onset > offset:
            raise DataError(f"{path}, line {number}: onset {onset} comes after offset {offset}")
        yield EmotionInterval(
            subject=values["subject"], video=values["video"], onset=onset, offset=offset, emotion=values["emotion"]
        )
