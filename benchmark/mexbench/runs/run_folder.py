"""The run folder: one file per finished task, and the reports that are made from them.

    manifest.json      what ran, on what, with what versions, when
    predictions.csv    one row per model, seed and sample, in each repeat of the split; the fold's name says which
    scores.json        the rows of the leaderboard
    leaderboard.md     the same for people; action_units.md or spotting.md where those are the target
    tasks/             one file per finished task, MODEL/SEED/FOLD.json; a failed one leaves FOLD.error.txt
    tuning.csv         what was chosen inside each training side, where a model is tuned
    histories.csv      learning curves, where a model has any: one row per model, seed, fold and epoch
    models/            trained models, with --save-models
    figures/           scores and confusion matrices, which the page shows; more with --figures
    tensorboard/       events, with --observe tensorboard
    .lock, .holder     which process writes here: one at a time

Every file is written whole or not at all, and a task's file carries its fingerprint and a checksum, so that a rerun
does what is missing and trusts nothing else. A task's file that is damaged is set aside as FOLD.damaged, and one that
is of another task, or of other data, code, parameters or versions, as FOLD.foreign.
"""

from __future__ import annotations

import os
import re
import shutil
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from mexbench.errors import DataError, RunFolderError, listed
from mexbench.files import read_json, special_files, write_json, write_text
from mexbench.fingerprint import digest
from mexbench.interfaces import ScoredInterval
from mexbench.interfaces.video import IntervalKind
from mexbench.runs.task import Failure, History, Success, Task
from mexbench.runs.tuning_record import TuningRecord

_LONGEST_NAME = 120
#: What a run writes beside the manifest and the tasks.
_REPORTS = {
    "predictions.csv", "scores.json", "leaderboard.md", "action_units.md", "spotting.md",
    "histories.csv", "tuning.csv", "models", "figures",
    "audit", "tensorboard",
}  # fmt: skip


@dataclass(frozen=True)
class StoredResult:
    """A finished task as it is stored in the run folder: scores (n_test, n_classes) by sample id.

    Where spotting is the target, a sample is a long video, whose scores are empty, and ``intervals`` has what was
    spotted in it.
    """

    task: Task
    scores: Mapping[str, Sequence[float]]
    fit_s: float
    predict_s: float
    warnings: tuple[str, ...]
    history: History = ()
    health: Mapping[str, float] = field(default_factory=dict)
    device: str | None = None  # unknown of results of earlier versions
    intervals: Mapping[str, tuple[ScoredInterval, ...]] = field(default_factory=dict)
    processor_s: float | None = None  # unknown of results of earlier versions
    tuning: TuningRecord | None = None


class RunFolder:
    """A folder under ``runs/``.

    Args:
        path: Where.
        keep: Whether files that cannot be used stay where they are, because nothing takes their place.
    """

    def __init__(self, path: Path, *, keep: bool = False) -> None:
        self.path = path
        self.keep = keep
        #: Files of tasks that cannot be used and count as missing -> "damaged" or "foreign".
        self.unusable: dict[Path, Literal["damaged", "foreign"]] = {}

    @property
    def manifest(self) -> Path:
        """The file that makes a folder a run folder."""
        return self.path / "manifest.json"

    @property
    def writable(self) -> bool:
        """Whether files can be made in the folder, or the folder itself."""
        return os.access(self._existing(), os.W_OK)

    def _existing(self) -> Path:
        return next(path for path in (self.path, *self.path.absolute().parents) if path.exists())

    def read_manifest(self) -> dict[str, Any]:
        """Return what the manifest says, or nothing where there is none or it is damaged."""
        try:
            content = read_json(self.manifest, follow_links=False)
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def check(self, identity: Mapping[str, Any], *, replace: bool = False) -> None:
        """See that the folder can be written, if it is to be, and that the run in it is this one.

        That run may have fewer models or seeds. Nothing is created: a run whose data turns out to be missing leaves no
        trace.

        Args:
            identity: ``RunConfig.identity()`` of the run that is to be written.
            replace: Whether the folder may hold another run, which will be replaced.

        Raises:
            RunFolderError: It cannot be written, is not a run folder, has links or devices in it, or holds a run of
                another config, with the differences.
        """
        existing = self._existing()
        if not existing.is_dir():
            raise RunFolderError(f"{existing}: is a file, not a folder; choose another --out")
        check_plain(self.path)
        if not self.keep and not self.writable:
            raise RunFolderError(f"{existing}: cannot be written; choose another --out")
        if not self.manifest.exists():
            names = {path.name for path in self._visible()}
            # Reports beside tasks are those of a run that lost its manifest.
            unknown = names - {"tasks"} - (_REPORTS if "tasks" in names else set())
            if unknown:
                raise RunFolderError(
                    f"{self.path}: has files ({listed(sorted(unknown), limit=5)}) and is not a run folder, "
                    "which has a manifest.json; choose another --out"
                )
            return
        try:
            before = read_json(self.manifest, follow_links=False)["identity"]
        except (ValueError, KeyError, TypeError, OSError) as error:
            if replace:
                return
            raise RunFolderError(
                f"{self.manifest}: is damaged ({error}); its results are kept in {self.path / 'tasks'}: "
                "remove the manifest to check and reuse them, or choose another --out"
            ) from None
        changes = list(_changes(before, identity))
        if changes and not replace:
            raise RunFolderError(
                f"{self.path}: holds a run of another config:"
                + "".join(f"\n  {change}" for change in changes[:20])
                + _advice(changes)
            )

    def read_result(self, task: Task) -> StoredResult | None:
        """Return a task's result, or None where there is none or it is not of this very task: ``unusable`` says why."""
        path = self._path(task, "json")
        try:
            stored = read_json(path, follow_links=False)
            content = {key: value for key, value in stored.items() if key != "checksum"}
            if stored["checksum"] != digest(content):
                raise ValueError("checksum differs")
            if stored["fingerprint"] != task.fingerprint:
                self._set_aside(path, "foreign")
                return None
            return _checked(task, content)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            self._set_aside(path, "damaged")
            return None

    def _set_aside(self, path: Path, why: Literal["damaged", "foreign"]) -> None:
        self.unusable[path] = why
        if not self.keep:
            with suppress(OSError):
                path.replace(path.with_suffix(f".{why}"))

    def remove_temporaries(self) -> None:
        """Remove what a process that was killed had begun to write. Only for who holds the folder's lock."""
        for path in list(self.path.rglob(".tmp-*")):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def write_result(self, outcome: Success, sample_ids: Sequence[str]) -> None:
        """Store a finished task."""
        content = {
            "model": outcome.task.model,
            "seed": outcome.task.seed,
            "fold": outcome.task.fold,
            "fingerprint": outcome.task.fingerprint,
            "sample_ids": list(sample_ids),
            "scores": outcome.scores.tolist(),
            "fit_s": outcome.fit_s,
            "predict_s": outcome.predict_s,
            "warnings": list(outcome.warnings),
            "device": outcome.device,
            **({"history": list(outcome.history)} if outcome.history else {}),
            **(
                {"intervals": [[asdict(one) for one in row] for row in outcome.intervals]}
                if outcome.intervals is not None
                else {}
            ),
            **({"health": dict(outcome.health)} if outcome.health else {}),
            **({"processor_s": outcome.processor_s} if outcome.processor_s is not None else {}),
            **({"tuning": outcome.tuning.model_dump()} if outcome.tuning is not None else {}),
        }
        write_json(self._path(outcome.task, "json"), {**content, "checksum": digest(content)}, indent=None)
        self._path(outcome.task, "error.txt").unlink(missing_ok=True)

    def write_failure(self, outcome: Failure) -> None:
        """Store why a task failed."""
        write_text(self._path(outcome.task, "error.txt"), f"{outcome.error}\n\n{outcome.trace}")

    def error_path(self, task: Task) -> Path:
        """Return where the traceback of a failed task is stored."""
        return self._path(task, "error.txt")

    def _path(self, task: Task, ending: str) -> Path:
        return self.path / f"tasks/{task.model}/{task.seed}/{_file_name(task.fold)}.{ending}"  # joined once: it is fast

    def _visible(self) -> Iterator[Path]:
        if self.path.is_dir():
            yield from (path for path in self.path.iterdir() if not path.name.startswith("."))


_Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
_Seconds = Annotated[FiniteFloat, Field(ge=0)]


class _Interval(BaseModel):
    """One spotted interval."""

    model_config = ConfigDict(strict=True)

    onset: _Whole
    offset: _Whole
    kind: IntervalKind
    score: FiniteFloat
    apex: _Whole | None
    emotion: str | None


class _Content(BaseModel):
    """What the file of a task holds, as far as it is read."""

    model_config = ConfigDict(strict=True)

    sample_ids: list[str]
    scores: list[list[FiniteFloat]]
    fit_s: _Seconds
    predict_s: _Seconds
    warnings: list[str]
    device: str | None = None
    history: list[dict[str, _Whole | FiniteFloat]] = []
    intervals: list[list[_Interval]] | None = None
    health: dict[str, _Whole | FiniteFloat] = {}
    processor_s: _Seconds | None = None
    tuning: TuningRecord | None = None


def _checked(task: Task, content: object) -> StoredResult:
    checked = _Content.model_validate(content)
    if len({len(row) for row in checked.scores}) > 1:
        raise ValueError("rows of scores differ in length")
    return StoredResult(
        task=task,
        scores=dict(zip(checked.sample_ids, checked.scores, strict=True)),
        fit_s=checked.fit_s,
        predict_s=checked.predict_s,
        warnings=tuple(checked.warnings),
        history=tuple(checked.history),
        health=checked.health,
        device=checked.device,
        processor_s=checked.processor_s,
        tuning=checked.tuning,
        intervals={} if checked.intervals is None else dict(zip(checked.sample_ids, _intervals(checked), strict=True)),
    )


def check_plain(folder: Path) -> None:
    """Refuse a run folder below which anything is not a plain file or a folder: a link would lead out of it.

    Raises:
        RunFolderError: Names what is not.
    """
    if not folder.is_dir():
        return
    special = sorted(f"{path.relative_to(folder)} ({what})" for path, what in special_files(folder))
    if special:
        raise RunFolderError(
            f"{folder}: has what a run folder must not have: {listed(special, limit=5)}; no link is followed and no "
            "device read below it: remove it, or put a copy in its place"
        )


def _intervals(content: _Content) -> list[tuple[ScoredInterval, ...]]:
    try:
        return [tuple(ScoredInterval(**dict(one)) for one in row) for row in content.intervals or ()]
    except DataError as error:
        raise ValueError(str(error)) from None


def folder_name(fold: str) -> str:
    """Return the name of a fold's folder: one that neither hides nor climbs out."""
    name = _file_name(fold)
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _file_name(fold: str) -> str:
    name = urllib.parse.quote(fold, safe=" ")
    return f"{name[:_LONGEST_NAME]}-{digest(fold)}" if len(name) > _LONGEST_NAME else name


def _advice(changes: Sequence[str]) -> str:
    if all(re.match(r"models\.[^:]*: was .*, now absent$", change, re.DOTALL) for change in changes):
        return (
            "\n  the models in the folder stay in its table: keep them in the config, and give '--only MODEL' to run "
            "some of them alone; or choose another --out"
        )
    return "\n  choose another --out, or give '--recompute always' to replace it"


def _changes(before: object, now: object, path: str = "") -> Iterator[str]:
    """List what differs. Models and seeds may be added: a run may grow, but never change its meaning."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            inside = f"{path}.{key}" if path else str(key)
            if key not in now:
                yield f"{inside}: was {before[key]!r}, now absent"
            elif key not in before:
                if path != "models":
                    yield f"{inside}: was absent, now {now[key]!r}"
            else:
                yield from _changes(before[key], now[key], inside)
    elif before != now:
        grown = (
            path == "seeds"
            and isinstance(before, list)
            and isinstance(now, list)
            and all(seed in now for seed in before)
        )
        if not grown:
            yield f"{path}: was {before!r}, now {now!r}"
