"""SAMM: 159 micro-expressions of 29 people, gray, 200 frames a second."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mexbench.errors import DataError, listed
from mexbench.interfaces import CodedActionUnits, Correction
from mexbench_plugins.datasets._io import errata as _errata
from mexbench_plugins.datasets._io.annotated_clips import SheetLayout, read_copy, read_units
from mexbench_plugins.datasets._io.folders import find_files, holding_subjects, require_folder
from mexbench_plugins.datasets._io.frame_dataset import DatasetIndex
from mexbench_plugins.datasets._io.synthetic_fallback import StandInDataset
from mexbench_plugins.synth.standin import StandIn, samm_root

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
class Samm(StandInDataset):
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
        stand_in: What synthetic data to build where root is stand-in.
    """

    source = (
        "Davison et al., SAMM: a spontaneous micro-facial movement dataset, IEEE Transactions on Affective Computing "
        "9(1), 2018, doi 10.1109/TAFFC.2016.2573832"
    )
    licence = "for research alone, under an agreement with Manchester Metropolitan University"

    original, variable, dataset = "SAMM", "SAMM_ROOT", "samm"

    root: Path | Literal["stand-in"]
    annotation: str = "auto"
    classes: Literal[7, 8, 3] = 7
    errata: Literal["on", "off"] = "on"
    stand_in: StandIn = StandIn()  # noqa: RUF009 - frozen

    @classmethod
    def known_corrections(cls) -> Sequence[Correction]:
        """Return every correction that is known."""
        return _errata.known("samm")

    def label_map(self) -> Mapping[str, str]:
        """Return emotion -> class for the chosen number of classes."""
        return LABEL_MAPS[self.classes]

    @staticmethod
    def _build(options: StandIn) -> Path:
        return samm_root(options)

    def _read(self) -> DatasetIndex:
        root = self.folder()
        require_folder(root, _LAYOUT)
        frames = holding_subjects(root, _SUBJECT)
        if not frames:
            raise DataError(
                f"{root}: no frames: looked for folders of subjects (006), three levels deep; 'root' must be the "
                f"folder of {_LAYOUT}"
            )
        return read_copy(self._layout(root, frames[0]))

    def coded_action_units(self) -> Sequence[CodedActionUnits]:
        """Read the annotation alone: ``root`` may hold nothing else."""
        root = self.folder()
        require_folder(root, _LAYOUT)
        return read_units(self._layout(root, root))

    def _layout(self, root: Path, frames: Path) -> SheetLayout:
        return SheetLayout(
            dataset=self.name_in_ids,
            sheet=self._sheet(root),
            sheet_name="MICRO_ONLY",
            annotation=_errata.ANY,
            frames=frames,
            prefix="",
            digits=3,
            subject_folder=_SUBJECT,
            emotions=frozenset(LABEL_MAPS[8]),
            fps=200.0,
            corrections=_errata.corrections("samm") if self.errata == "on" and not self.is_stand_in else {},
        )

    def _sheet(self, root: Path) -> Path:
        name = _SHEET if self.annotation == "auto" else re.compile(re.escape(self.annotation), re.IGNORECASE)
        sheets = find_files(root, name, skip=_SUBJECT)
        looked_for = "SAMM*.xlsx or SAMM*.csv" if self.annotation == "auto" else self.annotation
        if not sheets:
            raise DataError(
                f"{root}: no annotation: looked for {looked_for} in it, three levels below and two above; copy "
                "the annotation beside the frames"
            )
        others = [path.name for path in sheets if path.parent == sheets[0].parent]
        if len(others) > 1:
            raise DataError(
                f"{root}: more than one annotation in {sheets[0].parent}: {listed(others)}; choose one, such as "
                f"'annotation: {others[0]}'"
            )
        return sheets[0]
