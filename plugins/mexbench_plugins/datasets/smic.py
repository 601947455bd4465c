"""SMIC, high-speed part: 164 micro-expressions of 16 people, 100 frames a second."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mexbench.errors import DataError, listed
from mexbench.interfaces import DataIssue, Sample
from mexbench_plugins.datasets._io.folders import folders, holding_subjects, list_frames, require_folder
from mexbench_plugins.datasets._io.frame_dataset import DatasetIndex, FrameClip, FrameDataset

CLASSES = ("negative", "positive", "surprise")
_SUBJECT = re.compile(r"s(\d{1,2})", re.ASCII)
_LAYOUT = "SMIC_all_cropped/HS or SMIC_all_raw/HS (s1/micro/positive/s1_po_01/<image>)"


@dataclass(frozen=True, kw_only=True)
class Smic(FrameDataset):
    """SMIC-HS, 164 spontaneous micro-expressions of 16 people at 100 fps, in three classes as unpacked.

    There is no annotation: the folder says the class, the first and the last file are onset and offset, and there is
    no apex. Subjects and clips are called as in the MEGC2019 lists: ``s1_po_01`` is ``s01_po_01``. The
    ``non_micro`` folders are not read.

    Args:
        root: Folder of the subjects' folders, usually called HS, or one above it.
        release: Which frames; cropped files are called reg_*, raw ones image*. auto takes the only release that is
            there, or the cropped one of both.
    """

    source = (
        "Li et al., A spontaneous micro-expression database: inducement, collection and baseline, FG 2013, "
        "doi 10.1109/FG.2013.6553717"
    )
    licence = "for research alone, under an agreement with the University of Oulu"

    root: Path
    release: Literal["auto", "raw", "cropped"] = "auto"

    def label_map(self) -> Mapping[str, str]:
        """Return the three classes: negative, positive, surprise."""
        return {emotion: emotion for emotion in CLASSES}

    def _read(self) -> DatasetIndex:
        require_folder(self.root, _LAYOUT)
        clips: dict[str, FrameClip] = {}
        data_issues: list[DataIssue] = []
        for name, emotion, folder in _clip_folders(self._frames_folder()):
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
            sample = Sample(
                sample_id=name,
                clip_id=name,
                subject=name.rpartition("/")[0],
                dataset="smic",
                emotion=emotion,
                onset=first,
                offset=last,
                fps=100.0,
            )
            clips[name] = FrameClip(sample=sample, frames=frames)
        if not clips:
            raise DataError(f"{self.root}: no clip with a frame in it; expected {_LAYOUT}")
        return DatasetIndex(clips=clips, data_issues=tuple(data_issues))

    def _frames_folder(self) -> Path:
        releases: dict[str, Path] = {}
        for folder in holding_subjects(self.root, _SUBJECT):
            # SMIC comes in three parts; the others, VIS and NIR, have the same subjects and must not mix with this one.
            if folder.name.upper() not in {"VIS", "NIR"} and (release := _release(folder)) is not None:
                releases.setdefault(release, folder)
        wanted = ("cropped", "raw") if self.release == "auto" else (self.release,)
        for release in wanted:
            if release in releases:
                return releases[release]
        present = [f"{release} ({folder})" for release, folder in releases.items()]
        raise DataError(
            f"{self.root}: no frames of release {self.release!r}: looked for folders of subjects (s1) with clips in "
            f"micro/positive, three levels deep; found: {listed(present)}; 'root' must be the folder of {_LAYOUT}"
        )


def _clip_folders(frames: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield id, emotion and folder of each clip."""
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
                yield f"smic/{subject}/{subject}_{rest}", emotion, folder


def _release(frames: Path) -> str | None:
    """Return the release by the name of its first file; None for a folder without files."""
    for _, _, folder in _clip_folders(frames):
        for path in list_frames(folder).values():
            return "cropped" if path.name.lower().startswith("reg_") else "raw"
    return None
