"""CASME-II: 255 micro-expressions of 26 people, 200 frames a second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mexbench.errors import DataError, listed
from mexbench.interfaces import DataSource
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout
from mexbench_plugins.datasets._io.clip_rows import ClipTable, read_clip_rows
from mexbench_plugins.datasets._io.folders import find_files, holding_subjects, only_one
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.datasets.published import megc2019_clips
from mexbench_plugins.synth.standin_options import StandIn

#: What the annotations were published as, the newest first.
ANNOTATIONS = ("20190701", "20140508")
#: Release -> what the folder of its frames is called; the order in which ``auto`` looks.
RELEASES = {"raw_selected": "CASME2_RAW_selected", "raw": "CASME2-RAW", "cropped": "Cropped"}
NEGATIVE = ("disgust", "repression", "sadness", "fear", "anger", "contempt")
FIVE = ("happiness", "disgust", "repression", "surprise", "others")
LABEL_MAPS: Mapping[int, Mapping[str, str]] = {
    3: {**dict.fromkeys(NEGATIVE, "negative"), "happiness": "positive", "surprise": "surprise"},
    5: {emotion: emotion for emotion in FIVE},
    7: {emotion: emotion for emotion in (*FIVE, "sadness", "fear")},
}
EMOTIONS = frozenset(emotion for names in LABEL_MAPS.values() for emotion in names)
_SUBJECT = re.compile(r"sub\d{2}", re.ASCII)
_LAYOUT = (
    f"{RELEASES['raw_selected']}, {RELEASES['raw']} or {RELEASES['cropped']} (sub01/EP02_01f/img46.jpg), with "
    f"CASME2-coding-{ANNOTATIONS[0]}.xlsx or CASME2-coding-{ANNOTATIONS[1]}.xlsx beside, above or below it"
)


@dataclass(frozen=True, kw_only=True)
class Casme2(SheetDataset):
    """CASME-II, 255 spontaneous micro-expressions of 26 people at 200 fps as unpacked.

    A clip is its frames from onset to offset. Errata are meant for the annotation 20190701; of the annotation
    20140508 they correct the values that are known to be wrong there too, and a correction that does not fit a sheet
    is not made and is reported. The list of MEGC2019 holds 145 of these clips; ``classes: 3`` alone takes all 156 that
    have one of its classes.

    Args:
        root: Folder that holds the frames and the annotation, or the folder of the frames with the annotation in it
            or above it; stand-in builds synthetic data in the same layout.
        annotation: Version of the annotation; auto takes the newest that is there.
        release: Which frames; auto takes the first of raw_selected, raw, cropped that is there.
        classes: 5 happiness, disgust, repression, surprise, others; 7 sadness and fear as well; 3 negative, positive,
            surprise as in MEGC2019, others excluded.
        selection: megc2019 takes the 145 clips that the challenge lists, with ``classes: 3`` its labels; all takes
            every clip.
        errata: Whether known errors of the annotation are corrected.
        apex_file: A CSV or parquet with the columns sample_id and apex, such as apexes that somebody published; they
            take the place of the annotation's.
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Yan et al., CASME II: an improved spontaneous micro-expression database and the baseline evaluation, "
        "PLoS ONE 9(1), 2014, doi 10.1371/journal.pone.0086041"
    )
    licence = "for research alone, under an agreement with the Institute of Psychology, Chinese Academy of Sciences"
    checked_on = (
        "the annotation of 2014-05-08; that of 2019-07-01, the layout of the frames and the corrections are "
        "those of public code"
    )

    original, variable, dataset = "CASME-II", "CASME2_ROOT", "casme2"
    subject_folder, layout_text, label_maps = _SUBJECT, _LAYOUT, LABEL_MAPS

    root: Path | Literal["stand-in"]
    annotation: Literal["auto", "20140508", "20190701"] = "auto"
    release: Literal["auto", "raw", "raw_selected", "cropped"] = "auto"
    classes: Literal[5, 7, 3] = 5
    selection: Literal["all", "megc2019"] = "all"
    errata: Literal["on", "off"] = "on"
    apex_file: Path | None = None
    stand_in: StandIn = StandIn()  # noqa: RUF009 - frozen

    @classmethod
    def data_source(cls) -> DataSource:
        """Return who gives it."""
        return DataSource(
            owner="Institute of Psychology, Chinese Academy of Sciences",
            page="http://casme.psych.ac.cn/casme/e2",
            request=(
                "CASME II, raw or cropped, with the coding sheet: a signed licence agreement, by a member of "
                "staff of a university or institute, for research alone"
            ),
            size="255 clips of 26 people, 200 fps",
            variable=cls.variable,
        )

    def original_counts(self) -> Mapping[str, int]:
        """Return what was published."""
        return {"clips": 145, "subjects": 24} if self.selection == "megc2019" else {"clips": 255, "subjects": 26}

    def _layout(self, root: Path, frames: Path) -> ClipLayout:
        version, sheet = self._newest_annotation(root)
        table = ClipTable(path=sheet, subject_prefix="sub", subject_digits=2, fps=200.0)
        rows, issues = read_clip_rows(table)
        return ClipLayout(
            dataset=self.name_in_ids,
            rows=rows,
            issues=issues,
            annotation=version,
            described_by=(sheet,),
            frames=frames,
            subject_folder=self.subject_folder,
            emotions=EMOTIONS,
            corrections=self._corrections(),
            selection=megc2019_clips("casme2") if self.selection == "megc2019" else None,
            selection_title="MEGC2019",
        )

    def _frames_folder(self, root: Path) -> Path:
        releases: dict[str, Path] = {}
        for folder in holding_subjects(root, _SUBJECT):
            releases.setdefault(_release(folder), folder)
        wanted = [*RELEASES, ""] if self.release == "auto" else [self.release]
        for release in wanted:
            if release in releases:
                return releases[release]
        names = [RELEASES[release] for release in wanted if release]
        present = [f"{release or 'unnamed'} ({folder})" for release, folder in releases.items()]
        raise DataError(
            f"{root}: no frames of release {self.release!r}: looked for {listed(names)} with folders of subjects "
            f"(sub01) in it, three levels deep; found: {listed(present)}; 'root' must be the folder of {_LAYOUT}"
        )

    def _newest_annotation(self, root: Path) -> tuple[str, Path]:
        versions = ANNOTATIONS if self.annotation == "auto" else (self.annotation,)
        for version in versions:
            name = re.compile(rf"CASME2-coding-{version}\.(xlsx|csv)", re.IGNORECASE)
            if sheets := find_files(root, name, skip=_SUBJECT):
                return version, only_one(root, sheets)
        names = [f"CASME2-coding-{version}.xlsx" for version in versions]
        raise DataError(
            f"{root}: no annotation: looked for {listed(names)}, or .csv of that name, in it, three levels below and "
            "two above; copy the annotation beside the frames"
        )


def _release(folder: Path) -> str:
    """Return the release by the name of its folder; '' for any other name."""
    name = re.sub(r"[\W_]+", "", folder.name).casefold()
    if "cropped" in name:
        return "cropped"
    if "raw" in name:
        return "raw_selected" if "selected" in name else "raw"
    return ""
