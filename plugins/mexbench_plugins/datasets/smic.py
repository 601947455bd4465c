"""SMIC, high-speed part: 164 micro-expressions of 16 people, 100 frames a second."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mexbench.errors import DataError, counted, listed
from mexbench.interfaces import DAMAGED_CELL, DataIssue, DataSource, Sample
from mexbench_plugins.datasets._io.annotated_clips import MIDDLE
from mexbench_plugins.datasets._io.folders import folders, holding_subjects, list_frames, require_folder
from mexbench_plugins.datasets._io.frame_dataset import DatasetIndex, FrameClip
from mexbench_plugins.datasets._io.spreadsheets import CellError, read_rows
from mexbench_plugins.datasets._io.synthetic_fallback import StandInDataset
from mexbench_plugins.synth.standin_options import StandIn

CLASSES = ("negative", "positive", "surprise")
_SUBJECT = re.compile(r"s(\d{1,2})", re.ASCII)
_APEX_COLUMNS = ("subject", "clip", "onset_frame", "apex_frame")
_LAYOUT = "SMIC_all_cropped/HS or SMIC_all_raw/HS (s1/micro/positive/s1_po_01/<image>)"


@dataclass(frozen=True, kw_only=True)
class Smic(StandInDataset):
    """SMIC-HS, 164 spontaneous micro-expressions of 16 people at 100 fps, in three classes as unpacked.

    There is no annotation: the folder says the class, the first and the last file are onset and offset, and there is
    no apex. Subjects and clips are called as in the MEGC2019 lists: ``s1_po_01`` is ``s01_po_01``. The
    ``non_micro`` folders are not read.

    Args:
        root: Folder of the subjects' folders, usually called HS, or one above it; stand-in builds synthetic data in
            the same layout.
        release: Which frames; cropped files are called reg_*, raw ones image*. auto takes the only release that is
            there, or the cropped one of both.
        apexes: The sheet of apexes, smic_apex.xlsx or .csv, with the columns subject, clip, onset_frame and
            apex_frame; middle takes the middle of onset and offset, none leaves the apex unknown.
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Li et al., A spontaneous micro-expression database: inducement, collection and baseline, FG 2013, "
        "doi 10.1109/FG.2013.6553717"
    )
    licence = "for research alone, under an agreement with the University of Oulu"
    checked_on = (
        "a stand-in alone: no copy was at hand; folders and the sheet of apexes are those that public code states"
    )

    original, variable, dataset = "SMIC", "SMIC_ROOT", "smic"

    root: Path | Literal["stand-in"]
    release: Literal["auto", "raw", "cropped"] = "auto"
    apexes: Path | Literal["none", "middle"] = "none"
    stand_in: StandIn = StandIn()  # noqa: RUF009 - frozen

    @classmethod
    def data_source(cls) -> DataSource:
        """Return who gives it."""
        return DataSource(
            owner="Center for Machine Vision and Signal Analysis, University of Oulu",
            page=(
                ""
                "https://www.oulu.fi/en/university/faculties-and-units/faculty-information-technology-and-electrical-engineering/center-machine-vision-and-signal-analysis"
            ),
            request=(
                "SMIC, HS, cropped or raw: a signed licence agreement, by a member of staff of a university "
                "or institute, for research alone"
            ),
            size="164 clips of 16 people, 100 fps",
            variable=cls.variable,
        )

    def original_counts(self) -> Mapping[str, int]:
        """Return what was published."""
        return {"clips": 164, "subjects": 16, "emotion negative": 70, "emotion positive": 51, "emotion surprise": 43}

    def label_map(self) -> Mapping[str, str]:
        """Return the three classes: negative, positive, surprise."""
        return {emotion: emotion for emotion in CLASSES}

    def _read(self) -> DatasetIndex:
        root = self.folder()
        require_folder(root, _LAYOUT)
        clips: dict[str, FrameClip] = {}
        data_issues: list[DataIssue] = []
        sheet = None if self.apexes in ("none", "middle") else Path(self.apexes)
        apexes = {} if sheet is None else _read_apexes(sheet, data_issues)
        for clip, emotion, folder in _clip_folders(self._frames_folder(root)):
            name = f"{self.name_in_ids}/{clip}"
            frames = list_frames(folder)
            if name in clips:
                raise DataError(f"{folder}: clip {name} is in two class folders; remove the wrong one")
            if not frames:
                data_issues.append(DataIssue(what="clip has no frames", where=name, detail=str(folder), excluded=True))
                continue
            first, last = min(frames), max(frames)
            if len(frames) < last - first + 1:
                detail = f"{last - first + 1 - len(frames)} of {last - first + 1} from onset {first} to offset {last}"
                data_issues.append(DataIssue(what="frames missing", where=name, detail=detail))
            if sheet is None:
                apex, source = ((first + last) // 2, MIDDLE) if self.apexes == "middle" else (None, None)
            else:
                apex, reason = _apex(apexes.get(clip), first, last)
                source = None if apex is None else sheet.name
                if reason is not None:
                    data_issues.append(DataIssue(what="apex missing", where=name, detail=f"{sheet}: {reason}"))
            sample = Sample(
                sample_id=name,
                clip_id=name,
                subject=name.rpartition("/")[0],
                dataset=self.name_in_ids,
                emotion=emotion,
                onset=first,
                apex=apex,
                offset=last,
                apex_source=source,
                fps=100.0,
            )
            clips[name] = FrameClip(sample=sample, frames=frames)
        if not clips:
            raise DataError(f"{root}: no clip with a frame in it; expected {_LAYOUT}")
        return DatasetIndex(clips=clips, data_issues=tuple(data_issues), described_by=() if sheet is None else (sheet,))

    def _frames_folder(self, root: Path) -> Path:
        releases: dict[str, Path] = {}
        for folder in holding_subjects(root, _SUBJECT):
            # SMIC comes in three parts; the others, VIS and NIR, have the same subjects and must not mix with this one.
            if folder.name.upper() not in {"VIS", "NIR"} and (release := _release(folder)) is not None:
                releases.setdefault(release, folder)
        wanted = ("cropped", "raw") if self.release == "auto" else (self.release,)
        for release in wanted:
            if release in releases:
                return releases[release]
        present = [f"{release} ({folder})" for release, folder in releases.items()]
        raise DataError(
            f"{root}: no frames of release {self.release!r}: looked for folders of subjects (s1) with clips in "
            f"micro/positive, three levels deep; found: {listed(present)}; 'root' must be the folder of {_LAYOUT}"
        )


def _clip_folders(frames: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield id below the data set's name, emotion and folder of each clip."""
    for subject_folder in folders(frames):
        match = _SUBJECT.fullmatch(subject_folder.name)
        if match is None or not (subject_folder / "micro").is_dir():
            continue
        subject = f"s{int(match[1]):02}"
        for class_folder in folders(subject_folder / "micro"):
            emotion = class_folder.name.lower()
            if emotion not in CLASSES:
                raise DataError(f"{class_folder}: expected a class folder: {listed(CLASSES)}")
            for folder in folders(class_folder):
                # Clips are called after their subject, which the lists pad with a zero and the folders do not.
                rest = re.sub(rf"^s0*{int(match[1])}_", "", folder.name)
                yield f"{subject}/{subject}_{rest}", emotion, folder


def _read_apexes(path: Path, issues: list[DataIssue]) -> dict[str, tuple[int, int] | None]:
    """Return clip, ``s01/s01_po_01`` -> onset and apex of the sheet; None where the apex is blank."""
    apexes: dict[str, tuple[int, int] | None] = {}
    for row in read_rows(path, _APEX_COLUMNS):
        number = re.fullmatch(r"s?0*(\d{1,2})", row.text("subject"), re.ASCII | re.IGNORECASE)
        if number is None:
            detail = f"{row.where}: subject is {row.text('subject')!r}, expected such as s1, s01 or 1"
            issues.append(DataIssue(what=DAMAGED_CELL, where=row.text("clip") or row.where, detail=detail))
            continue
        subject = f"s{int(number[1]):02}"
        rest = re.sub(rf"^s0*{int(number[1])}_", "", row.text("clip"))
        try:
            onset, apex = row.frame("onset_frame"), row.frame("apex_frame")
        except CellError as error:
            issues.append(DataIssue(what=DAMAGED_CELL, where=f"{subject}/{subject}_{rest}", detail=str(error)))
            onset, apex = None, None
        apexes[f"{subject}/{subject}_{rest}"] = None if onset is None or apex is None else (onset, apex)
    return apexes


def _apex(annotated: tuple[int, int] | None, first: int, last: int) -> tuple[int | None, str | None]:
    """Return the apex by the numbers of the files, or None and the reason."""
    if annotated is None:
        return None, "has no apex for this clip"
    onset, apex = annotated
    number = first + apex - onset
    if first <= number <= last:
        return number, None
    return None, f"apex {apex} of onset {onset} lies outside the clip, which has {counted(last - first + 1, 'frame')}"


def _release(frames: Path) -> str | None:
    """Return the release by the name of its first file; None for a folder without files."""
    for _, _, folder in _clip_folders(frames):
        for path in list_frames(folder).values():
            return "cropped" if path.name.lower().startswith("reg_") else "raw"
    return None
