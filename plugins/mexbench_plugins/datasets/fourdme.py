"""4DME, micro-expressions of the gray videos: 267 clips of 41 people, 60 frames a second."""

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
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.synth.standin_options import StandIn

FIVE = ("positive", "negative", "surprise", "repression", "others")
LABEL_MAPS: Mapping[int, Mapping[str, str]] = {
    3: {emotion: emotion for emotion in ("negative", "positive", "surprise")},
    5: {emotion: emotion for emotion in FIVE},
}
_COLUMNS = SheetColumns(
    subject="sub_ID",
    clip="fold_name",
    onset="Onset",
    apex="Apex",
    offset="Offset",
    aus="AUs",
    emotion="Emotion",
)
_BETWEEN = re.compile(r"\s*(?:[,;/&+\uff0c]|\band\b)\s*")


@dataclass(frozen=True, kw_only=True)
class FourDme(SheetDataset):
    """4DME, 267 micro-expressions of 41 people in gray videos at 60 fps, some with several emotions.

    A clip with several emotions cannot be scored as one class. By default its word is all of them, sorted and joined
    (``negative+surprise``), which no class map has: a run excludes, counts and names it. ``multi_label: first`` takes
    the emotion that the sheet names first, ``refuse`` ends with an error at the first such row.

    No copy was at hand, neither sheet nor frames: columns, counts and folders are those that public code states.

    Args:
        root: Folder that holds gray_micro and the annotation; stand-in builds synthetic data in the same layout.
        annotation: File name of the annotation; auto takes the nearest 4DME*.xlsx or .csv.
        classes: 5 positive, negative, surprise, repression, others; 3 negative, positive, surprise.
        multi_label: What becomes of a clip with several emotions.
        errata: Whether known errors of the annotation are corrected; none is known yet.
        apex_file: A CSV or parquet with the columns sample_id and apex, such as apexes that somebody published; they
            take the place of the annotation's.
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Li et al., 4DME: a spontaneous 4D micro-expression dataset with multimodalities, IEEE TAFFC 14(4), 2023, "
        "doi 10.1109/TAFFC.2022.3182342"
    )
    licence = "for research alone, under an agreement with the University of Oulu"
    checked_on = (
        "a stand-in alone: no copy of sheet or frames was at hand; columns, counts and names are those that "
        "public code states"
    )

    original, variable, dataset = "4DME", "FOURDME_ROOT", "fourdme"
    label_maps = LABEL_MAPS
    subject_folder = re.compile(r"(?:sub|s)?\d{1,3}", re.ASCII | re.IGNORECASE)
    layout_text = "4DME (gray_micro/1/1_1/1.jpg), with 4DME_Labelling_Micro_release*.xlsx"
    sheet_names, sheet_text = re.compile(r"4DME.*\.(xlsx|csv)", re.IGNORECASE), "4DME*.xlsx or .csv"

    root: Path | Literal["stand-in"]
    annotation: str = "auto"
    classes: Literal[5, 3] = 5
    multi_label: Literal["exclude", "first", "refuse"] = "exclude"
    errata: Literal["on", "off"] = "on"
    apex_file: Path | None = None
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
                "4DME, gray_micro and the labelling sheet: a signed licence agreement, by a member of staff "
                "of a university or institute, for research alone"
            ),
            size="267 clips of 41 people, 60 fps",
            variable=cls.variable,
        )

    def original_counts(self) -> Mapping[str, int]:
        """Return what was published."""
        return {"clips": 267, "subjects": 41}

    def _layout(self, root: Path, frames: Path) -> ClipLayout:
        sheet = self._sheet(root)
        rows, issues = read_clip_rows(ClipTable(path=sheet, columns=_COLUMNS, fps=60.0))
        rows = [replace(row, emotion=self._emotion(row)) for row in rows]
        several = {row.emotion for row in rows if row.emotion is not None and "+" in row.emotion}
        return ClipLayout(
            dataset=self.name_in_ids,
            rows=rows,
            issues=issues,
            annotation=ANY,
            described_by=(sheet,),
            frames=frames,
            subject_folder=self.subject_folder,
            emotions=frozenset(FIVE) | several,
            corrections=self._corrections(),
        )

    def _emotion(self, row: ClipRow) -> str | None:
        words = [_spelling(word) for word in _BETWEEN.split(row.emotion or "") if word]
        if len(words) <= 1:
            return words[0] if words else None
        if self.multi_label == "refuse":
            raise DataError(
                f"{row.where}: {row.emotion!r} names several emotions: choose 'multi_label: exclude' or 'multi_label: "
                "first'"
            )
        return words[0] if self.multi_label == "first" else "+".join(sorted(set(words)))


def _spelling(word: str) -> str:
    return "others" if word == "other" else word
