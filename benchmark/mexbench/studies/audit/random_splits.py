"""Splits that put one person on both sides: random frames and random clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mexbench.studies.audit.cases import Case, Job, Predicted
from mexbench.studies.audit.leak import AuditLeak, JobResults, Null, Pair, recipe, score_random

Sides = tuple[NDArray[np.intp], NDArray[np.intp]]
#: The papers' 70:30.
TEST_SHARE = 0.3


def random_split(units: Sequence[str], repeat: int) -> Sides:
    """Divide samples 70:30, whole units at a time.

    Args:
        units: Name of the unit that must not be divided, for each sample (n,).
        repeat: Number of the draw.

    Returns:
        Positions of the training and of the test side, rising.
    """
    names, unit = np.unique(units, return_inverse=True)
    drawn = np.random.default_rng([2023, repeat]).permutation(len(names))
    test = np.isin(unit, drawn[: max(1, round(TEST_SHARE * len(names)))])
    return np.flatnonzero(~test), np.flatnonzero(test)


@dataclass(frozen=True)
class RandomSplit(AuditLeak):
    """Base of both random splits.

    Args:
        repeats: How often the split is drawn; scores are averaged.
    """

    repeats: int = 5
    number: ClassVar[str | None] = "L3.2"
    twin: ClassVar[str] = "the honest run, on the samples that the random split tests"

    def units(self, case: Case) -> list[str]:
        """Return the unit that is not divided, for each sample."""
        raise NotImplementedError

    def folds(self, case: Case) -> Mapping[str, Sides]:
        """Return each draw of the split."""
        return {f"repeat {index + 1}": random_split(self.units(case), index) for index in range(self.repeats)}

    def jobs(self, case: Case) -> Sequence[Job]:
        """Train on every draw."""
        folds = self.folds(case)
        return [case.job(f"{self.name}/leaky", recipe=recipe(self), folds=folds)]

    def compare(self, case: Case, honest: Predicted, results: JobResults) -> Pair:
        """Compare on the samples of each draw's test side."""
        order = {name: index for index, name in enumerate(self.folds(case))}
        leaky = case.predicted(results[f"{self.name}/leaky"], order)
        per_seed = len(honest) // len(case.seeds)
        seed, repeat = np.divmod(np.arange(len(leaky)), self.repeats)
        return Pair(honest[seed * per_seed + repeat % per_seed], leaky)

    def null(self, case: Case, honest: Predicted, rng: np.random.Generator) -> Null:
        """Answer at random on each draw's test side."""
        del honest
        return score_random(case, [test for _, test in self.folds(case).values()], rng)

    def note(self, case: Case) -> str:
        """Return the share and the number of draws."""
        del case
        return f"70:30, {self.repeats} draw" + "s" * (self.repeats > 1)


@dataclass(frozen=True)
class FrameSplit(RandomSplit):
    """Frames of one clip are on both sides.

    Args:
        frames: Row -> the same row with frames for samples, where the run's own samples are clips, or why there is
            no such row; rows whose samples are frames are not in it.
    """

    name: ClassVar[str] = "frame-split"
    what: ClassVar[str] = "frames split at random, so that frames of one clip train and test"
    frames: Mapping[str, Case | str] = field(default_factory=dict)

    def adapt(self, case: Case) -> Case:
        """Return the run whose samples are frames."""
        frames = self.frames.get(case.model, case)
        return case if isinstance(frames, str) else frames

    def inapplicable_reason(self, case: Case) -> str | None:
        """Exclude data without frames."""
        frames = self.frames.get(case.model)
        return frames if isinstance(frames, str) else None

    def units(self, case: Case) -> list[str]:
        """Every frame is its own unit."""
        return [sample.sample_id for sample in case.samples]

    def jobs(self, case: Case) -> Sequence[Job]:
        """Train honestly on the frames too, where the run itself has clips."""
        if case.model not in self.frames:
            return super().jobs(case)
        return [*super().jobs(case), case.job(self._twin, recipe=recipe(self), folds_per_group=case.folds_per_group)]

    def compare(self, case: Case, honest: Predicted, results: JobResults) -> Pair:
        """Compare with the honest predictions of the same frames."""
        if case.model in self.frames:
            honest = case.predicted(results[self._twin], case.repeats)
        return super().compare(case, honest, results)

    def note(self, case: Case) -> str:
        """Return how many frames a clip has."""
        each = len(case.samples) / len({sample.clip_id for sample in case.samples})
        return f"{super().note(case)}; {each:.1f} frames of each clip" + " on both sides" * (case.model in self.frames)

    @property
    def _twin(self) -> str:
        return f"{self.name}/honest"


@dataclass(frozen=True)
class ClipSplit(RandomSplit):
    """Clips of one person are on both sides."""

    name: ClassVar[str] = "clip-split"
    what: ClassVar[str] = "clips split at random, so that clips of one person train and test"

    def units(self, case: Case) -> list[str]:
        """A clip stays whole."""
        return [sample.clip_id for sample in case.samples]
