"""What a spotter returns: intervals of a long video, each with a type and a score."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mexbench.errors import DataError
from mexbench.interfaces.video import IntervalKind


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
