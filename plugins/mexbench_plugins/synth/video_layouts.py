"""Layouts of data sets of long videos: CAS(ME)3 part A, CAS(ME)2, SAMM Long Videos and SMIC-E."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth import emotions
from mexbench_plugins.synth.action_units import written
from mexbench_plugins.synth.actors import Scene
from mexbench_plugins.synth.clip_layouts import ColourLayout, write_workbook
from mexbench_plugins.synth.clips import Take, Timing
from mexbench_plugins.synth.layouts import Cell, SammLayout, Shot, objective_class
from mexbench_plugins.synth.standin_options import StandIn

#: Expressions in one video, and neutral frames before each.
PER_VIDEO, LEAD = 3, 2


class VideoLayout(ColourLayout):
    """A layout in which up to three expressions of a person follow each other in one folder of frames."""

    #: Number of a video's first frame.
    first: ClassVar[int] = 1
    #: Whether every third expression is a macro-expression, which lasts twice as long.
    macro: ClassVar[bool] = True

    def take(self, scene: Scene, options: StandIn) -> Take:
        """Add neutral frames, so that one expression ends where the slot of the next begins."""
        timing = scene.take.timing
        factor = 2 if self.is_macro(scene) else 1
        rise, fall = timing.rise * factor, timing.fall * factor
        tail = self._slot(options) - LEAD - rise - fall - 1
        return dataclasses.replace(scene.take, timing=Timing(lead=LEAD, rise=rise, fall=fall, tail=tail))

    def is_macro(self, scene: Scene) -> bool:
        """Whether a scene is a macro-expression."""
        return self.macro and scene.index % PER_VIDEO == PER_VIDEO - 1

    def placed(self, scene: Scene, options: StandIn, subject: str, filename: str, folder: Path) -> Shot:
        """Return a shot at its place in the video."""
        timing = self.take(scene, options).timing
        onset = self.first + (scene.index % PER_VIDEO) * self._slot(options) + LEAD
        return Shot(
            subject=subject, filename=filename, folder=folder,
            onset=onset, apex=onset + timing.rise, offset=onset + timing.rise + timing.fall,
        )  # fmt: skip

    @staticmethod
    def _slot(options: StandIn) -> int:
        """Return the frames from one expression's first neutral frame to the next's: the longest one must fit."""
        return LEAD + 2 * max(round(1.25 * options.frames), 5) + 2


class Casme3Layout(VideoLayout):
    """``spNO.1/a/color/175.jpg``: cells of text, hidden rows, file names that repeat, ``J`` beside ``j``."""

    name, identities, frequencies, macro = "casme3", "casme3", emotions.CASME3, False
    sheet, title = "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", "label"
    header = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion")

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Name a clip after the film that elicited it."""
        subject, film = f"spNO.{scene.subject + 1}", "jabcdefghiklm"[scene.index // PER_VIDEO % 13]
        filename = "J" if (scene.subject, scene.index) == (0, 1) else film
        return self.placed(scene, options, subject, filename, Path("part_A") / subject / film / "color")

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return the row, every cell of it text."""
        objective = ("I", "II", "III", "IV", "V", "VI", "VII")[objective_class(scene.aus) - 1]
        return (
            shot.subject, shot.filename, str(shot.onset), str(shot.apex), str(shot.offset), written(scene.aus),
            objective, scene.emotion,
        )  # fmt: skip

    def write_sheet(self, root: Path, rows: Sequence[Sequence[Cell]]) -> None:
        """Write the sheet with a saved filter that hides all rows but those of the first subject, and a blank one."""
        hidden = [number for number, row in enumerate(rows, start=2) if row[0] != rows[0][0]]
        write_workbook(root / self.sheet, {self.title: (self.header, *rows), "Sheet1": ()}, hidden=hidden)


class SammLongLayout(VideoLayout):
    """``006_1/006_1_0001.jpg``, gray; the emotions are in the annotation of SAMM beside it."""

    name, identities, frequencies = "samm_long", "samm_long", emotions.SAMM
    sheet = "SAMM_LongVideos_V1_Release.xlsx"
    header = (
        "Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration", "Type", "Action Units",
        "Notes",
    )  # fmt: skip
    preamble: ClassVar[int] = 9

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Name a clip after its person, video and number; the first two of a video share one name."""
        subject, video = f"{scene.subject + 6:03}", scene.index // PER_VIDEO + 1
        number = scene.index % PER_VIDEO + 1
        return self.placed(
            scene, options, subject, f"{subject}_{video}_{number}", Path("SAMM_longvideos") / f"{subject}_{video}"
        )

    def frame_name(self, shot: Shot, number: int) -> str:
        """Return the name, whose number has four digits."""
        return f"{shot.folder.name}_{number:04}.jpg"

    def pixels(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn colours into gray."""
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return the row, with the emotion behind it for the other sheet; one apex in ten is unknown, -1."""
        apex = -1 if scene.index % 10 == 9 else shot.apex
        return (
            shot.subject, shot.filename, int(shot.filename.split("_")[1]), shot.onset, apex, shot.offset,
            shot.offset - shot.onset + 1, "Macro" if self.is_macro(scene) else "Micro - 1/2", written(scene.aus), "",
            scene.emotion,
        )  # fmt: skip

    def write_sheet(self, root: Path, rows: Sequence[Sequence[Cell]]) -> None:
        """Write the sheet with its header in row 10, and SAMM's own with the emotions of the micro-expressions."""
        notes = [[f"Note {line + 1}"] for line in range(self.preamble)]
        write_workbook(root / self.sheet, {self.title: (*notes, self.header, *(row[:10] for row in rows))})
        short = [
            (*row[:2], row[2], 1, 2, 3, 3, "Micro - 1/2", row[8], row[10], 7, "") for row in rows if row[7] != "Macro"
        ]
        write_workbook(root / SammLayout.sheet, {"MICRO_ONLY": (SammLayout.header, *short)})


class CasmeSquaredLayout(VideoLayout):
    """``rawpic/s15/15_0101anger/img1.jpg`` and a workbook of three sheets without headers."""

    name, identities, frequencies = "casme_squared", "casme_squared", emotions.CASME_SQUARED
    sheet = "CAS(ME)^2code_final.xlsx"
    _VIDEOS: ClassVar[Sequence[tuple[str, str]]] = tuple(
        (f"{group:02}{number:02}", f"{word}{number}")
        for group, word in enumerate(("anger", "disgust", "happy"), start=1)
        for number in range(1, 10)
    )

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Name a clip after its video and number."""
        number = scene.subject + 15
        code, word = self._VIDEOS[scene.index // PER_VIDEO % len(self._VIDEOS)]
        filename = f"{word}_{scene.index % PER_VIDEO + 1}"
        folder = Path("rawpic") / f"s{number:02}" / f"{number:02}_{code}{word}film"
        return self.placed(scene, options, str(scene.subject + 1), filename, folder)

    def frame_name(self, shot: Shot, number: int) -> str:
        """Return the name."""
        return f"img{super().frame_name(shot, number)}"

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return the row; the offset of the second expression in a video is unknown, 0."""
        kind = "macro-expression" if self.is_macro(scene) else "micro-expression"
        offset = 0 if scene.index % PER_VIDEO == 1 else shot.offset
        return (
            int(shot.subject), shot.filename, shot.onset, shot.apex, offset, written(scene.aus), scene.emotion, kind,
            "generated",
        )  # fmt: skip

    def write_sheet(self, root: Path, rows: Sequence[Sequence[Cell]]) -> None:
        """Write the expressions, the subjects and the videos, each on a sheet without header."""
        people = sorted({int(row[0]) for row in rows})
        tables = {
            "code": rows,
            "subjects": [("", number + 14, number) for number in people],
            "videos": [(code, word) for code, word in self._VIDEOS],
        }
        write_workbook(root / self.sheet, tables)


class SmicLongLayout(VideoLayout):
    """``HS/s1/s1_ne_01/image17581040.jpg``: a row per video, remarks below the table."""

    name, identities, frequencies, macro = "smic_long", "smic_long", emotions.SMIC, False
    sheet = "SMIC-HS-E_annotation.xlsx"
    header = (
        "Subject", "Filename", "OnsetF", "OffsetF", "Onset2F", "Offset2F", "Onset3F", "Offset3F", "FirstF", "LastF",
        "Emotion",
    )  # fmt: skip
    first = 17_581_039

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Name a video after its person and number."""
        subject = f"s{scene.subject + 1}"
        filename = f"{subject}_{scene.index // PER_VIDEO + 1:02}"
        return self.placed(scene, options, subject, filename, Path("HS") / subject / filename)

    def frame_name(self, shot: Shot, number: int) -> str:
        """Return the name, with an absolute number."""
        del shot
        return f"image{number}.jpg"

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return what the row of the video needs of one expression."""
        return (shot.subject, shot.filename, shot.onset, shot.offset, scene.emotion)

    def rows(self, clips: Sequence[tuple[Scene, Shot]]) -> Sequence[Sequence[Cell]]:
        """Return a row per video; its emotion is that of its first expression."""
        videos: dict[str, list[Sequence[Cell]]] = {}
        for row in super().rows(clips):
            videos.setdefault(str(row[1]), []).append(row)
        rows: list[Sequence[Cell]] = []
        for name, members in sorted(videos.items()):
            spans = [cell for row in members for cell in row[2:4]]
            last = int(members[-1][3]) + 1
            rows.append(
                (members[0][0], name, *spans, *[""] * (6 - len(spans)), self.first, last, members[0][4])
            )  # fmt: skip
        return rows

    def write_sheet(self, root: Path, rows: Sequence[Sequence[Cell]]) -> None:
        """Write the table, and a remark below it."""
        write_workbook(root / self.sheet, {self.title: (self.header, *rows, ("Remark: generated",))})
