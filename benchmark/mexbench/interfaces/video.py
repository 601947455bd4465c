"""Long videos and the expressions annotated in them: what a spotting task reads of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mexbench.errors import DataError

#: A micro-expression lasts at most half a second; a macro-expression is the ordinary, longer kind.
IntervalKind = Literal["micro", "macro"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One annotated expression in a long video.

    Args:
        onset: Published number of its first frame, inclusive.
        apex: Published number of the frame of greatest intensity; None where it is not annotated.
        offset: Published number of its last frame, inclusive.
        kind: Micro- or macro-expression.
        emotion: The data set's own word in lower case; None where none is annotated.

    Raises:
        DataError: The onset comes after the offset.
    """

    onset: int
    apex: int | None
    offset: int
    kind: IntervalKind
    emotion: str | None = None

    def __post_init__(self) -> None:
        if self.onset > self.offset:
            raise DataError(f"interval: onset {self.onset} comes after offset {self.offset}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LongVideo:
    """One recording with the expressions that are annotated in it.

    Args:
        video_id: Unique, namespaced: ``samm_long/006/006_1``.
        subject: Namespaced subject, ``samm_long/006``.
        dataset: The data set that the video belongs to: ``samm_long``.
        fps: Frames per second of the recording, in Hz.
        frames: Published numbers of its first and last frame, both inclusive; None where neither the annotation nor
            the folder of the frames says so.
        intervals: Its expressions, by rising onset; () for a video in which nothing is annotated.
    """

    video_id: str
    subject: str
    dataset: str
    fps: float
    frames: tuple[int, int] | None
    intervals: tuple[Interval, ...]
