"""What a leaderboard asks: its definition, and the samples that a submission must answer for.

``NAME.yaml`` says on what data, under what protocol, with what classes, by what score and with what epochs of the code.
``samples/NAME.csv`` lists every sample with its fold, its subject and a digest of its class; the definition has the
digest of that list, so that neither changes alone.

**The digest of a class is not a secret.** It covers the data set's fingerprint, the sample's id and the name of the
class, so whoever knows the names of the classes finds the right one by trying them: that is how a submission is
scored without the data. It keeps the labels of licensed data from being listed in clear, and shows where a label was
altered. No more.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, ConfigDict, StringConstraints, field_validator

from mexbench.config import document
from mexbench.config.document import Document
from mexbench.config.typed_document import STRICT, invalid, read_as
from mexbench.errors import BoardError, check_name, listed, suggest, unknown
from mexbench.files import read_plain, write_text
from mexbench.fingerprint import digest
from mexbench.metrics.classification import HEADLINE
from mexbench.runs.predictions_csv import repeat_of

SCHEMA = 1
#: The name of a board is a file's name and a part of references such as NAME/MODEL.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
#: Files beside the boards that do not define one.
_OTHER_FILES = frozenset({"claims", "methods"})
_KEYS = ("schema", "title", "dataset", "fingerprint", "protocol", "classes", "headline", "epochs", "flags", "samples")
_COLUMNS = ("fold", "sample_id", "clip_id", "subject", "dataset", "truth")


def _distinct(values: tuple[_T, ...]) -> tuple[_T, ...]:
    if len(set(values)) < len(values):
        raise invalid(f"expected a list of different values, got {list(values)!r}")
    return values


_T = TypeVar("_T")
_Text = Annotated[str, StringConstraints(pattern=r"\S")]
_Distinct = Annotated[tuple[_T, ...], AfterValidator(_distinct)]


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


@dataclass(frozen=True, kw_only=True)
class DefinitionFile:
    """What ``NAME.yaml`` holds.

    Args:
        schema: Version of the file's format.
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
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    schema: int
    title: _Text
    dataset: _Text
    fingerprint: _Text
    protocol: Mapping[str, Any]
    classes: _Distinct[str]
    headline: str
    epochs: _Distinct[int]
    flags: _Distinct[str]
    samples: _Text
    note: str = ""

    @field_validator("schema")
    @classmethod
    def _check_schema(cls, schema: int) -> int:
        if schema > SCHEMA:
            raise invalid(f"{schema} is newer than this version reads ({SCHEMA}): update mexbench")
        if schema != SCHEMA:
            raise invalid(f"expected {SCHEMA}, got {schema}")
        return schema

    @field_validator("protocol", mode="before")
    @classmethod
    def _check_protocol(cls, protocol: object) -> object:
        if not isinstance(protocol, dict) or not isinstance(protocol.get("plugin"), str):
            raise invalid(f"expected a mapping with 'plugin', such as {{plugin: loso}}, got {protocol!r}")
        return protocol

    @field_validator("headline")
    @classmethod
    def _check_headline(cls, headline: str) -> str:
        if headline not in HEADLINE:
            raise invalid(unknown("headline", headline, HEADLINE))
        return headline

    @field_validator("classes")
    @classmethod
    def _check_classes(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(classes) < 2:
            raise invalid(f"expected at least two, got {listed(classes)}")
        return classes


@dataclass(frozen=True, kw_only=True)
class Definition(DefinitionFile):
    """A leaderboard.

    Args:
        name: Its file's name without the ending.
        questions: What is asked, in the order of the list.
    """

    schema: int = SCHEMA
    name: str
    questions: tuple[ExpectedSample, ...]

    @cached_property
    def truths(self) -> Mapping[str, int]:
        """Sample id -> class index, found by trying every class; a digest that fits none has no entry."""
        digests = {}
        for question in self.questions:
            for index, name in enumerate(self.classes):
                if truth_digest(self.fingerprint, question.sample_id, name) == question.truth:
                    digests[question.sample_id] = index
        return digests

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
    """Return the boards of a folder, sorted: a definition, a list of samples or submissions alone are a broken one.

    Raises:
        DataError: A name is not UTF-8.
    """
    files = (*root.glob("*.yaml"), *root.glob("samples/*.csv"))
    folders = [path for path in root.glob("results/*") if path.is_dir()]
    for path in (*files, *folders):
        check_name(path)
    return sorted(({path.stem for path in files} - _OTHER_FILES) | {path.name for path in folders})


def check_no_links(paths: Iterable[Path]) -> None:
    """Refuse a link, a pipe or a device among the files and folders of a board: one would lead out of it.

    Raises:
        BoardError: Names it.
    """
    for path in paths:
        if path.is_symlink():
            raise BoardError(f"{path}: is a symbolic link, which is not followed below a leaderboard; put a copy there")
        if path.exists() and not (path.is_dir() or path.is_file()):
            raise BoardError(f"{path}: is not a plain file, and is not read")


def check_new(root: Path, name: str) -> None:
    """Check that a name is free for a new board, of whatever kind.

    Raises:
        BoardError: It cannot be used, or is used.
    """
    if not NAME.fullmatch(name) or name in _OTHER_FILES:
        raise BoardError(f"leaderboard {name!r}: a name has letters, digits and _ . - inside")
    for path in (root / f"{name}.yaml", root / "samples" / f"{name}.csv", root / "spotting" / f"{name}.json"):
        if path.exists():
            raise BoardError(f"{path}: exists; a board that changes is another board: choose another name")


def _places(root: Path, name: str) -> tuple[Path, ...]:
    """Return the files and folders of a board."""
    results = root / "results"
    return root / f"{name}.yaml", root / "samples", root / "samples" / f"{name}.csv", results, results / name


def load(root: Path, name: str) -> Definition:
    """Read a board.

    Args:
        root: The folder of the leaderboards.
        name: Which.

    Raises:
        BoardError: The board was not found, or something in it cannot be; the text says what and where.
        ConfigError: Its definition is no YAML.
    """
    path = root / f"{name}.yaml"
    if not NAME.fullmatch(name) or not path.is_file():
        known = names(root)
        raise BoardError(
            f"{root}: no leaderboard {name!r}{suggest(name, known)}; there are: {listed(known)}. "
            "'bench leaderboard define RUN NAME' makes one from a run"
        )
    check_no_links(_places(root, name))
    source = document.read(path, environment={})
    content = read_as(DefinitionFile, source, BoardError)
    definition = Definition(**vars(content), name=name, questions=_read_samples(root / "samples" / f"{name}.csv"))
    _check_samples(source, definition)
    return definition


def save(root: Path, definition: Definition) -> list[Path]:
    """Write a new board and return its files.

    Raises:
        BoardError: Its name cannot be used, or exists.
    """
    check_no_links(_places(root, definition.name))
    check_new(root, definition.name)
    paths = [root / f"{definition.name}.yaml", root / "samples" / f"{definition.name}.csv"]
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
        text = read_plain(path, most=2**28, follow_links=False).decode("utf-8")
        header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    except (ValueError, csv.Error) as error:
        raise BoardError(f"{path}: expected a CSV in UTF-8: {error}") from None
    if tuple(header) != _COLUMNS:
        raise BoardError(f"{path}, line 1: expected the columns {listed(_COLUMNS)}, got {listed(header)}")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(_COLUMNS) or not (row[0] and row[1] and row[2]):
            raise BoardError(f"{path}, line {number}: expected {listed(_COLUMNS)}, got {row!r}")
    return tuple(ExpectedSample(*row) for row in rows)


def _check_samples(source: Document, definition: Definition) -> None:
    """Check that the list of samples is the one that the definition was made with."""
    path = f"samples/{definition.name}.csv"
    if (actual := samples_digest(definition.questions)) != definition.samples:
        raise BoardError(source.error_text(("samples",), f"{path} has the digest {actual}, not {definition.samples}"))
    if len(definition.by_key) < len(definition.questions):
        raise BoardError(source.error_text(("samples",), f"{path} asks for a sample twice in one repeat"))
    if missing := [q.sample_id for q in definition.questions if q.sample_id not in definition.truths]:
        message = f"the truth of {listed(missing, limit=3)} is none of {listed(definition.classes)}"
        raise BoardError(source.error_text(("classes",), message))
