"""A run folder's own reports, read back: the manifest, the scores and every prediction.

Folders of older versions are read as well: before a run could have several parts, what ``parts`` holds stood at the top
of the manifest.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from mexbench.errors import RunFolderError, listed, raised
from mexbench.files import read_json
from mexbench.metrics.predictions import Predictions
from mexbench.runs.predictions_table import read_tables
from mexbench.runs.run_folder import check_plain


@dataclass(frozen=True)
class RowConfig:
    """What a row was made with.

    Args:
        model: The model's block of the config.
        protocol: The protocol's block, without paths.
        config: The config of the run with this model and this protocol alone; variables stand for paths.
        identity: The same as the run's identity has it: no paths, no seeds, no name.
    """

    model: Mapping[str, Any]
    protocol: Mapping[str, Any]
    config: Mapping[str, Any]
    identity: Mapping[str, Any]


@dataclass(frozen=True)
class StoredRun:
    """A run that has written its reports.

    Args:
        path: The folder.
        manifest: ``manifest.json``.
        scores: ``scores.json``.
        predictions: Row -> what ``predictions.csv`` has of it.
        fold_names: Row -> name of a fold in the run's files -> what ``predictions`` call it, where that differs.
    """

    path: Path
    manifest: Mapping[str, Any]
    scores: Mapping[str, Any]
    predictions: Mapping[str, Predictions]
    fold_names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in order."""
        return tuple(self.scores["classes"])

    @cached_property
    def rows(self) -> Mapping[str, Mapping[str, Any]]:
        """Row -> what ``scores.json`` has of it, in its order."""
        return {row["model"]: row for row in self.scores["rows"]}

    def part(self, row: str) -> Mapping[str, Any]:
        """Return what the manifest says of the samples that a row was made on."""
        parts = self.manifest.get("parts", [self.manifest])
        return next((part for part in parts if row in part.get("rows", [row])), self.manifest)

    def row_config(self, row: str) -> RowConfig:
        """Return what a row was made with.

        Raises:
            RunFolderError: The manifest does not say.
        """
        try:
            return next(config for name, config in self._configs() if name == row)
        except (StopIteration, KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunFolderError(f"{self.path / 'manifest.json'}: does not say what {row!r} is: {error!r}") from None

    def _configs(self) -> Iterator[tuple[str, RowConfig]]:
        # What a paper claims of all rows is not part of how one of them was made.
        resolved = {key: value for key, value in self.manifest["config"].items() if key != "paper"}
        identity = self.manifest["identity"]
        several = isinstance(resolved["protocol"], list)
        data, members = resolved["dataset"], identity["dataset"].get("members")
        dataset = (
            [_without_paths(one, same) for one, same in zip(data, members, strict=True)]
            if members
            else _without_paths(data, identity["dataset"])
        )
        for protocol in resolved["protocol"] if several else [resolved["protocol"]]:
            same = identity["protocol"][protocol["name"]] if several else identity["protocol"]
            for model in resolved["models"]:
                name = f"{model['name']} under {protocol['name']}" if several else model["name"]
                shown = {
                    **resolved,
                    "dataset": dataset,
                    "protocol": _without_paths(protocol, same),
                    "models": [_without_paths(model, identity["models"][model["name"]])],
                }
                shown |= _without_paths({"preprocess": resolved["preprocess"]}, identity)
                own = {key: value for key, value in identity.items() if key not in ("models", "seeds")}
                own |= {"protocol": same, "model": identity["models"][model["name"]]}
                yield name, RowConfig(model, same, shown, own)


def _without_paths(block: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """Put variables in the place of a block's paths: an identity has none."""
    shown: dict[str, Any] = {}
    for key, value in block.items():
        if key == "preprocess":
            shown[key] = [_without_paths(step, plain) for step, plain in zip(value, identity[key], strict=True)]
        elif (
            key in identity
            or key in ("plugin", "name", "frames", "selection")
            or (isinstance(value, str) and "${" in value)
        ):
            shown[key] = value
        elif value is not None:
            variable = f"{block['plugin']}_{key}".upper()
            plain = isinstance(value, str) and not {"/", "\\", "~"} & set(value)  # such as "stand-in": not a path
            shown[key] = f"${{{variable}:-{value}}}" if plain else f"${{{variable}}}"
        else:
            shown[key] = None
    return shown


class _Part(BaseModel):
    """What the manifest has about the samples of some rows."""

    rows: Annotated[list[str], Field(min_length=1)] = Field(default_factory=list)
    dataset_fingerprint: str


class _Manifest(BaseModel):
    """``manifest.json``, as far as it is read; earlier versions had the fields of a part here."""

    model_config = ConfigDict(strict=True)

    config: dict[str, Any]
    identity: dict[str, Any]
    versions: dict[str, str]
    started: str
    parts: Annotated[list[_Part], Field(min_length=1)] | None = None
    ended: str | None = None
    git_commit: str | None = None
    device: str | None = None
    machine: dict[str, str | int | None] = {}
    command: str = ""
    epoch: int = 1
    plugins: dict[str, str] = {}
    errata: list[dict[str, str]] = []


class _Tasks(BaseModel):
    """How many tasks a row has."""

    done: int
    total: int


_Bounds = Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)] | None


class _Intervals(BaseModel):
    """How intervals were drawn."""

    level: FiniteFloat
    replicates: int
    unit: str


class _Row(BaseModel):
    """A row of ``scores.json``, as far as every reader needs it."""

    model_config = ConfigDict(strict=True)

    model: str
    seeds: list[int] = []
    flags: list[str] = []
    tasks: _Tasks | None = None
    ci: dict[str, _Bounds] | None = None
    rank: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    protocol: str | None = None
    n_samples: int | None = None
    n_subjects: int | None = None
    uf1: FiniteFloat | None = None
    uar: FiniteFloat | None = None
    accuracy: FiniteFloat | None = None
    f1: FiniteFloat | None = None
    macro_f1: FiniteFloat | None = None
    confusion: list[list[int]] | None = None
    fit_s: FiniteFloat | None = None
    predict_ms_per_sample: FiniteFloat | None = None


class _Scores(BaseModel):
    """``scores.json``, as far as every reader needs it."""

    model_config = ConfigDict(strict=True)

    classes: list[str]
    rows: list[_Row]
    tasks: _Tasks | None = None
    target: str = "emotion"
    flags: list[str] = []
    config: str | None = None
    dataset: str | None = None
    complete: bool | None = None
    members: list[str] = []
    intervals: _Intervals | None = None


@contextmanager
def damage_is_an_error(path: Path) -> Iterator[None]:
    """Turn what goes wrong with values that no schema describes into the error of a damaged folder.

    Args:
        path: The run folder whose reports are used within the block.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        text = raised("using its reports", error)
        raise RunFolderError(
            f"{path}: is damaged, or written by a version that is not read any more: {text}"
        ) from error


def _read_checked(path: Path, kind: type[BaseModel]) -> dict[str, Any]:
    try:
        content = read_json(path, follow_links=False)
        kind.model_validate(content)
        json.dumps(content, ensure_ascii=False).encode()  # half a character could be neither printed nor written
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RunFolderError(f"{path}: is damaged: {where}: {first['msg']}") from None
    except ValueError as error:
        raise RunFolderError(f"{path}: is damaged: {error}") from None
    return content


def read_reports(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read ``manifest.json`` and ``scores.json`` of a run folder, whatever its target.

    Raises:
        RunFolderError: It is not a run folder, its run has written no reports yet, or one of them is damaged.
    """
    if not (path / "manifest.json").is_file():
        raise RunFolderError(f"{path}: is not a run folder: it has no manifest.json; 'bench run' makes one")
    check_plain(path)
    missing = [name for name in ("scores.json", "predictions.csv") if not (path / name).is_file()]
    if missing:
        raise RunFolderError(
            f"{path}: the run in it has not ended ({listed(missing)} missing); finish it with the same 'bench run'"
        )
    manifest, scores = _read_checked(path / "manifest.json", _Manifest), _read_checked(path / "scores.json", _Scores)
    known = {row for part in manifest.get("parts") or () for row in part.get("rows", ())}
    if unknown := [row["model"] for row in scores["rows"] if known and row["model"] not in known]:
        raise RunFolderError(f"{path / 'manifest.json'}: is damaged: has nothing about the rows {listed(unknown)}")
    return manifest, scores


def read_run(path: Path) -> StoredRun:
    """Read a run folder.

    Raises:
        RunFolderError: It is not a run folder, its run has written no reports yet, or one of them is damaged.
    """
    manifest, scores = read_reports(path)
    checked = _Scores.model_validate(scores)
    if checked.target != "emotion":
        raise RunFolderError(
            f"{path}: is a run with 'target: {checked.target}'; this command takes runs that predict a class for each "
            f"sample. Its scores are in {path / f'{checked.target}.md'} and scores.json"
        )
    unlabelled = "case_study" in scores  # its samples may have no truth
    seeds = {row.model: tuple(row.seeds) for row in checked.rows}
    try:
        predictions = read_tables(path / "predictions.csv", seeds, tuple(checked.classes), unlabelled=unlabelled)
    except (UnicodeDecodeError, csv.Error) as error:
        raise RunFolderError(f"{path / 'predictions.csv'}: is damaged: {error}") from None
    return StoredRun(path, manifest, scores, predictions)
