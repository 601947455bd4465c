"""What a prediction of films is asked to write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mexbench.studies.inference.answers import Answers


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """What is written of films, and by which other files.

    Args:
        answers: How scores are put into words.
        video: Whether annotated films are written too.
        every_s: Seconds from one snapshot to the next; None reads windows.
        faces: Whether the contact sheet of the snapshots shows the pictures.
        units: OpenFace's file of the film, or a folder with one for each film; None without.
    """

    answers: Answers
    video: bool = False
    every_s: float | None = None
    faces: bool = False
    units: Path | None = None
