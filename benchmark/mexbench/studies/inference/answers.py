"""What the scores of a model say in words: the class that wins, or the action units that show and their combination."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.metrics.action_units import THRESHOLD
from mexbench.runs.saved_model import SavedModel
from mexbench.studies.au_clusters.stored import StoredSubdivision

#: The answer of a model of action units where no unit reaches the threshold.
NO_UNIT = "none"


@dataclass(frozen=True)
class Answers:
    """How scores are put into words.

    Args:
        names: Classes, or action units (``AU4``), in the order of the scores.
        of_units: Whether they are action units, several of which may show at once.
        division: The combinations that windows and clips are assigned to; None where nobody asks.
        flags: Of the model and of the sub-division: shown beside everything that is derived from the scores.
    """

    names: tuple[str, ...]
    of_units: bool = False
    division: StoredSubdivision | None = None
    flags: tuple[str, ...] = ()

    @staticmethod
    def of(model: SavedModel, division: StoredSubdivision | None = None) -> Answers:
        """Return the words of a saved model."""
        flags = dict.fromkeys([*model_flags(model.about), *(division.flags if division else ())])
        return Answers(model.classes, model.target == "action_units", division, tuple(flags))

    def given(self, scores: NDArray[np.float64]) -> tuple[str, ...]:
        """Return the class with the highest score, the first among equals, or every unit that shows."""
        if not self.of_units:
            return (winner(scores, self.names),)
        return tuple(name for name, score in zip(self.names, scores, strict=True) if score >= THRESHOLD)

    def text(self, scores: NDArray[np.float64]) -> str:
        """Return the answer as tables have it: ``happiness``, ``AU6+AU12``, or ``none`` without a unit."""
        return "+".join(self.given(scores)) or NO_UNIT

    def short(self, scores: NDArray[np.float64]) -> str:
        """Return the answer for a picture or a line: a class with its score, or the units."""
        return self.text(scores) if self.of_units else f"{self.text(scores)} {np.max(scores):.2f}"

    def cluster(self, scores: NDArray[np.float64] | None, units: Collection[str] | None) -> str:
        """Return the combination of the sub-division that is nearest; empty without a sub-division, or without a unit.

        Args:
            scores: Of the model.
            units: Action units (``AU4``) that a file has; None where there is none. A model of action units needs none.
        """
        if self.division is None or scores is None:
            return ""
        shown = self.given(scores) if self.of_units else units
        emotion = None if self.of_units else self.text(scores)
        return self.division.nearest([name.removeprefix("AU") for name in shown or ()], emotion)


def winner(scores: NDArray[np.float64], classes: Sequence[str]) -> str:
    """Return the class with the highest score, the first among equals."""
    return classes[int(np.argmax(scores))]


def model_flags(about: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the flags of a saved model: of its training, then those that its honest score has besides.

    Args:
        about: ``model.json``. A model that was saved before it recorded its flags has those of its score alone.
    """
    score = about.get("score")
    of_score = score.get("flags") if isinstance(score, dict) else None
    return tuple(dict.fromkeys(str(flag) for flags in (about.get("flags"), of_score) for flag in flags or ()))
