"""Does anything stand on both sides of a split? Asked of every fold before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from benchmark.errors import ProtocolError
from benchmark.interfaces import Fold, Sample


@dataclass(frozen=True)
class Leak:
    """Something that stands on both sides of a fold.

    Args:
        kind: ``subject``, ``clip`` or ``duplicate`` (the same pixels under two ids).
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
        shared = "the same pixels" if self.kind == "duplicate" else f"{self.kind} {self.what!r}"
        return f"fold {self.fold!r}: {shared} on both sides: {self.train} trains, {self.test} tests"


def find_leaks(
    folds: Sequence[Fold], samples: Sequence[Sample], raw_digests: Sequence[str] | None = None
) -> list[Leak]:
    """Find what stands on both sides: at most one leak of each kind per fold.

    Args:
        folds: The splits.
        samples: The samples of the run.
        raw_digests: Digest of each sample's pixels; without it, duplicates are not looked for.
    """
    traits: dict[str, dict[str, str]] = {
        "subject": {sample.sample_id: sample.subject for sample in samples if sample.subject is not None},
        "clip": {sample.sample_id: sample.clip_id for sample in samples},
    }
    if raw_digests is not None:
        traits["duplicate"] = {s.sample_id: raw for s, raw in zip(samples, raw_digests, strict=True)}
    leaks = []
    for fold in folds:
        for kind, trait in traits.items():
            trained = {trait[name]: name for name in reversed(fold.train) if name in trait}
            for name in fold.test:
                if (what := trait.get(name)) in trained and what is not None:
                    leaks.append(Leak(kind, fold.name, trained[what], name, what))
                    break
    return leaks


def check_folds(folds: Sequence[Fold], samples: Sequence[Sample], classes: Sequence[str]) -> None:
    """Refuse splits that no honest score can come from.

    Raises:
        ProtocolError: A side is empty or knows one class only, a sample is unknown, stands on both sides or is
            tested twice, or two folds share a name.
    """
    if not folds:
        raise ProtocolError("the protocol gives no folds")
    labels = {sample.sample_id: sample.label for sample in samples}
    names: set[str] = set()
    tested: dict[str, str] = {}
    for fold in folds:
        if fold.name in names:
            raise ProtocolError(f"two folds are called {fold.name!r}")
        names.add(fold.name)
        _check_sides(fold, labels.keys())
        for name in fold.test:
            if name in tested:
                raise ProtocolError(f"fold {fold.name!r}: {name} is tested in fold {tested[name]!r} already")
            tested[name] = fold.name
        known = {labels[name] for name in fold.train}
        if len(known) == 1:
            only = classes[known.pop() or 0]
            raise ProtocolError(
                f"fold {fold.name!r}: all {len(fold.train)} samples of its training side have one class, {only!r}: "
                "nothing can be learned; add data, or choose other classes or another protocol"
            )


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
