"""Tasks that cost next to nothing, in a module that worker processes can import."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mexbench.interfaces import Clip, Dataset, Model, Predictor, Sample

SUBJECTS = 100
MILLISECOND = 1e-3


class Points(Dataset):
    """Two clips of each of a hundred people."""

    def label_map(self) -> Mapping[str, str]:
        return {"sad": "negative", "glad": "positive"}

    def samples(self) -> Sequence[Sample]:
        return [
            Sample(sample_id=f"{s}/{emotion}", clip_id=f"{s}/{emotion}", subject=s, dataset="points", emotion=emotion)
            for s in (f"points/s{number:03}" for number in range(SUBJECTS))
            for emotion in ("sad", "glad")
        ]

    def load(self, sample: Sample) -> Clip:
        digits = [float(ord(letter)) for letter in sample.sample_id[-7:]]
        return Clip(frames=np.array([digits], dtype=np.float32))


@dataclass(frozen=True, kw_only=True)
class Millisecond(Model):
    """Compute for a millisecond, then score at random."""

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        end = time.thread_time() + MILLISECOND
        while time.thread_time() < end:
            pass
        return lambda test: np.random.default_rng([seed, len(x)]).random((len(test), n_classes))
