"""Scene cuts: where a frame shows something else than the one before it.

The measure is the share of a frame that the frame before does not explain. Both are shrunk to 64 pixels on the longer
side; each block of 8x8 is looked for in the other frame, up to 6 pixels away (a tenth of the picture), in both
directions; the squared differences that remain are divided by the larger variance of the two frames. What moves, in a
pan too, is found again a little further on, and what only grew brighter or darker is scaled first; another scene is
neither. 0 is the same picture, 1 a picture of which nothing is known.

A frame begins a new scene where the measure is at least ``SURE``, or at least ``LEAST`` and ``RATIO`` times as large as
at the frames before and behind it: motion and a hand-held camera last longer than one frame. A flash of one frame has
two equal peaks and is therefore not a cut, unless it is sure.

Values measured at 10 frames a second: two real films without a cut up to 0.07 (0.12 at 3 frames a second); pans over
people by 2 to 12 of 320 pixels a frame up to 0.12, by 24 pixels up to 0.52; pans over a fine texture 0.09 to 0.30, at
every frame alike; one made-up person to another in the same place 0.13 to 1.03; a face to a wall or back 0.89 to 0.90.
Fades, where no frame differs much from the one before, are not seen.

Source: block matching as in Shahraray (1995), "Scene change detection and content-based sampling of video sequences";
    the measure and its limits are this program's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.data.video.reader import Frame

SURE, LEAST, RATIO = 0.6, 0.1, 4.0

_LONGER_SIDE, _BLOCK, _REACH = 64, 8, 6
#: Grey levels squared: what a picture's variance is at least taken for, so that noise on a bare wall is no scene.
_LEAST_VARIANCE = 100.0


def scenes(frames: Iterable[Frame]) -> Iterator[tuple[int, Frame]]:
    """Yield each frame with the number of its scene, from 0; a frame is held back until the one behind it has come."""
    scene = 0
    waiting: tuple[Frame, NDArray[np.float32]] | None = None
    before = change = 0.0  # of the frame that went before, and of the one that waits
    for frame in frames:
        small = shrunk(frame.image)
        if waiting is not None:
            behind = unexplained(waiting[1], small)
            scene += is_cut(before, change, behind)
            yield scene, waiting[0]
            before, change = change, behind
        waiting = frame, small
    if waiting is not None:
        scene += is_cut(before, change, 0.0)
        yield scene, waiting[0]


def is_cut(before: float, change: float, behind: float) -> bool:
    """Return whether a change begins a scene, by the changes at the frames before and behind it."""
    return change >= SURE or (change >= LEAST and change >= RATIO * max(before, behind))


def shrunk(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shrink a frame (H, W, 3) to what is compared, without its mean: (h, w, 3)."""
    import cv2

    height, width = image.shape[:2]
    scale = _LONGER_SIDE / max(height, width)
    size = tuple(max(_BLOCK, round(side * scale) // _BLOCK * _BLOCK) for side in (width, height))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32).reshape(size[1], size[0], -1)
    return small - small.mean(axis=(0, 1))


def unexplained(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the share of two frames, as ``shrunk`` gives them, that neither explains of the other, about 0 to 1."""
    if one.shape != other.shape:
        return 1.0
    variances = float(one.var()), float(other.var())
    if min(variances) > _LEAST_VARIANCE:  # the same scene in other light
        gain = np.sqrt(variances[0] / variances[1])
        one, other = (one, other * gain) if gain > 1 else (one / gain, other)
    scale = max(float(one.var()), float(other.var())) + _LEAST_VARIANCE
    still = float(np.mean((one - other) ** 2)) / scale
    if still < LEAST:  # the search could only find less
        return still
    return max(_remaining(one, other), _remaining(other, one)) / scale


def _remaining(source: NDArray[np.float32], picture: NDArray[np.float32]) -> float:
    """Return the mean squared difference that is left of a picture when its blocks are taken from another."""
    height, width, channels = picture.shape
    padded = np.pad(source, ((_REACH, _REACH), (_REACH, _REACH), (0, 0)), mode="edge")
    best: Any = np.inf
    for down in range(2 * _REACH + 1):
        for right in range(2 * _REACH + 1):
            squares = (padded[down : down + height, right : right + width] - picture) ** 2
            blocks = squares.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK * channels).sum(axis=(1, 3))
            best = np.minimum(best, blocks)
    return float(best.sum()) / picture.size
