"""A recorded clip and what its makers announce about it: all that the measures look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth.clips import Take, Timing
from mexbench_plugins.synth.expression import Expression
from mexbench_plugins.synth.geometry import Geometry


@dataclass(frozen=True, eq=False)
class Recording:
    """Frames, and what they are supposed to show.

    Args:
        frames: Recorded frames (H, W, 3), RGB, in order; camera and all.
        still: The photo that the clip was made from (H, W, 3).
        geometry: Where the parts of the face lie in the photo.
        expression: The motion that is announced: its regions and directions.
        timing: When its onset, apex and offset are announced.
    """

    frames: Sequence[NDArray[np.uint8]]
    still: NDArray[np.uint8]
    geometry: Geometry
    expression: Expression
    timing: Timing

    def __post_init__(self) -> None:
        """Refuse frames that are not as many as announced."""
        if len(self.frames) != self.timing.frames:
            raise ValueError(f"{len(self.frames)} frames, {self.timing.frames} were announced")


def record(take: Take) -> Recording:
    """Render a take."""
    return Recording(list(take.frames()), take.face.image, take.face.geometry, take.expression, take.timing)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measure of one clip.

    Args:
        name: What it is called on pages.
        value: What was measured; None where it could not be.
        limit: The bound.
        at_least: Whether the value must reach the bound; otherwise it must not exceed it.
        definition: What was computed, in words.
        note: Why it could not be measured, or what else was seen.
    """

    name: str
    value: float | None
    limit: float
    at_least: bool
    definition: str
    note: str = ""

    @property
    def passes(self) -> bool | None:
        """Whether the clip is within the bound; None where nothing was measured."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "value": None if self.value is None else round(self.value, 4), "limit": self.limit,
            "at_least": self.at_least, "passes": self.passes, "definition": self.definition, "note": self.note,
        }  # fmt: skip
