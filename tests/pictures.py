"""Pictures that tests and speed scripts draw for themselves."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench.interfaces import Clip


def face_frame(
    *, size: tuple[int, int] = (480, 640), faces: tuple[tuple[int, int, int], ...] = ((320, 240, 220),), seed: int = 0
) -> NDArray[np.uint8]:
    """Draw faces, each (centre x, centre y, width of the head), with sensor noise: (H, W, 3) RGB."""
    image = np.full((*size, 3), (70, 85, 100), np.uint8)
    for x, y, width in faces:
        half = width // 2

        def blob(right: float, down: float, a: float, b: float, colour: tuple[int, int, int]) -> None:
            centre = (int(x + right * half), int(y + down * half))  # noqa: B023 - called within this turn
            axes = (max(1, int(a * half)), max(1, int(b * half)))  # noqa: B023
            cv2.ellipse(image, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)

        blob(0, -0.15, 1.0, 1.2, (50, 35, 30))  # hair
        blob(0, 0.1, 0.8, 1.1, (215, 170, 140))  # skin
        for side in (-1, 1):
            blob(side * 0.36, -0.2, 0.26, 0.13, (165, 120, 100))  # eye socket
            blob(side * 0.36, -0.36, 0.25, 0.05, (60, 40, 35))  # brow
            blob(side * 0.36, -0.17, 0.15, 0.07, (240, 235, 230))  # eye
            blob(side * 0.36, -0.17, 0.07, 0.07, (40, 30, 30))  # iris
            blob(side * 0.1, 0.22, 0.05, 0.04, (120, 70, 60))  # nostril
        blob(0, 0.05, 0.07, 0.2, (230, 190, 160))  # nose
        blob(0, 0.55, 0.3, 0.09, (150, 70, 70))  # mouth
    smooth = cv2.GaussianBlur(image, (0, 0), 2.5)
    noise = np.random.default_rng(seed).normal(0, 3, image.shape)
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


def texture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw a smooth random texture (H, W) that uses the whole range."""
    noise = np.random.default_rng(seed).random((height, width))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.round(255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


def noise_clip(
    *shape: int, seed: int = 0, levels: int = 256, onset_index: int | None = None, apex_index: int | None = None
) -> Clip:
    """Draw uint8 noise of a shape (T, H, W, C), locked as the engine locks what a step is given."""
    frames = np.random.default_rng(seed).integers(0, levels, shape).astype(np.uint8)
    return locked(frames, onset_index=onset_index, apex_index=apex_index)


def locked(
    frames: NDArray[np.generic],
    *,
    fps: float | None = 200.0,
    onset_index: int | None = None,
    apex_index: int | None = None,
    offset_index: int | None = None,
    notes: tuple[str, ...] = (),
) -> Clip:
    """Make a clip whose frames are read-only: a step that writes into its input fails."""
    frames.flags.writeable = False
    return Clip(
        frames=frames,
        fps=fps,
        onset_index=onset_index,
        apex_index=apex_index,
        offset_index=offset_index,
        notes=notes,
    )
