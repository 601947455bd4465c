"""A protocol: which samples train and which test."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mexbench.interfaces.plugin import Plugin
from mexbench.interfaces.sample import Sample


class Protocol(Plugin, ABC):
    """Which samples train and which test."""

    @property
    def subject_independent(self) -> bool:
        """Whether disjoint subjects are promised: then a fold that breaks the promise is refused, else flagged."""
        return True

    @property
    def case_study(self) -> CaseStudySpec | None:
        """Which data set models are only applied to, labelled or not; None where every sample needs a label."""
        return None

    def label_map(self, label_map: Mapping[str, str]) -> Mapping[str, str]:
        """Return emotion -> class for this protocol: the dataset's own map unless the protocol has another."""
        return label_map

    @abstractmethod
    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        """Split samples, which come sorted by id and labelled, those of a case study aside.

        Raises:
            ProtocolError: The protocol cannot be carried out on these samples, with the reason.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStudySpec:
    """What a protocol says that only applies models to a data set, instead of testing them on it.

    Args:
        dataset: The member that models are applied to. Its samples may lack an emotion, or have one without a class:
            they are predicted and have ``label`` None, so no score counts them.
        reference_run: Folder of a run that tested the same models honestly, whose scores a reader must see; None for
            none.
    """

    dataset: str
    reference_run: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One train-test split, by sample id.

    Args:
        name: Unique within the run; under LOSO the held-out subject.
        train: Sample ids that a model is fitted on.
        test: Sample ids that it then predicts, once.
        repeat: Which draw of the same split this is part of, from 0. A sample is tested at most once in each; scores
            are pooled within a repeat and averaged over repeats. A fold of a repeated split has a name that starts
            with ``repeat N``, N from 1, which separates the repeats in the predictions.
    """

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    repeat: int = 0
