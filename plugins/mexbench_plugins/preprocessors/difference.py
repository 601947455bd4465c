"""Motion as the difference of pixels from the onset."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt

from mexbench.errors import SampleRejected
from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import position, require

#: The largest scaled difference that is kept, in gray levels: with 128 added it fits into a byte on either side of 0.
LIMIT = 127

NO_ONSET = "no onset known: differences from the first frame"


@dataclass(frozen=True, kw_only=True)
class Difference(Preprocessor):
    """Each frame minus the onset frame, signed: (T, H, W, C), uint8, RGB or gray, to the same shape.

    A still face carries no micro-expression; its differences from the onset carry little else, since the person's looks
    cancel. Differences in gray levels are multiplied by ``scale`` and clipped to -127 to 127. The clip must be steady:
    ``face`` cuts every frame at one place, so a head that moves shows as edges everywhere.

    Where the data names no onset, the first frame is subtracted, and a note says so. The apex and the onset alone
    (``at: [onset, apex]``) with ``onset: remove`` leave one frame, their difference: what networks for single images
    need. A clip of one frame is left out, and with ``at: [apex]`` or ``count: 1`` every clip is.

    Args:
        scale: Multiplies differences. At 4 a change of 32 gray levels or more is clipped.
        output: float32 divides the result by 127: -1 to 1, and 0 where nothing moved. uint8 rounds it (halves to the
            even number) and adds 128: 1 to 255, and 128 where nothing moved; for steps that need images, such as vgg16.
        onset: keep leaves the onset frame in the clip, where it is constant; remove takes it out, which leaves one
            frame less. Samples of single frames (``unit: frame``) need keep.
    """

    source = "frame differencing; what it is for here: the papers' networks on faces see looks, not motion"

    scale: Annotated[float, Gt(0)] = 4.0
    output: Literal["float32", "uint8"] = "float32"
    onset: Literal["keep", "remove"] = "keep"

    def __call__(self, clip: Clip) -> Clip:
        """Subtract the onset.

        Raises:
            SampleRejected: The clip has a single frame.
            DataError: The frames are not uint8 images, or the onset lies outside them.
        """
        frames = require("difference", clip, channels=(1, 3), hint="put it before normalise, lbp and vgg16")
        if len(frames) < 2:
            raise SampleRejected("a clip of one frame has no motion (difference)")
        onset = position("difference", "onset_index", clip.onset_index, len(frames), default=0)
        values = frames.astype(np.float32)
        values -= values[onset].copy()
        values *= np.float32(self.scale)
        np.clip(values, -LIMIT, LIMIT, out=values)
        result = (np.rint(values) + (LIMIT + 1)).astype(np.uint8) if self.output == "uint8" else values / LIMIT
        notes = clip.notes if clip.onset_index is not None else (*clip.notes, NO_ONSET)
        clip = dataclasses.replace(clip, frames=result, notes=notes)
        return _without(clip, onset) if self.onset == "remove" else clip


def _without(clip: Clip, removed: int) -> Clip:
    """Return a clip without one of its frames; positions behind it move up, and a position of it is forgotten."""

    def moved(index: int | None) -> int | None:
        return None if index is None or index == removed else index - (index > removed)

    return dataclasses.replace(
        clip,
        frames=np.delete(clip.frames, removed, axis=0),
        onset_index=moved(clip.onset_index),
        apex_index=moved(clip.apex_index),
        offset_index=moved(clip.offset_index),
    )
