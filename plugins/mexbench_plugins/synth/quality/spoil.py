"""Clips that are bad on purpose, each in one way: what a measure is worth is seen on the clip that it should fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench.errors import ConfigError
from mexbench_plugins.synth import faces
from mexbench_plugins.synth.action_units import ACTIONS, ActionUnit
from mexbench_plugins.synth.clips import Take
from mexbench_plugins.synth.expression import Expression, express
from mexbench_plugins.synth.geometry import Geometry
from mexbench_plugins.synth.quality.recording import Recording, record
from mexbench_plugins.synth.quality.tracking import OUTSIDE

_OTHER_SEED = 77_123


def spoil(take: Take, kind: str) -> Recording:
    """Return a recording of a take that is spoiled in one way, and is announced as if it were not.

    Args:
        take: A good one.
        kind: One of ``kinds.NOTICED_BY``.

    Raises:
        ConfigError: The clip cannot be spoiled so: a symmetric one is the same backwards.
    """
    makers: Mapping[str, Callable[[Take], Recording]] = {
        "jump": _jump, "glitch": _glitch, "other-identity": _other_identity, "motion-outside": _motion_outside,
        "reversed-direction": _reversed_direction, "reversed-time": _reversed_time, "unreal-motion": _unreal_motion,
    }  # fmt: skip
    return makers[kind](take)


def _jump(take: Take) -> Recording:
    """Hold the face at a tenth of the way to the apex, and leap to nine tenths."""
    good = record(take)
    timing = take.timing
    amounts = timing.intensity()[timing.onset : timing.apex + 1]
    low, high = (timing.onset + int(np.argmax(amounts >= share)) for share in (0.1, 0.9))
    middle = (low + high) // 2
    frames = list(good.frames)
    frames[low : middle + 1] = [frames[low]] * (middle + 1 - low)
    frames[middle + 1 : high + 1] = [frames[high]] * (high - middle)
    return replace(good, frames=frames)


def _glitch(take: Take) -> Recording:
    """Scramble one frame of the fall in blocks, as a damaged stream shows it."""
    good = record(take)
    frames = list(good.frames)
    index = (take.timing.apex + take.timing.offset) // 2
    left, top, right, bottom = take.face.geometry.box(*good.still.shape[1::-1])
    frame = frames[index].copy()
    height, width = bottom - top, right - left
    size = max(height // 6, 2)
    for row in range(top, bottom - size, 2 * size):
        frame[row : row + size, left:right] = np.roll(frames[index][row : row + size, left:right], width // 3, axis=1)
    frames[index] = frame
    return replace(good, frames=frames)


def _other_identity(take: Take) -> Recording:
    """Let another person act, laid into the same place; the photo stays the first one's."""
    height, width = take.face.image.shape[:2]
    other = faces.builtin(_OTHER_SEED, width=width, height=height)
    place, own = take.face.geometry, other.geometry
    scale = place.unit / own.unit
    matrix = cv2.getRotationMatrix2D((own.x, own.y), -(place.tilt - own.tilt), scale)
    matrix[:, 2] += (place.x - own.x, place.y - own.y)
    image = cv2.warpAffine(other.image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    face = replace(take.face, image=np.asarray(image, np.uint8))
    return replace(record(replace(take, face=face)), still=take.face.image)


def _motion_outside(take: Take) -> Recording:
    """Move another part of the face as well: the action unit that changes most where nothing was announced."""
    height, width = take.face.image.shape[:2]
    place = take.face.geometry
    scale = take.expression.peak() / max(express((ActionUnit(12),), place, width, height).peak(), 1e-9)
    candidates = [express((ActionUnit(number),), place, width, height, intensity=scale) for number in ACTIONS]
    announced = take.expression
    margin = round(OUTSIDE * place.unit)
    seen = max(candidates, key=lambda one: _visible_outside(one, announced, take.face.image, margin))
    return replace(record(replace(take, expression=_together(announced, seen))), expression=announced)


def _reversed_direction(take: Take) -> Recording:
    """Move every part the other way."""
    backwards = replace(
        take.expression, dx=-take.expression.dx, dy=-take.expression.dy,
        fade=None if take.expression.fade is None else (-take.expression.fade[0], -take.expression.fade[1]),
    )  # fmt: skip
    return replace(record(replace(take, expression=backwards)), expression=take.expression)


def _reversed_time(take: Take) -> Recording:
    """Play the clip backwards, so that it rises as long as it was announced to fade."""
    timing = take.timing
    away = abs(timing.lead + timing.rise - timing.tail - timing.fall)
    if away <= 0.25 * (timing.rise + timing.fall):
        raise ConfigError(
            f"--spoil reversed-time: rise {timing.rise} and fall {timing.fall} are so alike that the clip is the same "
            "backwards; give --rise 20 --fall 40"
        )
    good = record(take)
    return replace(good, frames=list(good.frames)[::-1])


def _unreal_motion(take: Take) -> Recording:
    """Announce and show what no face does: a whirl with stripes, as large as the expression was."""
    geometry = take.face.geometry
    height, width = take.face.image.shape[:2]
    box = geometry.box(width, height)
    whirl = _stripes(geometry, box)
    scale = np.float32(take.expression.peak() / max(float(np.hypot(*whirl).max(initial=0.0)), 1e-9))
    shown = Expression(box, scale * whirl[0], scale * whirl[1], np.zeros_like(whirl[0]), (), label="none")
    return record(replace(take, expression=shown))


def _stripes(geometry: Geometry, box: tuple[int, int, int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    x, y = geometry.grid(box)
    fade = np.clip(1 - (x / 0.95) ** 2 - ((y - 0.35) / 1.1) ** 2, 0, 1)
    return (
        (fade * np.sign(np.sin(9 * y)) * np.abs(np.sin(9 * y)) ** 0.5).astype(np.float32),
        (fade * np.sin(9 * x)).astype(np.float32),
    )


def _together(one: Expression, other: Expression) -> Expression:
    left, top = (min(one.box[side], other.box[side]) for side in (0, 1))
    right, bottom = (max(one.box[side], other.box[side]) for side in (2, 3))
    box = (left, top, right, bottom)

    def laid(expression: Expression, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Lay a plane into the common box."""
        full = np.zeros((bottom - top, right - left), np.float32)
        inner = expression.box
        full[inner[1] - top : inner[3] - top, inner[0] - left : inner[2] - left] = plane
        return full

    planes = [
        laid(one, a) + laid(other, b)
        for a, b in ((one.dx, other.dx), (one.dy, other.dy), (one.shade, other.shade))
    ]  # fmt: skip
    fade = None
    if one.fade is not None:
        fade = (laid(one, one.fade[0]) + laid(other, other.dx), laid(one, one.fade[1]) + laid(other, other.dy))
    return Expression(box, planes[0], planes[1], planes[2], one.aus, fade=fade, label=one.label)


def _visible_outside(one: Expression, announced: Expression, image: NDArray[np.uint8], margin: int) -> float:
    """Return how much a motion changes where none was announced within ``margin`` pixels.

    It is the sum of its lengths, weighed by gradients.
    """
    own, other = (_full_length(expression, image.shape) for expression in (one, announced))
    rows, columns = np.gradient(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32))
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    still = cv2.dilate((other >= 0.1 * other.max()).astype(np.uint8), kernel) == 0
    return float((np.hypot(rows, columns) * own)[still].sum())


def _full_length(expression: Expression, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the lengths of a motion over the whole picture (H, W)."""
    full = np.zeros(shape[:2], np.float32)
    left, top, right, bottom = expression.box
    full[top:bottom, left:right] = np.hypot(expression.dx, expression.dy)
    return full
