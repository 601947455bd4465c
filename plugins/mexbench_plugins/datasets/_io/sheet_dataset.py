"""What loaders with an annotation sheet share. A loader describes its layout; this class finds and reads the parts."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from mexbench.errors import DataError
from mexbench.interfaces import CodedActionUnits, Correction, LongVideo
from mexbench_plugins.datasets._io import errata as _errata
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout, coded_units, index_dataset
from mexbench_plugins.datasets._io.errata import SheetCorrection
from mexbench_plugins.datasets._io.folders import find_files, holding_subjects, only_one, require_folder
from mexbench_plugins.datasets._io.frame_dataset import DatasetIndex
from mexbench_plugins.datasets._io.long_videos import read_videos
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

    annotation: Any
    classes: Any
    errata: Literal["on", "off"]

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
        root = self.folder()
        require_folder(root, self.layout_text)
        try:
            frames = self._frames_folder(root)
        except DataError:
            frames = root
        return read_videos(self._layout(root, frames))

    def _read(self) -> DatasetIndex:
        root = self.folder()
        require_folder(root, self.layout_text)
        return index_dataset(self._layout(root, self._frames_folder(root)))

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
