"""The options of a stand-in, which are parameters of the data sets that have one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_type_hints

from annotated_types import Ge, Gt, Le

from mexbench.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A generated data set.

    Args:
        subjects: Number of people.
        clips: Clips per person, on average: some have two, some three times the average, as in the real data.
        width: Width of a frame in pixels.
        height: Height of a frame in pixels.
        frames: Frames per clip, on average, from the onset to the offset.
        quality: JPEG quality, 1-100.
        intensity: Amplitude of the expressions; 1 moves a face of 210 pixels by two to three pixels.
        variety: How much strength differs between two showings of the same action unit, as a share.
        seed: Another seed is another cast.
        cast: random draws the numbers of people and clips; megc2019, for casme2, samm and smic, takes the subjects,
            clips and classes of the challenge's list, whatever ``subjects`` and ``clips`` say.
    """

    subjects: Annotated[int, Ge(2)] = 26
    clips: Annotated[int, Ge(2)] = 8
    width: Annotated[int, Ge(160)] = 320
    height: Annotated[int, Ge(120)] = 240
    frames: Annotated[int, Ge(6)] = 15
    quality: Annotated[int, Ge(1), Le(100)] = 95
    intensity: Annotated[float, Gt(0), Le(5)] = 1.2
    variety: Annotated[float, Ge(0), Le(1)] = 0.3
    seed: Annotated[int, Ge(0)] = 0
    cast: Literal["random", "megc2019"] = "random"

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            value = getattr(self, name)
            for bound in getattr(hint, "__metadata__", ()):
                low = (
                    value >= bound.ge if isinstance(bound, Ge) else value > bound.gt if isinstance(bound, Gt) else True
                )
                if not low or (isinstance(bound, Le) and value > bound.le):
                    raise ConfigError(f"stand-in: {name} = {value!r} must satisfy {bound}")
        if self.width < 0.8 * self.height:
            raise ConfigError(f"stand-in: width = {self.width} must be at least 0.8 of height = {self.height}")
