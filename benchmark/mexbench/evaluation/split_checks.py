"""Does anything stand on both sides of a split? Asked of every fold before anything is trained."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from mexbench.data.duplicates import Pixels
from mexbench.data.perceptual_hash import as_words, near_groups, near_pairs
from mexbench.errors import ProtocolError, counted, listed
from mexbench.evaluation.sides import Positions, SampleIndex, Sharers
from mexbench.interfaces import Fold, Sample

DUPLICATE, NEAR = "duplicate", "near-duplicate"
#: The flag of a run some of whose samples have no subject: that its sides share nobody cannot be known.
UNKNOWN_SUBJECTS = "unknown-subjects"


@dataclass(frozen=True)
class SplitLeak:
    """Something that stands on both sides of a fold.

    Args:
        kind: ``subject``, ``clip``, ``duplicate`` (the same pixels under two ids) or ``near-duplicate`` (frames that
            differ as little as a picture and its re-encoded copy).
        fold: Name of the fold.
        train: Id of a sample on the training side.
        test: Id of a sample on the test side that shares it.
        what: The subject or clip, or a digest of the pixels.
    """

    kind: str
    fold: str
    train: str
    test: str
    what: str

    @property
    def flag(self) -> str:
        """The word that stands beside every score of the run."""
        return f"leak:{self.kind}"

    def __str__(self) -> str:
        """Name the two samples and what they share."""
        pixels = {DUPLICATE: "the same pixels", NEAR: "nearly the same frame"}
        shared = pixels.get(self.kind, f"{self.kind} {self.what!r}")
        return f"fold {self.fold!r}: {shared} on both sides: {self.train} trains, {self.test} tests"


def find_leaks(folds: Sequence[Fold], samples: Sequence[Sample], pixels: Pixels | None = None) -> list[SplitLeak]:
    """Find what stands on both sides: at most one leak of each kind per fold.

    Args:
        folds: The splits, which passed ``check_folds``.
        samples: The samples of the run.
        pixels: What the samples' pixels are compared by; without it, duplicates are not looked for.
    """
    index = SampleIndex([sample.sample_id for sample in samples])
    traits = {
        "subject": [sample.subject for sample in samples],
        "clip": [sample.clip_id for sample in samples],
    }
    looks = None
    if pixels is not None:
        traits[DUPLICATE] = list(pixels.digests)
        looks = _Looks.of(index, pixels)
    sharers = {kind: Sharers.of(values) for kind, values in traits.items()}
    leaks = []
    for fold in folds:
        train, test = index.positions(fold.train), index.positions(fold.test)
        trains = index.mask(train)
        for kind, shared in sharers.items():
            tested = shared.shared(test, trains)
            if len(tested):
                first = tested[0]
                trained = train[np.argmax(shared.codes[train] == shared.codes[first])]
                what = str(traits[kind][first])
                leaks.append(SplitLeak(kind, fold.name, index.ids[trained], index.ids[first], what))
        if looks is not None and (pair := looks.alike(trains, index.mask(test))) is not None:
            leaks.append(SplitLeak(NEAR, fold.name, index.ids[pair[0]], index.ids[pair[1]], "looks"))
    return leaks


@dataclass(frozen=True)
class _Looks:
    """Every frame that can be compared: its hash (n, 4), and the position of the sample that it belongs to (n,)."""

    words: NDArray[np.uint64]
    owners: NDArray[np.intp]
    groups: Sharers
    digests: Sequence[str]

    @staticmethod
    def of(index: SampleIndex, pixels: Pixels) -> _Looks | None:
        hashes = [
            (owner, word)
            for owner, words in zip(range(len(index)), pixels.hashes, strict=True)
            for word in words
            if word
        ]
        if not hashes:
            return None
        words = as_words([word for _, word in hashes])
        owners = np.array([owner for owner, _ in hashes], dtype=np.intp)
        return _Looks(words, owners, Sharers.of(near_groups(words).tolist()), pixels.digests)

    def alike(self, trains: NDArray[np.bool_], tests: NDArray[np.bool_]) -> tuple[int, int] | None:
        """Return the first pair of near-duplicates that are not duplicates: who trains and who tests; else None.

        Args:
            trains: Whether each sample trains (n,).
            tests: Whether each sample is tested (n,).
        """
        training = trains[self.owners]
        tested = self.groups.shared(np.flatnonzero(tests[self.owners]), training)
        if not len(tested):
            return None
        codes = self.groups.codes
        trained = np.flatnonzero(training & np.isin(codes, codes[tested]))
        for right, left in near_pairs(self.words[tested], self.words[trained]):
            pair = int(self.owners[trained[left]]), int(self.owners[tested[right]])
            if self.digests[pair[0]] != self.digests[pair[1]]:
                return pair
        return None


def check_folds(folds: Sequence[Fold], samples: Sequence[Sample], classes: Sequence[str] | None) -> None:
    """Refuse splits that no honest score can come from.

    Args:
        folds: The splits.
        samples: The samples of the run.
        classes: Class names; None where a sample is of no single class, as with action units.

    Raises:
        ProtocolError: A side is empty, a training side has a sample without a label or knows one class only, a sample
            is unknown, stands on both sides or is tested twice in one repeat, two folds share a name, no fold's
            training side holds a class that is tested, or a repeated fold's name does not say so.
    """
    if not folds:
        raise ProtocolError("the protocol gives no folds")
    index = SampleIndex([sample.sample_id for sample in samples])
    labels = np.array([-1 if sample.label is None else sample.label for sample in samples], dtype=np.intp)
    names: set[str] = set()
    tested: dict[tuple[int, int], str] = {}
    trained: set[int] = set()
    for fold in folds:
        if fold.name in names:
            raise ProtocolError(f"two folds are called {fold.name!r}")
        names.add(fold.name)
        if fold.repeat and not re.match(rf"repeat {fold.repeat + 1}\b", fold.name):
            raise ProtocolError(
                f"fold {fold.name!r} of repeat {fold.repeat} must be called 'repeat {fold.repeat + 1}...'"
            )
        train, test = _checked_sides(fold, index)
        for position in test.tolist():
            before = tested.setdefault((fold.repeat, position), fold.name)
            if before != fold.name:
                raise ProtocolError(f"fold {fold.name!r}: {index.ids[position]} is tested in fold {before!r} already")
        if classes is not None:
            trained |= _learnable(fold, labels[train], classes)
    never = {int(labels[position]) for _, position in tested} - trained - {-1}
    if classes is not None and never:
        raise ProtocolError(
            f"no fold's training side holds the class {listed(repr(classes[label]) for label in never)}: "
            "it is tested and cannot be learned; choose other classes or another protocol"
        )


def _learnable(fold: Fold, labels: NDArray[np.intp], classes: Sequence[str]) -> set[int]:
    """Return the labels of a training side (n,), -1 for none: of two classes at least, and of every sample."""
    known = set(np.flatnonzero(np.bincount(labels + 1)).tolist())
    if 0 in known:
        unlabelled = fold.train[int(np.argmin(labels))]
        raise ProtocolError(f"fold {fold.name!r}: {unlabelled} trains and has no label")
    if len(known) == 1:
        only = classes[next(iter(known)) - 1]
        raise ProtocolError(
            f"fold {fold.name!r}: its training side has one class, {only!r} ({counted(len(fold.train), 'sample')}): "
            "nothing can be learned; add data, or choose other classes or another protocol"
        )
    return {code - 1 for code in known}


def _checked_sides(fold: Fold, index: SampleIndex) -> tuple[Positions, Positions]:
    """Return the positions of both sides, which are not empty and name samples of the run, each once."""
    train, test = index.positions(fold.train), index.positions(fold.test)
    both = np.concatenate([train, test])
    counts = np.bincount(both + 1, minlength=1)
    if not len(train) or not len(test) or counts[0] or counts.max() > 1:
        _raise_why(fold, set(index.ids))
    return train, test


def _raise_why(fold: Fold, known: Set[str]) -> NoReturn:
    where = f"fold {fold.name!r}"
    train, test = set(fold.train), set(fold.test)
    if not train or not test:
        raise ProtocolError(f"{where}: its {'test' if train else 'training'} side is empty")
    if unknown := sorted((train | test) - known):
        raise ProtocolError(f"{where}: names a sample that is not in the run: {unknown[0]}")
    if both := sorted(train & test):
        raise ProtocolError(f"{where}: {both[0]} stands on both sides")
    raise ProtocolError(f"{where}: a sample stands twice on one side")
