"""CAS(ME)2: 300 macro- and 57 micro-expressions of 22 people in long videos, 30 frames a second."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from mexbench.errors import DataError, listed
from mexbench.interfaces import DataIssue, DataSource
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout
from mexbench_plugins.datasets._io.clip_rows import ClipRow, check_any_readable, emotion_word, readable
from mexbench_plugins.datasets._io.errata import ANY
from mexbench_plugins.datasets._io.folders import folders, holding_subjects
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.datasets._io.spreadsheets import NO_FRAME, CellError, SheetRow, read_cells
from mexbench_plugins.synth.standin_options import StandIn

KINDS = {"macro": "macro", "micro": "micro"}
THREE = {emotion: emotion for emotion in ("negative", "positive", "surprise")}
LABEL_MAPS: Mapping[int, Mapping[str, str]] = {2: KINDS, 3: THREE, 4: {**THREE, "others": "others"}}
#: Columns of the first sheet, which has no header, and of the two that translate its names.
_SUBJECT, _VIDEO, _ONSET, _APEX, _OFFSET, _AUS, _EMOTION, _TYPE = "12345678"
_SUBJECT_CODE, _SUBJECT_NUMBER = "2", "3"
_VIDEO_CODE, _VIDEO_NAME = "1", "2"
_MISSING = NO_FRAME | {"0"}


@dataclass(frozen=True, kw_only=True)
class CasmeSquared(SheetDataset):
    """CAS(ME)2, 98 long videos of 22 people with 300 macro- and 57 micro-expressions, colour at 30 fps.

    The workbook has no header; its second sheet translates the subjects, its third the videos, whose codes the
    folders carry: ``rawpic/s15/15_0101disgustingteeth/img1.jpg``. An id is the video's code, onset and offset:
    ``casme_squared/s15/0101_557_608``. An apex or offset of 0 is unknown; then the apex ends the expression, as in
    the ground truth of MEGC 2020. A sample is one expression; spotting reads all videos, those on disk that the
    workbook does not name as well.

    Of the workbook no copy was at hand: its columns are those that public code states. The intervals were compared
    with the ground truth of MEGC 2020, which has the same 357 expressions.

    Args:
        root: Folder that holds the frames and the workbook; stand-in builds synthetic data in the same layout.
        annotation: File name of the annotation; auto takes the nearest CAS(ME)^2code_final.xlsx.
        release: Folder of the frames.
        kind: Which expressions are samples.
        classes: 4 negative, positive, surprise, others; 3 without others, which are excluded; 2 macro and micro.
        errata: Whether known errors of the annotation are corrected; none is known yet.
        apex_file: A CSV or parquet with the columns sample_id and apex, such as apexes that somebody published; they
            take the place of the annotation's.
        video_side: Most pixels along the longer side of a frame of a long video, for spotting: larger frames are
            reduced as they are read, since a video is held in memory whole. Clips are not reduced.
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Qu et al., CAS(ME)2: a database for spontaneous macro-expression and micro-expression spotting and "
        "recognition, IEEE TAFFC 9(4), 2018, doi 10.1109/TAFFC.2017.2654440"
    )
    licence = "for research alone, under an agreement with the Institute of Psychology, Chinese Academy of Sciences"
    checked_on = "the ground truth of MEGC 2020 and a stand-in: neither workbook nor frames were at hand"

    original, variable, dataset = "CAS(ME)2", "CASME_SQUARED_ROOT", "casme_squared"
    label_maps = LABEL_MAPS
    subject_folder = re.compile(r"s\d{2}", re.ASCII | re.IGNORECASE)
    layout_text = "CAS(ME)2 (rawpic/s15/15_0101disgustingteeth/img1.jpg), with CAS(ME)^2code_final.xlsx"
    sheet_names = re.compile(r"CAS\(ME\)\^?2.*\.xlsx", re.IGNORECASE)
    sheet_text = "CAS(ME)^2code_final.xlsx"

    root: Path | Literal["stand-in"]
    annotation: str = "auto"
    release: Literal["rawpic", "selectedpic", "cropped"] = "rawpic"
    kind: Literal["micro", "macro", "both"] = "both"
    classes: Literal[4, 3, 2] = 4
    errata: Literal["on", "off"] = "on"
    apex_file: Path | None = None
    video_side: Annotated[int, Ge(32)] = 640
    stand_in: StandIn = StandIn()  # noqa: RUF009 - frozen

    @classmethod
    def data_source(cls) -> DataSource:
        """Return who gives it."""
        return DataSource(
            owner="Institute of Psychology, Chinese Academy of Sciences",
            page="http://casme.psych.ac.cn/casme/e3",
            request=(
                "CAS(ME)2, with the code sheet: a signed licence agreement, by a member of staff of a "
                "university or institute, for research alone"
            ),
            size="98 long videos of 22 people with 300 macro- and 57 micro-expressions, 30 fps",
            variable=cls.variable,
        )

    def original_counts(self) -> Mapping[str, int]:
        """Return what was published."""
        return {"videos": 98, "intervals": 357, **({"subjects": 22} if self.kind == "both" else {})}

    def _layout(self, root: Path, frames: Path) -> ClipLayout:
        sheet = self._sheet(root)
        on_disk = _video_folders(frames, self.subject_folder)
        rows, issues = _rows(sheet, on_disk)
        return ClipLayout(
            dataset=self.name_in_ids,
            rows=rows,
            issues=issues,
            unlisted_videos=_unlisted_videos(on_disk, {row.video for row in rows}),
            annotation=ANY,
            described_by=(sheet,),
            frames=frames,
            subject_folder=None,
            emotions=frozenset(LABEL_MAPS[4]),
            corrections=self._corrections(),
            label="kind" if self.classes == 2 else "emotion",
            kind=self.kind,
            missing_offset="apex",
        )

    def _frames_folder(self, root: Path) -> Path:
        holders = holding_subjects(root, self.subject_folder)
        for folder in holders:
            if folder.name.lower() == self.release:
                return folder
        raise DataError(
            f"{root}: no frames of release {self.release!r}: looked for folders of subjects (s15) three levels deep, "
            f"found {listed(map(str, holders))}; 'root' must be the folder of {self.layout_text}"
        )


def _rows(path: Path, video_folders: Mapping[tuple[str, str], str]) -> tuple[list[ClipRow], list[DataIssue]]:
    subjects = {row.text(_SUBJECT_NUMBER): row.text(_SUBJECT_CODE) for row in read_cells(path, sheet=1)}
    videos = {row.text(_VIDEO_NAME).lower(): row.text(_VIDEO_CODE).zfill(4) for row in read_cells(path, sheet=2)}
    rows: list[ClipRow] = []
    issues: list[DataIssue] = []
    for row in read_cells(path):
        name = f"{row.text(_SUBJECT)}/{row.text(_VIDEO)}"
        rows += readable(name, lambda row=row: [_row(row, subjects, videos, video_folders)], issues)
    if not rows:
        check_any_readable(issues)
    return rows, issues


def _row(
    row: SheetRow,
    subjects: Mapping[str, str],
    videos: Mapping[str, str],
    video_folders: Mapping[tuple[str, str], str],
) -> ClipRow:
    number = _translated(row, subjects, row.text(_SUBJECT), "subject", "second").lower().removeprefix("s").zfill(2)
    subject = f"s{number}"
    name = row.text(_VIDEO).lower().partition("_")[0]
    video = _translated(row, videos, name, "video", "third")
    kind = row.text(_TYPE).lower()
    if kind not in {"macro-expression", "micro-expression"}:
        raise CellError(f"{row.where}: column {_TYPE} is {kind!r}, expected macro-expression or micro-expression")
    onset, offset = (row.frame(column, missing=_MISSING) for column in (_ONSET, _OFFSET))
    emotion = emotion_word(row.text(_EMOTION))
    return ClipRow(
        where=row.where,
        name=f"{subject}/{video}_{onset or 0}_{offset or 0}",
        subject=subject,
        folder=(subject, video_folders.get((subject, video), f"{number}_{video}{name}")),
        onset=onset,
        apex=row.frame(_APEX, missing=_MISSING),
        offset=offset,
        emotion="others" if emotion == "other" else emotion,
        aus=row.cells[_AUS] or "",
        fps=30.0,
        video=f"{subject}/{video}",
        kind="macro" if kind.startswith("macro") else "micro",
    )


def _unlisted_videos(on_disk: Mapping[tuple[str, str], str], in_sheet: Collection[str | None]) -> list[ClipRow]:
    """Return the videos in which nothing is annotated, as rows without frames."""
    return [
        ClipRow(
            where=folder, name=f"{subject}/{video}", subject=subject, folder=(subject, folder), onset=None, apex=None,
            offset=None, emotion=None, fps=30.0, video=f"{subject}/{video}",
        )
        for (subject, video), folder in on_disk.items()
        if f"{subject}/{video}" not in in_sheet
    ]  # fmt: skip


def _translated(row: SheetRow, table: Mapping[str, str], text: str, what: str, sheet: str) -> str:
    if text not in table:
        raise CellError(f"{row.where}: {what} {text!r} is not in the {sheet} sheet, which has {listed(table, limit=5)}")
    return table[text]


def _video_folders(frames: Path, subject: re.Pattern[str]) -> Mapping[tuple[str, str], str]:
    """Return subject and video code -> name of the video's folder, which ends with a word: 15_0101disgustingteeth."""
    names: dict[tuple[str, str], str] = {}
    for folder in folders(frames):
        if subject.fullmatch(folder.name):
            for video in folders(folder):
                if match := re.match(r"\d+_(\d{4})", video.name, re.ASCII):
                    names[folder.name.lower(), match[1]] = video.name
    return names
