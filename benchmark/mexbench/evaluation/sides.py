"""The sides of folds as positions in the samples, and which samples share something with a side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from mexbench.fingerprint import digest_bytes
from mexbench.interfaces import AllExcept, Fold

Positions = NDArray[np.intp]


class SampleIndex:
    """Sample ids and their positions.

    Args:
        ids: Of the samples of a run.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        self._position = {name: index for index, name in enumerate(self.ids)}
        self._all: dict[int, tuple[tuple[str, ...], Positions]] = {}  # by identity: folds share one tuple of ids

    def __len__(self) -> int:
        return len(self.ids)

    def positions(self, side: Sequence[str]) -> Positions:
        """Return the positions of a side's samples, in its order; -1 for an id that is not among the samples."""
        if not isinstance(side, AllExcept):
            return np.fromiter((self._position.get(name, -1) for name in side), np.intp, len(side))
        if id(side.ids) not in self._all:
            self._all[id(side.ids)] = side.ids, self.positions(side.ids)
        _, every = self._all[id(side.ids)]
        is_inside = np.ones(len(every), dtype=bool)
        is_inside[list(side.excluded)] = False
        return every[is_inside]

    def mask(self, positions: Positions) -> NDArray[np.bool_]:
        """Return whether each sample (n,) is at one of the positions, none of which is -1."""
        mask = np.zeros(len(self), dtype=bool)
        mask[positions] = True
        return mask


@dataclass(frozen=True)
class Sharers:
    """Which of a list of items have the same trait, such as a subject.

    Args:
        codes: A number for the trait of each item (n,), -1 where no other item has the same.
        order: Items, sorted by their codes (n,).
        starts: Where the items of each code begin in ``order``, and after them the end (codes + 1,).
    """

    codes: NDArray[np.intp]
    order: NDArray[np.intp]
    starts: NDArray[np.intp]

    @staticmethod
    def of(traits: Iterable[object]) -> Sharers:
        """Number the traits; None is not a trait."""
        numbers: dict[object, int] = {}
        codes = np.array([-1 if one is None else numbers.setdefault(one, len(numbers)) for one in traits], np.intp)
        is_shared = np.bincount(codes[codes >= 0], minlength=len(numbers)) > 1
        codes[codes >= 0] = np.where(is_shared[codes[codes >= 0]], codes[codes >= 0], -1)
        order = np.argsort(codes, kind="stable")
        return Sharers(codes, order, np.searchsorted(codes[order], np.arange(len(numbers) + 1)))

    def shared(self, items: NDArray[np.intp], others: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return those of some items whose trait one of the others has as well, in their order.

        Only the items that share a trait with ``items`` are looked at: over all folds of a leave-one-out that is each
        item once, where comparing with a training side would look at folds x items.

        Args:
            items: Positions of items (m,).
            others: Whether each item is one of the others (n,).
        """
        codes = self.codes[items]
        traits = np.unique(codes)
        traits = traits[traits >= 0]
        if not len(traits):
            return items[:0]
        starts, lengths = self.starts[traits], self.starts[traits + 1] - self.starts[traits]
        skipped = starts - np.concatenate([[0], np.cumsum(lengths)[:-1]])
        sharers = self.order[np.repeat(skipped, lengths) + np.arange(lengths.sum())]
        sharers = sharers[others[sharers]]
        return items[np.isin(codes, self.codes[sharers])] if len(sharers) else items[:0]


def side_digests(folds: Sequence[Fold], index: SampleIndex) -> dict[str, str]:
    """Return the fingerprint of each fold's sides, by its name: ``digest([sorted(train), sorted(test)])``.

    The ids are sorted and written as JSON once for all folds, which is most of the work of that expression.
    """
    order = np.array(sorted(range(len(index)), key=index.ids.__getitem__), dtype=np.intp)
    texts = [json.dumps(index.ids[position], ensure_ascii=False).encode() for position in order]

    def joined(side: Sequence[str]) -> bytes:
        return b",".join(compress(texts, index.mask(index.positions(side))[order].tolist()))

    return {fold.name: digest_bytes(b"[[%b],[%b]]" % (joined(fold.train), joined(fold.test))) for fold in folds}
