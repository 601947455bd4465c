"""A submission: one row of a leaderboard, with the predictions that its figures follow from.

The file is JSON with one prediction per line, so that a change shows as one. It has no picture, no label in clear and
no path of the machine that it was made on.
"""

from __future__ import annotations

import functools
import json
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mexbench.config.yaml import path_text
from mexbench.errors import BoardError
from mexbench.files import read_plain, write_text
from mexbench.fingerprint import digest
from mexbench.reports.leaderboards.curves import Point
from mexbench.reports.leaderboards.plugin_code import PluginCode
from mexbench.reports.leaderboards.tuned import SubmittedTuning

SCHEMA = 1
#: Of a file that is read.
MOST_BYTES = 2**28
#: For ``__pydantic_config__`` of a record that a file holds.
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_LONGEST_NAME = 120
_T = TypeVar("_T")


class SubmittedPrediction(NamedTuple):
    """The scores that a model gave one sample, with all its seeds.

    Args:
        fold: The fold that tested it.
        sample_id: The sample.
        subject: Whose, as the run had it; empty where it had none.
        truth: ``definition.truth_digest`` of the class that the run had.
        scores: For each seed, in the order of ``SubmittedEntry.seeds``, the scores of the classes.
    """

    fold: str
    sample_id: str
    subject: str
    truth: str
    scores: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Whose row it is.

    Args:
        name: Of the row.
        plugin: What was run.
        distribution: The plugin's distribution and version.
        parameters: Values of the network, running statistics included; None where the model has no layers to count.
        code: Where the code of a third-party plugin is; None for the built-in ones.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    plugin: str
    distribution: str
    parameters: int | None
    code: PluginCode | None = None


@dataclass(frozen=True, kw_only=True)
class CodeOrigin:
    """How the run was made: the part of its manifest that names neither a path nor a person.

    Args:
        dataset: What outputs call the data.
        fingerprint: Of the data set.
        classes: Class names in order.
        protocol: The plugin with all its parameters, without paths.
        config: The config of this row alone, all values filled in; variables stand for paths.
        epoch: Of the code; see ``provenance.EPOCH``.
        commit: Of the code, where it was known; ``-dirty`` behind it says that files differed.
        versions: Of this project, of Python and of what computes.
        device: What numbers were computed on.
        machine: The kind of processor.
        left_out: Clips that the run could not use.
        errata: Annotations that it corrected.
        started: When, in UTC.
        ended: When, in UTC.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    dataset: str
    fingerprint: str
    classes: tuple[str, ...]
    protocol: dict[str, Any]
    config: dict[str, Any]
    epoch: int
    commit: str | None
    versions: dict[str, str]
    device: str
    machine: str
    left_out: int
    errata: int
    started: str
    ended: str


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What was measured while it ran; no prediction can confirm it.

    Args:
        fit_s: Seconds of training for one seed and repeat, all folds together.
        predict_ms_per_sample: Milliseconds per prediction.
        processor_s: Seconds of processor time of training and prediction, of all threads, for one seed and repeat;
            None where it was not measured.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    fit_s: float | None
    predict_ms_per_sample: float | None
    processor_s: float | None = None


class BoardEntry(Protocol):
    """What a row of any leaderboard says beside its predictions, whatever those are."""

    @property
    def board(self) -> str:
        """The leaderboard that it is for."""
        ...

    @property
    def model(self) -> ModelCard:
        """Whose row."""
        ...

    @property
    def origin(self) -> CodeOrigin:
        """Where it comes from."""
        ...

    @property
    def flags(self) -> tuple[str, ...]:
        """Words that are shown beside its scores."""
        ...

    @property
    def seeds(self) -> tuple[int, ...]:
        """That the model was trained with."""
        ...

    @property
    def costs(self) -> Costs:
        """What it took."""
        ...

    @property
    def figures(self) -> dict[str, Any]:
        """What its predictions give."""
        ...


@dataclass(frozen=True, kw_only=True)
class SubmittedEntry:
    """A submission without its predictions.

    Args:
        schema: Of the file.
        board: The leaderboard that it is for.
        model: Whose row.
        origin: Where it comes from.
        flags: Words that are shown beside its scores.
        seeds: That the model was trained with.
        costs: What it took.
        curves: What its trainings reported, by value such as ``loss``; see ``curves.read_curves``.
        figures: What ``metrics.summary.figures`` gives for the predictions.
        predictions_digest: Of the predictions.
        tuning: What was chosen inside each training side; None for a row that was not tuned.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    schema: int
    board: str
    model: ModelCard
    origin: CodeOrigin
    flags: tuple[str, ...]
    seeds: tuple[int, ...]
    costs: Costs
    curves: dict[str, tuple[Point, ...]]
    figures: dict[str, Any]
    predictions_digest: str
    tuning: SubmittedTuning | None = None


@dataclass(frozen=True, kw_only=True)
class Submission(SubmittedEntry):
    """A submission with its predictions.

    Args:
        predictions: Every answer.
    """

    predictions: tuple[SubmittedPrediction, ...]

    @property
    def entry(self) -> SubmittedEntry:
        """Everything but the predictions."""
        return SubmittedEntry(**{field.name: getattr(self, field.name) for field in fields(SubmittedEntry)})


def predictions_digest(answers: Sequence[SubmittedPrediction]) -> str:
    """Digest answers, in their order."""
    return digest([list(answer) for answer in answers])


def file_name(model: str) -> str:
    """Return the name of a model's submission: no name leads out of the folder, and no two share a file."""
    name = urllib.parse.quote(model, safe=" =+,")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    return f"{name if len(name) <= _LONGEST_NAME else f'{name[:_LONGEST_NAME]}-{digest(model)}'}.json"


def text(submission: Submission) -> str:
    """Write the file's text."""
    entry = adapter(SubmittedEntry).dump_python(submission.entry, mode="json")
    if entry["model"]["code"] is None:
        del entry["model"]["code"]
    if entry["tuning"] is None:
        del entry["tuning"]
    curves = json.dumps(entry.pop("curves"), ensure_ascii=False, allow_nan=False)
    head = json.dumps(entry, indent=1, ensure_ascii=False, allow_nan=False).removesuffix("\n}")
    lines = ",\n".join(
        f"  {json.dumps(list(answer), ensure_ascii=False, allow_nan=False)}" for answer in submission.predictions
    )
    return f'{head},\n "curves": {curves},\n "predictions": [\n{lines}\n ]\n}}\n'


def write(path: Path, submission: Submission) -> None:
    """Write the file."""
    write_text(path, text(submission))


def read(path: Path) -> Submission:
    """Read a submission.

    Raises:
        BoardError: It is not JSON, has a newer schema, or an invalid value; the text says where.
    """
    return read_record(path, Submission)


def read_record(path: Path, cls: type[_T], what: str = "a submission") -> _T:
    """Read a JSON file with a key ``schema`` as a dataclass, strictly.

    Args:
        path: The file.
        cls: The dataclass.
        what: The file is, for errors.

    Raises:
        BoardError: It is not JSON, has a newer schema, or an invalid value; the text says where.
    """
    try:
        content = read_plain(path, most=MOST_BYTES, follow_links=False)
    except (ValueError, OSError) as error:
        raise BoardError(f"{path}: cannot be read: {error}") from None
    return parse(content, str(path), cls, what)


def parse(content: bytes, name: str, cls: type[_T], what: str = "a submission") -> _T:
    """Read a record from a file's bytes; see ``read_record``."""
    try:
        record = adapter(cls).validate_json(content)
    except ValidationError as error:
        raise BoardError(f"{name}: {_error_text(content, error, what)}") from None
    if record.schema != SCHEMA:
        raise BoardError(f"{name}: {_other_schema(record.schema, what)}")
    return record


@functools.cache
def adapter(cls: type[Any]) -> TypeAdapter[Any]:
    """Return what reads and writes a record."""
    return TypeAdapter(cls)


def _error_text(content: bytes, error: ValidationError, what: str) -> str:
    """Describe the first error, and count the others; another schema explains them all."""
    errors = error.errors(include_url=False)
    first = errors[0]
    if first["type"] == "json_invalid":
        return f"invalid JSON: {first['msg'].removeprefix('Invalid JSON: ')}"
    schema = _schema(content)
    if schema != SCHEMA:
        return _other_schema(schema, what)
    where = path_text(tuple(first["loc"])) or "the file"
    rest = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    if first["type"].startswith("missing"):
        return f"{where}: is missing{rest}"
    if first["type"].startswith("unexpected"):
        return f"{where}: is not a key of {what}{rest}"
    shown = "" if isinstance(first["input"], (dict, list)) else f", got {first['input']!r}"
    return f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}{shown}{rest}"


def _schema(content: bytes) -> object:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return data.get("schema") if isinstance(data, dict) else None


def _other_schema(schema: object, what: str) -> str:
    if isinstance(schema, int) and schema > SCHEMA:
        return f"schema {schema} is newer than this version reads ({SCHEMA}): update mexbench"
    return f"is not {what}: expected 'schema': {SCHEMA}, got {schema!r}"
