"""Predictions made elsewhere: our ``predictions.csv``, a plain CSV, or a log of the MEGC2019 challenge.

Which of them a file is follows from its first line: a header with a column for the truth and one for the prediction
makes it a CSV, anything without commas a log:

    casme2 sub01           <- data set and subject
    EP02_01f 0 2           <- clip, truth, prediction

A log of STSTNet's PyTorch script has a line ``Subject: sub01``, then the lists ``Predicted   : [0, 1]`` and
``Ground Truth: [0, 2]``, in the order of the subject's folder; it names no clip, so a sample is a subject and a place.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mexbench.errors import DataError, counted, listed
from mexbench.files import read_plain

Format = Literal["predictions.csv", "CSV", "MEGC2019 log", "STSTNet log"]

#: What a column may be called, once in small letters with underscores; the first name is the one of predictions.csv.
COLUMNS: Mapping[str, Sequence[str]] = {
    "sample": ("sample_id", "sample", "id", "clip_id", "clip", "clip_name", "video", "filename", "file", "name"),
    "truth": ("y_true", "truth", "true", "true_label", "true_class", "label", "class", "ground_truth", "gt", "target"),
    "prediction": (
        "y_pred",
        "prediction",
        "predicted",
        "predicted_label",
        "predicted_class",
        "pred",
        "y_hat",
        "output",
    ),
    "clip": ("clip_id",),
    "subject": ("subject", "subject_id", "sub", "participant"),
    "dataset": ("dataset", "database", "db"),
    "model": ("model",),
    "seed": ("seed",),
    "fold": ("fold",),
}
_OURS = frozenset({"model", "seed", "fold", "sample_id", "y_true", "y_pred"})
#: What predictions.csv has in the place of y_true and y_pred where action units are the target.
UNITS_COLUMNS = frozenset({"units_true", "units_pred"})
#: What predictions.csv has where spotting is the target.
INTERVAL_COLUMNS = frozenset({"video_id", "type", "onset", "offset"})
_SCORE = "score_"
#: Of a seed, which has to fit into 64 bits.
_SEED_DIGITS = 18
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
#: A line of STSTNet's log, and what a list in it holds.
_STSTNET = re.compile(r"\s*(subject|predicted|ground\s*truth)\s*:\s*(.*?)\s*", re.IGNORECASE)
_LABEL_LIST = re.compile(r"\[\s*((?:\d+\.?0*\s*,?\s*)*)\]")
#: A class as the list of a leaderboard has it: a digest, which nobody can compare a label with.
_DIGEST = re.compile(r"[0-9a-f]{16}")
_REPEAT = re.compile(r"repeat (\d{1,9})\b")


@dataclass(frozen=True)
class PredictionLine:
    """One prediction as the file has it.

    Args:
        number: Of the line, from 1.
        sample: Id of the sample; in a log, data set, subject and clip.
        truth: The label as text.
        prediction: The label as text.
        subject: None where the file names none.
        clip: The clip that the sample is of; empty where the file names none.
        dataset: Empty where the file names none.
        model: Empty where the file names none.
        seed: 0 where the file names none.
        fold: Empty where the file names none.
    """

    number: int
    sample: str
    truth: str
    prediction: str
    subject: str | None = None
    clip: str = ""
    dataset: str = ""
    model: str = ""
    seed: int = 0
    fold: str = ""

    @property
    def repeat(self) -> int:
        """Which draw of a repeated split the fold is part of, from 0."""
        return repeat_of(self.fold)


def repeat_of(fold: str) -> int:
    """Return which draw of a repeated split a fold is part of, from 0: its name says so."""
    match = _REPEAT.match(fold)
    return int(match[1]) - 1 if match else 0


@dataclass(frozen=True)
class PredictionsFile:
    """A file that was read.

    Args:
        path: Where from.
        format: What it was.
        lines: Its predictions; at least one.
        classes: Class names in order, where the file names them: predictions.csv does, by its columns of scores.
    """

    path: Path
    format: Format
    lines: tuple[PredictionLine, ...]
    classes: tuple[str, ...] = ()


def read(path: Path) -> PredictionsFile:
    """Read a file of predictions.

    Raises:
        DataError: It is empty, not text, of an unknown format, or has a line that cannot be understood, which is named.
    """
    rows = text_lines(path)
    first = rows[0][1]
    if any(_STSTNET.fullmatch(text) and text.strip().lower().startswith("subject") for _, text in rows):
        return PredictionsFile(path, "STSTNet log", tuple(_read_ststnet_log(path, rows)))
    delimiter = _delimiter(first)
    columns = _columns(csv_cells(path, rows[:1], delimiter)[0])
    if {cell.strip() for cell in first.split(delimiter)} >= UNITS_COLUMNS:
        raise DataError(
            f"{path}: predictions of action units ('target: action_units'), several of which may show at once, cannot "
            "be scored as classes; their scores are in scores.json and action_units.md of the run that made them"
        )
    if {cell.strip() for cell in first.split(delimiter)} >= INTERVAL_COLUMNS:
        raise DataError(
            f"{path}: intervals of a run with 'target: spotting' cannot be scored as classes; their scores are in "
            "scores.json and spotting.md of the run that made them"
        )
    if {"truth", "prediction"} <= columns.keys():
        return _read_csv(path, rows, delimiter, columns)
    if "," in first or ";" in first:
        names = {kind: COLUMNS[kind][:4] for kind in ("truth", "prediction") if kind not in columns}
        wanted = "; ".join(f"one for the {kind}, such as {listed(choices)}" for kind, choices in names.items())
        raise DataError(f"{path}, line {rows[0][0]}: the header {first.strip()!r} lacks a column: {wanted}")
    return PredictionsFile(path, "MEGC2019 log", tuple(_read_log(path, rows)))


def read_ids(path: Path) -> dict[str, str | None]:
    """Read the samples that predictions are expected for: id -> truth, None where the file has none.

    Args:
        path: A file of predictions, or a list with one id per line.

    Raises:
        DataError: It is neither, or names a sample twice.
    """
    rows = text_lines(path)
    if all("," not in text and ";" not in text and len(text.split()) == 1 for _, text in rows):
        ids = [text.strip() for _, text in rows]
        ids = ids[1:] if _normal(ids[0]) in COLUMNS["sample"] else ids  # a table of one column
        if twice := sorted(name for name, count in Counter(ids).items() if count > 1):
            raise DataError(f"{path}: names a sample twice: {listed(twice)}")
        return dict.fromkeys(ids)
    delimiter = _delimiter(rows[0][1])
    header = csv_cells(path, rows[:1], delimiter)[0]
    columns = _columns(header)
    if "sample" in columns and not {"truth", "prediction"} <= columns.keys():
        return _ids_of_table(path, rows, delimiter, columns)
    return {line.sample: line.truth for line in read(path).lines}


def _ids_of_table(
    path: Path, rows: Sequence[tuple[int, str]], delimiter: str, columns: Mapping[str, int]
) -> dict[str, str | None]:
    """Read the samples of a table that has a column for them, and their truth where it has one for that too."""
    _, *cells = csv_cells(path, rows, delimiter)
    place, truth_place = columns["sample"], columns.get("truth")
    ids: dict[str, str | None] = {}
    for (number, _), row in zip(rows[1:], cells, strict=True):
        sample = row[place].strip() if place < len(row) else ""
        if not sample:
            raise DataError(f"{path}, line {number}: names no sample")
        truth = row[truth_place].strip() if truth_place is not None and truth_place < len(row) else ""
        known = truth if truth and not _DIGEST.fullmatch(truth) else None
        if ids.setdefault(sample, known) != known:
            raise DataError(f"{path}, line {number}: {sample} has another truth than in a line before")
    if not ids:
        raise DataError(f"{path}: has a header and no samples")
    return ids


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def csv_cells(path: Path, rows: Sequence[tuple[int, str]], delimiter: str = ",") -> list[list[str]]:
    """Split numbered lines into cells.

    Raises:
        DataError: It is not a CSV, a cell has more letters than any label or name, or a quotation mark opens a text
            over several lines.
    """
    reader = csv.reader([text for _, text in rows], delimiter=delimiter, skipinitialspace=True)
    try:
        cells = list(reader)
    except csv.Error as error:
        number = rows[min(max(reader.line_num, 1), len(rows)) - 1][0]
        raise DataError(f"{path}, line {number}: expected a CSV: {error}") from None
    if len(cells) != len(rows):
        raise DataError(f"{path}: a quotation mark that opens a text over several lines; write one sample per line")
    return cells


def text_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that are not blank, each with its number.

    Raises:
        DataError: There is none, or the file is not text in UTF-8.
    """
    try:
        text = read_plain(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8: {error}") from None
    except ValueError as error:  # a device or a pipe, which may never end, or a file too large
        raise DataError(f"{path}: cannot be read: {error}") from None
    # A lone carriage return ends a line too; the other separators that splitlines knows may occur in a name.
    lines = re.split(r"\r\n|\n|\r", text)
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise DataError(f"{path}: is empty; expected predictions, one per line")
    return numbered


def _normal(name: str) -> str:
    return re.sub(r"[\s\-.]+", "_", name.strip().lower())


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Find what each column is: the name that comes first in ``COLUMNS`` wins."""
    names = [_normal(name) for name in header]
    columns = {}
    for kind, choices in COLUMNS.items():
        places = [names.index(choice) for choice in choices if choice in names]
        if places:
            columns[kind] = places[0]
    return columns


def _read_csv(
    path: Path, rows: Sequence[tuple[int, str]], delimiter: str, columns: Mapping[str, int]
) -> PredictionsFile:
    header, *cells = ([cell.strip() for cell in row] for row in csv_cells(path, rows, delimiter))
    if "sample" not in columns:
        raise DataError(
            f"{path}, line {rows[0][0]}: no column names the sample; expected one such as "
            f"{listed(COLUMNS['sample'][:5])}, got {listed(header)}"
        )
    if not cells:
        raise DataError(f"{path}: has a header and no predictions")
    lines = []
    for (number, _), row in zip(rows[1:], cells, strict=True):
        trimmed = row[: len(header)] if not any(row[len(header) :]) else row
        if len(trimmed) != len(header):
            raise DataError(
                f"{path}, line {number}: {counted(len(row), 'cell')} under {counted(len(header), 'header')}"
            )
        lines.append(_line(path, number, {kind: trimmed[place] for kind, place in columns.items()}))
    ours = set(header) >= _OURS
    classes = tuple(name.removeprefix(_SCORE) for name in header if name.startswith(_SCORE)) if ours else ()
    return PredictionsFile(path, "predictions.csv" if ours else "CSV", tuple(lines), classes)


def _line(path: Path, number: int, cells: Mapping[str, str]) -> PredictionLine:
    seed = cells.get("seed") or "0"
    if not seed.isdecimal() or len(seed) > _SEED_DIGITS:
        raise DataError(
            f"{path}, line {number}: expected a whole number of at most {_SEED_DIGITS} digits as seed, got {seed!r}"
        )
    if not cells["sample"]:
        raise DataError(f"{path}, line {number}: names no sample")
    return PredictionLine(
        number=number,
        sample=cells["sample"],
        truth=cells["truth"],
        prediction=cells["prediction"],
        subject=cells.get("subject") or None,
        clip=cells.get("clip", ""),
        dataset=cells.get("dataset", ""),
        model=cells.get("model", ""),
        seed=int(seed),
        fold=cells.get("fold", ""),
    )


def _read_ststnet_log(path: Path, rows: Sequence[tuple[int, str]]) -> Iterator[PredictionLine]:
    """Read a log of STSTNet's script; what it prints beside subjects and lists, such as running scores, is passed over.

    Yields:
        A line for each place in a subject's lists; its number is that of the line ``Subject``.
    """
    subject, number = "", 0
    lists: dict[str, list[str]] = {}
    index = 0
    while index < len(rows):
        line, text = rows[index]
        index += 1
        match = _STSTNET.fullmatch(text)
        if match is None:
            continue
        kind = "".join(match[1].lower().split())
        if kind == "subject":
            if lists:
                raise DataError(f"{path}, line {line}: subject {subject!r} has {listed(lists)} alone before this line")
            subject, number = match[2], line
            if not subject:
                raise DataError(f"{path}, line {line}: names no subject")
            continue
        body = match[2]
        while "]" not in body and index < len(rows) and not _STSTNET.fullmatch(rows[index][1]):
            body, index = f"{body} {rows[index][1]}", index + 1  # numpy breaks a long array into several lines
        if (labels := _LABEL_LIST.fullmatch(body.strip())) is None or not subject or kind in lists:
            raise DataError(
                f"{path}, line {line}: expected 'Subject: NAME', then 'Predicted: [0, 1, ...]' and 'Ground Truth: "
                f"[0, 1, ...]' once each, got {text.strip()[:80]!r}"
            )
        lists[kind] = labels[1].replace(",", " ").split()
        if len(lists) == 2:
            yield from _ststnet_lines(path, number, subject, lists)
            lists = {}
    if lists:
        raise DataError(f"{path}: ends within subject {subject!r}")


def _ststnet_lines(
    path: Path, number: int, subject: str, lists: Mapping[str, Sequence[str]]
) -> Iterator[PredictionLine]:
    truths, predictions = lists["groundtruth"], lists["predicted"]
    if len(truths) != len(predictions):
        raise DataError(
            f"{path}, line {number}: subject {subject!r} has {counted(len(predictions), 'prediction')} and "
            f"{counted(len(truths), 'truth')}"
        )
    for place, (truth, prediction) in enumerate(zip(truths, predictions, strict=True), start=1):
        yield PredictionLine(number, f"{subject}/{place}", truth, prediction, subject=subject)


def _read_log(path: Path, rows: Sequence[tuple[int, str]]) -> Iterator[PredictionLine]:
    where: tuple[str, str] | None = None
    empty = True
    for number, text in rows:
        words = text.split()
        if len(words) >= 3 and all(_NUMBER.fullmatch(word) for word in words[-2:]):
            if where is None:
                raise DataError(
                    f"{path}, line {number}: {text.strip()!r} comes before any line of data set and subject"
                )
            dataset, subject = where
            name = f"{dataset}/{subject}"
            clip = " ".join(words[:-2])  # some clip names have a blank inside
            yield PredictionLine(number, f"{name}/{clip}", words[-2], words[-1], subject=name, dataset=dataset)
            empty = False
        elif len(words) == 2:
            where = words[0], words[1]
        else:
            raise DataError(
                f"{path}, line {number}: expected '<data set> <subject>', or '<clip> <truth> <prediction>' with labels "
                f"as whole numbers, got {text.strip()!r}"
            )
    if empty:
        raise DataError(f"{path}: names subjects and no predictions")
