"""SAMM: 159 micro-expressions of 29 people, gray, 200 frames a second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mexbench.interfaces import DataSource
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout
from mexbench_plugins.datasets._io.clip_rows import ClipTable, read_clip_rows
from mexbench_plugins.datasets._io.errata import ANY
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.synth.standin_options import StandIn

NEGATIVE = ("anger", "contempt", "disgust", "fear", "sadness")
SEVEN = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
LABEL_MAPS: Mapping[int, Mapping[str, str]] = {
    3: {**dict.fromkeys(NEGATIVE, "negative"), "happiness": "positive", "surprise": "surprise"},
    7: {emotion: emotion for emotion in SEVEN},
    8: {emotion: emotion for emotion in (*SEVEN, "other")},
}
_SUBJECT = re.compile(r"\d{3}", re.ASCII)
#: The long videos have an annotation of their own, which often lies beside this one.
_SHEET = re.compile(r"SAMM(?!.*long).*\.(xlsx|csv)", re.IGNORECASE)
_LAYOUT = "SAMM (006/006_1_2/006_05562.jpg), with its annotation, such as SAMM_Micro_FACS_Codes_v2.xlsx, beside it"


@dataclass(frozen=True, kw_only=True)
class Samm(SheetDataset):
    """SAMM, 159 spontaneous micro-expressions of 29 people, 2040x1088 gray at 200 fps as unpacked.

    A clip is its frames from onset to offset, (T, H, W, 1). The annotation may start with its header or with prose
    above it. Errata are made only where the sheet still holds the wrong value.

    Args:
        root: Folder that holds the frames and the annotation, or the folder of the frames with the annotation in it
            or above it; stand-in builds synthetic data in the same layout.
        annotation: File name of the annotation; auto takes the nearest SAMM*.xlsx or SAMM*.csv, that of the long
            videos aside.
        classes: 7 anger, contempt, disgust, fear, happiness, sadness, surprise; 8 other as well; 3 negative, positive,
            surprise as in MEGC2019, other excluded.
        errata: Whether known errors of the annotation are corrected.
        apex_file: A CSV or parquet with the columns sample_id and apex, such as apexes that somebody published; they
            take the place of the annotation's.
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Davison et al., SAMM: a spontaneous micro-facial movement dataset, IEEE Transactions on Affective Computing "
        "9(1), 2018, doi 10.1109/TAFFC.2016.2573832"
    )
    licence = "for research alone, under an agreement with Manchester Metropolitan University"
    checked_on = "a stand-in alone: no copy was at hand; sheet and folders are those that public code states"

    original, variable, dataset = "SAMM", "SAMM_ROOT", "samm"
    subject_folder, layout_text, label_maps = _SUBJECT, _LAYOUT, LABEL_MAPS
    sheet_names, sheet_text = _SHEET, "SAMM*.xlsx or SAMM*.csv"

    root: Path | Literal["stand-in"]
    annotation: str = "auto"
    classes: Literal[7, 8, 3] = 7
    errata: Literal["on", "off"] = "on"
    apex_file: Path | None = None
    stand_in: StandIn = StandIn()  # noqa: RUF009 - frozen

    @classmethod
    def data_source(cls) -> DataSource:
        """Return who gives it."""
        return DataSource(
            owner="Manchester Metropolitan University",
            page="https://helward.mmu.ac.uk/STAFF/m.yap/dataset.php",
            request=(
                "SAMM with the micro FACS codes: a signed licence agreement, by a member of staff of a "
                "university or institute, for research alone"
            ),
            size="159 clips of 29 people (32 were recorded), 200 fps",
            variable=cls.variable,
        )

    def original_counts(self) -> Mapping[str, int]:
        """Return what was published."""
        emotions = {
            "anger": 57, "other": 26, "happiness": 26, "surprise": 15, "contempt": 12, "disgust": 9, "fear": 8,
            "sadness": 6,
        }  # fmt: skip
        return {"clips": 159, "subjects": 29, **{f"emotion {name}": count for name, count in emotions.items()}}

    def _layout(self, root: Path, frames: Path) -> ClipLayout:
        sheet = self._sheet(root)
        rows, issues = read_clip_rows(ClipTable(path=sheet, sheet_name="MICRO_ONLY", subject_digits=3, fps=200.0))
        return ClipLayout(
            dataset=self.name_in_ids,
            rows=rows,
            issues=issues,
            annotation=ANY,
            described_by=(sheet,),
            frames=frames,
            subject_folder=self.subject_folder,
            emotions=frozenset(LABEL_MAPS[8]),
            corrections=self._corrections(),
        )
