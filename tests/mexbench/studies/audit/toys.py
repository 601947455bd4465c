"""Data on which a leak must show, and a model with epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mexbench.config.run_config import RunConfig
from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation.executors.base import InProcess
from mexbench.interfaces import Clip, Dataset, EpochsModel, Predictor, Sample
from mexbench.registry.catalogue import Catalogue
from mexbench.runs.run_folder import RunFolder
from mexbench.studies.audit.audit import Audit
from mexbench.studies.audit.cases import Case, cases, honest_parts
from mexbench.studies.audit.leak import AuditLeak
from tests.helpers import config_of, entry, sample, with_plugins


@dataclass(frozen=True, kw_only=True)
class Faces(Dataset):
    """Clips of noise: what can be learned is who, or which clip, and never the emotion of another person.

    Args:
        subjects: How many.
        clips: Of each.
        features: Of a frame.
        length: Frames of a clip.
        labels: clip draws each clip's class at random, subject gives all clips of a person one class.
        rare: Share of the rarer class where clips are drawn.
        who: How much a person looks like himself.
    """

    subjects: int = 8
    clips: int = 6
    features: int = 30
    length: int = 1
    labels: Literal["clip", "subject"] = "clip"
    rare: float = 0.5
    who: float = 0.0

    def label_map(self) -> Mapping[str, str]:
        return {"sad": "negative", "glad": "positive"}

    def samples(self) -> Sequence[Sample]:
        rng = np.random.default_rng(11)
        result = []
        for subject in range(self.subjects):
            for clip in range(self.clips):
                glad = subject % 2 if self.labels == "subject" else rng.random() < self.rare
                result.append(sample(f"toy/p{subject}/c{clip}", emotion="glad" if glad else "sad"))
        return result

    def frame_numbers(self, sample: Sample) -> Sequence[int]:
        return range(self.length) if self.length > 1 else ()

    def load(self, sample: Sample) -> Clip:
        subject, clip = (int(part[1:]) for part in sample.clip_id.split("/")[1:])
        person = np.random.default_rng([1, subject]).normal(size=self.features)
        frames = np.random.default_rng([2, subject, clip]).normal(size=(self.length, self.features)) * 0.1
        own = np.random.default_rng([3, subject, clip]).normal(size=self.features)
        return Clip(frames=(self.who * person + own + frames).astype(np.float32))

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        return Clip(frames=self.load(sample).frames[list(numbers)])


@dataclass(frozen=True, kw_only=True)
class Coin(EpochsModel):
    """Another guess in every epoch, the same for no two samples; the last epoch's is what ``fit`` gives."""

    source = "tests"
    epochs: int = 10

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        return guesses(seed, self.epochs, n_classes)

    def fit_epochs(
        self, x: Any, y: Any, train_masks: Any, *, n_classes: int, groups: Any, seed: int  # noqa: ANN401
    ) -> Iterator[Sequence[Predictor]]:  # fmt: skip
        for epoch in range(1, self.epochs + 1):
            yield [guesses(seed, epoch, n_classes) for _ in train_masks]


def guesses(seed: int, epoch: int, n_classes: int) -> Predictor:
    def predict(test: Any) -> Any:  # noqa: ANN401
        keys = np.abs(test.reshape(len(test), -1)[:, 0] * 1e6).astype(int)
        scores = [np.random.default_rng([seed, epoch, key]).dirichlet(np.ones(n_classes)) for key in keys]
        return np.array(scores).reshape(len(test), n_classes)

    return predict


def catalogue(builtin: Catalogue) -> Catalogue:
    return with_plugins(builtin, entry("dataset", Faces), entry("model", Coin))


def config(builtin: Catalogue, dataset: str, model: str, *, more: str = "") -> RunConfig:
    text = f"dataset: {dataset}\nprotocol: loso\nmodels: [{model}]\nseeds: [0, 1]\n{more}"
    return config_of(text, catalogue(builtin))


def audit(tmp_path: Any, config: RunConfig, *leaks: AuditLeak) -> Audit:  # noqa: ANN401
    """Run honestly, then train what the leaks need."""
    plan = planning.plan(config)
    folder = RunFolder(tmp_path)
    assert engine.run(plan, folder, InProcess()) == []
    finished = Audit(cases(honest_parts(plan), config), leaks, folder, tmp_path / "audit")
    finished.train(finished.jobs(), InProcess(), lambda job, outcome: None)
    assert finished.failures == []
    return finished


def one_case(config: RunConfig) -> Case:
    return cases(planning.plan(config).parts, config)[0]
