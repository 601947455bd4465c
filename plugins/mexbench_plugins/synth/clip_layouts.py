"""Layouts of data sets with one folder per clip: CASME, CAS(ME)3 part C, DFME, MMEW, 4DME and SMIC."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth import emotions
from mexbench_plugins.synth.action_units import written
from mexbench_plugins.synth.actors import PublishedClip, Scene
from mexbench_plugins.synth.clips import Take
from mexbench_plugins.synth.layouts import Cell, DatasetLayout, Shot, challenge_clips, numbered
from mexbench_plugins.synth.standin_options import StandIn

#: What a cell may hold where the sheet leaves it blank.
SheetTable = Mapping[str, Sequence[Sequence[Cell | None]]]


def write_workbook(path: Path, tables: SheetTable, *, hidden: Sequence[int] = ()) -> None:
    """Write a workbook.

    Args:
        path: The file.
        tables: Name of a sheet -> its rows, the header among them.
        hidden: Rows of the first sheet, from 1, that a saved filter hides.
    """
    from openpyxl import Workbook

    book = Workbook()
    for index, (title, rows) in enumerate(tables.items()):
        sheet = book.worksheets[0] if index == 0 else book.create_sheet()
        sheet.title = title
        for row in rows:
            sheet.append(list(row))
        for number in hidden if index == 0 else ():
            sheet.row_dimensions[number].hidden = True
    book.save(path)


def first_onset(scene: Scene, options: StandIn, low: int, high: int) -> int:
    """Draw where a clip begins."""
    return int(np.random.default_rng([options.seed, 0x1, scene.subject, scene.index]).integers(low, high))


class ColourLayout(DatasetLayout):
    """A layout whose frames are in colour, with a sheet of one header and one row per clip."""

    sheet: ClassVar[str]
    title: ClassVar[str] = "Sheet1"
    header: ClassVar[Sequence[str]]

    def pixels(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Keep the colours."""
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), np.uint8)

    def frame_name(self, shot: Shot, number: int) -> str:
        """Return the name, whose number has no leading zeros."""
        del shot
        return f"{number}.jpg"

    def write_sheet(self, root: Path, rows: Sequence[Sequence[Cell]]) -> None:
        """Write the header and the rows."""
        write_workbook(root / self.sheet, {self.title: (self.header, *rows)})


class CasmeLayout(ColourLayout):
    """``CASME_raw_selected/sub01/EP01_1/img12.jpg``; two apexes."""

    name, identities, frequencies = "casme", "casme", emotions.CASME
    sheet = "CASME_coding.xlsx"
    header = ("Emotion", "Subject", "Filename", "OnsetF", "ApexF1", "ApexF2", "OffsetF", "AU")

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Name a clip after its episode."""
        subject, filename = f"{scene.subject + 1:02}", f"EP{scene.index % 9 + 1:02}_{scene.index // 9 + 1}"
        folder = Path("CASME_raw_selected") / f"sub{subject}" / filename
        return numbered(scene, first_onset(scene, options, 20, 200), subject, filename, folder)

    def frame_name(self, shot: Shot, number: int) -> str:
        """Return the name."""
        return f"img{super().frame_name(shot, number)}"

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return the row; subjects are numbers."""
        return (
            scene.emotion, int(shot.subject), shot.filename, shot.onset, shot.apex, min(shot.apex + 1, shot.offset),
            shot.offset, "+".join(map(str, scene.aus)),
        )  # fmt: skip


class Casme3CLayout(ColourLayout):
    """``ME_C/01/1/color/373.jpg``; no apex, action units joined by commas."""

    name, identities, frequencies = "casme3_c", "casme3_c", emotions.CASME3_C
    sheet, title = "CAS(ME)3_part_C_ME.xlsx", "mockCrimeME"
    header = ("sub", "count", "onset", "offset", "au", "emotion")

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Count the clips of each person."""
        subject, filename = f"{scene.subject + 1:02}", str(scene.index + 1)
        folder = Path("ME_C") / subject / filename / "color"
        return numbered(scene, first_onset(scene, options, 100, 7000), subject, filename, folder)

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return the row; a lone action unit is a number, several end with a comma."""
        cell = ",".join(str(unit) for unit in scene.aus)
        units = int(cell) if cell.isdigit() else f"{cell},"
        return (int(shot.subject), int(shot.filename), shot.onset, shot.offset, units, scene.emotion)


class DfmeLayout(ColourLayout):
    """``training/sub0001_01/000.jpg``, frames from 0, three sheets of disjoint subjects, a rate per row."""

    name, identities, frequencies = "dfme", "dfme", emotions.DFME
    header = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU")
    sheets: ClassVar[Mapping[str, str]] = {
        "training": "training_full_with_AU.xlsx", "testA": "testA_with_AU.xlsx", "testB": "testB_with_AU.xlsx",
    }  # fmt: skip
    _LEAD: ClassVar[int] = 2

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Name a clip after its person; every fourth person is in a test part."""
        del options
        subject = f"sub{scene.subject + 1:04}"
        filename = f"{subject}_{scene.index + 1:02}"
        return numbered(scene, self._LEAD, subject, filename, Path(self._part(subject)) / filename)

    def take(self, scene: Scene, options: StandIn) -> Take:
        """Begin before the onset, so that frames count from 0."""
        del options
        return dataclasses.replace(scene.take, timing=dataclasses.replace(scene.take.timing, lead=self._LEAD))

    def frame_name(self, shot: Shot, number: int) -> str:
        """Return the name, whose number has three digits."""
        del shot
        return f"{number:03}.jpg"

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return the row; a cell of action units may name head codes too."""
        cell = written(scene.aus)
        units = int(cell) if cell.isdigit() else f"{cell}+M57" if scene.index % 5 == 4 else cell
        fps = (500, 300, 200)[int(shot.subject[3:]) % 3]
        identifier = list(self.frequencies).index(scene.emotion)
        return (
            shot.subject, shot.filename, shot.onset, shot.apex, shot.offset, scene.emotion, identifier, fps, units,
        )  # fmt: skip

    def write_sheet(self, root: Path, rows: Sequence[Sequence[Cell]]) -> None:
        """Write a sheet per part."""
        for part, name in self.sheets.items():
            chosen = [row for row in rows if self._part(str(row[0])) == part]
            if chosen:
                write_workbook(root / name, {"Sheet1": (self.header, *chosen)})

    @staticmethod
    def _part(subject: str) -> str:
        number = int(subject[3:])
        return "training" if number % 4 else "testA" if number % 8 else "testB"


class MmewLayout(ColourLayout):
    """``Micro_Expression/anger/S01-01-001/1.jpg``; some rows without apex or offset."""

    name, identities, frequencies = "mmew", "mmew", emotions.MMEW
    sheet = "MMEW_Micro_Exp.xlsx"
    header = (
        "Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion", "remarks",
    )  # fmt: skip

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Put a clip into the folder of its emotion."""
        del options
        subject = f"{scene.subject + 1:02}"
        filename = f"S{subject}-{scene.index + 1:02}-001"
        return numbered(scene, 1, subject, filename, Path("Micro_Expression") / scene.emotion / filename)

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return the row; one clip of each person lacks its offset, another its apex."""
        apex: Cell = "/" if scene.index == 1 else shot.apex
        offset: Cell = "" if scene.index == 0 else shot.offset
        return (
            int(shot.subject), shot.filename, shot.onset, apex, offset, written(scene.aus), scene.emotion, "generated",
        )  # fmt: skip


class FourDmeLayout(ColourLayout):
    """``gray_micro/1/1_1/1.jpg``, gray; some clips with two emotions."""

    name, identities, frequencies = "fourdme", "fourdme", emotions.FOURDME
    sheet = "4DME_Labelling_Micro_release v1.xlsx"
    header = ("sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs")

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Number the clips of each person."""
        subject, filename = str(scene.subject + 1), f"{scene.subject + 1}_{scene.index + 1}"
        folder = Path("gray_micro") / subject / filename
        return numbered(scene, first_onset(scene, options, 1, 200), subject, filename, folder)

    def pixels(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn colours into gray."""
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return the row; the third clip of each person has another emotion as well."""
        other = "negative" if scene.emotion == "surprise" else "surprise"
        emotion = f"{scene.emotion}, {other}" if scene.index == 2 else scene.emotion.capitalize()
        return (
            int(shot.subject), shot.filename, emotion, shot.onset, shot.apex, shot.offset, written(scene.aus),
        )  # fmt: skip


class SmicLayout(ColourLayout):
    """``SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image1.bmp``; no annotation."""

    name, identities, frequencies = "smic", "smic", emotions.SMIC
    _CODES: ClassVar[Mapping[str, str]] = {"negative": "ne", "positive": "po", "surprise": "sur"}

    def listed(self) -> Sequence[PublishedClip]:
        """Return the 164 clips of the challenge."""
        classes = {name: (name,) for name in self._CODES}
        return challenge_clips("smic", classes)

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Name a clip after its person, class and number."""
        subject = f"s{scene.subject + 1}"
        filename = f"{subject}_{self._CODES[scene.emotion]}_{scene.index + 1:02}"
        if scene.listed is not None:
            number = int(scene.listed[0].removeprefix("s"))
            subject, filename = f"s{number}", f"s{number}_{scene.listed[1].partition('_')[2]}"
        folder = Path("SMIC_all_cropped") / "HS" / subject / "micro" / scene.emotion / filename
        return numbered(scene, first_onset(scene, options, 1, 900), subject, filename, folder)

    def frame_name(self, shot: Shot, number: int) -> str:
        """Return the name of a cropped frame."""
        del shot
        return f"reg_image{number}.bmp"

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return nothing: the folder says everything."""
        del scene, shot
        return ("", "")

    def write_sheet(self, root: Path, rows: Sequence[Sequence[Cell]]) -> None:
        """Write nothing."""
        del root, rows
