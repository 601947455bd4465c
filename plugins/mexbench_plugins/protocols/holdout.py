"""Part of the data tests, the rest trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

from mexbench.errors import ProtocolError, counted
from mexbench.interfaces import Fold, Protocol, Sample
from mexbench_plugins.protocols._split import UNIT, Group, SplitUnits


@dataclass(frozen=True, kw_only=True)
class Holdout(Protocol):
    """A share of the data, drawn at random, is the test side; the rest trains.

    With ``group: none`` this is the random split of frames by which papers report 90 to 99 %: frames of one clip, and
    of one person, stand on both sides, so the run is flagged and not ranked. The same holds for ``group: clip``.

    Args:
        test_share: Share of the samples that test: 0.3, 0.25 and 0.2 are the papers' 70:30, 75:25 and 80:20.
        repeats: How often it is drawn; scores are averaged over repeats.
        stratified: Whether both sides are to hold each class in its share, as nearly as whole groups allow.
        group: What stays together: none divides samples (frames where 'unit: frame'), clip clips, subject people.
        seed: Of the draw.
    """

    source = "the split by frames of the re-implemented papers; with 'group: subject' the usual honest holdout"

    test_share: Annotated[float, Gt(0), Lt(1)] = 0.3
    repeats: Annotated[int, Ge(1)] = 1
    stratified: bool = True
    group: Group = "subject"
    seed: Annotated[int, Ge(0)] = 0

    @property
    def subject_independent(self) -> bool:
        """Only whole subjects keep people apart."""
        return self.group == "subject"

    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        """Return one fold per repeat."""
        if not 0 < self.test_share < 1:
            raise ProtocolError(f"test_share must lie between 0 and 1, got {self.test_share}")
        units = SplitUnits.of(samples, self.group)
        units.require(stratified=self.stratified, fewest=2, wanted="a training and a test side")
        folds = []
        for repeat in range(self.repeats):
            rng = np.random.default_rng([self.seed, repeat])
            part = units.deal([1 - self.test_share, self.test_share], stratified=self.stratified, rng=rng)
            if len(set(part.tolist())) < 2:
                raise ProtocolError(
                    f"{counted(len(units), UNIT[self.group])} cannot be divided with a test share of "
                    f"{self.test_share}: one side is empty; choose a share nearer to one half"
                )
            name = f"repeat {repeat + 1}" if self.repeats > 1 else "holdout"
            folds.append(Fold(name=name, train=units.ids(part == 0), test=units.ids(part == 1), repeat=repeat))
        return folds
