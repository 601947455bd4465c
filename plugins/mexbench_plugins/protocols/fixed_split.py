"""The split that the data was published with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import MinLen

from mexbench.errors import ProtocolError, counted, listed, unknown
from mexbench.interfaces import Fold, Protocol, Sample

Parts = Annotated[tuple[str, ...], MinLen(1)]


@dataclass(frozen=True, kw_only=True)
class FixedSplit(Protocol):
    """Models are trained on some parts of a published split and tested on others, each of which is a fold.

    A part is named by the data: training, testA and testB of DFME, the folders train and test of an image folder, the
    column ``part`` of ``features``. Samples of parts that are not named are not used. A subject who is in a training
    and in a test part is refused, or flagged; without subjects in the data every row is flagged ``unknown-subjects``.

    Args:
        train: Parts that train.
        test: Parts that test; the scores of each are listed by fold, and pooled.
        shared_subjects: refuse stops where a subject is on both sides, and names them; flag runs all the same, flagged
            and not ranked.
    """

    source = (
        "the split of the data's authors: Zhao et al., DFME, IEEE Transactions on Affective Computing 15(3), 2024, "
        "whose parts training, testA and testB have no subject in common"
    )

    train: Parts = ("train",)
    test: Parts = ("test",)
    shared_subjects: Literal["refuse", "flag"] = "refuse"

    def __post_init__(self) -> None:
        """Refuse a part that is named twice.

        Raises:
            ValueError: One is.
        """
        if both := sorted(set(self.train) & set(self.test)):
            raise ValueError(f"{listed(both)} cannot both train and test")
        if len({*self.train, *self.test}) < len(self.train) + len(self.test):
            raise ValueError(f"train {list(self.train)}, test {list(self.test)}: a part is named twice")

    @property
    def subject_independent(self) -> bool:
        """Whether nobody may be on both sides."""
        return self.shared_subjects == "refuse"

    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        """Return one fold per test part."""
        parts = sorted({sample.part for sample in samples if sample.part is not None})
        if not parts:
            raise ProtocolError(
                "no sample names a part of a published split: choose another protocol, or a data set that has one "
                "(dfme, image_folder with train and test, features with a column part)"
            )
        for name in (*self.train, *self.test):
            if name not in parts:
                raise ProtocolError(unknown("part", name, parts))
        train = [sample for sample in samples if sample.part in self.train]
        if self.shared_subjects == "refuse":
            for name in self.test:
                _check_shared(train, [sample for sample in samples if sample.part == name], name)
        return [
            Fold(
                name=f"{'+'.join(self.train)} to {name}",
                train=tuple(sample.sample_id for sample in train),
                test=tuple(sample.sample_id for sample in samples if sample.part == name),
            )
            for name in self.test
        ]


def _check_shared(train: Sequence[Sample], test: Sequence[Sample], part: str) -> None:
    trained = {sample.subject: str(sample.part) for sample in train if sample.subject is not None}
    shared = sorted({str(sample.subject) for sample in test if sample.subject in trained})
    if shared:
        clips = sum(sample.subject in trained for sample in test)
        names = listed([f"{subject} (in {trained[subject]})" for subject in shared], limit=8)
        raise ProtocolError(
            f"part {part!r}: {counted(len(shared), 'subject')}, with {clips} of its {counted(len(test), 'sample')}, "
            f"also in training: {names}; correct the parts, or set 'shared_subjects: flag' to run it flagged"
        )
