"""Toys that many test modules play with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mexbench.config import document
from mexbench.config.loader import from_document
from mexbench.config.run_config import RunConfig
from mexbench.interfaces import Clip, Dataset, Fold, Protocol, Sample
from mexbench.registry.catalogue import Catalogue, CatalogueEntry

ROOT = Path(__file__).resolve().parent.parent
#: PYTHONPATH of a process that must find the tests and both packages, installed or not.
SEARCH_PATH = os.pathsep.join(str(path) for path in (ROOT, ROOT / "benchmark", ROOT / "plugins"))


def flow_image(seed: int) -> np.ndarray:
    """A flow image (28, 28, 3), uint8, RGB = u, v, strain."""
    return np.random.default_rng(seed).integers(0, 256, size=(28, 28, 3), dtype=np.uint8)


def write_flow(root: Path, clips: Mapping[str, Sequence[int]]) -> Path:
    """Write a pack: subject -> the class of each of its clips."""
    seed = 0
    for subject, classes in clips.items():
        for index, label in enumerate(classes):
            seed += 1
            folder = root / subject / "u_test" / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{subject}_c{index:02} .png"), flow_image(seed)[..., ::-1])
    return root


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def entry(kind: str, cls: type, name: str | None = None) -> CatalogueEntry:
    return CatalogueEntry(kind=kind, name=name or cls.__name__.lower(), target=cls, distribution="tests 1.0")


def with_plugins(catalogue: Catalogue, *entries: CatalogueEntry) -> Catalogue:
    return Catalogue(entries=(*catalogue.entries, *entries))


def config_of(text: str, catalogue: Catalogue) -> RunConfig:
    return from_document(document.parse(text, "test.yaml", {}), catalogue, name="test")


def sample(name: str, *, subject: str | None = None, emotion: str | None = "negative", **fields: object) -> Sample:
    """A sample ``toy/SUBJECT/CLIP``; the subject is read from the name unless given."""
    known = {"sample_id": name, "clip_id": name, "dataset": "toy", "emotion": emotion}
    return Sample(**{**known, "subject": subject or name.rpartition("/")[0], **fields})


@dataclass(frozen=True, kw_only=True)
class Toy(Dataset):
    """Two emotions, features that hold the truth: whoever reads x can be perfect.

    Args:
        subjects: How many.
        clips: Clips per subject.
        reverse: Whether to name samples in the opposite order.
    """

    subjects: int = 3
    clips: int = 4
    reverse: bool = False

    def label_map(self) -> Mapping[str, str]:
        return {"sad": "negative", "angry": "negative", "glad": "positive"}

    def samples(self) -> Sequence[Sample]:
        emotions = ["sad", "glad", "angry", "glad"]
        result = [
            sample(f"toy/p{s}/c{c}", emotion=emotions[c % 4]) for s in range(self.subjects) for c in range(self.clips)
        ]
        return result[::-1] if self.reverse else result

    def load(self, sample: Sample) -> Clip:
        subject, clip = (int(part[1:]) for part in sample.sample_id.split("/")[1:])
        truth = 1.0 if sample.emotion == "glad" else -1.0
        return Clip(frames=np.array([[truth, subject, clip]], dtype=np.float32))


@dataclass(frozen=True, kw_only=True)
class ClipSplit(Protocol):
    """Clips 2 and 3 test: subjects stand on both sides, and the protocol does not promise otherwise."""

    @property
    def subject_independent(self) -> bool:
        return False

    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        test = tuple(s.sample_id for s in samples if int(s.sample_id[-1]) >= 2)
        return [Fold(name="late", train=tuple(s.sample_id for s in samples if s.sample_id not in test), test=test)]
