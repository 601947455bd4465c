"""The cast of a stand-in: who acts which clip, and how it is recorded."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from mexbench_plugins.synth import emotions, faces
from mexbench_plugins.synth.action_units import ActionUnit
from mexbench_plugins.synth.clips import Camera, Take, Timing
from mexbench_plugins.synth.expression import express
from mexbench_plugins.synth.faces import SyntheticFace
from mexbench_plugins.synth.standin_options import StandIn


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
