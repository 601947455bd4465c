"""The cast of a stand-in: who acts which clip, and how it is recorded."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_type_hints

import cv2
import numpy as np
from annotated_types import Ge, Gt, Le

from mexbench.errors import ConfigError
from mexbench_plugins.synth import emotions, faces
from mexbench_plugins.synth.action_units import ActionUnit
from mexbench_plugins.synth.clips import Camera, Take, Timing
from mexbench_plugins.synth.expression import express
from mexbench_plugins.synth.faces import SyntheticFace


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A generated data set.

    Args:
        subjects: Number of people.
        clips: Clips per person, on average: some have two, some three times the average, as in the real data.
        width: Width of a frame in pixels.
        height: Height of a frame in pixels.
        frames: Frames per clip, on average, from the onset to the offset.
        quality: JPEG quality, 1-100.
        intensity: Amplitude of the expressions; 1 moves a face of 210 pixels by two to three pixels.
        variety: How much strength differs between two showings of the same action unit, as a share.
        seed: Another seed is another cast.
        cast: random draws the numbers of people and clips; megc2019, for casme2, samm and smic, takes the subjects,
            clips and classes of the challenge's list, whatever ``subjects`` and ``clips`` say.
    """

    subjects: Annotated[int, Ge(2)] = 26
    clips: Annotated[int, Ge(2)] = 8
    width: Annotated[int, Ge(160)] = 320
    height: Annotated[int, Ge(120)] = 240
    frames: Annotated[int, Ge(6)] = 15
    quality: Annotated[int, Ge(1), Le(100)] = 95
    intensity: Annotated[float, Gt(0), Le(5)] = 1.2
    variety: Annotated[float, Ge(0), Le(1)] = 0.3
    seed: Annotated[int, Ge(0)] = 0
    cast: Literal["random", "megc2019"] = "random"

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            value = getattr(self, name)
            for bound in getattr(hint, "__metadata__", ()):
                low = (
                    value >= bound.ge if isinstance(bound, Ge) else value > bound.gt if isinstance(bound, Gt) else True
                )
                if not low or (isinstance(bound, Le) and value > bound.le):
                    raise ConfigError(f"stand-in: {name} = {value!r} must satisfy {bound}")
        if self.width < 0.8 * self.height:
            raise ConfigError(f"stand-in: width = {self.width} must be at least 0.8 of height = {self.height}")


@dataclass(frozen=True, eq=False)
class Scene:
    """One clip of a stand-in, before it is rendered.

    Args:
        subject: Number of the person, from 0.
        index: Number of the clip among the person's, from 0.
        emotion: Its emotion, in the words of the data set.
        aus: The action units shown.
        strengths: A factor for each of them.
        take: What to render.
        listed: Subject and file name where a published list gives them.
    """

    subject: int
    index: int
    emotion: str
    aus: tuple[ActionUnit, ...]
    strengths: tuple[float, ...]
    take: Take
    listed: tuple[str, str] | None = None


@dataclass(frozen=True)
class PublishedClip:
    """One clip of a published list.

    Args:
        subject: The subject as the list has it: ``sub01``.
        filename: The clip: ``EP02_01f``.
        emotion: The data set's word for its emotion.
    """

    subject: str
    filename: str
    emotion: str


def scenes(options: StandIn, frequencies: Mapping[str, int], identities: str = "") -> Iterator[Scene]:
    """Yield every clip, person by person; each is drawn from its own seed.

    Args:
        options: The data set to make.
        frequencies: How often each emotion occurs, by its word.
        identities: Where the people are drawn from; by default the words of ``frequencies``.
    """
    # Another data set has another cast: people who appear in two would be on both sides of a test across them.
    source = identities or " ".join(frequencies)
    rng = np.random.default_rng([options.seed, 0xCA57, zlib.crc32(source.encode())])
    counts = clip_counts(options, rng)
    words = emotions.allocate(frequencies, sum(counts))
    rng.shuffle(words)
    people = rng.choice(100_000, options.subjects, replace=False)
    for subject, count in enumerate(counts):
        face = faces.builtin(int(people[subject]), width=options.width, height=options.height)
        for index in range(count):
            yield _scene(options, face, subject, index, words.pop())


def listed_scenes(options: StandIn, clips: Sequence[PublishedClip], identities: str) -> Iterator[Scene]:
    """Yield the clips of a published list, person by person.

    Args:
        options: The data set to make; its numbers of people and clips do not count.
        clips: The list, sorted by subject.
        identities: Where the people are drawn from.
    """
    rng = np.random.default_rng([options.seed, 0xCA57, zlib.crc32(identities.encode())])
    subjects = list(dict.fromkeys(clip.subject for clip in clips))
    people = rng.choice(100_000, len(subjects), replace=False)
    for number, subject in enumerate(subjects):
        face = faces.builtin(int(people[number]), width=options.width, height=options.height)
        for index, clip in enumerate(one for one in clips if one.subject == subject):
            scene = _scene(options, face, number, index, clip.emotion)
            yield replace(scene, listed=(clip.subject, clip.filename))


def clip_counts(options: StandIn, rng: np.random.Generator) -> list[int]:
    """Draw how many clips each person has: two or more, uneven, and the average that the options ask for."""
    spare = options.subjects * (options.clips - 2)
    shares = rng.dirichlet(np.full(options.subjects, 2.0))
    return [int(2 + extra) for extra in rng.multinomial(spare, shares)]


def _scene(options: StandIn, face: SyntheticFace, subject: int, index: int, emotion: str) -> Scene:
    rng = np.random.default_rng([options.seed, 0x5CE4E, subject, index])
    size = options.width / 320
    sitting = faces.posed(
        face,
        shift=(float(rng.normal(0, 3.5 * size)), float(rng.normal(0, 2.5 * size))),
        scale=float(rng.normal(1, 0.02)),
        turn=float(rng.normal(0, 1.2)),
    )
    sitting = _relit(sitting, rng)
    aus = emotions.draw(emotion, rng)
    strengths = tuple(min(max(float(rng.normal(1, options.variety)), 0.3), 2.0) for _ in aus)
    shown = express(
        aus, sitting.geometry, options.width, options.height,
        intensity=options.intensity, strengths=strengths,
    )  # fmt: skip
    length = max(round(options.frames * float(rng.uniform(0.8, 1.25))), 5) - 1
    rise = min(max(round(length * float(rng.uniform(0.35, 0.6))), 2), length - 2)
    timing = Timing(lead=0, rise=rise, fall=length - rise, tail=0)
    camera = Camera(noise=1.5, drift=0.15 * size, flicker=0.004)
    return Scene(
        subject, index, emotion, aus, strengths, Take(sitting, shown, timing, camera, int(rng.integers(2**31)))
    )


def _relit(face: SyntheticFace, rng: np.random.Generator) -> SyntheticFace:
    """Change the light a little, as between two recordings: its strength, and its fall across the picture."""
    height, width = face.image.shape[:2]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * np.float32(rng.normal(0, 0.06))
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(rng.normal(0, 0.04))
    gain = (np.float32(rng.normal(1, 0.05)) + across + down)[..., None]
    tint = np.array([1 + rng.normal(0, 0.012), 1.0, 1 + rng.normal(0, 0.012)], np.float32)
    image = cv2.multiply(face.image.astype(np.float32), (gain * tint).astype(np.float32))
    return SyntheticFace(np.clip(image + 0.5, 0, 255).astype(np.uint8), face.geometry, face.name, face.seed)
