"""The three tables, written row by row while a film is read: frames.csv, windows.csv and clips.csv."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mexbench.data.video.clip_list import ListedClip
from mexbench.data.video.reader import Frame
from mexbench.studies.inference.answers import NO_UNIT, Answers
from mexbench.studies.inference.window_predictor import WindowPrediction


@dataclass
class Summary:
    """The result for one clip.

    Args:
        clip: Its line of the list.
        answers: How scores are put into words.
        frames: Sampled frames.
        windows: Their windows.
        predicted: Windows with a prediction.
        total: Sum of their scores (n_classes,); of action units, the greatest of each.
        winners: Class -> windows that it won; unit, or ``none`` -> windows that it shows in.
        clusters: Combination of units -> windows that were assigned to it.
        units: Action units that a file has of any window; None where there is no such file.
        faces: ``one``, ``several`` or ``none`` -> windows.
        frame_faces: The same -> sampled frames.
        cuts_s: Where scenes after the first begin, in seconds.
        reasons: Why windows have no prediction -> windows.
        notes: Notes of steps -> windows.
        issues: Irregularities of the video.
        missing_s: Seconds that the film's header promises and that could not be decoded.
        length_s: Time of the last sampled frame, less that of the first.
        wall_s: How long it took.
    """

    clip: ListedClip
    answers: Answers
    total: NDArray[np.float64] = field(init=False)
    frames: int = 0
    windows: int = 0
    predicted: int = 0
    winners: Counter[str] = field(default_factory=Counter)
    clusters: Counter[str] = field(default_factory=Counter)
    units: frozenset[str] | None = None
    faces: Counter[str] = field(default_factory=Counter)
    frame_faces: Counter[str] = field(default_factory=Counter)
    cuts_s: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    issues: tuple[str, ...] = ()
    missing_s: float = 0.0
    length_s: float = 0.0
    wall_s: float = 0.0
    _last_s: float = -float("inf")
    _scene: int = 0

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.total = np.zeros(len(self.answers.names))

    @property
    def scores(self) -> NDArray[np.float64] | None:
        """Mean scores over the windows with a prediction (n_classes,); None where there is none.

        Of action units the greatest over the windows: a unit that shows for a moment shows in the clip.
        """
        if not self.predicted:
            return None
        return self.total if self.answers.of_units else self.total / self.predicted

    @property
    def cluster(self) -> str:
        """The combination that the clip is assigned to; empty without one."""
        return self.answers.cluster(self.scores, self.units)

    def add(self, prediction: WindowPrediction) -> None:
        """Count a window."""
        self.windows += 1
        self.notes.update(prediction.notes)
        window = prediction.window
        if window.scene > self._scene:
            self._scene = window.scene
            self.cuts_s.append(window.start_s)
        new = [faces for frame, faces in zip(window.frames, prediction.frame_faces, strict=True) if self._is_new(frame)]
        self.frame_faces.update(new)
        self._last_s = window.frames[-1].time_s
        if prediction.faces:
            self.faces[prediction.faces] += 1
        if prediction.scores is None:
            self.reasons[prediction.reason] += 1
            return
        self.predicted += 1
        if self.answers.of_units:
            self.total = np.maximum(self.total, prediction.scores)
        else:
            self.total += prediction.scores
        self.winners.update(self.answers.given(prediction.scores) or (NO_UNIT,))
        if prediction.units is not None:
            self.units = (self.units or frozenset()) | prediction.units
        if cluster := self.answers.cluster(prediction.scores, prediction.units):
            self.clusters[cluster] += 1

    def _is_new(self, frame: Frame) -> bool:
        return frame.time_s > self._last_s


class Tables:
    """Writes into a folder; ``close`` or a ``with`` block ends the files."""

    def __init__(self, folder: Path, answers: Answers, *, groups: Sequence[str] = (), with_units: bool = False) -> None:
        self.answers, self.groups, self.with_units = answers, groups, with_units
        classes = answers.names
        self._nothing = [""] * len(classes)
        self._flags = [" ".join(answers.flags)] * bool(answers.flags)
        self._streams = [(folder / f"{name}.csv").open("w", encoding="utf-8", newline="") for name in _HEADERS]
        self._frames, self._windows, self._clips = (csv.writer(stream, lineterminator="\n") for stream in self._streams)
        for writer, header in zip((self._frames, self._windows, self._clips), _HEADERS.values(), strict=True):
            extra = [] if writer is self._frames else self._extra_header(self.groups if writer is self._clips else ())
            flags = ["flags"] * bool(answers.flags)
            writer.writerow([*header, *extra, *(f"score_{name}" for name in classes), *flags])
        self._waiting: dict[float, _Frame] = {}
        self._clip_id = ""

    def __enter__(self) -> Self:
        """Return the tables."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the files."""
        for stream in self._streams:
            stream.close()

    def add(self, clip_id: str, prediction: WindowPrediction) -> None:
        """Write a window, and the frames that no later window can hold."""
        window, self._clip_id = prediction.window, clip_id
        scores = self._scored(prediction.scores)
        notes = (prediction.reason, *prediction.notes) if prediction.reason else prediction.notes
        without = sum(faces == "none" for faces in prediction.frame_faces)
        self._windows.writerow(
            [clip_id, _seconds(window.start_s), _seconds(window.end_s), window.scene, len(window.frames), without,
             prediction.faces, scores[0], "; ".join(notes),
             *self._extra(prediction.units, self.answers.cluster(prediction.scores, prediction.units)), *scores[1:],
             *self._flags]
        )  # fmt: skip
        self._write_frames(before_s=window.start_s)
        for index, (frame, faces) in enumerate(zip(window.frames, prediction.frame_faces, strict=True)):
            row = self._waiting.setdefault(frame.time_s, _Frame(np.zeros(len(self.answers.names))))
            row.faces, row.scene = faces, window.scene
            if prediction.scores is not None and faces != "none":
                row.total += prediction.scores if prediction.frame_scores is None else prediction.frame_scores[index]
                row.windows += 1

    def end(self, summary: Summary, *, readable: bool = True) -> None:
        """Write the last frames of a clip, and its line."""
        self._write_frames(before_s=float("inf"))
        if not readable:
            return
        clip, scores = summary.clip, self._scored(summary.scores)
        self._clips.writerow(
            [clip.clip_id, clip.path, clip.subject, clip.condition, clip.emotion, scores[0], summary.predicted,
             *(clip.groups.get(name, "") for name in self.groups), *self._extra(summary.units, summary.cluster),
             *scores[1:], *self._flags]
        )  # fmt: skip

    def _extra_header(self, groups: Sequence[str]) -> list[str]:
        return [*groups, *(["units"] * self.with_units), *(["cluster"] * (self.answers.division is not None))]

    def _extra(self, units: frozenset[str] | None, cluster: str) -> list[str]:
        text = "+".join(sorted(units or (), key=lambda name: int(name[2:])))
        return [*([text] * self.with_units), *([cluster] * (self.answers.division is not None))]

    def _write_frames(self, before_s: float) -> None:
        for time_s in [time_s for time_s in self._waiting if time_s < before_s]:
            row = self._waiting.pop(time_s)
            scores = self._scored(row.total / row.windows if row.windows else None)
            self._frames.writerow([self._clip_id, _seconds(time_s), row.scene, row.faces, *scores, *self._flags])

    def _scored(self, scores: NDArray[np.float64] | None) -> list[str]:
        """Return the class with the highest score or the units that show, then the scores; blanks without scores."""
        if scores is None:
            return ["", *self._nothing]
        return [self.answers.text(scores), *(f"{score:.6g}" for score in scores)]


_HEADERS: Mapping[str, Sequence[str]] = {
    "frames": ("clip_id", "time_s", "scene", "faces", "predicted"),
    "windows": (
        "clip_id",
        "start_s",
        "end_s",
        "scene",
        "frames",
        "frames_without_face",
        "faces",
        "predicted",
        "note",
    ),
    "clips": ("clip_id", "path", "subject", "condition", "emotion", "predicted", "windows"),
}


@dataclass
class _Frame:
    """A frame that further windows may hold."""

    total: NDArray[np.float64]
    windows: int = 0
    faces: str = ""
    scene: int = 0


def _seconds(value: float) -> str:
    return f"{value:.3f}"
