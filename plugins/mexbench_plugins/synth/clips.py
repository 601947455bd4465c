"""From a still face to a clip: the expression rises from neutral to its apex and fades, seen by a real camera."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench.errors import ConfigError
from mexbench_plugins.synth.expression import Expression
from mexbench_plugins.synth.faces import SyntheticFace
from mexbench_plugins.synth.geometry import Box
from mexbench_plugins.synth.numerics import Plane, ramp

_MARGIN = 24  # rows and columns by which the noise is larger than a frame


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When things happen, in frames.

    Args:
        lead: Neutral frames before the onset.
        rise: Steps from the onset to the apex.
        fall: Steps from the apex to the offset.
        tail: Neutral frames after the offset.
    """

    lead: int = 10
    rise: int = 30
    fall: int = 40
    tail: int = 10

    def __post_init__(self) -> None:
        if min(self.lead, self.tail) < 0 or min(self.rise, self.fall) < 1:
            raise ConfigError(f"timing {self}: lead and tail must be 0 or more, rise and fall 1 or more")

    @property
    def onset(self) -> int:
        """Position of the last frame before anything moves."""
        return self.lead

    @property
    def apex(self) -> int:
        """Position of the frame of greatest intensity."""
        return self.lead + self.rise

    @property
    def offset(self) -> int:
        """Position of the first frame that is neutral again."""
        return self.lead + self.rise + self.fall

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.offset + 1 + self.tail

    def intensity(self) -> NDArray[np.float64]:
        """Return the share of the apex in each frame (frames,): raised cosines, 0 until the onset and past the fall."""
        up = 0.5 - 0.5 * np.cos(np.pi * np.arange(self.rise) / self.rise)
        down = 0.5 + 0.5 * np.cos(np.pi * np.arange(self.fall) / self.fall)
        return np.concatenate([np.zeros(self.lead), up, down, np.zeros(1 + self.tail)])


@dataclass(frozen=True, kw_only=True)
class Camera:
    """What a recording adds to a performance. Each part is switched off by 0.

    Args:
        noise: Standard deviation of the sensor's noise, in grey levels.
        drift: Standard deviation of the head's slow movement, in pixels.
        flicker: Standard deviation of the light, as a share.
    """

    noise: float = 1.5
    drift: float = 0.15
    flicker: float = 0.004

    def __post_init__(self) -> None:
        if min(self.noise, self.drift, self.flicker) < 0:
            raise ConfigError(f"camera {self}: nothing can be negative")


#: The performance alone: for measuring it.
STILL = Camera(noise=0.0, drift=0.0, flicker=0.0)


@dataclass(frozen=True, eq=False)
class Take:
    """One clip, rendered frame by frame.

    Args:
        face: Who acts.
        expression: What is acted.
        timing: When.
        camera: What the recording adds.
        seed: Source of what the camera adds.
    """

    face: SyntheticFace
    expression: Expression
    timing: Timing = Timing()
    camera: Camera = Camera()
    seed: int = 0

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames (H, W, 3), RGB, in order. The same take yields the same frames."""
        rng = np.random.default_rng([self.seed, 0xCA4E])
        count = self.timing.frames
        drift = self.camera.drift * _wander(rng, count)
        light = 1 + self.camera.flicker * (0.8 * _wander(rng, count)[:, 0] + 0.6 * rng.standard_normal(count))
        grain = self._grain(rng)
        for index, amount in enumerate(self.timing.intensity()):
            frame = self._perform(float(amount), drift[index], fading=index > self.timing.apex)
            if self.camera.flicker:
                frame = np.asarray(cv2.LUT(frame, _gain(float(light[index]))), np.uint8)
            if grain is not None:
                top, left = rng.integers(0, _MARGIN, 2)
                part = grain[top : top + frame.shape[0], left : left + frame.shape[1]]
                turned = np.ascontiguousarray(part[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))])
                frame = np.asarray(cv2.add(frame, turned, dtype=cv2.CV_8U), np.uint8)
            yield frame

    def performed(self, amount: float, *, fading: bool = False) -> NDArray[np.uint8]:
        """Return the face at a share of the apex, before or after it, as it is before any camera."""
        return self._perform(amount, np.zeros(2), fading=fading)

    def _perform(self, amount: float, drift: NDArray[np.float64], *, fading: bool) -> NDArray[np.uint8]:
        """Warp what moves, and nothing else: with a camera that stands still, other pixels are untouched."""
        frame = self.face.image.copy()
        moves = bool(drift.any())
        if not (amount or moves):
            return frame
        box, columns, rows, head = self._head if moves else self._parts
        dx, dy = (self._spread(plane, box) for plane in self.expression.displacement(amount, fading=fading))
        to_x, to_y = columns - dx, rows - dy
        if moves:
            to_x, to_y = to_x - np.float32(drift[0]) * head, to_y - np.float32(drift[1]) * head
        part = cv2.remap(self.face.image, to_x, to_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        if amount:
            keep = 1 - np.float32(amount) * self._spread(self.expression.shade, box)
            part = np.clip(part * keep[..., None] + np.float32(0.5), 0, 255).astype(np.uint8)
        left, top, right, bottom = box
        frame[top:bottom, left:right] = part
        return frame

    @cached_property
    def _parts(self) -> tuple[Box, Plane, Plane, Plane]:
        """What moves by itself: its box, its pixels, and how far they follow the head."""
        columns, rows = _pixels(self.expression.box)
        return self.expression.box, columns, rows, np.ones_like(columns)

    @cached_property
    def _head(self) -> tuple[Box, Plane, Plane, Plane]:
        """The same for the whole head, which fades into a background that stands still."""
        height, width = self.face.image.shape[:2]
        place = self.face.geometry
        (x, y), reach = place.pixel(0, 0.1), 2.0 * place.unit
        left, top = max(int(x - 0.8 * reach), 0), max(int(y - reach), 0)
        right, bottom = min(int(x + 0.8 * reach), width), min(int(y + reach), height)
        inner = self.expression.box
        box = (min(left, inner[0]), min(top, inner[1]), max(right, inner[2]), max(bottom, inner[3]))
        u, v = place.grid(box)
        head = ramp(1.0, 0.75, np.sqrt((u / 1.5) ** 2 + ((v - 0.1) / 1.9) ** 2))
        return box, *_pixels(box), head.astype(np.float32)

    def _spread(self, plane: Plane, box: Box) -> Plane:
        """Lay a plane of the expression's box into a larger box, zero around it."""
        inner = self.expression.box
        if inner == box:
            return plane
        full = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
        full[inner[1] - box[1] : inner[3] - box[1], inner[0] - box[0] : inner[2] - box[0]] = plane
        return full

    def _grain(self, rng: np.random.Generator) -> NDArray[np.int16] | None:
        """Draw the sensor's noise once, larger than a frame; each frame gets another part of it, turned about."""
        if not self.camera.noise:
            return None
        height, width = self.face.image.shape[:2]
        noise = rng.standard_normal((height + _MARGIN, width + _MARGIN, 3), dtype=np.float32)
        return np.rint(noise * np.float32(self.camera.noise)).astype(np.int16)


def _pixels(box: Box) -> tuple[Plane, Plane]:
    left, top, right, bottom = box
    columns, rows = np.meshgrid(np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32))
    return columns, rows


def _wander(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return two slow random movements (count, 2) of standard deviation about 1."""
    time = np.linspace(0, 2 * np.pi, count)[:, None]
    total = np.zeros((count, 2))
    for speed in (0.4, 0.9, 1.7):
        total += np.sin(speed * rng.uniform(0.7, 1.3, 2) * time + rng.uniform(0, 2 * np.pi, 2))
    return total / np.sqrt(1.5)


def _gain(factor: float) -> NDArray[np.uint8]:
    return np.clip(np.arange(256) * factor + 0.5, 0, 255).astype(np.uint8)
