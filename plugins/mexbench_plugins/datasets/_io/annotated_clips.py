"""Data sets of two parts: a sheet with a row per clip, and a folder of frames per clip. CASME-II and SAMM are such."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mexbench.errors import DataError, listed
from mexbench.interfaces import CodedActionUnits, Correction, DataIssue, Sample
from mexbench_plugins import aus
from mexbench_plugins.datasets._io.errata import SheetCorrection, correct, errata_file
from mexbench_plugins.datasets._io.folders import folders, inside, list_frames
from mexbench_plugins.datasets._io.frame_dataset import DatasetIndex, FrameClip
from mexbench_plugins.datasets._io.spreadsheets import SheetRow, read_rows

SUBJECT, CLIP, ONSET, APEX, OFFSET = "Subject", "Filename", "Onset Frame", "Apex Frame", "Offset Frame"
AUS, EMOTION = "Action Units", "Estimated Emotion"
COLUMNS = (SUBJECT, CLIP, ONSET, APEX, OFFSET, AUS, EMOTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetLayout:
    """Where the two parts lie and how this data set writes them.

    Args:
        dataset: Name in front of every id: ``casme2``.
        sheet: The annotation.
        sheet_name: The sheet of the workbook to look at first.
        annotation: Which annotation this is, for the errata.
        frames: Folder of the subjects' folders.
        prefix: What stands before a subject's number in its folder's name: ``sub``.
        digits: How many digits a subject's number has.
        subject_folder: What a subject's folder is called, in full.
        emotions: The emotions that the data set knows, in lower case.
        fps: Frames per second, in Hz.
        corrections: Errata by sample id; empty where they are switched off.
    """

    dataset: str
    sheet: Path
    sheet_name: str | None = None
    annotation: str
    frames: Path
    prefix: str
    digits: int
    subject_folder: re.Pattern[str]
    emotions: frozenset[str]
    fps: float
    corrections: Mapping[str, tuple[SheetCorrection, ...]]


def read_copy(layout: SheetLayout) -> DatasetIndex:
    """Join sheet and folders by subject and file name.

    Raises:
        DataError: The sheet cannot be read or lists a clip twice, or not one of its clips is on disk.
    """
    rows, data_issues = _by_folder(layout)
    clips: dict[str, FrameClip] = {}
    errata: list[Correction] = []
    for (subject, clip), row in rows.items():
        reader = _ClipReader(layout, subject, clip, row)
        frame_clip = reader.read()
        data_issues += reader.data_issues
        if frame_clip is not None:
            clips[frame_clip.sample.sample_id] = frame_clip
            errata += reader.errata
    if not clips:
        first = next(iter(data_issues), None)
        seen = f"; the first: {first.where}: {first.what} ({first.detail})" if first else ""
        raise DataError(f"{layout.frames}: not one of the {len(rows)} clips in {layout.sheet} can be used{seen}")
    data_issues += _not_listed(layout, rows)
    used = [errata_file(layout.dataset)] if layout.corrections else []
    return DatasetIndex(
        clips=clips, data_issues=tuple(data_issues), errata=tuple(errata), described_by=(layout.sheet, *used)
    )


def read_units(layout: SheetLayout) -> list[CodedActionUnits]:
    """Read emotion and action units of every clip in the sheet; no frame needs to be there.

    Raises:
        DataError: The sheet cannot be read, or lists a clip twice.
    """
    rows, _ = _by_folder(layout)
    coded = []
    for (subject, clip), row in rows.items():
        cell = aus.parse(row.cells[AUS])
        coded.append(
            CodedActionUnits(
                clip_id=f"{layout.dataset}/{subject}/{clip}",
                emotion=_emotion(row),
                cell=cell.raw,
                raw=cell.tokens,
                sided=cell.sided,
                numbers=frozenset(map(str, cell.numbers)),
            )
        )
    return coded


def _emotion(row: SheetRow) -> str | None:
    return " ".join(row.text(EMOTION).lower().split()) or None


def _by_folder(layout: SheetLayout) -> tuple[dict[tuple[str, str], SheetRow], list[DataIssue]]:
    """Return the rows by the folders that they name, and what else is in the sheet.

    A file name alone is not unique in CASME-II.
    """
    rows: dict[tuple[str, str], SheetRow] = {}
    data_issues: list[DataIssue] = []
    for row in read_rows(layout.sheet, COLUMNS, sheet=layout.sheet_name):
        clip = row.text(CLIP)
        if not clip:  # such as a remark under the table
            text = row.text(SUBJECT)
            data_issues.append(DataIssue(what="row names no clip", where=row.where, detail=text[:60], excluded=True))
            continue
        subject = _subject_folder(layout, row)
        inside(layout.frames, subject, clip, where=f"{row.where}: {SUBJECT}, {CLIP}")
        if (other := rows.get((subject, clip))) is not None:
            raise DataError(f"{row.where}: {subject}/{clip} is listed twice, first in {other.where}; remove one")
        rows[subject, clip] = row
    if not rows:
        raise DataError(f"{layout.sheet}: has a header row and no clip below it")
    return rows, data_issues


def _subject_folder(layout: SheetLayout, row: SheetRow) -> str:
    """Return what a subject's folder is called: ``sub01`` for 1, "1", "01" and "sub01"."""
    number = row.text(SUBJECT).removeprefix(layout.prefix)
    # A spreadsheet program that takes a subject for a number loses its zeros.
    return layout.prefix + (number.zfill(layout.digits) if number.isascii() and number.isdigit() else number)


def _not_listed(layout: SheetLayout, rows: Mapping[tuple[str, str], SheetRow]) -> Iterator[DataIssue]:
    for subject in folders(layout.frames):
        if not layout.subject_folder.fullmatch(subject.name):
            continue
        for clip in folders(subject):
            if (subject.name, clip.name) not in rows:
                yield DataIssue(
                    what="clip folder not in the sheet",
                    where=f"{layout.dataset}/{subject.name}/{clip.name}",
                    detail=str(clip),
                )


class _ClipReader:
    """Joins one row with its folder, and collects what is irregular about the two."""

    def __init__(self, layout: SheetLayout, subject: str, clip: str, row: SheetRow) -> None:
        self.layout, self.row = layout, row
        self.subject = f"{layout.dataset}/{subject}"
        self.sample_id = f"{self.subject}/{clip}"
        self.folder = layout.frames / subject / clip
        self.data_issues: list[DataIssue] = []
        self.errata: Sequence[Correction] = ()

    def read(self) -> FrameClip | None:
        """Return the clip, or None where it cannot be used; the last data issue then gives the reason."""
        # Read before the frames are looked for: a broken cell is broken whether or not the clip is there.
        corrected = correct(
            self.layout.corrections.get(self.sample_id, ()),
            annotation=self.layout.annotation,
            onset=self.row.frame(ONSET),
            apex=self.row.frame(APEX),
            offset=self.row.frame(OFFSET),
        )
        onset, apex, offset = corrected.onset, corrected.apex, corrected.offset
        frames = list_frames(self.folder) if self.folder.is_dir() else None
        if onset is None or offset is None:
            return self._exclude("onset or offset missing", self.row.where)
        if onset > offset:
            return self._exclude("onset after offset", f"onset {onset}, offset {offset}")
        if not frames:
            return self._exclude("clip folder missing" if frames is None else "clip has no frames", str(self.folder))
        if not self._has_frames(frames, onset, offset):
            return None
        if apex is None:
            self._report("apex missing", self.row.where)
        elif not onset <= apex <= offset:
            self._report("apex outside onset-offset", f"apex {apex}, onset {onset}, offset {offset}")
        self.data_issues += corrected.data_issues
        self.errata = corrected.applied
        emotion, units = self._emotion(), self._units()
        return FrameClip(
            sample=Sample(
                sample_id=self.sample_id,
                clip_id=self.sample_id,
                subject=self.subject,
                dataset=self.layout.dataset,
                emotion=emotion,
                onset=onset,
                apex=apex,
                offset=offset,
                apex_source="erratum" if any(erratum.field == "apex" for erratum in corrected.applied) else None,
                aus=units.names,
                aus_complete=units.certain,
                fps=self.layout.fps,
            ),
            frames=frames,
        )

    def _has_frames(self, frames: Mapping[int, Path], onset: int, offset: int) -> bool:
        """Whether any frame lies between onset and offset; those that are missing there are named."""
        present = [number for number in frames if onset <= number <= offset]
        if not present:
            span = f"{min(frames)}-{max(frames)}"
            self._exclude("no frame between onset and offset", f"frames {span} on disk, onset {onset}, offset {offset}")
            return False
        count = offset - onset + 1
        if len(present) < count:
            gaps = [
                str(before + 1) if after - before == 2 else f"{before + 1}-{after - 1}"
                for before, after in pairwise([onset - 1, *present, offset + 1])
                if after - before > 1
            ]
            self._report(
                "frames missing", f"{count - len(present)} of {count} from onset to offset: {listed(gaps, limit=8)}"
            )
        return True

    def _emotion(self) -> str | None:
        emotion = _emotion(self.row)
        if emotion is None:
            self._report("emotion missing", self.row.where)
        elif emotion not in self.layout.emotions:
            known = listed(sorted(self.layout.emotions))
            self._report("unknown emotion", f"{emotion!r} in {self.row.where}; known: {known}")
        return emotion

    def _units(self) -> aus.AUCell:
        cell = aus.parse(self.row.cells[AUS])
        if not cell.complete:
            self._report("action units not fully read", f"{cell.raw!r}: {listed(sorted(cell.names))} taken")
        return cell

    def _report(self, what: str, detail: str) -> None:
        self.data_issues.append(DataIssue(what=what, where=self.sample_id, detail=detail))

    def _exclude(self, what: str, detail: str) -> None:
        self.data_issues.append(DataIssue(what=what, where=self.sample_id, detail=detail, excluded=True))
