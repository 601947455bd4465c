"""The official layouts of CASME-II and SAMM on disk: folders, frame names, annotation sheets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench.errors import ConfigError, DataError
from mexbench_plugins.datasets.published import megc2019_clips, megc2019_counts
from mexbench_plugins.synth import emotions
from mexbench_plugins.synth.action_units import ActionUnit, written
from mexbench_plugins.synth.actors import PublishedClip, Scene, listed_scenes, scenes
from mexbench_plugins.synth.clips import Take
from mexbench_plugins.synth.standin_options import StandIn

Cell = str | int

_EPISODES = 19  # films that people were shown in CASME-II


@dataclass(frozen=True, kw_only=True)
class Shot:
    """Where one clip goes, and its numbers.

    Args:
        subject: The person's name in the sheet.
        filename: The clip's name in the sheet.
        folder: The clip's folder, relative to the root of the data set.
        onset: Number of its first frame.
        apex: Number of the frame of greatest intensity.
        offset: Number of its last frame.
    """

    subject: str
    filename: str
    folder: Path
    onset: int
    apex: int
    offset: int


class DatasetLayout(ABC):
    """How a data set lies on disk."""

    #: Name of its folder in the cache.
    name: ClassVar[str]
    #: How often each emotion occurs, in the data set's own words.
    frequencies: ClassVar[Mapping[str, int]]
    #: Where its people are drawn from; '' for the words of ``frequencies``, which then no other data set may share.
    identities: ClassVar[str] = ""

    @abstractmethod
    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Give a clip its names and numbers."""

    @abstractmethod
    def frame_name(self, shot: Shot, number: int) -> str:
        """Return the file name of a frame."""

    @abstractmethod
    def pixels(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn an RGB frame (H, W, 3) into what the data set stores, in OpenCV's order of colours."""

    @abstractmethod
    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return the clip's row in the annotation sheet."""

    @abstractmethod
    def write_sheet(self, root: Path, rows: Sequence[Sequence[Cell]]) -> None:
        """Write the annotation sheet."""

    def rows(self, clips: Sequence[tuple[Scene, Shot]]) -> Sequence[Sequence[Cell]]:
        """Return the rows of the sheet; by default one per clip, sorted by subject and file name."""
        rows = [self.row(scene, shot) for scene, shot in clips]
        return sorted(rows, key=lambda row: (str(row[0]), str(row[1])))

    def take(self, scene: Scene, options: StandIn) -> Take:
        """Return what is rendered of a clip; a layout may add frames before the onset and after the offset."""
        del options
        return scene.take

    def listed(self) -> Sequence[PublishedClip] | None:
        """Return the clips of MEGC2019 in this layout; None for a data set that is not a member."""
        return None

    def count(self, options: StandIn) -> int:
        """Return the number of clips that ``write`` will write."""
        if options.cast == "random":
            return options.subjects * options.clips
        return len(self._challenge_clips())

    def write(self, root: Path, options: StandIn) -> Iterator[str]:
        """Write the whole data set into an empty folder; yield each clip's name when it is written.

        Raises:
            OSError: The disk is full, or the folder cannot be written.
        """
        clips = []
        for scene in self._scenes(options):
            shot = self.shot(scene, options)
            folder = root / shot.folder
            folder.mkdir(parents=True, exist_ok=True)
            take = self.take(scene, options)
            for number, frame in enumerate(take.frames(), start=shot.onset - take.timing.onset):
                path = folder / self.frame_name(shot, number)
                settings = [cv2.IMWRITE_JPEG_QUALITY, options.quality] if path.suffix == ".jpg" else []
                done, encoded = cv2.imencode(path.suffix, self.pixels(frame), settings)
                if not done:
                    raise DataError(f"{shot.folder}: a frame could not be encoded")
                path.write_bytes(encoded.tobytes())
            clips.append((scene, shot))
            yield shot.folder.as_posix()
        self.write_sheet(root, self.rows(clips))

    def _scenes(self, options: StandIn) -> Iterator[Scene]:
        if options.cast == "random":
            return scenes(options, self.frequencies, self.identities)
        return listed_scenes(options, self._challenge_clips(), self.identities or " ".join(self.frequencies))

    def _challenge_clips(self) -> Sequence[PublishedClip]:
        clips = self.listed()
        if clips is None:
            raise ConfigError(f"stand-in: cast = 'megc2019' is for casme2, samm and smic, not for {self.name}")
        return clips


class Casme2Layout(DatasetLayout):
    """``CASME2_RAW_selected/sub01/EP02_01f/img46.jpg`` and ``CASME2-coding-20140508.xlsx``."""

    name = "casme2"
    frequencies = emotions.CASME2
    sheet: ClassVar[str] = "CASME2-coding-20140508.xlsx"
    header: ClassVar[Sequence[str]] = (
        "Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion",
    )  # fmt: skip

    def listed(self) -> Sequence[PublishedClip]:
        """Return the 145 clips of the challenge; negative ones show disgust or repression by turns."""
        return challenge_clips(
            "casme2", {"negative": ("disgust", "repression"), "positive": ("happiness",), "surprise": ("surprise",)}
        )

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Name a clip after its episode, as CASME-II does: names repeat across people."""
        subject = f"{scene.subject + 1:02}"
        takes = max(12, options.subjects * options.clips // _EPISODES + 1)
        order = np.random.default_rng([options.seed, 0xE9, scene.subject]).permutation(_EPISODES * takes)
        take, episode = divmod(int(order[scene.index]), _EPISODES)
        rng = np.random.default_rng([options.seed, 0xCA5, scene.subject, scene.index])
        filename = f"EP{episode + 1:02}_{take + 1:02}{'f' * int(rng.integers(2))}"
        onset = int(rng.integers(20, 200))
        if scene.listed is not None:
            subject, filename = scene.listed[0].removeprefix("sub"), scene.listed[1]
        folder = Path("CASME2_RAW_selected") / f"sub{subject}" / filename
        return numbered(scene, onset, subject, filename, folder)

    def frame_name(self, shot: Shot, number: int) -> str:
        """Return the name, whose number has no leading zeros."""
        del shot
        return f"img{number}.jpg"

    def pixels(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Keep the colours."""
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), np.uint8)

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return the row; a lone action unit is a number there, several are text."""
        cell = written(scene.aus)
        return (
            shot.subject, shot.filename, shot.onset, shot.apex, shot.offset,
            int(cell) if cell.isdigit() else cell, scene.emotion,
        )  # fmt: skip

    def write_sheet(self, root: Path, rows: Sequence[Sequence[Cell]]) -> None:
        """Write the header in row 1, and two empty sheets behind, as in the original."""
        from openpyxl import Workbook

        book = Workbook()
        sheet = book.worksheets[0]
        sheet.title = "Sheet1"
        for row in (self.header, *rows):
            sheet.append(list(row))
        book.create_sheet("Sheet2")
        book.create_sheet("Sheet3")
        book.save(root / self.sheet)


class SammLayout(DatasetLayout):
    """``006/006_1_2/006_05562.jpg``, gray, and ``SAMM_Micro_FACS_Codes_v2.xlsx``."""

    name = "samm"
    frequencies = emotions.SAMM
    sheet: ClassVar[str] = "SAMM_Micro_FACS_Codes_v2.xlsx"
    preamble: ClassVar[int] = 13
    header: ClassVar[Sequence[str]] = (
        "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
        "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
    )  # fmt: skip

    def listed(self) -> Sequence[PublishedClip]:
        """Return the 133 clips of the challenge; negative ones show five emotions by turns."""
        negative = ("Anger", "Contempt", "Disgust", "Fear", "Sadness")
        return challenge_clips("samm", {"negative": negative, "positive": ("Happiness",), "surprise": ("Surprise",)})

    def shot(self, scene: Scene, options: StandIn) -> Shot:
        """Name a clip after its person, inducement and number."""
        subject = f"{scene.subject + 6:03}"
        filename = f"{subject}_{scene.index % 7 + 1}_{scene.index // 7 + 1}"
        onset = int(np.random.default_rng([options.seed, 0x1, scene.subject, scene.index]).integers(100, 9000))
        if scene.listed is not None:
            subject, filename = scene.listed
        return numbered(scene, onset, subject, filename, Path(subject) / filename)

    def frame_name(self, shot: Shot, number: int) -> str:
        """Return the name, whose number has five digits."""
        return f"{shot.subject}_{number:05}.jpg"

    def pixels(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn colours into gray."""
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)

    def row(self, scene: Scene, shot: Shot) -> Sequence[Cell]:
        """Return the row; strengths are written as letters, and the subject is text with zeros."""
        letters = ("A" if strength < 0.8 else "B" if strength < 1.15 else "C" for strength in scene.strengths)
        # Coders gave a letter where they were sure of it.
        cell = "+".join(
            f"{unit}{letter if scene.index % 2 else ''}" for unit, letter in zip(scene.aus, letters, strict=True)
        )
        return (
            shot.subject, shot.filename, int(shot.filename.split("_")[1]), shot.onset, shot.apex, shot.offset,
            shot.offset - shot.onset + 1, "Micro - 1/2", cell, scene.emotion, objective_class(scene.aus), "generated",
        )  # fmt: skip

    def write_sheet(self, root: Path, rows: Sequence[Sequence[Cell]]) -> None:
        """Write thirteen rows of preamble, the header in row 14, and the clips."""
        from openpyxl import Workbook

        book = Workbook()
        sheet = book.worksheets[0]
        sheet.title = "MICRO_ONLY"
        notes = ("Generated stand-in in the layout of SAMM", "No person was recorded", "The header is in row 14")
        for line in range(self.preamble):
            sheet.append([notes[line] if line < len(notes) else f"Note {line + 1}"])
        for row in (self.header, *rows):
            sheet.append(list(row))
        book.save(root / self.sheet)


def challenge_clips(dataset: str, words: Mapping[str, Sequence[str]]) -> list[PublishedClip]:
    """Return the clips of a member of MEGC2019 with as many of each class per subject as were published.

    Which clip of a subject is of which class is this program's choice, except where the file name says it.

    Args:
        dataset: casme2, smic or samm.
        words: Class -> the data set's words for it, taken by turns.
    """
    counts = megc2019_counts()
    clips: list[PublishedClip] = []
    by_subject: dict[str, list[str]] = {}
    for name in sorted(megc2019_clips(dataset)):
        subject, _, filename = name.partition("/")
        by_subject.setdefault(subject, []).append(filename)
    for subject, filenames in by_subject.items():
        # sorted alike: SMIC's file names say ne, po and sur, in the order of the classes
        classes = [name for name in words for _ in range(counts.get((subject, name), 0))]
        for index, (filename, label) in enumerate(zip(filenames, classes, strict=True)):
            clips.append(PublishedClip(subject, filename, words[label][index % len(words[label])]))
    return clips


#: Objective class -> the combinations of action units that it stands for, written without sides.
_OBJECTIVE = {
    1: ("6", "12", "6+12", "6+7+12", "7+12"),
    2: ("1+2", "5", "25", "1+2+25", "25+26", "5+24"),
    3: ("23", "4", "4+7", "4+5", "4+5+7", "17+24", "4+6+7", "4+38"),
    4: ("10", "9", "4+9", "4+40", "4+5+40", "4+7+9", "4+9+17", "4+7+10", "4+5+7+9", "7+10"),
    5: ("1", "15", "1+4", "6+15", "15+17"),
    6: ("1+2+4", "20"),
}


def objective_class(aus: Sequence[ActionUnit]) -> int:
    """Return the class that action units alone decide; 7 is any other combination.

    Source: Davison, Merghani and Yap, Objective Classes for Micro-Facial Expression Recognition, J. Imaging 4, 2018.
    """
    numbers = "+".join(str(number) for number in sorted({unit.number for unit in aus}))
    return next((code for code, combinations in _OBJECTIVE.items() if numbers in combinations), 7)


def numbered(scene: Scene, onset: int, subject: str, filename: str, folder: Path) -> Shot:
    """Return a shot whose apex and offset follow from the scene's timing."""
    timing = scene.take.timing
    return Shot(
        subject=subject, filename=filename, folder=folder,
        onset=onset, apex=onset + timing.apex - timing.onset, offset=onset + timing.offset - timing.onset,
    )  # fmt: skip
