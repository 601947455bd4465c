"""The data in k parts, each of which tests once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge

from mexbench.errors import ProtocolError, counted
from mexbench.interfaces import Fold, Protocol, Sample
from mexbench_plugins.protocols._split import UNIT, Group, SplitUnits


@dataclass(frozen=True, kw_only=True)
class KFold(Protocol):
    """The data is divided into k parts at random; each in turn is the test side, the others train.

    With ``group: none`` or ``clip``, people stand on both sides: the run is flagged and not ranked.

    Args:
        k: Number of parts.
        repeats: How often it is divided anew; scores are pooled over the parts and averaged over repeats.
        stratified: Whether each part is to hold each class in its share, as nearly as whole groups allow.
        group: What stays together: none divides samples (frames where 'unit: frame'), clip clips, subject people.
        seed: Of the division.
    """

    source = "textbook cross-validation; with 'group: subject' the cheaper relative of leave-one-subject-out"

    k: Annotated[int, Ge(2)] = 5
    repeats: Annotated[int, Ge(1)] = 1
    stratified: bool = True
    group: Group = "subject"
    seed: Annotated[int, Ge(0)] = 0

    @property
    def subject_independent(self) -> bool:
        """Only whole subjects keep people apart."""
        return self.group == "subject"

    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        """Return k folds per repeat."""
        units = SplitUnits.of(samples, self.group)
        units.require(stratified=self.stratified, fewest=self.k, wanted=f"{self.k} folds")
        folds = []
        for repeat in range(self.repeats):
            rng = np.random.default_rng([self.seed, repeat])
            part = units.deal([1 / self.k] * self.k, stratified=self.stratified, rng=rng)
            if len(set(part.tolist())) < self.k:
                raise ProtocolError(
                    f"{counted(len(units), UNIT[self.group])}: too unequal for {self.k} parts of like size: one part "
                    "is empty; choose fewer folds"
                )
            prefix = f"repeat {repeat + 1}, " if self.repeats > 1 else ""
            folds += [
                Fold(
                    name=f"{prefix}fold {index + 1}",
                    train=units.ids(part != index),
                    test=units.ids(part == index),
                    repeat=repeat,
                )
                for index in range(self.k)
            ]
        return folds
