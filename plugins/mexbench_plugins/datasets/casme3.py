"""CAS(ME)3: 860 micro-expressions of 94 people in part A, 165 of a mock crime in part C, 30 frames a second."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from mexbench.errors import DataError
from mexbench.interfaces import DataSource
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout
from mexbench_plugins.datasets._io.clip_rows import ClipRow, ClipTable, SheetColumns, read_clip_rows
from mexbench_plugins.datasets._io.errata import ANY
from mexbench_plugins.datasets._io.folders import folders, holding_subjects
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.synth.standin_options import StandIn

NEGATIVE = ("disgust", "fear", "anger", "sad", "negative")
THREE = {**dict.fromkeys(NEGATIVE, "negative"), "happy": "positive", "positive": "positive", "surprise": "surprise"}
SEVEN = ("disgust", "surprise", "others", "fear", "anger", "sad", "happy")
LABEL_MAPS: Mapping[int, Mapping[str, str]] = {
    3: THREE,
    4: {**THREE, "others": "others"},
    7: {emotion: emotion for emotion in SEVEN},
}
_COLUMNS = {
    "A": SheetColumns(onset="Onset", apex="Apex", offset="Offset", aus="AU", emotion="emotion"),
    "C": SheetColumns(
        subject="sub", clip="count", onset="onset", apex=None, offset="offset", aus="au", emotion="emotion"
    ),
}
_PART_A_SUBJECT = re.compile(r"spNO\.\d+", re.ASCII | re.IGNORECASE)
_PART_C_SUBJECT = re.compile(r"\d{1,2}", re.ASCII)
_SHEETS = {
    "A": re.compile(r"cas\(?me\)?3_part_?A_ME.*\.(xlsx|csv)", re.IGNORECASE),
    "C": re.compile(r"cas\(?me\)?3_part_?C_ME.*\.(xlsx|csv)", re.IGNORECASE),
}
_SHEET_TEXTS = {"A": "cas(me)3_part_A_ME*.xlsx or .csv", "C": "CAS(ME)3_part_C_ME*.xlsx or .csv"}


@dataclass(frozen=True, kw_only=True)
class Casme3(SheetDataset):
    """CAS(ME)3, part A (860 micro-expressions of 94 people) or part C (165, a mock crime), colour at 30 fps.

    A file name of part A is the letter of the film that elicited the expression, one folder for up to 17 clips, so
    that an id ends with the published onset: ``casme3/spNO.1/b_166``. A saved filter hides most rows of the sheet of
    part A; they count. ``Others`` and ``others`` are one word, ``J`` and ``j`` one film. Part C has no apex; its
    subjects are called c01 to c31, of whom the sheet leaves c22 out: 30 have a micro-expression.

    The annotations of both parts were read; the layout of the frames is known from public code alone. Depth images
    and the macro-expressions, which have sheets of their own, are not read: in part A spotting finds micro-expressions
    alone, in the videos without any as well.

    Args:
        root: Folder that holds the frames and the annotation; stand-in builds synthetic data in the same layout.
        part: A (frames spNO.1/b/color/175.jpg) or C (frames ME_C/01/1/color).
        annotation: File name of the annotation; auto takes the nearest of the part.
        classes: 7 disgust, surprise, others, fear, anger, sad, happy, for part A; 4 negative, positive, surprise,
            others; 3 without others, which are excluded.
        apex: For part C, whose sheet has none: middle takes the middle of onset and offset, none leaves it unknown.
        errata: Whether known errors of the annotation are corrected.
        apex_file: A CSV or parquet with the columns sample_id and apex, such as apexes that somebody published; they
            take the place of the annotation's.
        video_side: Most pixels along the longer side of a frame of a long video, for spotting: larger frames are
            reduced as they are read, since a video is held in memory whole. Clips are not reduced.
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Li et al., CAS(ME)3: a third generation facial spontaneous micro-expression database with depth information "
        "and high ecological validity, IEEE TPAMI 45(3), 2023, doi 10.1109/TPAMI.2022.3174895"
    )
    licence = "for research alone, under an agreement with the Institute of Psychology, Chinese Academy of Sciences"
    checked_on = "the annotations of parts A and C; the layout of the frames is that of public code"

    original, variable, dataset = "CAS(ME)3", "CASME3_ROOT", "casme3"
    label_maps = LABEL_MAPS
    subject_folder = re.compile(r"spNO\.\d+|\d{1,2}", re.ASCII | re.IGNORECASE)
    sheet_names, sheet_text = _SHEETS["A"], _SHEET_TEXTS["A"]
    layout_text = "CAS(ME)3 (part A: spNO.1/b/color/175.jpg; part C: ME_C/01/1/color/373.jpg), with its annotation"

    root: Path | Literal["stand-in"]
    part: Literal["A", "C"] = "A"
    annotation: str = "auto"
    classes: Literal[7, 4, 3] = 7
    apex: Literal["middle", "none"] = "middle"
    errata: Literal["on", "off"] = "on"
    apex_file: Path | None = None
    video_side: Annotated[int, Ge(32)] = 640
    stand_in: StandIn = StandIn()  # noqa: RUF009 - frozen

    @classmethod
    def data_source(cls) -> DataSource:
        """Return who gives it."""
        return DataSource(
            owner="Institute of Psychology, Chinese Academy of Sciences",
            page="http://casme.psych.ac.cn/casme/e4",
            request=(
                "CAS(ME)3, part A or C, with the label sheets: a signed licence agreement, by a member of "
                "staff of a university or institute, for research alone"
            ),
            size="part A 860 micro-expressions of 94 people, part C 165 of 30; 30 fps",
            variable=cls.variable,
        )

    def original_counts(self) -> Mapping[str, int]:
        """Return what was published."""
        if self.part == "C":
            return {"clips": 165, "subjects": 30}
        emotions = {"disgust": 250, "surprise": 187, "others": 161, "fear": 86, "anger": 64, "sad": 57, "happy": 55}
        return {"clips": 860, "subjects": 94, **{f"emotion {name}": count for name, count in emotions.items()}}

    def __post_init__(self) -> None:
        """Check the classes against the part."""
        if self.part == "C" and self.classes == 7:
            raise ValueError("part C has negative, positive, surprise and others: choose 'classes: 4' or 'classes: 3'")

    def stand_in_layout(self) -> str:
        """Return the layout of the part."""
        return "casme3" if self.part == "A" else "casme3_c"

    def _frames_folder(self, root: Path) -> Path:
        wanted = _PART_A_SUBJECT if self.part == "A" else _PART_C_SUBJECT
        for folder in holding_subjects(root, self.subject_folder):
            if any(wanted.fullmatch(inner.name) for inner in folders(folder)):
                return folder
        raise DataError(
            f"{root}: no frames of part {self.part}: looked for folders of subjects, three levels deep; 'root' must be "
            f"the folder of {self.layout_text}"
        )

    def _layout(self, root: Path, frames: Path) -> ClipLayout:
        sheet = self._sheet(root, _SHEETS[self.part], _SHEET_TEXTS[self.part])
        rows, issues = read_clip_rows(self._table(sheet, frames))
        if self.part == "C":
            rows = [replace(row, subject=f"c{row.subject}", name=f"c{row.name}", video=None) for row in rows]
        unlisted = _unlisted_videos(frames, {row.video for row in rows}) if self.part == "A" else []
        return ClipLayout(
            dataset=self.name_in_ids,
            rows=rows,
            unlisted_videos=unlisted,
            issues=issues,
            annotation=ANY,
            described_by=(sheet,),
            frames=frames,
            subject_folder=None if self.part == "A" else self.subject_folder,
            emotions=frozenset(LABEL_MAPS[7] if self.part == "A" else LABEL_MAPS[4]),
            corrections=self._corrections(),
            missing_apex="middle" if self.part == "C" and self.apex == "middle" else "none",
        )

    def _table(self, sheet: Path, frames: Path) -> ClipTable:
        if self.part == "A":
            return ClipTable(
                path=sheet,
                sheet_name="label",
                columns=_COLUMNS["A"],
                name="{subject}/{clip}_{onset}",
                folder="{subject}/{clip}/color",
                video="{subject}/{clip}",
                fps=30.0,
                lower_case_clips=True,
            )
        padded = (frames / "01").is_dir() or not (frames / "1").is_dir()
        return ClipTable(
            path=sheet,
            sheet_name="mockCrimeME",
            columns=_COLUMNS["C"],
            subject_digits=2,
            folder="{subject}/{clip}/color" if padded else "{number}/{clip}/color",
            fps=30.0,
        )


def _unlisted_videos(frames: Path, in_sheet: Collection[str | None]) -> list[ClipRow]:
    """Return the videos of part A without a micro-expression, as rows without frames."""
    known = {name.casefold() for name in in_sheet if name is not None}
    rows = []
    for subject in folders(frames):
        if not _PART_A_SUBJECT.fullmatch(subject.name):
            continue
        for film in folders(subject):
            name = f"{subject.name}/{film.name.lower()}"
            if name.casefold() not in known and (film / "color").is_dir():
                row = ClipRow(
                    where=str(film), name=name, subject=subject.name, folder=(subject.name, film.name, "color"),
                    onset=None, apex=None, offset=None, emotion=None, fps=30.0, video=name,
                )  # fmt: skip
                rows.append(row)
    return rows
