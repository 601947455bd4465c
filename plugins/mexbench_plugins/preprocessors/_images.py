"""What the steps share: the check of their input, and frame-by-frame work."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import Clip

#: Below a megabyte, starting threads takes as long as what they save.
BYTES_FOR_THREADS = 2**20


def require(
    step: str, clip: Clip, *, channels: Collection[int], dtypes: Collection[str] = ("uint8",), hint: str = ""
) -> NDArray[Any]:
    """Return the clip's frames (T, H, W, C), after a check that a step can use them.

    Args:
        step: Name of the step, for the error text.
        clip: The clip.
        channels: Numbers of channels that the step can use.
        dtypes: Types that the step can use.
        hint: What to do where they are something else.

    Raises:
        DataError: The frames have another shape or type, or there are none.
    """
    frames = clip.frames
    usable = frames.ndim == 4 and frames.shape[-1] in channels and frames.dtype.name in dtypes and frames.size > 0
    if not usable:
        shapes = " or ".join(f"(T,H,W,{count})" for count in sorted(channels, reverse=True))
        raise DataError(
            f"{step} needs {shapes} {' or '.join(dtypes)} frames, got {frames.shape} {frames.dtype}"
            f"{'; ' * bool(hint)}{hint}"
        )
    return frames


def position(step: str, what: str, index: int | None, count: int, *, default: int) -> int:
    """Return an index into ``count`` frames, or ``default`` where there is none.

    Raises:
        DataError: It points outside: the loader or an earlier step broke it.
    """
    if index is None:
        return default
    if not 0 <= index < count:
        raise DataError(f"{step}: {what} is {index}, but the clip has frames 0 to {count - 1}")
    return index


def gray(frame: NDArray[Any]) -> NDArray[Any]:
    """Return one frame (H, W, 3) RGB or (H, W, 1) as (H, W), weighted as OpenCV does (ITU-R BT.601)."""
    import cv2

    return frame[..., 0] if frame.shape[-1] == 1 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def each(frames: NDArray[Any], action: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
    """Apply an action to each frame; OpenCV drops a single channel's axis, which is put back.

    Frames are independent, so that any number of threads gives the same bytes. As many as OpenCV may use
    (``cv2.setNumThreads``) share a large clip: OpenCV's own threads divide one image, and a face is too small for them.

    Args:
        frames: Frames (T, H, W, C).
        action: From a frame (H, W, C) to an image of the same shape and type for every frame; called in any thread.
    """
    import cv2

    first = action(frames[0])
    results = np.empty((len(frames), *first.shape), first.dtype)
    results[0] = first

    def run(numbers: range) -> None:
        for number in numbers:
            results[number] = action(frames[number])

    threads = min(cv2.getNumThreads(), len(frames) - 1) if frames.nbytes >= BYTES_FOR_THREADS else 1
    if threads > 1:
        with ThreadPoolExecutor(threads, thread_name_prefix="frames") as pool:
            list(pool.map(run, [range(start, len(frames), threads) for start in range(1, threads + 1)]))
    else:
        run(range(1, len(frames)))
    return results[..., None] if results.ndim == 3 else results
