"""A protocol: which samples train and which test."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

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
        train: Sample ids that a model is fitted on: a tuple, or an ``AllExcept``.
        test: Sample ids that it then predicts, once.
        repeat: Which draw of the same split this is part of, from 0. A sample is tested at most once in each; scores
            are pooled within a repeat and averaged over repeats. A fold of a repeated split has a name that starts
            with ``repeat N``, N from 1, which separates the repeats in the predictions.
    """

    name: str
    train: Sequence[str]
    test: tuple[str, ...]
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class AllExcept(Sequence[str]):
    """All sample ids except a few, in their order: the training side of one of many folds, each of which holds few out.

    A tuple for each fold would take room for folds x samples: 320 MB for 2,000 subjects with ten clips each.

    Args:
        ids: Sample ids; the same tuple in every fold.
        excluded: Positions in ``ids`` of those that are held out.
    """

    ids: tuple[str, ...]
    excluded: frozenset[int]

    def __len__(self) -> int:
        return len(self.ids) - len(self.excluded)

    def __iter__(self) -> Iterator[str]:
        edges = [-1, *sorted(self.excluded), len(self.ids)]
        return itertools.chain.from_iterable(
            self.ids[before + 1 : after] for before, after in itertools.pairwise(edges)
        )

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return tuple(self)[index]
