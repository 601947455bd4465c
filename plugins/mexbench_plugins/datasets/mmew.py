"""MMEW: 300 micro-expressions of 36 people, 90 frames a second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mexbench.errors import DataError, listed
from mexbench.interfaces import DataIssue, DataSource
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout
from mexbench_plugins.datasets._io.clip_rows import ClipTable, SheetColumns, emotion_word, read_clip_rows
from mexbench_plugins.datasets._io.errata import ANY
from mexbench_plugins.datasets._io.folders import folders, holding_subjects
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.synth.standin_options import StandIn

NEGATIVE = ("anger", "disgust", "fear", "sadness")
SIX = ("happiness", "surprise", "anger", "disgust", "fear", "sadness")
LABEL_MAPS: Mapping[int, Mapping[str, str]] = {
    3: {**dict.fromkeys(NEGATIVE, "negative"), "happiness": "positive", "surprise": "surprise"},
    4: {emotion: emotion for emotion in ("happiness", "surprise", "disgust", "others")},
    6: {emotion: emotion for emotion in SIX},
    7: {emotion: emotion for emotion in (*SIX, "others")},
}
_COLUMNS = SheetColumns(onset="OnsetFrame", apex="ApexFrame", offset="OffsetFrame")


@dataclass(frozen=True, kw_only=True)
class Mmew(SheetDataset):
    """MMEW, 300 micro-expressions of 36 people at 90 fps.

    A clip lies in the folder of its class, ``Micro_Expression/anger/S01-01-001``, and that folder decides its
    emotion; a sheet that says otherwise is reported. Sixteen rows lack the apex or the offset: a clip then ends with
    the last frame in its folder. The macro-expressions are not read.

    No copy was at hand, neither sheet nor frames: columns, counts and folders are those that public code states.

    Args:
        root: Folder that holds Micro_Expression and the annotation; stand-in builds synthetic data in the same layout.
        annotation: File name of the annotation; auto takes the nearest MMEW*.xlsx or .csv.
        classes: 7 happiness, surprise, anger, disgust, fear, sadness, others; 6 without others; 4 happiness,
            surprise, disgust, others; 3 negative, positive, surprise.
        errata: Whether known errors of the annotation are corrected; none is known yet.
        apex_file: A CSV or parquet with the columns sample_id and apex, such as apexes that somebody published; they
            take the place of the annotation's.
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Ben et al., Video-based facial micro-expression analysis: a survey of datasets, features and algorithms, "
        "IEEE TPAMI 44(9), 2022, doi 10.1109/TPAMI.2021.3067464"
    )
    licence = "for research alone, under an agreement with the authors"
    checked_on = (
        "a stand-in alone: no copy of sheet or frames was at hand; columns, counts and names are those that "
        "public code states"
    )

    original, variable, dataset = "MMEW", "MMEW_ROOT", "mmew"
    label_maps = LABEL_MAPS
    subject_folder = re.compile("|".join(LABEL_MAPS[7]) + "|other", re.IGNORECASE)
    layout_text = "MMEW (Micro_Expression/anger/S01-01-001/1.jpg), with MMEW_Micro_Exp.xlsx"
    sheet_names, sheet_text = re.compile(r"MMEW.*\.(xlsx|csv)", re.IGNORECASE), "MMEW*.xlsx or .csv"

    root: Path | Literal["stand-in"]
    annotation: str = "auto"
    classes: Literal[7, 6, 4, 3] = 7
    errata: Literal["on", "off"] = "on"
    apex_file: Path | None = None
    stand_in: StandIn = StandIn()  # noqa: RUF009 - frozen

    @classmethod
    def data_source(cls) -> DataSource:
        """Return who gives it."""
        return DataSource(
            owner="the MMEW authors (Ben Xianye and others)",
            page="https://github.com/benxianyeteam/MMEW-Dataset",
            request=(
                "MMEW with MMEW_Micro_Exp.xlsx: a signed licence agreement, by a member of staff of a "
                "university or institute, for research alone"
            ),
            size="300 micro-expressions of 36 people, 90 fps",
            variable=cls.variable,
        )

    def original_counts(self) -> Mapping[str, int]:
        """Return what was published."""
        return {"clips": 300, "subjects": 36}

    def _layout(self, root: Path, frames: Path) -> ClipLayout:
        sheet = self._sheet(root)
        clip_folders = self._clip_folders(frames)
        table = ClipTable(
            path=sheet,
            columns=_COLUMNS,
            subject_prefix="S",
            subject_digits=2,
            folder="{emotion}/{clip}",
            fps=90.0,
            clip_folders=clip_folders,
        )
        read, issues = read_clip_rows(table)
        rows = []
        for row in read:
            emotion = emotion_word(row.folder[-2])
            emotion = "others" if emotion == "other" else emotion
            if row.emotion not in (emotion, None) and not (row.emotion == "other" and emotion == "others"):
                detail = f"the sheet has {row.emotion!r}, the folder {emotion!r} decides"
                issues.append(DataIssue(what="emotion differs", where=f"{self.name_in_ids}/{row.name}", detail=detail))
            rows.append(replace(row, emotion=emotion))
        return ClipLayout(
            dataset=self.name_in_ids,
            rows=rows,
            issues=issues,
            annotation=ANY,
            described_by=(sheet,),
            frames=frames,
            subject_folder=self.subject_folder,
            emotions=frozenset(LABEL_MAPS[7]),
            corrections=self._corrections(),
            missing_offset="last",
        )

    def _clip_folders(self, frames: Path) -> Mapping[str, tuple[str, ...]]:
        """Return clip -> class folder and clip folder.

        Raises:
            DataError: A clip lies in two classes.
        """
        by_clip: dict[str, tuple[str, ...]] = {}
        for class_folder in folders(frames):
            if self.subject_folder.fullmatch(class_folder.name):
                for clip in folders(class_folder):
                    if clip.name in by_clip:
                        both = listed([by_clip[clip.name][0], class_folder.name])
                        raise DataError(f"{frames}: clip {clip.name} is in two class folders, {both}; remove one")
                    by_clip[clip.name] = (class_folder.name, clip.name)
        return by_clip

    def _frames_folder(self, root: Path) -> Path:
        """Return the folder of the classes: Micro_Expression, which lies beside one for macro-expressions."""
        holders = holding_subjects(root, self.subject_folder)
        frames = [folder for folder in holders if "macro" not in folder.name.lower()]
        if not frames:
            raise DataError(
                f"{root}: no frames: looked for class folders (anger) three levels deep; 'root' must be the folder of "
                f"{self.layout_text}"
            )
        return frames[0]
