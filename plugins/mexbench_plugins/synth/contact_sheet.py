"""A clip at a glance: five moments and, below each, what has changed since the onset, amplified."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth.clips import Take

_INK, _PAPER = (30, 30, 30), (245, 245, 243)
_TILE = 240
_BAND, _FOOT = 30, 34
_GAP = 6
#: Factor by which differences are amplified; printed on the sheet.
AMPLIFIED = 8


def moments(take: Take) -> list[tuple[str, int]]:
    """Return the frames that a sheet shows, by name: onset, two on the way, apex, half-way back, offset."""
    timing = take.timing
    third, two_thirds = (timing.onset + max(round(timing.rise * share), 1) for share in (0.4, 0.65))
    back = timing.apex + max(timing.fall // 2, 1)
    return [
        ("onset", timing.onset), ("rising", third), ("rising", two_thirds), ("apex", timing.apex),
        ("fading", back), ("offset", timing.offset),
    ]  # fmt: skip


def draw(take: Take, frames: Sequence[NDArray[np.uint8]], title: str) -> NDArray[np.uint8]:
    """Draw the sheet (H, W, 3), RGB.

    Args:
        take: The clip.
        frames: Its recorded frames at ``moments(take)``.
        title: A line on top.
    """
    crop = _crop(take)
    neutral = take.performed(0.0)
    curve = take.timing.intensity()
    columns = []
    for (name, index), frame in zip(moments(take), frames, strict=True):
        changed = take.performed(float(curve[index]), fading=index > take.timing.apex).astype(np.int16) - neutral
        picture = _tile(frame, crop)
        difference = _tile(np.clip(128 + AMPLIFIED * changed, 0, 255).astype(np.uint8), crop)
        label = f"{name}  {index + 1}"
        columns.append(np.vstack([_text(label, picture.shape[1], _BAND), picture, _space(picture), difference]))
    gap = np.full((columns[0].shape[0], _GAP, 3), _PAPER, np.uint8)
    row = np.hstack([part for column in columns for part in (column, gap)][:-1])
    foot = f"below: change since the onset x {AMPLIFIED}, before the camera; frame numbers from 1"
    sheet = np.vstack([_text(title, row.shape[1], _FOOT, 0.6), row, _text(foot, row.shape[1], _FOOT)])
    return cv2.copyMakeBorder(sheet, _GAP, _GAP, _GAP, _GAP, cv2.BORDER_CONSTANT, value=_PAPER).astype(np.uint8)


def _crop(take: Take) -> tuple[int, int, int, int]:
    height, width = take.face.image.shape[:2]
    left, top, right, bottom = take.face.geometry.box(width, height)
    margin = int(0.3 * take.face.geometry.unit)
    return max(left - margin, 0), max(top - margin, 0), min(right + margin, width), min(bottom + margin, height)


def _tile(frame: NDArray[np.uint8], crop: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    left, top, right, bottom = crop
    part = frame[top:bottom, left:right]
    size = (_TILE, max(round(_TILE * part.shape[0] / part.shape[1]), 1))
    shrink = part.shape[1] > _TILE
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC).astype(np.uint8)


def _space(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.full((_GAP, picture.shape[1], 3), _PAPER, np.uint8)


def _text(text: str, width: int, height: int, size: float = 0.5) -> NDArray[np.uint8]:
    band = np.full((height, width, 3), _PAPER, np.uint8)
    ascii_text = text.encode("ascii", "replace").decode()  # OpenCV's letters know no others
    place = (4, height - height // 3)
    cv2.putText(band, ascii_text, place, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)
    return band
