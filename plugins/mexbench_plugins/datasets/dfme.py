"""DFME: micro-expressions at 200 to 500 frames a second, with a published training and two test parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mexbench.errors import DataError
from mexbench.interfaces import DataSource
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout
from mexbench_plugins.datasets._io.clip_rows import ClipRow, ClipTable, SheetColumns, read_clip_rows
from mexbench_plugins.datasets._io.errata import ANY
from mexbench_plugins.datasets._io.folders import find_files, folders, only_one, walk
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.synth.standin_options import StandIn

NEGATIVE = ("anger", "contempt", "disgust", "fear", "sadness")
SEVEN = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
LABEL_MAPS: Mapping[int, Mapping[str, str]] = {
    3: {**dict.fromkeys(NEGATIVE, "negative"), "happiness": "positive", "surprise": "surprise"},
    7: {emotion: emotion for emotion in SEVEN},
}
PARTS = ("training", "testA", "testB")
_CLIP = re.compile(r"sub\d{4}_\d+", re.ASCII | re.IGNORECASE)
_COLUMNS = SheetColumns(
    onset="OnsetFrame", apex="ApexFrame", offset="OffsetFrame", aus="AU", emotion="Emotion", fps="Fps"
)


@dataclass(frozen=True, kw_only=True)
class Dfme(SheetDataset):
    """DFME, micro-expressions at 200, 300 or 500 fps in parts of disjoint subjects: training, testA, testB.

    The first release has 1,856 + 474 + 299 clips of 176 + 42 + 41 people. Protocol ``fixed_split`` trains on one part
    and tests on others; ``kfold`` by subject takes all. Frames count from 0, and the rate is that of the row. Action
    descriptors (AD31) and head codes (M57) are not action units.

    No copy was at hand, neither sheets nor frames: columns, counts and file names are those that public code and the
    paper state, and a clip's folder is looked for by its name wherever it lies.

    Args:
        root: Folder that holds the frames and the annotations; stand-in builds synthetic data in the same layout.
        part: Which part; all reads every annotation that is there.
        annotation: auto takes the nearest training*.xlsx, testA*.xlsx and testB*.xlsx (or .csv); a file name reads
            that one alone.
        classes: 7 anger, contempt, disgust, fear, happiness, sadness, surprise; 3 negative, positive, surprise.
        errata: Whether known errors of the annotation are corrected; none is known yet.
        apex_file: A CSV or parquet with the columns sample_id and apex, such as apexes that somebody published; they
            take the place of the annotation's.
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Zhao et al., DFME: a new benchmark for dynamic facial micro-expression recognition, IEEE Transactions on "
        "Affective Computing 15(3), 2024"
    )
    licence = "for research alone, under an agreement with the authors"
    checked_on = (
        "a stand-in alone: no copy of sheet or frames was at hand; columns, counts and names are those that "
        "public code states"
    )

    original, variable, dataset = "DFME", "DFME_ROOT", "dfme"
    label_maps = LABEL_MAPS
    subject_folder = _CLIP
    layout_text = "DFME (folders of clips, sub0003_01/000.jpg), with training_*.xlsx, testA_*.xlsx, testB_*.xlsx"

    root: Path | Literal["stand-in"]
    part: Literal["all", "training", "testA", "testB"] = "all"
    annotation: str = "auto"
    classes: Literal[7, 3] = 7
    errata: Literal["on", "off"] = "on"
    apex_file: Path | None = None
    stand_in: StandIn = StandIn()  # noqa: RUF009 - frozen

    @classmethod
    def data_source(cls) -> DataSource:
        """Return who gives it."""
        return DataSource(
            owner="the DFME authors (MEA Lab)",
            page="https://mea-lab-421.github.io/",
            request=(
                "DFME, frames and the sheets of training, testA and testB: a signed licence agreement, by a "
                "member of staff of a university or institute, for research alone"
            ),
            size="7,526 clips of 671 people in all, 2,629 of 259 in the three parts; 200 to 500 fps",
            variable=cls.variable,
        )

    def original_counts(self) -> Mapping[str, int]:
        """Return what was published."""
        parts = {"training": (1856, 176), "testA": (474, 42), "testB": (299, 41), "all": (2629, 259)}
        clips, subjects = parts[self.part]
        return {"clips": clips, "subjects": subjects}

    def _layout(self, root: Path, frames: Path) -> ClipLayout:
        clip_folders = _clip_folders(frames)
        rows: list[ClipRow] = []
        issues = []
        sheets = self._sheets(root)
        for part, sheet in sheets.items():
            table = ClipTable(
                path=sheet,
                columns=_COLUMNS,
                subject_prefix="sub",
                subject_digits=4,
                folder="{clip}",
                fps=0.0,
                clip_folders=clip_folders,
            )
            part_rows, part_issues = read_clip_rows(table)
            rows += [replace(row, part=part) for row in part_rows]
            issues += part_issues
        return ClipLayout(
            dataset=self.name_in_ids,
            rows=rows,
            issues=issues,
            annotation=ANY,
            described_by=tuple(sheets.values()),
            frames=frames,
            subject_folder=None,
            emotions=frozenset(SEVEN),
            corrections=self._corrections(),
        )

    def _frames_folder(self, root: Path) -> Path:
        return root

    def _sheets(self, root: Path) -> Mapping[str, Path]:
        sheets: dict[str, Path] = {}
        for part in PARTS if self.part == "all" else (self.part,):
            name = rf"{part}.*\.(xlsx|csv)" if self.annotation == "auto" else re.escape(self.annotation)
            files = find_files(root, re.compile(name, re.IGNORECASE), skip=_CLIP)
            if files and (sheet := only_one(root, files)) not in sheets.values():
                sheets[part] = sheet
        if not sheets or (self.part == "all" and self.annotation == "auto" and "training" not in sheets):
            raise DataError(
                f"{root}: no annotation: looked for training*.xlsx, testA*.xlsx and testB*.xlsx, or .csv, in it, three "
                "levels below and two above; copy the annotations beside the frames, or choose a 'part'"
            )
        return sheets


def _clip_folders(root: Path) -> Mapping[str, tuple[str, ...]]:
    """Return clip -> its folder below ``root``, wherever the release puts it."""
    clip_folders: dict[str, tuple[str, ...]] = {}
    for folder in walk(root, skip=_CLIP):
        for inner in folders(folder):
            if _CLIP.fullmatch(inner.name):
                clip_folders.setdefault(inner.name, inner.relative_to(root).parts)
    return clip_folders
