"""SAMM Long Videos: 343 macro- and 159 micro-expressions in 147 videos, gray, 200 frames a second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from mexbench.errors import DataError
from mexbench.interfaces import DataSource
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout
from mexbench_plugins.datasets._io.clip_rows import ClipRow, ClipTable, SheetColumns, read_clip_rows
from mexbench_plugins.datasets._io.errata import ANY
from mexbench_plugins.datasets._io.folders import find_files, folders, only_one, walk
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.datasets._io.spreadsheets import NO_FRAME
from mexbench_plugins.datasets.samm import LABEL_MAPS as EMOTION_MAPS
from mexbench_plugins.synth.standin_options import StandIn

KINDS = {"macro": "macro", "micro": "micro"}
LABEL_MAPS: Mapping[int, Mapping[str, str]] = {2: KINDS, 3: EMOTION_MAPS[3], 7: EMOTION_MAPS[7]}
_VIDEO = re.compile(r"\d{3}_\d+", re.ASCII)
_EMOTIONS = re.compile(r"SAMM(?!.*long).*\.(xlsx|csv)", re.IGNORECASE)
_COLUMNS = SheetColumns(onset="Onset", apex="Apex", offset="Offset", emotion=None, kind="Type")


@dataclass(frozen=True, kw_only=True)
class SammLong(SheetDataset):
    """SAMM Long Videos, 147 videos of 30 people with 343 macro- and 159 micro-expressions, gray at 200 fps.

    An id ends with the published onset, because the file name 037_4_1 occurs twice: ``samm_long/006/006_1_2_3562``.
    A sample is one expression; spotting reads the intervals of all videos. The frame numbers differ
    from those of SAMM. The sheet has no emotions: they come from the annotation of SAMM, by file name, for the
    micro-expressions alone. An apex of -1 is unknown. Nine onsets are 1 where the ground truth of MEGC 2020 has 0, and
    two offsets differ from it; the sheet's values are used.

    The annotation was read; the layout of the frames is known from public code alone.

    Args:
        root: Folder that holds the frames (006_1/006_1_0001.jpg) and the annotation; stand-in builds synthetic data
            in the same layout.
        annotation: File name of the annotation; auto takes the nearest SAMM*Long*.xlsx or .csv.
        kind: Which expressions are samples.
        classes: 2 macro and micro; 3 and 7 are the emotions as the loader samm has them.
        errata: Whether known errors of the annotation are corrected; none is known yet.
        apex_file: A CSV or parquet with the columns sample_id and apex, such as apexes that somebody published; they
            take the place of the annotation's.
        video_side: Most pixels along the longer side of a frame of a long video, for spotting: larger frames are
            reduced as they are read, since a video is held in memory whole. Clips are not reduced.
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Yap et al., SAMM Long Videos: a spontaneous facial micro- and macro-expressions dataset, FG 2020, "
        "doi 10.1109/FG47880.2020.00029"
    )
    licence = "for research alone, under an agreement with Manchester Metropolitan University"
    checked_on = "the annotation and the ground truth of MEGC 2020; the layout of the frames is that of public code"

    original, variable, dataset = "SAMM Long Videos", "SAMM_LONG_ROOT", "samm_long"
    label_maps = LABEL_MAPS
    subject_folder = _VIDEO
    layout_text = "SAMM_longvideos (006_1/006_1_0001.jpg), with SAMM_LongVideos*.xlsx beside it"
    sheet_names = re.compile(r"SAMM.*long.*\.(xlsx|csv)", re.IGNORECASE)
    sheet_text = "SAMM*Long*.xlsx or .csv"

    root: Path | Literal["stand-in"]
    annotation: str = "auto"
    kind: Literal["micro", "macro", "both"] = "both"
    classes: Literal[2, 3, 7] = 2
    errata: Literal["on", "off"] = "on"
    apex_file: Path | None = None
    video_side: Annotated[int, Ge(32)] = 640
    stand_in: StandIn = StandIn()  # noqa: RUF009 - frozen

    @classmethod
    def data_source(cls) -> DataSource:
        """Return who gives it."""
        return DataSource(
            owner="Manchester Metropolitan University",
            page="https://helward.mmu.ac.uk/STAFF/m.yap/dataset.php",
            request=(
                "SAMM Long Videos with their FACS sheet: a signed licence agreement, by a member of staff of "
                "a university or institute, for research alone"
            ),
            size="147 videos with 343 macro- and 159 micro-expressions, 200 fps",
            variable=cls.variable,
        )

    def original_counts(self) -> Mapping[str, int]:
        """Return what was published."""
        return {"videos": 147, "intervals": 502}

    def _layout(self, root: Path, frames: Path) -> ClipLayout:
        sheet = self._sheet(root)
        rows, issues = read_clip_rows(
            ClipTable(
                path=sheet,
                columns=_COLUMNS,
                subject_digits=3,
                name="{subject}/{clip}_{onset}",
                folder="{video}",
                video="{subject}/{video}",
                fps=200.0,
                missing=NO_FRAME | {"-1"},
                kinds={"macro": "macro", "micro - 1/2": "micro", "micro": "micro"},
            )
        )
        emotions = self._emotions(root)
        # micro-expressions keep their file name in SAMM; a macro-expression of the same name is another expression
        rows = [replace(row, emotion=emotions.get(_file_name(row)) if row.kind == "micro" else None) for row in rows]
        return ClipLayout(
            dataset=self.name_in_ids,
            rows=rows,
            issues=issues,
            annotation=ANY,
            described_by=(sheet,),
            frames=frames,
            subject_folder=None,
            emotions=frozenset(EMOTION_MAPS[8]),
            corrections=self._corrections(),
            label="kind" if self.classes == 2 else "emotion",
            kind=self.kind,
        )

    def _frames_folder(self, root: Path) -> Path:
        """Return the folder that holds the folders of the videos."""
        for folder in walk(root, skip=_VIDEO):
            if any(_VIDEO.fullmatch(inner.name) for inner in folders(folder)):
                return folder
        raise DataError(
            f"{root}: no frames: looked for folders of videos (006_1), three levels deep; 'root' must be the folder of "
            f"{self.layout_text}"
        )

    def _emotions(self, root: Path) -> Mapping[str, str | None]:
        """Return file name -> emotion from the annotation of SAMM; nothing where it is not beside this one."""
        sheets = find_files(root, _EMOTIONS, skip=_VIDEO)
        if not sheets and self.classes != 2:
            raise DataError(
                f"{root}: 'classes: {self.classes}' needs the emotions of SAMM: copy its annotation, such as "
                "SAMM_Micro_FACS_Codes_v2.xlsx, beside that of the long videos, or choose 'classes: 2'"
            )
        if not sheets:
            return {}
        rows, _ = read_clip_rows(
            ClipTable(path=only_one(root, sheets), sheet_name="MICRO_ONLY", subject_digits=3, fps=200.0)
        )
        return {row.name.rpartition("/")[2]: row.emotion for row in rows}


def _file_name(row: ClipRow) -> str:
    """Return 006_1_2 for the id 006/006_1_2_3562."""
    return row.name.rpartition("/")[2].rpartition("_")[0]
