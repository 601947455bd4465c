"""Does anything stand on both sides of a split? Asked of every fold before anything is trained."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mexbench.data.duplicates import Pixels
from mexbench.data.perceptual_hash import as_words, near_pairs
from mexbench.errors import ProtocolError, listed
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
        folds: The splits.
        samples: The samples of the run.
        pixels: What the samples' pixels are compared by; without it, duplicates are not looked for.
    """
    traits: dict[str, dict[str, str]] = {
        "subject": {sample.sample_id: sample.subject for sample in samples if sample.subject is not None},
        "clip": {sample.sample_id: sample.clip_id for sample in samples},
    }
    look = None
    if pixels is not None:
        traits[DUPLICATE] = {s.sample_id: raw for s, raw in zip(samples, pixels.digests, strict=True)}
        look = _Look.at(samples, pixels)
    leaks = []
    for fold in folds:
        leaks += [leak for kind, trait in traits.items() if (leak := _shared(fold, kind, trait)) is not None]
        if look is not None:
            leaks += look.alike(fold)
    return leaks


def _shared(fold: Fold, kind: str, trait: Mapping[str, str]) -> SplitLeak | None:
    trained = {trait[name]: name for name in reversed(fold.train) if name in trait}
    for name in fold.test:
        if (what := trait.get(name)) in trained and what is not None:
            return SplitLeak(kind, fold.name, trained[what], name, what)
    return None


@dataclass(frozen=True)
class _Look:
    """Every frame that can be compared: its hash (n, 4), and the sample that it belongs to (n,)."""

    words: NDArray[np.uint64]
    owners: NDArray[np.intp]
    ids: Sequence[str]
    digests: Sequence[str]

    @staticmethod
    def at(samples: Sequence[Sample], pixels: Pixels) -> _Look | None:
        hashes = [(owner, word) for owner, words in enumerate(pixels.hashes) for word in words if word]
        if not hashes:
            return None
        owners = np.array([owner for owner, _ in hashes], dtype=np.intp)
        ids = [sample.sample_id for sample in samples]
        return _Look(as_words([word for _, word in hashes]), owners, ids, pixels.digests)

    def alike(self, fold: Fold) -> Iterator[SplitLeak]:
        """Yield the first pair of near-duplicates that are no duplicates, if there is one."""
        train, test = self._frames(fold.train), self._frames(fold.test)
        for right, left in near_pairs(self.words[test], self.words[train]):
            trained, tested = int(self.owners[train[left]]), int(self.owners[test[right]])
            if self.digests[trained] != self.digests[tested]:
                yield SplitLeak(NEAR, fold.name, self.ids[trained], self.ids[tested], "looks")
                return

    def _frames(self, side: Sequence[str]) -> NDArray[np.intp]:
        names = set(side)
        member = np.array([name in names for name in self.ids])
        return np.flatnonzero(member[self.owners])


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
    labels = {sample.sample_id: sample.label for sample in samples}
    names: set[str] = set()
    tested: dict[tuple[int, str], str] = {}
    trained: set[int | None] = set()
    for fold in folds:
        if fold.name in names:
            raise ProtocolError(f"two folds are called {fold.name!r}")
        names.add(fold.name)
        if fold.repeat and not re.match(rf"repeat {fold.repeat + 1}\b", fold.name):
            raise ProtocolError(
                f"fold {fold.name!r} of repeat {fold.repeat} must be called 'repeat {fold.repeat + 1}...'"
            )
        _check_sides(fold, labels.keys())
        for name in fold.test:
            if (fold.repeat, name) in tested:
                before = tested[fold.repeat, name]
                raise ProtocolError(f"fold {fold.name!r}: {name} is tested in fold {before!r} already")
            tested[fold.repeat, name] = fold.name
        if classes is not None:
            trained |= _learnable(fold, labels, classes)
    never = {labels[name] for _, name in tested} - trained - {None}
    if classes is not None and never:
        raise ProtocolError(
            f"no fold's training side holds the class {listed(repr(classes[label or 0]) for label in never)}: "
            "it is tested and cannot be learned; choose other classes or another protocol"
        )


def _learnable(fold: Fold, labels: Mapping[str, int | None], classes: Sequence[str]) -> set[int | None]:
    """Return the labels of a training side: of two classes at least, and of every sample."""
    known = {labels[name] for name in fold.train}
    if None in known:
        unlabelled = next(name for name in fold.train if labels[name] is None)
        raise ProtocolError(f"fold {fold.name!r}: {unlabelled} trains and has no label")
    if len(known) == 1:
        only = classes[next(iter(known)) or 0]
        raise ProtocolError(
            f"fold {fold.name!r}: all {len(fold.train)} samples of its training side have one class, {only!r}: "
            "nothing can be learned; add data, or choose other classes or another protocol"
        )
    return known


def _check_sides(fold: Fold, known: Set[str]) -> None:
    where = f"fold {fold.name!r}"
    train, test = set(fold.train), set(fold.test)
    if not train or not test:
        raise ProtocolError(f"{where}: its {'test' if train else 'training'} side is empty")
    if unknown := sorted((train | test) - known):
        raise ProtocolError(f"{where}: names a sample that is not in the run: {unknown[0]}")
    if both := sorted(train & test):
        raise ProtocolError(f"{where}: {both[0]} stands on both sides")
    if len(train) < len(fold.train) or len(test) < len(fold.test):
        raise ProtocolError(f"{where}: a sample stands twice on one side")
