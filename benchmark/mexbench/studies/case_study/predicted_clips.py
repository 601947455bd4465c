"""The predictions of one model for the clips of a case study, read from a run folder or a ``clips.csv``."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mexbench.data.video.clip_list import GROUPS
from mexbench.errors import DataError, RunFolderError, counted, listed, unknown
from mexbench.runs.stored_run import read_run
from mexbench.studies.inference.answers import NO_UNIT

#: Columns of a ``clips.csv`` that must be there; the subject, condition and emotion may be empty.
COLUMNS = ("clip_id", "path", "subject", "condition", "emotion", "predicted", "windows")
SCORE = "score_"
#: Columns that may be there: what is known of the person, a file's action units, the combination of units,
#: and the flags of the model.
OPTIONAL = (*GROUPS, "units", "cluster", "flags")
_UNIT = re.compile(r"AU\d+")
_UNIT_NUMBER = re.compile(r"AU(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedClip:
    """One clip with its prediction.

    Args:
        clip_id: Unique.
        subject: Who is seen; None where that is unknown.
        condition: Of the recording, from the manifest; None where it is not given.
        emotion: Its label; None for an unlabelled clip.
        truth: Class index of ``emotion``; None where it is not a class of the model.
        predicted: Class index.
        aus: Coded action units, by number alone.
        shown: Positions of the units that show, of a model of action units, whose ``predicted`` is -1; None for others.
        scores: Of the model (n_classes,); empty where they are not kept.
        cluster: The combination of units that ``bench predict`` assigned it to; None without one.
        person: What is said of the person, such as ``(("sex", "f"),)``.
    """

    clip_id: str
    subject: str | None
    condition: str | None
    emotion: str | None
    truth: int | None
    predicted: int
    aus: frozenset[str] = frozenset()
    shown: tuple[int, ...] | None = None
    scores: tuple[float, ...] = ()
    cluster: str | None = None
    person: tuple[tuple[str, str], ...] = ()

    @property
    def answers(self) -> tuple[int, ...]:
        """Positions of what is predicted: one class, or any number of units."""
        return (self.predicted,) if self.shown is None else self.shown

    def text(self, names: Sequence[str]) -> str:
        """Return the prediction in words: ``happiness``, ``AU6+AU12`` or ``none``."""
        return "+".join(names[index] for index in self.answers) or NO_UNIT

    @property
    def group(self) -> str:
        """The unit of every interval: the subject, or the clip where none is known."""
        return self.subject if self.subject is not None else self.clip_id


@dataclass(frozen=True)
class ClipPredictions:
    """The predictions of one model.

    Args:
        name: Of the model on pages.
        classes: Of the model.
        clips: In the order of their ids.
        flags: Shown beside everything that is derived from them, such as ``synthetic``.
        honest: From ``caveats.honest_score``; None where no honest score was given.
        unpredicted: Clips without a prediction, such as those without a face.
    """

    name: str
    classes: tuple[str, ...]
    clips: tuple[PredictedClip, ...]
    flags: tuple[str, ...] = ()
    honest: Mapping[str, Any] | None = None
    unpredicted: tuple[str, ...] = ()

    @property
    def of_units(self) -> bool:
        """Whether action units are predicted, several of which may show at once."""
        return bool(self.classes) and all(_UNIT.fullmatch(name) for name in self.classes)

    @property
    def unit(self) -> str:
        """What intervals draw: subjects, or clips where no subject is known."""
        return "clip" if all(clip.subject is None for clip in self.clips) else "subject"


def read(path: Path, row: str | None = None) -> ClipPredictions:
    """Read predictions.

    Args:
        path: A run folder of a case study, or a ``clips.csv`` of ``bench predict``.
        row: Which row of the run; None where it has only one.

    Raises:
        RunFolderError: The folder holds no case study, or several rows and none is chosen.
        DataError: The file is not a ``clips.csv``, or a line of it is damaged.
    """
    if path.is_dir():
        studies = read_studies(path)
        if row is None and len(studies) > 1:
            raise RunFolderError(f"{path}: has several rows; choose one with --row-a or --row-b: {listed(studies)}")
        if row is not None and row not in studies:
            raise RunFolderError(f"{path}: {unknown('row', row, studies)}")
        name = row or next(iter(studies))
        return of_study(f"{path.resolve().name}: {name}", studies[name], path)
    if row is not None:
        raise DataError(f"{path}: is a file of one model; a row can be chosen only of a run folder")
    return _read_csv(path)


def read_studies(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return row -> what ``scores.json`` of a run folder has of its case study.

    Raises:
        RunFolderError: It is not a run folder, is damaged, or holds no case study.
    """
    run = read_run(path)
    studies = run.scores.get("case_study")
    if not isinstance(studies, dict) or not studies:
        raise RunFolderError(
            f"{path}: its run is not a case study, or has no result yet; give the folder of a run with 'protocol: "
            "{plugin: case_study, ...}', or a clips.csv of 'bench predict'"
        )
    return studies


def of_study(name: str, study: Mapping[str, Any], path: Path) -> ClipPredictions:
    """Return the predictions that a stored case study holds; ``name`` is their name on pages.

    Raises:
        RunFolderError: They are damaged.
    """
    try:
        classes = tuple(study["classes"])
        clips = tuple(
            PredictedClip(
                clip_id=clip["clip_id"],
                subject=clip["subject"],
                condition=clip["condition"],
                emotion=clip["emotion"],
                truth=None if clip["truth"] is None else classes.index(clip["truth"]),
                predicted=classes.index(clip["predicted"]),
                aus=frozenset(clip["aus"]),
                scores=tuple(clip.get("scores") or ()),
                cluster=clip["cluster"],
                person=tuple((str(key), str(value)) for key, value in clip.get("person", {}).items()),
            )
            for clip in study["clips"]
        )
        return ClipPredictions(name, classes, clips, tuple(study["flags"]), study["honest"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunFolderError(f"{path / 'scores.json'}: its case study is damaged: {error!r}") from None


def _read_csv(path: Path) -> ClipPredictions:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            header = list(reader.fieldnames or [])
            classes = tuple(name.removeprefix(SCORE) for name in header if name.startswith(SCORE))
            if lacking := [*(name for name in COLUMNS if name not in header), *([] if classes else [f"{SCORE}..."])]:
                raise DataError(
                    f"{path}: is not a clips.csv of 'bench predict': lacks the columns {listed(lacking)}; it has "
                    f"{listed(header)}"
                )
            unpredicted: list[str] = []
            flags: dict[str, None] = {}
            clips = list(_clips(path, reader, classes, unpredicted, flags))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8: {error}") from None
    except csv.Error as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from None
    if not clips:
        problem = (
            f"no prediction in its {counted(len(unpredicted), 'line')}" if unpredicted else "has a header and no line"
        )
        raise DataError(f"{path}: {problem}: there is nothing to describe")
    ordered = tuple(sorted(clips, key=lambda clip: clip.clip_id))
    return ClipPredictions(path.name, classes, ordered, tuple(flags), unpredicted=tuple(sorted(unpredicted)))


def _clips(
    path: Path, reader: csv.DictReader[str], classes: Sequence[str], unpredicted: list[str], flags: dict[str, None]
) -> Iterator[PredictedClip]:
    """Yield every clip; those without a prediction go to ``unpredicted``, the flags of all lines to ``flags``."""
    line_of: dict[str, int] = {}
    for line in reader:
        where = f"{path}, line {reader.line_num}"
        if None in line or None in line.values():
            raise DataError(f"{where}: has another number of cells than the header")
        name, predicted = line["clip_id"].strip(), line["predicted"].strip()
        if not name:
            raise DataError(f"{where}: has no clip_id")
        if name in line_of:
            raise DataError(f"{where}: duplicate clip {name!r}, first in line {line_of[name]}; remove one")
        line_of[name] = reader.line_num
        flags |= dict.fromkeys((line.get("flags") or "").split())
        if not predicted:
            unpredicted.append(name)
            continue
        shown = _shown(predicted, classes)
        if shown is None and predicted not in classes:
            raise DataError(f"{where}: {unknown('prediction', predicted, classes)}, the columns {SCORE}...")
        scores = _scores(where, [line[f"{SCORE}{name}"] for name in classes])
        units = _UNIT_NUMBER.findall(line.get("units") or "")
        emotion = line["emotion"].strip() or None
        yield PredictedClip(
            clip_id=name,
            subject=line["subject"].strip() or None,
            condition=line["condition"].strip() or None,
            emotion=emotion,
            truth=classes.index(emotion) if emotion in classes else None,
            predicted=-1 if shown is not None else classes.index(predicted),
            aus=frozenset(units) if shown is None else frozenset(classes[k].removeprefix("AU") for k in shown),
            shown=shown,
            scores=scores,
            cluster=(line.get("cluster") or "").strip() or None,
            person=tuple((name, value) for name in GROUPS if (value := (line.get(name) or "").strip())),
        )


def _shown(predicted: str, classes: Sequence[str]) -> tuple[int, ...] | None:
    """Return the positions of the units that a cell names; None where the classes are not units, or one is unknown."""
    if not all(_UNIT.fullmatch(name) for name in classes):
        return None
    names = [] if predicted == NO_UNIT else predicted.split("+")
    return tuple(classes.index(name) for name in names) if set(names) <= set(classes) else None


def _scores(where: str, cells: Sequence[str]) -> tuple[float, ...]:
    scores = []
    for cell in cells:
        try:
            scores.append(float(cell))
        except ValueError:
            scores.append(math.nan)
        if not math.isfinite(scores[-1]):
            raise DataError(f"{where}: expected a number as score, got {cell!r}")
    return tuple(scores)
