"""SMIC-E long videos, high-speed part: micro-expressions in videos of several seconds, 100 frames a second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from mexbench.interfaces import DataIssue, DataSource
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout
from mexbench_plugins.datasets._io.clip_rows import ClipRow, check_any_readable, emotion_word, readable, subject_name
from mexbench_plugins.datasets._io.errata import ANY
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.datasets._io.spreadsheets import SheetRow, read_rows
from mexbench_plugins.synth.standin_options import StandIn

THREE = {emotion: emotion for emotion in ("negative", "positive", "surprise")}
LABEL_MAPS: Mapping[int, Mapping[str, str]] = {3: THREE}
_SPANS = (("OnsetF", "OffsetF"), ("Onset2F", "Offset2F"), ("Onset3F", "Offset3F"))
_COLUMNS = ("Subject", "Filename", *(column for span in _SPANS for column in span), "FirstF", "LastF", "Emotion")


@dataclass(frozen=True, kw_only=True)
class SmicLong(SheetDataset):
    """SMIC-E-HS, the long videos of SMIC with up to three micro-expressions each, at 100 fps.

    A row is a video: its first and last frame and the spans of its expressions, numbers that the files carry too
    (``image17581039.jpg``). There are neither apexes nor action units. An id ends with the published onset. Text in
    the rows below the table is reported and not read. A sample is one expression; spotting reads all videos.

    No copy was at hand, neither sheet nor frames: columns and folders are those that public code states.

    Args:
        root: Folder that holds the frames (HS/s1/s1_ne_01/image17581039.jpg) and the annotation; stand-in builds
            synthetic data in the same layout.
        annotation: File name of the annotation; auto takes the nearest SMIC-HS-E*.xlsx or .csv.
        apex: middle takes the middle of onset and offset, none leaves the apex unknown.
        classes: 3 negative, positive, surprise.
        errata: Whether known errors of the annotation are corrected; none is known yet.
        apex_file: A CSV or parquet with the columns sample_id and apex, such as apexes that somebody published; they
            take the place of the annotation's.
        video_side: Most pixels along the longer side of a frame of a long video, for spotting: larger frames are
            reduced as they are read, since a video is held in memory whole. Clips are not reduced.
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Li et al., A spontaneous micro-expression database: inducement, collection and baseline, FG 2013, "
        "doi 10.1109/FG.2013.6553717; SMIC-E: Tran et al., Sliding window based micro-expression spotting, ACIVS 2017"
    )
    licence = "for research alone, under an agreement with the University of Oulu"
    checked_on = (
        "a stand-in alone: no copy of sheet or frames was at hand; columns, counts and names are those that "
        "public code states"
    )

    original, variable, dataset = "SMIC-E-HS", "SMIC_LONG_ROOT", "smic_long"
    label_maps = LABEL_MAPS
    subject_folder = re.compile(r"s\d{1,2}", re.ASCII | re.IGNORECASE)
    layout_text = "SMIC-E_raw_image/HS (s1/s1_ne_01/image17581039.jpg), with SMIC-HS-E_annotation.xlsx"
    sheet_names, sheet_text = re.compile(r"SMIC-HS-E.*\.(xlsx|csv)", re.IGNORECASE), "SMIC-HS-E*.xlsx or .csv"

    root: Path | Literal["stand-in"]
    annotation: str = "auto"
    apex: Literal["middle", "none"] = "middle"
    classes: Literal[3] = 3
    errata: Literal["on", "off"] = "on"
    apex_file: Path | None = None
    video_side: Annotated[int, Ge(32)] = 640
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
                "SMIC-E, HS, with its annotation: a signed licence agreement, by a member of staff of a "
                "university or institute, for research alone"
            ),
            size="157 long clips of 16 people, 100 fps",
            variable=cls.variable,
        )

    def _layout(self, root: Path, frames: Path) -> ClipLayout:
        sheet = self._sheet(root)
        rows: list[ClipRow] = []
        issues: list[DataIssue] = []
        for row in read_rows(sheet, _COLUMNS):
            if not row.text("Filename"):
                text = row.text("Subject")
                issues.append(DataIssue(what="row names no clip", where=row.where, detail=text[:60], excluded=True))
            else:
                name = f"{row.text('Subject')}/{row.text('Filename')}"
                rows += readable(name, lambda row=row: _rows(row), issues)
        if not rows:
            check_any_readable(issues)
        return ClipLayout(
            dataset=self.name_in_ids,
            rows=rows,
            issues=issues,
            annotation=ANY,
            described_by=(sheet,),
            frames=frames,
            subject_folder=None,
            emotions=frozenset(THREE),
            corrections=self._corrections(),
            missing_apex=self.apex,
        )


def _rows(row: SheetRow) -> list[ClipRow]:
    """Return one row per span; a video without any has one row without frames, so that it is not lost."""
    subject = subject_name(row.text("Subject").lower(), prefix="s", digits=2)
    clip = row.text("Filename")
    first, last = row.frame("FirstF"), row.frame("LastF")
    spans = [(row.frame(onset), row.frame(offset)) for onset, offset in _SPANS]
    return [
        ClipRow(
            where=row.where,
            name=f"{subject}/{clip}_{'unknown' if onset is None else onset}",
            subject=subject,
            # the folders are not padded: s1
            folder=(f"s{subject.removeprefix('s').lstrip('0')}", clip),
            onset=onset,
            apex=None,
            offset=offset,
            emotion=emotion_word(row.text("Emotion")),
            fps=100.0,
            video=f"{subject}/{clip}",
            video_frames=None if first is None or last is None else (first, last),
        )
        for onset, offset in [span for span in spans if span != (None, None)] or spans[:1]
    ]
