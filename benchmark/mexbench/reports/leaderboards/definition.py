"""What a leaderboard asks: its definition, and the samples that a submission must answer for.

``NAME.yaml`` says on what data, under what protocol, with what classes, by what score and with what epochs of the code.
``samples/NAME.csv`` lists every sample with its fold, its subject and a digest of its class; the definition has the
digest of that list, so that neither changes alone.

**The digest of a class is no secret.** It covers the data set's fingerprint, the sample's id and the name of the class,
so whoever knows the names of the classes finds the right one by trying them: that is how a submission is scored without
the data. It keeps the labels of licensed data from being listed in clear, and shows where a label was altered. No more.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mexbench.config import document
from mexbench.config.document import Document
from mexbench.errors import BoardError, listed, suggest
from mexbench.files import write_text
from mexbench.fingerprint import digest
from mexbench.metrics.classification import HEADLINE
from mexbench.runs.predictions_csv import repeat_of

SCHEMA = 1
#: The name of a board is a file's name and a part of references such as NAME/MODEL.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
#: A file beside the boards, which is none.
_CLAIMS = "claims"
_KEYS = ("schema", "title", "dataset", "fingerprint", "protocol", "classes", "headline", "epochs", "flags", "samples")
_COLUMNS = ("fold", "sample_id", "clip_id", "subject", "dataset", "truth")


@dataclass(frozen=True, slots=True)
class ExpectedSample:
    """A sample that a submission must answer for.

    Args:
        fold: The fold that tests it.
        sample_id: The sample.
        clip_id: The clip that it is (part of).
        subject: Whose; empty where the data does not say.
        dataset: The data set, or the member of a composite, that it is of.
        truth: ``truth_digest`` of its class.
    """

    fold: str
    sample_id: str
    clip_id: str
    subject: str
    dataset: str
    truth: str

    @property
    def key(self) -> tuple[int, str]:
        """The repeat of the split, and the sample: what is asked once."""
        return repeat_of(self.fold), self.sample_id

    @property
    def group(self) -> str:
        """The unit of intervals and tests: the subject, or the clip where none is known."""
        return self.subject or self.clip_id


@dataclass(frozen=True)
class Definition:
    """A leaderboard.

    Args:
        name: Its file's name without the ending.
        title: What the page is called.
        dataset: What outputs call the data.
        fingerprint: Of the data set: of sample ids and classes.
        protocol: The plugin with all its parameters, paths left out.
        classes: Class names in order.
        headline: The score that ranks: one of ``metrics.HEADLINE``.
        epochs: Epochs of the code whose runs are comparable; see ``provenance.EPOCH``.
        flags: What every submission must be flagged with, such as ``synthetic``.
        samples: ``samples_digest`` of the questions.
        note: What a reader should know; empty where there is nothing.
        questions: What is asked, in the order of the list.
    """

    name: str
    title: str
    dataset: str
    fingerprint: str
    protocol: Mapping[str, Any]
    classes: tuple[str, ...]
    headline: str
    epochs: tuple[int, ...]
    flags: tuple[str, ...]
    samples: str
    note: str
    questions: tuple[ExpectedSample, ...]

    @cached_property
    def truths(self) -> Mapping[str, int]:
        """Sample id -> class index, found by trying every class; a digest that fits none has no entry."""
        found = {}
        for question in self.questions:
            for index, name in enumerate(self.classes):
                if truth_digest(self.fingerprint, question.sample_id, name) == question.truth:
                    found[question.sample_id] = index
        return found

    @cached_property
    def by_key(self) -> Mapping[tuple[int, str], ExpectedSample]:
        """``ExpectedSample.key`` -> the question."""
        return {question.key: question for question in self.questions}

    @property
    def digest(self) -> str:
        """Digest of everything that decides whether a submission verifies."""
        return digest([self.name, *(getattr(self, key) for key in _KEYS if key not in ("schema", "title"))])


def truth_digest(fingerprint: str, sample_id: str, name: str) -> str:
    """Digest a sample's class; see the module on what this hides and what it does not."""
    return digest([fingerprint, sample_id, name])[:16]


def samples_digest(questions: Sequence[ExpectedSample]) -> str:
    """Digest a list of questions; its order does not matter."""
    return digest(sorted([getattr(question, column) for column in _COLUMNS] for question in questions))


def names(root: Path) -> list[str]:
    """Return the boards of a folder, sorted: a definition, a list of samples or submissions alone are a broken one."""
    found = {path.stem for path in (*root.glob("*.yaml"), *root.glob("samples/*.csv"))} - {_CLAIMS}
    return sorted(found | {path.name for path in root.glob("results/*") if path.is_dir()})


def load(root: Path, name: str) -> Definition:
    """Read a board.

    Args:
        root: The folder of the leaderboards.
        name: Which.

    Raises:
        BoardError: There is no such board, or something in it cannot be; the text says what and where.
        ConfigError: Its definition is no YAML.
    """
    path = root / f"{name}.yaml"
    if not NAME.fullmatch(name) or not path.is_file():
        known = names(root)
        raise BoardError(
            f"{root}: no leaderboard {name!r}{suggest(name, known)}; there are: {listed(known)}. "
            "'bench leaderboard define RUN NAME' makes one from a run"
        )
    reader = _Reader(document.read(path, environment={}))
    questions = _read_samples(root / "samples" / f"{name}.csv")
    return reader.definition(name, questions)


def save(root: Path, definition: Definition) -> list[Path]:
    """Write a new board and return its files.

    Raises:
        BoardError: Its name cannot be used, or exists.
    """
    if not NAME.fullmatch(definition.name) or definition.name == _CLAIMS:
        raise BoardError(f"leaderboard {definition.name!r}: a name has letters, digits and _ . - inside")
    paths = [root / f"{definition.name}.yaml", root / "samples" / f"{definition.name}.csv"]
    for path in paths:
        if path.exists():
            raise BoardError(f"{path}: exists; a board that changes is another board: choose another name")
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([getattr(question, column) for column in _COLUMNS] for question in definition.questions)
    write_text(paths[1], stream.getvalue())
    write_text(paths[0], _yaml(definition))
    return paths


def _yaml(definition: Definition) -> str:
    values = {key: getattr(definition, key, SCHEMA) for key in (*_KEYS, *(["note"] if definition.note else []))}
    head = (
        "# A leaderboard: what a submission must have been made on, and what ranks; 'bench leaderboard submit' adds\n"
        "# rows. fingerprint: of the data set's sample ids and classes; samples: of the list samples/NAME.csv;\n"
        "# epochs: of the code (benchmark/mexbench/runs/provenance.py); flags: what every row carries.\n"
    )
    # Values as JSON, which is YAML: a fingerprint of digits alone stays a text.
    return head + "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())


def _read_samples(path: Path) -> tuple[ExpectedSample, ...]:
    if not path.is_file():
        raise BoardError(f"{path}: is missing: a board lists the samples that it asks for")
    try:
        header, *rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8")))) or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BoardError(f"{path}: expected a CSV in UTF-8: {error}") from None
    if tuple(header) != _COLUMNS:
        raise BoardError(f"{path}, line 1: expected the columns {listed(_COLUMNS)}, got {listed(header)}")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(_COLUMNS) or not (row[0] and row[1] and row[2]):
            raise BoardError(f"{path}, line {number}: expected {listed(_COLUMNS)}, got {row!r}")
    return tuple(ExpectedSample(*row) for row in rows)


class _Reader:
    def __init__(self, source: Document) -> None:
        self.source = source

    def fail(self, key: str, message: str) -> BoardError:
        return BoardError(self.source.error_text((key,) if key else (), message))

    def definition(self, name: str, questions: tuple[ExpectedSample, ...]) -> Definition:
        data = self.mapping()
        if not isinstance(data["protocol"], dict) or not isinstance(data["protocol"].get("plugin"), str):
            raise self.fail("protocol", f"expected a block such as {{plugin: loso}}, got {data['protocol']!r}")
        if data["headline"] not in HEADLINE:
            raise self.fail("headline", f"expected one of {listed(HEADLINE)}, got {data['headline']!r}")
        classes = self.several("classes", str)
        if len(classes) < 2:
            raise self.fail("classes", "expected at least two")
        found = Definition(
            name=name,
            **{key: self.text(key) for key in ("title", "dataset", "fingerprint", "headline", "samples")},
            protocol=data["protocol"],
            classes=classes,
            epochs=self.several("epochs", int),
            flags=self.several("flags", str),
            note=self.text("note") if data.get("note") else "",
            questions=questions,
        )
        self.check(found)
        return found

    def mapping(self) -> dict[str, Any]:
        data = self.source.data
        if not isinstance(data, dict):
            raise self.fail("", f"expected keys and values, got {data!r}")
        if isinstance(data.get("schema"), int) and data["schema"] > SCHEMA:
            raise self.fail("schema", f"{data['schema']} is newer than this version reads ({SCHEMA}): update mexbench")
        for key in data:
            if key not in (*_KEYS, "note"):
                raise self.fail(key, f"unknown key{suggest(key, _KEYS)}; choose from: {listed((*_KEYS, 'note'))}")
        for key in _KEYS:
            if key not in data:
                raise self.fail("", f"{key!r} is missing")
        if data["schema"] != SCHEMA:
            raise self.fail("schema", f"expected {SCHEMA}, got {data['schema']!r}")
        return data

    def check(self, found: Definition) -> None:
        """See that the list of samples is the one that the definition was made with."""
        if (actual := samples_digest(found.questions)) != found.samples:
            raise self.fail("samples", f"samples/{found.name}.csv has the digest {actual}, not {found.samples}")
        if len(found.by_key) < len(found.questions):
            raise self.fail("samples", f"samples/{found.name}.csv asks for a sample twice in one repeat")
        if lost := [q.sample_id for q in found.questions if q.sample_id not in found.truths]:
            raise self.fail("classes", f"the truth of {listed(lost, limit=3)} is none of {listed(found.classes)}")

    def text(self, key: str) -> str:
        value = self.source.data[key]
        if not isinstance(value, str) or not value.strip():
            raise self.fail(key, f"expected a text, got {value!r}")
        return value

    def several(self, key: str, kind: type) -> tuple[Any, ...]:
        value = self.source.data[key]
        if not isinstance(value, list) or any(type(item) is not kind for item in value) or len({*value}) < len(value):
            what = "whole numbers" if kind is int else "texts"
            raise self.fail(key, f"expected a list of different {what}, got {value!r}")
        return tuple(value)
