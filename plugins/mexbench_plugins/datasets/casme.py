"""CASME: 195 micro-expressions of 19 people, 60 frames a second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mexbench.errors import DataError
from mexbench.interfaces import DataIssue, DataSource
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout
from mexbench_plugins.datasets._io.clip_rows import ClipTable, SheetColumns, read_clip_rows
from mexbench_plugins.datasets._io.errata import ANY
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.synth.standin_options import StandIn

NEGATIVE = ("disgust", "repression", "tense", "sadness", "fear", "contempt")
FOUR = ("disgust", "surprise", "repression", "tense")
LABEL_MAPS: Mapping[int, Mapping[str, str]] = {
    3: {**dict.fromkeys(NEGATIVE, "negative"), "happiness": "positive", "surprise": "surprise"},
    4: {emotion: emotion for emotion in FOUR},
    8: {emotion: emotion for emotion in (*FOUR, "happiness", "sadness", "fear", "contempt")},
}
_COLUMNS = SheetColumns(onset="OnsetF", apex="ApexF1", offset="OffsetF", aus="AU", emotion="Emotion")


@dataclass(frozen=True, kw_only=True)
class Casme(SheetDataset):
    """CASME, 195 micro-expressions of 19 people at 60 fps.

    Two apexes are annotated; the first is used. The usual four classes are disgust, surprise, repression and tense.
    That repression and tense are negative among the three classes is this project's choice, as for CASME-II.

    Action units come from the column AU; a sheet without it gives none.

    No copy was at hand, neither sheet nor frames: columns, counts and folders are those that public code states.

    Args:
        root: Folder that holds CASME_raw_selected or Cropped, and the annotation; stand-in builds synthetic data in
            the same layout.
        annotation: File name of the annotation; auto takes the nearest CASME*.xlsx or .csv that is not of another
            data set of that family.
        classes: 4 disgust, surprise, repression, tense; 8 happiness, sadness, fear and contempt as well; 3 negative,
            positive, surprise.
        errata: Whether known errors of the annotation are corrected; none is known yet.
        apex_file: A CSV or parquet with the columns sample_id and apex, such as apexes that somebody published; they
            take the place of the annotation's.
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Yan et al., CASME database: a dataset of spontaneous micro-expressions collected from neutralized faces, "
        "FG 2013, doi 10.1109/FG.2013.6553799"
    )
    licence = "for research alone, under an agreement with the Institute of Psychology, Chinese Academy of Sciences"
    checked_on = (
        "a stand-in alone: no copy of sheet or frames was at hand; columns, counts and names are those that "
        "public code states"
    )

    original, variable, dataset = "CASME", "CASME_ROOT", "casme"
    label_maps = LABEL_MAPS
    subject_folder = re.compile(r"sub\d{2}", re.ASCII)
    layout_text = "CASME_raw_selected or Cropped (sub01/EP01_5/img1.jpg), with the annotation CASME*.xlsx"
    sheet_names, sheet_text = re.compile(r"CASME(?!_?(?:2|3|II)).*\.(xlsx|csv)", re.IGNORECASE), "CASME*.xlsx or .csv"

    root: Path | Literal["stand-in"]
    annotation: str = "auto"
    classes: Literal[4, 8, 3] = 4
    errata: Literal["on", "off"] = "on"
    apex_file: Path | None = None
    stand_in: StandIn = StandIn()  # noqa: RUF009 - frozen

    @classmethod
    def data_source(cls) -> DataSource:
        """Return who gives it."""
        return DataSource(
            owner="Institute of Psychology, Chinese Academy of Sciences",
            page="http://casme.psych.ac.cn/casme/e1",
            request=(
                "CASME: a signed licence agreement, by a member of staff of a university or institute, for "
                "research alone"
            ),
            size="195 clips of 19 people, 60 fps",
            variable=cls.variable,
        )

    def original_counts(self) -> Mapping[str, int]:
        """Return what was published."""
        return {"clips": 195, "subjects": 19}

    def _layout(self, root: Path, frames: Path) -> ClipLayout:
        sheet = self._sheet(root)
        table = ClipTable(path=sheet, columns=_COLUMNS, subject_prefix="sub", subject_digits=2, fps=60.0)
        try:
            rows, issues = read_clip_rows(table)
        except DataError:  # a copy of the sheet without action units; what else is wrong is raised again
            rows, issues = read_clip_rows(replace(table, columns=replace(_COLUMNS, aus=None)))
            issues.append(DataIssue(what="column missing", where=str(sheet), detail="AU: no action units"))
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
