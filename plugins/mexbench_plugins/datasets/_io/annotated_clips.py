"""Data sets of two parts: a sheet with a row per expression, and folders of frames. Joins the two."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

from mexbench.errors import DataError, all_of, counted, listed
from mexbench.interfaces import CodedActionUnits, Correction, DataIssue, Sample
from mexbench_plugins import aus
from mexbench_plugins.datasets._io.clip_rows import ClipRow
from mexbench_plugins.datasets._io.errata import Corrected, SheetCorrection, correct, errata_file
from mexbench_plugins.datasets._io.folders import folders, inside, list_frames, resolve
from mexbench_plugins.datasets._io.frame_dataset import DatasetIndex, FrameClip

#: ``Sample.apex_source`` of an apex that no sheet gives.
MIDDLE = "middle of onset and offset"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipLayout:
    """What the rows of a sheet are joined with.

    Args:
        dataset: Name in front of every id: ``casme2``.
        rows: The rows of the annotation that are samples.
        issues: What reading them has found.
        annotation: Which annotation this is, for the corrections.
        described_by: The annotation's files.
        frames: Root of the frames, the folder of the subjects' folders.
        subject_folder: What a subject's folder is called, in full; folders in it that no row names are reported. None
            where other folders are expected, as in data sets of long videos.
        emotions: The emotions that the data set knows, in lower case.
        corrections: Corrections by sample id; empty where they are switched off.
        label: What a sample's ``emotion`` is: the sheet's word, or ``micro`` and ``macro``.
        kind: Which expressions are samples; rows of the other kind only count for ``videos``.
        selection: Ids below the data set's name to which the samples are limited; None for all.
        selection_title: What that list is called in messages.
        apexes: Apexes by sample id that take the place of the sheet's, and the name of the file that they come from.
        missing_apex: ``middle`` takes the middle of onset and offset where the sheet has no apex.
        missing_offset: What ends a clip whose offset is unknown: ``exclude`` no clip then, ``apex`` its apex, ``last``
            the last frame in its folder.
        unlisted_videos: Long videos on disk that no row names, each as a row without frames; they only count for
            ``videos``.
    """

    dataset: str
    rows: Sequence[ClipRow]
    issues: Sequence[DataIssue] = ()
    annotation: str
    described_by: tuple[Path, ...]
    frames: Path
    subject_folder: re.Pattern[str] | None
    emotions: frozenset[str]
    corrections: Mapping[str, tuple[SheetCorrection, ...]] = field(default_factory=dict)
    label: Literal["emotion", "kind"] = "emotion"
    kind: Literal["micro", "macro", "both"] = "both"
    selection: frozenset[str] | None = None
    selection_title: str = ""
    apexes: Mapping[str, int] = field(default_factory=dict)
    apexes_from: str = ""
    missing_apex: Literal["none", "middle"] = "none"
    missing_offset: Literal["exclude", "apex", "last"] = "exclude"
    unlisted_videos: Sequence[ClipRow] = ()

    def sample_id(self, row: ClipRow) -> str:
        """Return the id of a row's sample."""
        return f"{self.dataset}/{row.name}"

    def corrected(self, row: ClipRow) -> Corrected:
        """Return the frames of a row after its corrections."""
        return correct(
            self.corrections.get(self.sample_id(row), ()),
            annotation=self.annotation,
            onset=row.onset,
            apex=row.apex,
            offset=row.offset,
        )


def index_dataset(layout: ClipLayout) -> DatasetIndex:
    """Join the rows of the annotation with the folders that they name.

    Raises:
        DataError: Two rows have one id, or not one of the clips is on disk.
    """
    rows = _by_id(layout)
    issues = list(layout.issues)
    clips: dict[str, FrameClip] = {}
    corrections: list[Correction] = []
    disk = _FrameFolders(layout.frames)
    for sample_id, row in rows.items():
        if layout.kind not in ("both", row.kind):
            continue
        if layout.selection is not None and row.name not in layout.selection:
            what = f"not in the list of {layout.selection_title}"
            issues.append(DataIssue(what=what, where=sample_id, detail=row.where, excluded=True))
            continue
        reader = _ClipReader(layout, row, disk)
        frame_clip = reader.read()
        issues += reader.issues
        if frame_clip is not None:
            clips[frame_clip.sample.sample_id] = frame_clip
            corrections += reader.corrections
    if not clips:
        first = next(iter(issues), None)
        reason = f"; the first: {first.where}: {first.what} ({first.detail})" if first else ""
        sheets = listed(map(str, layout.described_by))
        raise DataError(f"{layout.frames}: none of the {counted(len(rows), 'clip')} in {sheets} can be used{reason}")
    issues += _not_listed(layout)
    issues += [
        DataIssue(what="apex of an unknown sample", where=name, detail=layout.apexes_from)
        for name in layout.apexes
        if name not in rows
    ]
    used = [errata_file(layout.dataset)] if layout.corrections else []
    return DatasetIndex(
        clips=clips,
        data_issues=tuple(issues),
        errata=tuple(corrections),
        described_by=(*layout.described_by, *used),
        read_from=tuple(dict.fromkeys(row.where.rpartition(", row ")[0] for row in layout.rows)),
    )


def coded_units(layout: ClipLayout) -> list[CodedActionUnits]:
    """Return emotion and action units of every row; no frame needs to be there.

    Raises:
        DataError: Two rows have one id.
    """
    coded = []
    for sample_id, row in _by_id(layout).items():
        cell = aus.parse(row.aus)
        coded.append(
            CodedActionUnits(
                clip_id=sample_id,
                emotion=row.emotion,
                cell=cell.raw,
                raw=cell.tokens,
                sided=frozenset() if cell.side_in_doubt else cell.sided,
                numbers=frozenset() if cell.in_doubt else frozenset(map(str, cell.numbers)),
                opened=cell.opened,
            )
        )
    return coded


def _by_id(layout: ClipLayout) -> dict[str, ClipRow]:
    rows: dict[str, ClipRow] = {}
    duplicates: list[str] = []
    for row in layout.rows:
        inside(layout.frames, *row.folder, where=f"{row.where}: folder of the clip")
        inside(layout.frames, *row.name.split("/"), where=f"{row.where}: id of the clip")
        sample_id = layout.sample_id(row)
        if (other := rows.get(sample_id)) is not None:
            duplicates.append(f"{row.where}: {row.name} is listed twice, first in {other.where}")
        rows[sample_id] = row
    if duplicates:
        raise DataError(f"{all_of(duplicates)}; remove one of each")
    return rows


def _not_listed(layout: ClipLayout) -> Iterator[DataIssue]:
    if layout.subject_folder is None:
        return
    listed_folders = {row.folder[:2] for row in layout.rows}
    for subject in folders(layout.frames):
        if not layout.subject_folder.fullmatch(subject.name):
            continue
        for clip in folders(subject):
            if (subject.name, clip.name) not in listed_folders:
                yield DataIssue(
                    what="clip folder not in the sheet",
                    where=f"{layout.dataset}/{subject.name}/{clip.name}",
                    detail=str(clip),
                )


class _FrameFolders:
    """Lists each folder of frames once: the clips of a long video share one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[tuple[str, ...], tuple[Path, Mapping[int, Path] | None]] = {}

    def frames(self, parts: tuple[str, ...]) -> tuple[Path, Mapping[int, Path] | None]:
        """Return a folder and its frames by number; None for a folder that does not exist."""
        if parts not in self._listed:
            folder = resolve(self.root, parts)
            self._listed[parts] = folder, list_frames(folder) if folder.is_dir() else None
        return self._listed[parts]


class _ClipReader:
    """Joins one row with its folder, and collects what is irregular about the two."""

    def __init__(self, layout: ClipLayout, row: ClipRow, disk: _FrameFolders) -> None:
        self.layout, self.row = layout, row
        self.sample_id = layout.sample_id(row)
        self.emotion = row.kind if layout.label == "kind" else row.emotion
        self.folder, self.frames = disk.frames(row.folder)
        self.issues: list[DataIssue] = []
        self.corrections: Sequence[Correction] = ()

    def read(self) -> FrameClip | None:
        """Return the clip, or None where it cannot be used; the last data issue then gives the reason."""
        layout, row = self.layout, self.row
        corrected = layout.corrected(row)
        onset, apex = corrected.onset, corrected.apex
        offset = self._offset(corrected)
        if onset is None or offset is None:
            return self._exclude("onset or offset missing", row.where)
        if onset > offset:
            return self._exclude("onset after offset", f"onset {onset}, offset {offset}")
        if not self.frames:
            what = "clip folder missing" if self.frames is None else "clip has no frames"
            return self._exclude(what, str(self.folder))
        if not self._has_frames(self.frames, onset, offset):
            return None
        source = "erratum" if any(erratum.field == "apex" for erratum in corrected.applied) else None
        if (joined := layout.apexes.get(self.sample_id)) is not None:
            if onset <= joined <= offset:
                apex, source = joined, layout.apexes_from
            else:
                what = "joined apex outside onset-offset"
                self._report(what, f"{layout.apexes_from} has {joined}, onset {onset}, offset {offset}: not used")
        if apex is None and layout.missing_apex == "middle":
            apex, source = (onset + offset) // 2, MIDDLE
        elif apex is None:
            self._report("apex missing", row.where)
        elif not onset <= apex <= offset:
            self._report("apex outside onset-offset", f"apex {apex}, onset {onset}, offset {offset}")
        self.issues += corrected.data_issues
        self.corrections = corrected.applied
        self._check_emotion()
        units = self._units()
        return FrameClip(
            sample=Sample(
                sample_id=self.sample_id,
                clip_id=self.sample_id,
                subject=f"{layout.dataset}/{row.subject}",
                dataset=layout.dataset,
                emotion=self.emotion,
                onset=onset,
                apex=apex,
                offset=offset,
                apex_source=source,
                aus=units.names,
                aus_complete=units.certain,
                fps=row.fps,
                part=row.part,
            ),
            frames=self.frames,
        )

    def _offset(self, corrected: Corrected) -> int | None:
        """Return the last frame, or what replaces it where the sheet does not say."""
        if corrected.offset is not None or corrected.onset is None:
            return corrected.offset
        if self.layout.missing_offset == "apex" and corrected.apex is not None:
            self._report("offset missing", f"the apex, {corrected.apex}, ends the clip")
            return corrected.apex
        if self.layout.missing_offset == "last" and self.frames:
            self._report("offset missing", f"the last frame in the folder, {max(self.frames)}, ends the clip")
            return max(self.frames)
        return None

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

    def _check_emotion(self) -> None:
        if self.emotion is None:
            self._report("emotion missing", self.row.where)
        elif self.layout.label == "emotion" and self.emotion not in self.layout.emotions:
            known = listed(sorted(self.layout.emotions))
            self._report("unknown emotion", f"{self.emotion!r} in {self.row.where}; known: {known}")

    def _units(self) -> aus.AUCell:
        cell = aus.parse(self.row.aus)
        if not cell.complete and self.row.aus is not None:
            self._report("action units not fully read", f"{cell.raw!r}: {listed(sorted(cell.names))} taken")
        return cell

    def _report(self, what: str, detail: str) -> None:
        self.issues.append(DataIssue(what=what, where=self.sample_id, detail=detail))

    def _exclude(self, what: str, detail: str) -> None:
        self.issues.append(DataIssue(what=what, where=self.sample_id, detail=detail, excluded=True))
