"""Where the apex of a stretch of film may be, for models that were trained on annotated apexes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Rows and columns of the small pictures that are compared: large enough for a brow, too small for noise of the sensor.
_SIDE = 64


def estimated_apex(frames: NDArray[Any]) -> int:
    """Return the position of the frame that differs most from the first one, the first among equals; 0 of one frame.

    The difference is the mean over pixels of its absolute value, of small gray pictures whose mean brightness is taken
    off. It sees whatever moves, a nod or a blink as well as an expression: an estimate, not an annotation.

    Args:
        frames: Pictures (T, H, W, C).
    """
    import cv2

    if len(frames) < 2:
        return 0
    gray = np.asarray(frames, dtype=np.float32).mean(axis=-1)
    size = min(_SIDE, gray.shape[2]), min(_SIDE, gray.shape[1])
    small = np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in gray])
    small -= small.mean(axis=(1, 2), keepdims=True)
    return int(np.abs(small - small[0]).mean(axis=(1, 2)).argmax())
