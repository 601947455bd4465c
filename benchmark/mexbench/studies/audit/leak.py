"""The interface of a leak: trainings to run, predictions to compare, and the score of random predictors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mexbench.fingerprint import digest_files
from mexbench.metrics.classification import replicated, scores
from mexbench.runs.run_folder import StoredResult
from mexbench.studies.audit.cases import Case, Job, Predicted

#: Counts (runs, subjects, K, K) and weights of subjects (replicates, subjects) -> UF1 and UAR (replicates,).
Scorer = Callable[[NDArray[np.int64], NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]
#: ``uf1`` and ``uar`` of random predictors -> (simulations,).
Null = Mapping[str, NDArray[np.float64]]
#: Job's place -> its results.
JobResults = Mapping[str, Sequence[StoredResult]]
#: How often a random predictor is asked.
SIMULATIONS = 1_000


def pooled(counts: NDArray[np.int64], weights: NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
    """Score as every ordinary run does: counts of all folds together, the mean over runs."""
    return replicated(counts, weights)


@dataclass(frozen=True)
class Pair:
    """Honest and leaky predictions of the same samples; -1 where a run does not test a sample.

    Args:
        honest: (runs, n).
        leaky: (runs, n), run by run against the honest ones.
        scorer: How the leaky ones are scored; the honest ones are pooled.
    """

    honest: Predicted
    leaky: Predicted
    scorer: Scorer = pooled

    @property
    def on_common_samples(self) -> tuple[Predicted, Predicted]:
        """Both sides, -1 outside the samples that both test."""
        common = (self.honest >= 0) & (self.leaky >= 0)
        return np.where(common, self.honest, -1), np.where(common, self.leaky, -1)


@dataclass(frozen=True)
class AuditLeak(ABC):
    """One way to an inflated score. Docstrings are for readers of the code; ``what`` is for readers of the table."""

    #: As ``--leaks`` names it.
    name: ClassVar[str]
    #: In the taxonomy; None where it is not leakage.
    number: ClassVar[str | None]
    #: What is done wrong, in one sentence.
    what: ClassVar[str]
    #: One sentence: what the honest side of the comparison is.
    twin: ClassVar[str] = "the honest run"
    #: Scores that it changes.
    touches: ClassVar[tuple[str, ...]] = ("uf1", "uar")

    def adapt(self, case: Case) -> Case:
        """Return the case that this leak is measured on, where it is not the run's own."""
        return case

    def inapplicable_reason(self, case: Case) -> str | None:
        """Return why this leak cannot be measured on this case, or None where it can."""
        del case
        return None

    def jobs(self, case: Case) -> Sequence[Job]:
        """Return what must be trained."""
        del case
        return ()

    @abstractmethod
    def compare(self, case: Case, honest: Predicted, results: JobResults) -> Pair:
        """Compare, once every job is done.

        Args:
            case: The case.
            honest: The run's own predictions.
            results: Of ``jobs``, by place.
        """

    def null(self, case: Case, honest: Predicted, rng: np.random.Generator) -> Null | None:
        """Score predictors that draw each answer by the classes' frequencies, under this leak.

        Returns:
            None where the leak does nothing for them: they learn nothing, so nothing can leak into what they learn.
        """
        del case, honest, rng
        return None

    def null_key(self, case: Case) -> tuple[object, ...]:
        """Return what decides ``null`` besides the samples and the number of epochs; models that share it share one."""
        del case
        return ()

    def note(self, case: Case) -> str:
        """Return what a reader of this row must know."""
        del case
        return ""


def recipe(leak: AuditLeak, **settings: object) -> list[object]:
    """Return what else decides a leak's results: its settings and the code of its module."""
    import sys

    file = sys.modules[type(leak).__module__].__file__ or ""
    return [leak.name, settings, digest_files([Path(file)])]


def frequencies(case: Case) -> NDArray[np.float64]:
    """Return the share of each class among the samples (K,)."""
    return np.bincount(case.y, minlength=len(case.classes)) / len(case.y)


def draw(case: Case, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int8]:
    """Draw answers by the classes' frequencies."""
    edges = np.cumsum(frequencies(case))[:-1]
    uniform = rng.random(shape, dtype=np.float32)
    answers = np.zeros(shape, dtype=np.int8)
    for edge in edges:
        answers += uniform >= edge
    return answers


def confusions(case: Case, answers: NDArray[np.int8], tested: NDArray[np.intp]) -> NDArray[np.int64]:
    """Count answers (simulations, tested) against the truth: (simulations, K, K)."""
    k = len(case.classes)
    cell = np.arange(len(answers))[:, None] * k * k + case.y[tested] * k + answers
    return np.bincount(cell.ravel(), minlength=len(answers) * k * k).reshape(-1, k, k)


def score_random(case: Case, tested: Sequence[NDArray[np.intp]], rng: np.random.Generator) -> Null:
    """Score random predictors on each set of tested samples, and average over the sets."""
    scored = [scores(confusions(case, draw(case, (SIMULATIONS, len(part)), rng), part)) for part in tested]
    return {name: np.mean([scores_of_part[name] for scores_of_part in scored], axis=0) for name in ("uf1", "uar")}
