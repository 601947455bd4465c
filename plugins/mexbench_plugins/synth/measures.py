"""What a clip is held to: the person stays the same, and the expression rises to its apex and fades."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth import faces
from mexbench_plugins.synth.clips import STILL, Take
from mexbench_plugins.synth.faces import SyntheticFace
from mexbench_plugins.synth.numerics import Plane

#: Others that an apex frame is compared with; the seed of the face itself is passed over.
_GALLERY = (90001, 90002, 90003, 90004, 90005, 90006)
_SIDE = 64


@dataclass(frozen=True, kw_only=True)
class IdentityPreservation:
    """How much of the person is left at the apex, measured on recorded frames, sensor noise and drift included.

    Args:
        ssim: Structural similarity of onset and apex in the face, outside the action units; 1 is the same.
        correlation: Pearson's correlation of the same pixels; None where they are all alike.
        changed_outside: Greatest change of a pixel outside the action units, before the camera; 0 by construction.
        distance: Distance from the apex to the person's own neutral face, brightness and contrast evened out.
        nearest_other: The same distance to the nearest of several other people.
        nearer_to_self: Whether the apex lies nearer to its own neutral than to anybody else's.
    """

    ssim: float
    correlation: float | None
    changed_outside: int
    distance: float
    nearest_other: float
    nearer_to_self: bool


@dataclass(frozen=True, kw_only=True)
class Monotonicity:
    """How steadily the face leaves neutral and returns, measured on frames before the camera.

    Args:
        rising: Share of the steps from onset to apex in which the change does not shrink.
        falling: Share of the steps from apex to offset in which it does not grow.
        spearman_rise: Rank correlation of time and change, onset to apex; None where nothing changes.
        spearman_fall: The same from apex to offset; -1 is a steady fall.
        apex_change: Mean change at the apex inside the action units, in grey levels.
    """

    rising: float
    falling: float
    spearman_rise: float | None
    spearman_fall: float | None
    apex_change: float


def identity_preservation(take: Take, onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> IdentityPreservation:
    """Compare the apex with the onset, and with other people.

    Args:
        take: The clip.
        onset: Its recorded onset frame (H, W, 3).
        apex: Its recorded apex frame.
    """
    height, width = onset.shape[:2]
    left, top, right, bottom = take.face.geometry.box(width, height)
    mask = take.expression.mask(width, height)
    outside = np.zeros_like(mask)
    outside[top:bottom, left:right] = ~mask[top:bottom, left:right]
    one, two = (_gray(frame) for frame in (onset, apex))
    clean = np.abs(take.performed(1.0).astype(np.int16) - take.face.image.astype(np.int16)).max(axis=2)
    own = _vector(apex, take.face)
    distance = _far(own, _vector(onset, take.face))
    nearest = min(_far(own, _stranger(seed)) for seed in _GALLERY if seed != take.face.seed)
    # Nothing is left to compare where the action units cover the whole face: then all of it counts.
    chosen = outside if outside.any() else np.ones_like(outside)
    return IdentityPreservation(
        ssim=float(_ssim(one, two)[chosen].mean()),
        correlation=_correlation(one[chosen], two[chosen]),
        changed_outside=int(clean[~mask].max(initial=0)),
        distance=distance,
        nearest_other=nearest,
        nearer_to_self=distance < nearest,
    )


def monotonicity(take: Take) -> Monotonicity:
    """Measure the mean change inside the action units, frame by frame, from the onset to the offset."""
    still = Take(take.face, take.expression, take.timing, STILL)
    left, top, right, bottom = take.expression.box
    neutral = take.face.image[top:bottom, left:right].astype(np.int16)
    moving = take.expression.mask(*take.face.image.shape[1::-1])[top:bottom, left:right]
    timing = take.timing
    change = []
    curve = timing.intensity()
    for index in range(timing.onset, timing.offset + 1):
        frame = still.performed(float(curve[index]), fading=index > timing.apex)[top:bottom, left:right]
        difference = np.abs(frame.astype(np.int16) - neutral)
        change.append(float(difference[moving].mean()) if moving.any() else 0.0)
    rise, fall = np.array(change[: timing.rise + 1]), np.array(change[timing.rise :])
    return Monotonicity(
        rising=float((np.diff(rise) >= 0).mean()),
        falling=float((np.diff(fall) <= 0).mean()),
        spearman_rise=_correlation(np.arange(len(rise)), _ranks(rise)),
        spearman_fall=_correlation(np.arange(len(fall)), _ranks(fall)),
        apex_change=change[timing.rise],
    )


def _gray(frame: NDArray[np.uint8]) -> Plane:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _vector(frame: NDArray[np.uint8], face: SyntheticFace) -> Plane:
    left, top, right, bottom = face.geometry.box(frame.shape[1], frame.shape[0])
    small = cv2.resize(_gray(frame[top:bottom, left:right]), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return (small - small.mean()) / max(float(small.std()), 1e-6)


@functools.cache
def _stranger(seed: int) -> Plane:
    other = faces.builtin(seed, width=160, height=120)
    return _vector(other.image, other)


def _far(one: Plane, other: Plane) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


def _ssim(one: Plane, two: Plane) -> Plane:
    """Return the map of structural similarity with the window and constants of Wang et al. (2004)."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def mean(plane: Plane) -> Plane:
        """Weigh the neighbourhood with a Gaussian of 11 x 11 pixels."""
        return cv2.GaussianBlur(plane, (11, 11), 1.5).astype(np.float32)

    m1, m2 = mean(one), mean(two)
    v1, v2, v12 = mean(one * one) - m1 * m1, mean(two * two) - m2 * m2, mean(one * two) - m1 * m2
    return ((2 * m1 * m2 + c1) * (2 * v12 + c2)) / ((m1 * m1 + m2 * m2 + c1) * (v1 + v2 + c2))


def _correlation(one: NDArray[np.generic], two: NDArray[np.generic]) -> float | None:
    a, b = np.asarray(one, np.float64), np.asarray(two, np.float64)
    if a.size < 2 or not (a.std() and b.std()):
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 0, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts) + (last - 1))[inverse] / 2
