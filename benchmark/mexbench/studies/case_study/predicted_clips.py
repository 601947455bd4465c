"""What one model said about the clips of a case study, wherever it stands: a run folder, or a ``clips.csv``."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mexbench.errors import DataError, RunFolderError, listed, unknown
from mexbench.runs.stored_run import read_run

#: Columns of a ``clips.csv`` that must be there; the three in the middle may be empty.
COLUMNS = ("clip_id", "path", "subject", "condition", "emotion", "predicted", "windows")
SCORE = "score_"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedClip:
    """One clip and what the model said.

    Args:
        clip_id: Unique.
        subject: Who is seen; None where nobody knows.
        condition: What the manifest says of the recording; None where it says nothing.
        emotion: What somebody labelled it as; None for an unlabelled clip.
        truth: Class index of ``emotion``; None where it is no class of the model.
        predicted: Class index.
        aus: Coded action units, by number alone.
    """

    clip_id: str
    subject: str | None
    condition: str | None
    emotion: str | None
    truth: int | None
    predicted: int
    aus: frozenset[str] = frozenset()

    @property
    def group(self) -> str:
        """The unit of every interval: the subject, or the clip where none is known."""
        return self.subject if self.subject is not None else self.clip_id


@dataclass(frozen=True)
class ClipPredictions:
    """What one model said.

    Args:
        name: What the pages call it.
        classes: What it can say.
        clips: In the order of their ids.
        flags: What must stand beside everything made of them, such as ``synthetic``.
        honest: What ``caution.honest_score`` says of the model; None where nobody gave its honest score.
        silent: Clips that it said nothing about, such as those without a face.
    """

    name: str
    classes: tuple[str, ...]
    clips: tuple[PredictedClip, ...]
    flags: tuple[str, ...] = ()
    honest: Mapping[str, Any] | None = None
    silent: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """What intervals draw: subjects, or clips where no subject is known."""
        return "clip" if all(clip.subject is None for clip in self.clips) else "subject"


def read(path: Path, row: str | None = None) -> ClipPredictions:
    """Read predictions.

    Args:
        path: A run folder of a case study, or a ``clips.csv`` of ``bench predict``.
        row: Which row of the run; None where it has one alone.

    Raises:
        RunFolderError: The folder holds no case study, or several rows and none is chosen.
        DataError: The file is no ``clips.csv``, or a line of it is damaged.
    """
    if path.is_dir():
        found = read_studies(path)
        if row is None and len(found) > 1:
            raise RunFolderError(f"{path}: has several rows; choose one with --row-a or --row-b: {listed(found)}")
        if row is not None and row not in found:
            raise RunFolderError(f"{path}: {unknown('row', row, found)}")
        chosen = row or next(iter(found))
        return of_study(f"{path.resolve().name}: {chosen}", found[chosen], path)
    if row is not None:
        raise DataError(f"{path}: is a file with one model in it; a row can be chosen of a run folder alone")
    return _read_csv(path)


def read_studies(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return row -> what ``scores.json`` of a run folder has of its case study.

    Raises:
        RunFolderError: It is no run folder, is damaged, or holds no case study.
    """
    run = read_run(path)
    found = run.scores.get("case_study")
    if not isinstance(found, dict) or not found:
        raise RunFolderError(
            f"{path}: its run is no case study, or has no result yet; give the folder of a run with 'protocol: "
            "{plugin: case_study, ...}', or a clips.csv of 'bench predict'"
        )
    return found


def of_study(name: str, study: Mapping[str, Any], path: Path) -> ClipPredictions:
    """Return the predictions that a stored case study holds; ``name`` is what the pages call them.

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
                    f"{path}: is no clips.csv of 'bench predict': lacks the columns {listed(lacking)}; it has "
                    f"{listed(header)}"
                )
            silent: list[str] = []
            clips = list(_clips(path, reader, classes, silent))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8: {error}") from None
    except csv.Error as error:
        raise DataError(f"{path}: is no CSV that can be read: {error}") from None
    if not clips:
        said = f"its {len(silent)} clips have no prediction" if silent else "has a header and no clip"
        raise DataError(f"{path}: {said}: there is nothing to describe")
    ordered = tuple(sorted(clips, key=lambda clip: clip.clip_id))
    return ClipPredictions(path.name, classes, ordered, silent=tuple(sorted(silent)))


def _clips(
    path: Path, reader: csv.DictReader[str], classes: Sequence[str], silent: list[str]
) -> Iterator[PredictedClip]:
    """Yield every clip; those without a prediction go to ``silent``."""
    seen: dict[str, int] = {}
    for line in reader:
        where = f"{path}, line {reader.line_num}"
        if None in line or None in line.values():
            raise DataError(f"{where}: has another number of cells than the header")
        name, predicted = line["clip_id"].strip(), line["predicted"].strip()
        if not name:
            raise DataError(f"{where}: names no clip")
        if name in seen:
            raise DataError(f"{where}: clip {name!r} stands there twice, first in line {seen[name]}; remove one")
        seen[name] = reader.line_num
        if not predicted:
            silent.append(name)
            continue
        if predicted not in classes:
            raise DataError(f"{where}: {unknown('prediction', predicted, classes)}, the columns {SCORE}...")
        _check_scores(where, [line[f"{SCORE}{name}"] for name in classes])
        emotion = line["emotion"].strip() or None
        yield PredictedClip(
            clip_id=name,
            subject=line["subject"].strip() or None,
            condition=line["condition"].strip() or None,
            emotion=emotion,
            truth=classes.index(emotion) if emotion in classes else None,
            predicted=classes.index(predicted),
        )


def _check_scores(where: str, cells: Sequence[str]) -> None:
    for cell in cells:
        try:
            fine = math.isfinite(float(cell))
        except ValueError:
            fine = False
        if not fine:
            raise DataError(f"{where}: expected a number as score, got {cell!r}")
