"""The clip's action units, joined to its frames or features."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, MinLen

from benchmark.errors import DataError, NotAnnotated
from benchmark.interfaces import Clip, Preprocessor

UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)


@dataclass(frozen=True, kw_only=True)
class ActionUnits(Preprocessor):
    """Append a value for each action unit, 1 where it shows and else 0: floats (T, ..., C) to (T, ..., C + units).

    Images and feature maps so get planes that are constant over height and width; ``hybrid_micronet`` with
    action_units: true reads its vector from them. It is the last step: a later one would take the planes for pixels.

    The units are those that the data set's coders saw, in the clip that is tested as well, so a score made with them
    says what a system would reach that had them from elsewhere: it is flagged ``coded-aus``. A clip without any coded
    unit is left out, counted and named, since "none" and "nobody looked" cannot be told apart.

    Args:
        units: Numbers of the units, in the order of the planes; coded units that are not among them go unseen.
    """

    source = "HybridMicroNet with action units (2026), enhanced model; which units is unstated there"
    example_shape: ClassVar[tuple[int, int, int, int]] = (1, 7, 7, 16)
    example_dtype: ClassVar[str] = "float32"

    units: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = UNITS

    def __post_init__(self) -> None:
        """Refuse a unit named twice."""
        if len(set(self.units)) < len(self.units):
            raise ValueError(f"units names one twice: {list(self.units)}")

    def flags(self) -> tuple[str, ...]:
        """Tell that human coding of the test samples entered."""
        return ("coded-aus",)

    def __call__(self, clip: Clip) -> Clip:
        """Append the values.

        Raises:
            NotAnnotated: No action unit is coded for this clip.
            DataError: The frames are no floats, among which 1 would be as much as white.
        """
        if clip.frames.dtype.kind != "f":
            raise DataError(
                f"action_units needs floats, features or frames, got {clip.frames.shape} {clip.frames.dtype}; put it "
                "last, after vgg16 or normalise"
            )
        if not clip.aus:
            raise NotAnnotated("has no action units coded (action_units)")
        shown = np.array([f"AU{unit}" in clip.aus for unit in self.units], clip.frames.dtype)
        planes = np.broadcast_to(shown, (*clip.frames.shape[:-1], len(shown)))
        return dataclasses.replace(clip, frames=np.concatenate([clip.frames, planes], axis=-1))
