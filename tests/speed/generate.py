"""Speed of the generator: frames per second at 640x480, noise, drift and flicker included.

The peer does the same without care: per frame, every pixel of the picture is warped by two full planes of positions,
shaded in floating point, and given noise of its own.

    python tests/speed/generate.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth import faces
from mexbench_plugins.synth.action_units import parse
from mexbench_plugins.synth.clips import Camera, Take, Timing
from mexbench_plugins.synth.expression import express

WIDTH, HEIGHT, TARGET = 640, 480, 60


def peer(take: Take) -> Iterator[NDArray[np.uint8]]:
    """Render a clip by warping whole frames."""
    rng = np.random.default_rng(take.seed)
    left, top, right, bottom = take.expression.box
    dx, dy, shade = (np.zeros((HEIGHT, WIDTH), np.float32) for _ in range(3))
    for full, part in ((dx, take.expression.dx), (dy, take.expression.dy), (shade, take.expression.shade)):
        full[top:bottom, left:right] = part
    for amount in take.timing.intensity():
        columns, rows = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
        drift = rng.normal(0, take.camera.drift, 2)
        to_x = (columns - amount * dx - drift[0]).astype(np.float32)
        to_y = (rows - amount * dy - drift[1]).astype(np.float32)
        frame = cv2.remap(take.face.image, to_x, to_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        lit = frame * (1 - amount * shade)[..., None] * rng.normal(1, take.camera.flicker)
        yield np.clip(lit + rng.normal(0, take.camera.noise, frame.shape), 0, 255).astype(np.uint8)


def speed(frames: Callable[[], Iterator[NDArray[np.uint8]]], repeats: int = 3) -> float:
    """Return frames per second, the best of a few."""
    best = 0.0
    for _ in range(repeats):
        start = time.perf_counter()
        count = sum(1 for _ in frames())
        best = max(best, count / (time.perf_counter() - start))
    return best


def main() -> None:
    """Print the figures."""
    face = faces.builtin(1, width=WIDTH, height=HEIGHT)
    shown = express(parse("4+6+12"), face.geometry, WIDTH, HEIGHT)
    take = Take(face, shown, Timing(lead=5, rise=25, fall=25, tail=5), Camera())
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        ours, theirs = speed(take.frames), speed(lambda: peer(take))
        print(
            f"{threads} thread(s): {ours:.0f} frames/s (target {TARGET}), full-frame peer {theirs:.0f} frames/s, "
            f"{ours / theirs:.1f} times faster"
        )
    start = time.perf_counter()
    faces.builtin(2, width=WIDTH, height=HEIGHT)
    print(f"a new face of {WIDTH}x{HEIGHT}: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
