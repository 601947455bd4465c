"""What a spotter found in a film: intervals in seconds, with what a recogniser says about each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mexbench.data.video.clip_list import ListedClip
from mexbench.interfaces import ScoredInterval


@dataclass(frozen=True, eq=False)
class SpottedExpression:
    """One spotted interval of a film, and what the recogniser says about it.

    Args:
        interval: Frames counted from 1, in those that were looked at.
        onset_s: Time of its first frame.
        apex_s: Time of its apex; None where the spotter does not say.
        offset_s: Time of its last frame.
        scores: The recogniser's scores (n_classes,); None without a recogniser or a prediction.
        emotion: The recogniser's answer: a class, or the units that show (``AU6+AU12``); empty without one.
        reason: Why the recogniser says nothing; empty where it does, or where there is none.
        cluster: The combination of units that it is assigned to; empty without one.
    """

    interval: ScoredInterval
    onset_s: float
    apex_s: float | None
    offset_s: float
    scores: NDArray[np.float64] | None = None
    emotion: str = ""
    reason: str = ""
    cluster: str = ""


@dataclass(eq=False)
class SpottedFilm:
    """What was spotted in one film.

    Args:
        clip: Its line of the list.
        times: When each frame that was looked at is shown, in seconds (T,).
        fps: Frames per second that were looked at, in Hz.
        parts: In how many parts it was spotted.
        scale: Size of a frame that was looked at, as a share of the film's.
        expressions: By rising onset.
        curves: Type -> the spotter's confidence in each frame (T,); NaN where a part has none.
        threshold: Confidence from which a peak is an interval; None where the spotter has no curves.
        notes: Of the steps.
        issues: Irregularities of the video.
    """

    clip: ListedClip
    times: NDArray[np.float64]
    fps: float
    parts: int = 1
    scale: float = 1.0
    expressions: list[SpottedExpression] = field(default_factory=list)
    curves: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    threshold: float | None = None
    notes: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()

    @property
    def minutes(self) -> float:
        """How long it is."""
        return len(self.times) / self.fps / 60
