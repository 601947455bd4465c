"""Train on labelled data sets, describe what the models say about another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import MinLen

from mexbench.errors import ProtocolError, listed, unknown
from mexbench.interfaces import CaseStudySpec, Fold, Protocol, Sample


@dataclass(frozen=True, kw_only=True)
class CaseStudy(Protocol):
    """Models are trained on labelled data sets and applied to another, whose clips need no label.

    The page then has what is predicted, by condition and by subject; where labels exist, scores and a confusion
    matrix; and the cluster of action units that each clip falls in, where units are coded. Clips whose emotion is not a
    class are applied to as well and not scored. The data sets are the members of the config's ``dataset``, a list.

    Args:
        train: Members that train.
        apply: The member that models are applied to.
        classes: The classes, as a mapping of emotion to class; training clips of other emotions are excluded. By
            default each emotion has the class that its data set gives it. An emotion without a training clip is not a
            class.
        reference_run: Folder of a finished run that tested models of the same names under leave-one-subject-out. The
            page quotes their scores; without it, it says that nobody knows how often they are right.
    """

    source = "the case studies of HybridMicroNet (2023) and of the AU-CNN paper (2024), section 4.2.3"

    train: Annotated[tuple[str, ...], MinLen(1)]
    apply: str
    classes: dict[str, str] | None = None
    reference_run: Path | None = None

    def __post_init__(self) -> None:
        """Check that the fields agree with each other."""
        if self.apply in self.train:
            raise ValueError(f"{self.apply!r} cannot both train and be applied to")
        if self.classes is not None and len(set(self.classes.values())) < 2:
            raise ValueError("'classes' needs at least two classes")

    @property
    def case_study(self) -> CaseStudySpec:
        """Return which member the models are applied to."""
        return CaseStudySpec(dataset=self.apply, reference_run=self.reference_run)

    def label_map(self, label_map: Mapping[str, str]) -> Mapping[str, str]:
        """Return the classes."""
        return label_map if self.classes is None else dict(self.classes)

    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        """Return one fold."""
        members = sorted({sample.dataset for sample in samples})
        for name in (*self.train, self.apply):
            if name not in members:
                raise ProtocolError(unknown("member", name, members))
        trained = [sample for sample in samples if sample.dataset in self.train]
        applied = [sample for sample in samples if sample.dataset == self.apply]
        known = {sample.label for sample in trained}
        strange = sorted({str(s.emotion) for s in applied if s.label is not None and s.label not in known})
        if strange:
            raise ProtocolError(
                f"no training member ({listed(self.train)}) has the class of {listed(strange)}, which {self.apply} "
                "has: give 'classes' the map of what is trained, or leave out the member that trains nothing"
            )
        name = f"{'+'.join(self.train)} to {self.apply}"
        return [Fold(name=name, train=tuple(s.sample_id for s in trained), test=tuple(s.sample_id for s in applied))]
