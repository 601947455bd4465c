"""A video with the predictions written on it; it shows a face, so it is written on request only."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mexbench.errors import DataError
from mexbench.studies.inference.answers import Answers
from mexbench.studies.inference.window_predictor import WindowPrediction

_COLOURS = {"one": (80, 220, 80), "several": (60, 190, 250), "none": (60, 60, 230), "": (220, 220, 220)}  # BGR


class AnnotatedVideoWriter:
    """Writes the sampled frames, each with the prediction of its first window."""

    def __init__(self, path: Path, fps: float, answers: Answers) -> None:
        self.path, self.fps, self.answers = path, fps, answers
        self._flags = f"; flags: {' '.join(answers.flags)}" if answers.flags else ""
        self._film = None
        self._last_s = -float("inf")

    def add(self, prediction: WindowPrediction) -> None:
        """Write the frames of a window that no earlier window had.

        Raises:
            DataError: This OpenCV cannot write films, or the disk is full.
        """
        import cv2

        for frame, faces in zip(prediction.window.frames, prediction.frame_faces, strict=True):
            if frame.time_s <= self._last_s:
                continue
            if faces == "none":
                text = "no face"
            elif prediction.scores is None:
                text = "no prediction"
            else:
                text = self.answers.short(prediction.scores)
            self._last_s = frame.time_s
            image = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
            height, width = image.shape[:2]
            if self._film is None:
                self._film = cv2.VideoWriter(
                    str(self.path), cv2.VideoWriter.fourcc(*"mp4v"), self.fps, (width - width % 2, height - height % 2)
                )
                if not self._film.isOpened():
                    raise DataError(f"--video: this OpenCV cannot write {self.path.name}; leave --video out")
            image = np.ascontiguousarray(image[: height - height % 2, : width - width % 2])
            size, line = max(0.4, height / 800), max(1, height // 300)
            cv2.rectangle(image, (0, 0), (width - 1, height - 1), _COLOURS[faces], 2 * line)
            for colour, thick in (((0, 0, 0), 3 * line), (_COLOURS[faces], line)):
                place = (4 * line + 4, round(34 * size) + 4 * line)
                cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
                place = (4 * line + 4, height - 4 * line - 6)
                research = f"{frame.time_s:.1f} s  research use, not a diagnosis{self._flags}"
                cv2.putText(image, research, place, cv2.FONT_HERSHEY_SIMPLEX, size * 0.7, colour, thick, cv2.LINE_AA)
            self._film.write(image)

    def close(self) -> None:
        """Close the file.

        Raises:
            DataError: The file could not be written.
        """
        if self._film is not None:
            self._film.release()
            if not self.path.is_file() or not self.path.stat().st_size:
                raise DataError(f"--video: {self.path.name} could not be written: is the disk full?")
