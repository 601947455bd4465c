"""What loaders with an annotation sheet share. A loader describes its layout; this class finds and reads the parts."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from mexbench.errors import DataError, counted, listed
from mexbench.interfaces import DAMAGED_CELL, Clip, CodedActionUnits, Correction, LongVideo
from mexbench_plugins.datasets._io import errata as _errata
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout, coded_units, index_dataset
from mexbench_plugins.datasets._io.errata import SheetCorrection
from mexbench_plugins.datasets._io.feature_table import read_apexes
from mexbench_plugins.datasets._io.folders import find_files, holding_subjects, only_one, require_folder
from mexbench_plugins.datasets._io.frame_dataset import DatasetIndex
from mexbench_plugins.datasets._io.long_videos import VideoFolder, read_video_folders
from mexbench_plugins.datasets._io.synthetic_fallback import StandInDataset


class SheetDataset(StandInDataset):
    """A data set of a sheet and folders of frames. A subclass states where they lie and how the sheet is written."""

    #: How a subject's folder is called, in full, and the layout in words, for messages.
    subject_folder: ClassVar[re.Pattern[str]]
    layout_text: ClassVar[str]
    #: Names of the annotation, as a pattern and in words.
    sheet_names: ClassVar[re.Pattern[str]]
    sheet_text: ClassVar[str]
    #: Number of classes -> emotion -> class.
    label_maps: ClassVar[Mapping[int, Mapping[str, str]]]
    #: Most pixels along the longer side of a frame of a long video; a field of the data sets that have such videos.
    video_side: int = 640

    annotation: Any
    classes: Any
    errata: Literal["on", "off"]
    apex_file: Path | None

    @abstractmethod
    def _layout(self, root: Path, frames: Path) -> ClipLayout:
        """Read the annotation below ``root`` and say how it is joined with the folders below ``frames``."""

    @classmethod
    def known_corrections(cls) -> Sequence[Correction]:
        """Return every correction that is known."""
        return _errata.known(cls.dataset)

    def label_map(self) -> Mapping[str, str]:
        """Return emotion -> class for the chosen number of classes."""
        return self.label_maps[self.classes]

    def coded_action_units(self) -> Sequence[CodedActionUnits]:
        """Read the annotation alone: ``root`` may hold nothing else."""
        return coded_units(self._annotation_alone())

    def videos(self) -> Sequence[LongVideo]:
        """Return the long videos with their intervals; the annotation is enough, frames give their range."""
        return [one.video for one in self._video_folders.values()]

    def load_video(self, video: LongVideo) -> Clip:
        """Read every frame of a long video, reduced to ``video_side``."""
        return self._video_folder(video).load(self.video_side)

    def video_files(self, video: LongVideo) -> Sequence[Path]:
        """Return the frames' files."""
        return self._video_folder(video).files()

    def _video_folder(self, video: LongVideo) -> VideoFolder:
        if video.video_id not in self._video_folders:
            known = listed(self._video_folders, limit=5)
            raise DataError(f"no long video {video.video_id!r} in this copy; videos: {known}")
        return self._video_folders[video.video_id]

    @cached_property
    def _video_folders(self) -> Mapping[str, VideoFolder]:
        root = self.folder()
        require_folder(root, self.layout_text)
        try:
            frames = self._frames_folder(root)
        except DataError:
            frames = root
        layout = self._layout(root, frames)
        if damaged := [issue.detail for issue in layout.issues if issue.what == DAMAGED_CELL]:
            # Without its row an expression would count as a false alarm of whatever finds it.
            raise DataError(
                "\n".join([*damaged, f"{counted(len(damaged), 'row')} cannot be read; spotting needs all of them"])
            )
        return read_video_folders(layout)

    def _read(self) -> DatasetIndex:
        root = self.folder()
        require_folder(root, self.layout_text)
        layout = self._layout(root, self._frames_folder(root))
        if self.apex_file is not None:
            apexes = _by_original_id(read_apexes(self.apex_file), self.dataset, self.name_in_ids)
            described_by = (*layout.described_by, self.apex_file)
            layout = replace(layout, apexes=apexes, apexes_from=self.apex_file.name, described_by=described_by)
        return index_dataset(layout)

    def _annotation_alone(self) -> ClipLayout:
        root = self.folder()
        require_folder(root, self.layout_text)
        return self._layout(root, root)

    def _frames_folder(self, root: Path) -> Path:
        """Return the nearest folder that holds folders of subjects."""
        frames = holding_subjects(root, self.subject_folder)
        if not frames:
            raise DataError(
                f"{root}: no frames: looked for folders of subjects, three levels deep; 'root' must be the folder of "
                f"{self.layout_text}"
            )
        return frames[0]

    def _corrections(self) -> Mapping[str, tuple[SheetCorrection, ...]]:
        """Return the corrections to make; they are keyed by ids of people's clips, never of a stand-in's."""
        return _errata.corrections(self.dataset) if self.errata == "on" and not self.is_stand_in else {}

    def _sheet(self, root: Path, names: re.Pattern[str] | None = None, text: str | None = None) -> Path:
        """Return the annotation, by its usual name or by the name that ``annotation`` gives."""
        auto = self.annotation == "auto"
        name = (names or self.sheet_names) if auto else re.compile(re.escape(self.annotation), re.IGNORECASE)
        looked_for = (text or self.sheet_text) if auto else self.annotation
        sheets = find_files(root, name, skip=self.subject_folder)
        if not sheets:
            raise DataError(
                f"{root}: no annotation: looked for {looked_for} in it, three levels below and two above; copy "
                "the annotation beside the frames"
            )
        return only_one(root, sheets)


def _by_original_id(apexes: Mapping[str, int], dataset: str, name_in_ids: str) -> dict[str, int]:
    """Return apexes by the ids of this copy: those of a stand-in have another name in front."""
    prefix = f"{dataset}/"
    return {
        f"{name_in_ids}/{name.removeprefix(prefix)}" if name.startswith(prefix) else name: apex
        for name, apex in apexes.items()
    }
