"""Long videos of a procedural face: neutral stretches, head motion, blinks, and expressions at known times.

What a spotter may confuse with an expression is in them on purpose: the head wanders and nods, lids close, the light
flickers, and some videos have no expression at all.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench.interfaces import Interval
from mexbench.interfaces.video import IntervalKind
from mexbench_plugins.synth import emotions, faces
from mexbench_plugins.synth.action_units import ActionUnit, parse
from mexbench_plugins.synth.expression import express
from mexbench_plugins.synth.faces import SyntheticFace
from mexbench_plugins.synth.geometry import Box
from mexbench_plugins.synth.numerics import Plane

#: A micro-expression lasts at most half a second; a macro-expression of a stand-in .8 to 2 s.
MICRO_SECONDS, MACRO_SECONDS = (0.3, 0.5), (0.8, 2.0)
#: Neutral seconds that at least lie between two expressions.
GAP_SECONDS = 0.7
_BLINK_SECONDS, _NOD_SECONDS = 0.23, (0.6, 1.5)
_EMOTIONS = ("happiness", "disgust", "surprise", "repression", "sadness")


@dataclass(frozen=True, eq=False)
class LongEvent:
    """One expression, blink or nod.

    Args:
        onset: Position of the last frame before it begins.
        apex: Position of its greatest intensity.
        offset: Position of the first frame after it.
        aus: Action units that it consists of; () for a nod.
        strength: Amplitude of those at the apex; 1 moves a face of 210 pixels by two to three pixels.
        shift: Where the head moves at the apex, in pixels; (0, 0) for all but nods.
        kind: Micro- or macro-expression; None for a blink or a nod.
        emotion: Of an expression.
    """

    onset: int
    apex: int
    offset: int
    aus: tuple[ActionUnit, ...] = ()
    strength: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    kind: IntervalKind | None = None
    emotion: str | None = None

    def amount(self, frame: int) -> float:
        """Return the share of the apex in a frame: raised cosines up and down."""
        if not self.onset < frame < self.offset:
            return 0.0
        if frame <= self.apex:
            return float(0.5 - 0.5 * np.cos(np.pi * (frame - self.onset) / (self.apex - self.onset)))
        return float(0.5 + 0.5 * np.cos(np.pi * (frame - self.apex) / (self.offset - self.apex)))


@dataclass(frozen=True, kw_only=True)
class LongVideoSpec:
    """How long videos are made.

    Args:
        width: Width of a frame in pixels.
        height: Height of a frame in pixels.
        seconds: Length of a video.
        fps: Frames per second.
        micro: Micro-expressions in a video that has any expression.
        macro: Macro-expressions in it.
        intensity: Amplitude of micro-expressions; macro-expressions have two to three times as much.
        noise: Standard deviation of the sensor's noise, in grey levels.
        drift: Standard deviation of the head's slow movement, in pixels.
        nods: Larger movements of the head per minute.
        blinks: Blinks per minute.
    """

    width: int = 240
    height: int = 180
    seconds: float = 30.0
    fps: int = 30
    micro: int = 3
    macro: int = 2
    intensity: float = 2.0
    noise: float = 1.5
    drift: float = 0.3
    nods: float = 2.0
    blinks: float = 10.0

    @property
    def n_frames(self) -> int:
        """Number of frames of a video."""
        return round(self.seconds * self.fps)


@dataclass(frozen=True)
class LongScript:
    """What happens in a long video, before any face is painted.

    Args:
        spec: How it is made.
        person: Seed of the face: the same person sits down again for each of its videos.
        events: In any order.
        seed: Source of how the person sits and of what the camera adds.
    """

    spec: LongVideoSpec
    person: int
    events: tuple[LongEvent, ...]
    seed: int

    def intervals(self, first: int = 1) -> tuple[Interval, ...]:
        """Return the expressions as they are annotated, with the number of the first frame of the video."""
        shown = [event for event in self.events if event.kind is not None]
        return tuple(
            Interval(
                onset=event.onset + first,
                apex=event.apex + first,
                offset=event.offset + first,
                kind=event.kind,
                emotion=event.emotion,
            )
            for event in sorted(shown, key=lambda event: event.onset)
            if event.kind is not None
        )

    def take(self) -> LongTake:
        """Paint the face and let it sit down."""
        rng = np.random.default_rng([self.seed, 0x517])
        face = faces.posed(
            _painted(self.person, self.spec.width, self.spec.height),
            shift=(float(rng.normal(0, 2.0)), float(rng.normal(0, 1.5))),
            scale=float(rng.normal(1, 0.02)),
            turn=float(rng.normal(0, 1.0)),
        )
        return LongTake(face, self)


@functools.lru_cache(maxsize=2)
def _painted(person: int, width: int, height: int) -> SyntheticFace:
    """Paint a face; the videos of a person are usually rendered one after the other."""
    return faces.builtin(person, width=width, height=height)


@dataclass(frozen=True, eq=False)
class LongTake:
    """One long video, rendered frame by frame; the same script yields the same frames.

    Args:
        face: Who acts.
        script: What happens.
    """

    face: SyntheticFace
    script: LongScript

    @property
    def spec(self) -> LongVideoSpec:
        """How it is made."""
        return self.script.spec

    def face_frames(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """Yield the face alone, cut by the same box in every frame, gray (size, size)."""
        box = self.face.geometry.box(self.spec.width, self.spec.height)
        gray = cv2.cvtColor(self.face.image, cv2.COLOR_RGB2GRAY)
        for frame in self._frames(np.asarray(gray, np.uint8), box):
            yield np.asarray(cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA), np.uint8)

    def gray_frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield whole frames (H, W), gray."""
        gray = cv2.cvtColor(self.face.image, cv2.COLOR_RGB2GRAY)
        yield from self._frames(np.asarray(gray, np.uint8), (0, 0, self.spec.width, self.spec.height))

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield whole frames (H, W, 3), RGB."""
        yield from self._frames(self.face.image, (0, 0, self.spec.width, self.spec.height))

    def _frames(self, image: NDArray[np.uint8], box: Box) -> Iterator[NDArray[np.uint8]]:
        left, top, right, bottom = box
        columns, rows = np.meshgrid(np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32))
        rng = np.random.default_rng([self.script.seed, 0x10A6])
        drift = self.spec.drift * _wander(rng, self.spec.n_frames, self.spec.fps)
        light = 1 + 0.004 * rng.standard_normal(self.spec.n_frames)
        events = self.script.events
        planes = [self._planes(event, box) for event in events]
        for index in range(self.spec.n_frames):
            dx, dy = (np.full(columns.shape, value, np.float32) for value in drift[index])
            keep = np.ones(columns.shape, np.float32)
            for event, plane in zip(events, planes, strict=True):
                if amount := np.float32(event.amount(index)):
                    dx += amount * (plane[0] + np.float32(event.shift[0]))
                    dy += amount * (plane[1] + np.float32(event.shift[1]))
                    keep -= amount * plane[2]
            part = cv2.remap(image, columns - dx, rows - dy, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            gain = keep * np.float32(light[index])
            lit = part * (gain if part.ndim == 2 else gain[..., None])
            if self.spec.noise:
                lit += np.float32(self.spec.noise) * rng.standard_normal(lit.shape, dtype=np.float32)
            yield np.clip(lit + 0.5, 0, 255).astype(np.uint8)

    @cached_property
    def _zero(self) -> Plane:
        return np.zeros((self.spec.height, self.spec.width), np.float32)

    def _planes(self, event: LongEvent, box: Box) -> tuple[Plane, Plane, Plane]:
        """Return an event's displacements and shade in the pixels of a box."""
        left, top, right, bottom = box
        events = []
        height, width = self.spec.height, self.spec.width
        shown = express(event.aus, self.face.geometry, width, height, intensity=event.strength) if event.aus else None
        for plane in (None, None, None) if shown is None else (shown.dx, shown.dy, shown.shade):
            full = self._zero
            if plane is not None and shown is not None:
                full = full.copy()
                x0, y0, x1, y1 = shown.box
                full[y0:y1, x0:x1] = plane
            events.append(full[top:bottom, left:right])
        return events[0], events[1], events[2]


def direct(spec: LongVideoSpec, *, person: int, seed: int, expressive: bool = True) -> LongScript:
    """Draw what happens in a video.

    Args:
        spec: How videos are made.
        person: Seed of the face.
        seed: Of this video.
        expressive: Whether there is any expression in it.
    """
    rng = np.random.default_rng([seed, 0xD12EC7])
    events = [*_blinks(spec, rng), *_nods(spec, rng)]
    if expressive:
        events += _expressions(spec, rng)
    return LongScript(spec, person, tuple(events), int(rng.integers(2**31)))


def _expressions(spec: LongVideoSpec, rng: np.random.Generator) -> list[LongEvent]:
    micro: list[IntervalKind] = ["micro"] * spec.micro
    macro: list[IntervalKind] = ["macro"] * spec.macro
    kinds: list[IntervalKind] = [*micro, *macro]
    rng.shuffle(kinds)
    lengths = [
        max(4, round(float(rng.uniform(*(MICRO_SECONDS if kind == "micro" else MACRO_SECONDS))) * spec.fps))
        for kind in kinds
    ]
    gap = round(GAP_SECONDS * spec.fps)
    spare = spec.n_frames - sum(lengths) - gap * (len(kinds) + 1)
    if spare < 0:
        raise ValueError(f"{len(kinds)} expressions do not fit into {spec.seconds:g} s")
    cuts = np.diff(np.sort(rng.integers(0, spare + 1, len(kinds))), prepend=0)
    events, at = [], 0
    for kind, length, cut in zip(kinds, lengths, cuts, strict=True):
        at += gap + int(cut)
        apex = at + max(2, round((length - 1) * float(rng.uniform(0.4, 0.6))))
        emotion = str(rng.choice(_EMOTIONS))
        aus = emotions.draw(emotion, rng)
        strength = spec.intensity * (1.0 if kind == "micro" else float(rng.uniform(2.0, 3.0)))
        strength *= float(rng.uniform(0.85, 1.2))
        events.append(LongEvent(at, apex, at + length - 1, aus, strength, kind=kind, emotion=emotion))
        at += length
    return events


def _blinks(spec: LongVideoSpec, rng: np.random.Generator) -> list[LongEvent]:
    """Close the upper lids for a quarter of a second: the upper lid raiser backwards."""
    lids = parse("5")
    length = max(4, round(_BLINK_SECONDS * spec.fps))
    starts = _starts(spec, spec.blinks, length, rng)
    return [LongEvent(start, start + length // 2, start + length, lids, -5.0) for start in starts]


def _nods(spec: LongVideoSpec, rng: np.random.Generator) -> list[LongEvent]:
    events = []
    for start in _starts(spec, spec.nods, round(_NOD_SECONDS[1] * spec.fps), rng):
        length = max(6, round(float(rng.uniform(*_NOD_SECONDS)) * spec.fps))
        shift = (float(rng.normal(0, 0.8)), float(rng.normal(0, 1.0)))
        events.append(LongEvent(start, start + length // 2, start + length, shift=shift))
    return events


def _starts(spec: LongVideoSpec, per_minute: float, length: int, rng: np.random.Generator) -> Sequence[int]:
    count = int(rng.poisson(per_minute * spec.seconds / 60))
    return sorted(int(start) for start in rng.integers(0, max(1, spec.n_frames - length - 1), count))


def _wander(rng: np.random.Generator, count: int, fps: int) -> NDArray[np.float64]:
    """Return two slow random movements (count, 2) of standard deviation about 1, with periods of 4 to 20 s."""
    time = np.arange(count)[:, None] / fps
    total = np.zeros((count, 2))
    for period in (4.0, 9.0, 20.0):
        total += np.sin(2 * np.pi * time / (period * rng.uniform(0.8, 1.2, 2)) + rng.uniform(0, 2 * np.pi, 2))
    return total / np.sqrt(1.5)
