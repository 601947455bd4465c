"""A spotter, what it sees of a long video, and what it returns: intervals, each with a type and a score."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, runtime_checkable
from typing import Protocol as TypingProtocol

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError, counted
from mexbench.interfaces.model import Model, Predictor
from mexbench.interfaces.video import Interval, IntervalKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredInterval:
    """One interval that a spotter claims to be an expression.

    Args:
        onset: Published number of its first frame, inclusive.
        offset: Published number of its last frame, inclusive.
        kind: Micro- or macro-expression.
        score: How sure the spotter is; only the order within a run matters. Finite.
        apex: Published number of the frame of greatest intensity; None where the spotter does not say.
        emotion: The emotion that a recogniser gave it; None where none was asked.

    Raises:
        DataError: The onset comes after the offset, or the score is not finite.
    """

    onset: int
    offset: int
    kind: IntervalKind
    score: float = 1.0
    apex: int | None = None
    emotion: str | None = None

    def __post_init__(self) -> None:
        if self.onset > self.offset:
            raise DataError(f"spotted interval: onset {self.onset} comes after offset {self.offset}")
        if not math.isfinite(self.score):
            raise DataError(f"spotted interval {self.onset}-{self.offset}: the score {self.score} is not finite")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoFrames:
    """What a spotter sees of a long video: neither its name nor what is annotated in it.

    Args:
        frames: (T, ...), read-only, one entry per frame, as the last step of ``preprocess`` returned it.
        first: Published number of the first frame: frame ``t`` of the array has the number ``first + t``.
        fps: Frames per second of the recording, in Hz.
    """

    frames: NDArray[Any]
    first: int
    fps: float

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.frames)

    @property
    def last(self) -> int:
        """Published number of the last frame."""
        return self.first + len(self.frames) - 1


class SpottingPredictor(TypingProtocol):
    """What ``SpottingModel.fit_spotting`` returns: a fitted spotter, which cannot learn any more."""

    def __call__(self, videos: Sequence[VideoFrames], /) -> Sequence[Sequence[ScoredInterval]]:
        """Return the intervals spotted in each video, all of them inside it; each video is taken by itself."""
        ...


@runtime_checkable
class ThresholdPredictor(TypingProtocol):
    """A spotter with a threshold that was chosen on its training side; ``bench audit`` asks what others would do.

    A threshold is one of scores: at each, what is spotted is what the lowest one spots and scores at least as much.

    Args:
        threshold: The one in use.
        thresholds: Those among which it was chosen, rising.
    """

    threshold: float
    thresholds: tuple[float, ...]

    def __call__(self, videos: Sequence[VideoFrames], /) -> Sequence[Sequence[ScoredInterval]]:
        """Spot with ``threshold``."""
        ...

    def at(self, threshold: float) -> SpottingPredictor:
        """Return the same spotter with another threshold."""
        ...


@runtime_checkable
class ConfidencePredictor(TypingProtocol):
    """A spotter whose intervals are peaks of a curve; ``bench predict --spot`` draws the curve.

    Args:
        threshold: An interval is claimed where a peak reaches it.
    """

    threshold: float

    def confidence(self, video: VideoFrames, /) -> Mapping[str, NDArray[np.float64]]:
        """Return a curve (T,) for each type that the spotter knows, in the unit of the scores."""
        ...


class SpottingModel(Model, ABC):
    """A model that spots expressions in long videos; ``target: spotting`` asks for it.

    It classifies no clips unless it overrides ``fit`` too. ``check`` is given the shape of one frame.
    """

    @abstractmethod
    def fit_spotting(
        self,
        videos: Sequence[VideoFrames],
        intervals: Sequence[Sequence[Interval]],
        *,
        groups: NDArray[np.str_],
        seed: int,
    ) -> SpottingPredictor:
        """Train on the training side of one fold and return a new spotter.

        Whatever is learned or chosen from data (lengths, thresholds, weights) comes from these videos alone.

        Args:
            videos: Of the training side, in the order of their ids.
            intervals: What is annotated in each, by rising onset; () for a video without any expression.
            groups: Subject of each video (n,).
            seed: Source of all randomness: the same seed gives the same spotter.
        """

    if TYPE_CHECKING:  # its predictors are spotters; optional, as for every model

        def save(self, predictor: Any, folder: Path) -> None: ...  # noqa: ANN401, D102
        def load(self, folder: Path) -> Any: ...  # noqa: ANN401, D102

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Refuse: a spotter classifies no clips.

        Raises:
            DataError: Always.
        """
        del x, y, n_classes, groups, seed
        raise DataError(f"{type(self).__name__} spots expressions in long videos: it needs 'target: spotting'")


def checked_intervals(spotted: object, videos: Sequence[VideoFrames]) -> tuple[tuple[ScoredInterval, ...], ...]:
    """Refuse what no spotter may return.

    Raises:
        TypeError: Something else than intervals.
        ValueError: Not one sequence of intervals for each video, or an interval that leaves its video.
    """
    rows = [tuple(row) for row in spotted] if isinstance(spotted, Sequence) else None
    if rows is None or len(rows) != len(videos):
        got = type(spotted).__name__ if rows is None else f"{len(rows)} of them"
        raise ValueError(
            f"the spotter gave {got}, expected a sequence of intervals for each of {counted(len(videos), 'video')}"
        )
    for row, video in zip(rows, videos, strict=True):
        for interval in row:
            if not isinstance(interval, ScoredInterval):
                raise TypeError(f"the spotter gave a {type(interval).__name__}, expected a ScoredInterval")
            if interval.onset < video.first or interval.offset > video.last:
                raise ValueError(
                    f"the spotter gave {interval.onset}-{interval.offset} in a video of frames {video.first} to "
                    f"{video.last}"
                )
    return tuple(rows)
