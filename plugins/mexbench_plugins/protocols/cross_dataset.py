"""Train on one data set, test on another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mexbench.errors import ProtocolError, listed, unknown
from mexbench.interfaces import Fold, Protocol, Sample

Mode = Literal["leave_one_out", "one_way", "both_ways"]
_NEGATIVE = ("negative", "repression", "anger", "contempt", "disgust", "fear", "sadness")
#: Emotion -> class of MEGC2019, for CASME II, SAMM and SMIC; others are excluded.
MEGC3: Mapping[str, str] = {
    **dict.fromkeys(_NEGATIVE, "negative"),
    **dict.fromkeys(("positive", "happiness"), "positive"),
    "surprise": "surprise",
}


@dataclass(frozen=True, kw_only=True)
class CrossDataset(Protocol):
    """Models are trained on some data sets and tested on others, which they share their classes with.

    The data sets are the members of the config's ``dataset``: of a list of several, or of a composite such as
    megc2019_flow.

    Args:
        mode: leave_one_out tests on each member in turn, trained on all others; one_way trains on 'train' and tests on
            'test'; both_ways does that and the reverse.
        train: Members that train, with one_way and both_ways.
        test: Members that test, with one_way and both_ways.
        classes: The common classes, as a mapping of emotion to class; other emotions are excluded. megc3 is
            the map of MEGC2019 (negative, positive, surprise); dataset takes the data's own classes.
    """

    source = "See et al., MEGC 2019, FG 2019 (three classes); Yap et al., MEGC 2018, FG 2018 (holdout-database)"

    mode: Mode = "leave_one_out"
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    classes: Literal["dataset", "megc3"] | dict[str, str] = "dataset"

    def __post_init__(self) -> None:
        """Refuse members that the mode has no use for, or does not get."""
        if self.mode == "leave_one_out" and (self.train or self.test):
            raise ValueError("mode leave_one_out takes every member in turn: leave out 'train' and 'test'")
        if self.mode != "leave_one_out" and not (self.train and self.test):
            raise ValueError(f"mode {self.mode} needs the members that 'train' and those that 'test'")
        both = sorted(set(self.train) & set(self.test))
        if both:
            raise ValueError(f"{listed(both)} cannot both train and test")
        if isinstance(self.classes, dict) and len(set(self.classes.values())) < 2:
            raise ValueError("'classes' needs at least two classes")

    def label_map(self, label_map: Mapping[str, str]) -> Mapping[str, str]:
        """Return the common classes."""
        if isinstance(self.classes, dict):
            return dict(self.classes)
        return MEGC3 if self.classes == "megc3" else label_map

    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        """Return one fold per held-out member, or per direction."""
        members = sorted({sample.dataset for sample in samples})
        if len(members) < 2:
            raise ProtocolError(
                f"needs at least two data sets, the samples are all of {members[0]!r}: give 'dataset' a list of several"
            )
        for name in (*self.train, *self.test):
            if name not in members:
                raise ProtocolError(unknown("member", name, members))
        if self.mode == "leave_one_out":
            sides = [(tuple(other for other in members if other != member), (member,)) for member in members]
        else:
            sides = [(self.train, self.test)]
            sides += [(self.test, self.train)] if self.mode == "both_ways" else []
        return [_fold(samples, train, test) for train, test in sides]


def _fold(samples: Sequence[Sample], train: Sequence[str], test: Sequence[str]) -> Fold:
    trained = [sample for sample in samples if sample.dataset in train]
    tested = [sample for sample in samples if sample.dataset in test]
    known = {sample.label for sample in trained}
    strange = sorted({str(sample.emotion) for sample in tested if sample.label not in known})
    if strange:
        raise ProtocolError(
            f"no training member ({listed(train)}) has the class of {listed(strange)}, which {listed(test)} tests: "
            "give 'classes' a map to classes that all members have, such as megc3"
        )
    return Fold(
        name=f"{'+'.join(train)} to {'+'.join(test)}",
        train=tuple(sample.sample_id for sample in trained),
        test=tuple(sample.sample_id for sample in tested),
    )
