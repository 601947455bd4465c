"""Dealing units (samples, clips or subjects) out to the parts of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import ProtocolError, counted, listed
from mexbench.interfaces import Sample

Group = Literal["none", "clip", "subject"]
#: What a unit of each group is called.
UNIT: Mapping[Group, str] = {"none": "sample", "clip": "clip", "subject": "subject"}
#: Up to so many units a deal is improved by swaps, so many times; with more units, each is small beside its part.
_FEW, _SWAPS = 200, 100
#: A part may miss its share of a class by so much (root mean square): all divisions being perfect, few would differ.
_TOLERANCE = 0.02


@dataclass(frozen=True)
class SplitUnits:
    """The samples in units that are never divided.

    Args:
        group: What a unit is.
        members: Sample ids of each unit, in the order of the samples.
        counts: Samples of each unit by class (n, K); classes without a sample have no column.
        emotions: The words of each column's class, for messages.
    """

    group: Group
    members: tuple[tuple[str, ...], ...]
    counts: NDArray[np.int64]
    emotions: tuple[str, ...]

    @staticmethod
    def of(samples: Sequence[Sample], group: Group) -> SplitUnits:
        """Put samples into units; where they have no label, as with action units, all are of one class.

        Raises:
            ProtocolError: Subjects are asked for and a sample has none.
        """
        if group == "subject":
            nameless = [sample.sample_id for sample in samples if sample.subject is None]
            if nameless:
                raise ProtocolError(
                    f"{len(nameless)} of {counted(len(samples), 'sample has', 'samples have')} no subject "
                    f"({listed(nameless, limit=3)}): 'group: subject' needs one for each; 'group: clip' and 'none' do "
                    "not, and keep nobody apart"
                )
        keys = {"none": "sample_id", "clip": "clip_id", "subject": "subject"}
        members: dict[str, list[Sample]] = {}
        for sample in samples:
            members.setdefault(str(getattr(sample, keys[group])), []).append(sample)
        labels = sorted({sample.label or 0 for sample in samples})
        counts = np.array(
            [[sum((s.label or 0) == label for s in inside) for label in labels] for inside in members.values()],
            dtype=np.int64,
        )
        emotions = tuple(
            listed(sorted({repr(sample.emotion) for sample in samples if (sample.label or 0) == label}), limit=3)
            for label in labels
        )
        return SplitUnits(
            group, tuple(tuple(s.sample_id for s in inside) for inside in members.values()), counts, emotions
        )

    def __len__(self) -> int:
        return len(self.members)

    def require(self, *, stratified: bool, fewest: int, wanted: str) -> None:
        """Refuse to divide what is too little.

        Args:
            stratified: Whether each part is to hold every class.
            fewest: How many units, of each class if stratified, it takes.
            wanted: What they are for: "5 folds".

        Raises:
            ProtocolError: There are fewer.
        """
        unit = UNIT[self.group]
        if len(self) < fewest:
            raise ProtocolError(f"{wanted} need at least {fewest} {unit}s, the data has {len(self)}")
        holding = (self.counts > 0).sum(axis=0)
        if stratified and holding.min() < fewest:
            scarce = int(holding.argmin())
            raise ProtocolError(
                f"the class of {self.emotions[scarce]} occurs in {counted(holding[scarce], unit)}, too few for "
                f"{wanted} that each hold it; choose 'stratified: false', fewer parts or other classes"
            )

    def ids(self, chosen: NDArray[np.bool_]) -> tuple[str, ...]:
        """Return the sample ids of the chosen units."""
        return tuple(name for unit in np.flatnonzero(chosen) for name in self.members[unit])

    def deal(self, shares: Sequence[float], *, stratified: bool, rng: np.random.Generator) -> NDArray[np.intp]:
        """Deal units out to parts, at random and as near to the shares as whole units allow.

        Each unit in a random order goes to the part that lacks most of what it holds; then units of two parts change
        places as long as that brings the parts nearer to their shares. With ``stratified`` it is the shares of every
        class and of all samples that count, else those of all samples alone.

        Args:
            shares: The share of the samples that each part is to get; they sum to 1.
            stratified: Whether the shares hold for each class.
            rng: Source of the order.

        Returns:
            The part of each unit (n,).
        """
        every = self.counts.sum(axis=1, keepdims=True)
        held = (np.hstack([self.counts, every]) if stratified else every).astype(np.float64)
        held = held / held.sum(axis=0)  # in shares of a class, so that a rare class weighs as much as a frequent one
        wanted = np.array(shares)[:, None] * np.ones(held.shape[1])
        lacking = wanted.copy()
        part = np.empty(len(self), dtype=np.intp)
        for unit in rng.permutation(len(self)):
            part[unit] = np.argmax(lacking @ held[unit])
            lacking[part[unit]] -= held[unit]
        if stratified and len(self) <= _FEW:
            _improve(part, held, lacking)
        return part


def _improve(part: NDArray[np.intp], held: NDArray[np.float64], lacking: NDArray[np.float64]) -> None:
    """Swap two units of different parts, or move one, as long as the parts come nearer to their shares; in place.

    The distance is the sum of squares of ``lacking``. Moving ``h`` from part p to part q changes it by
    ``2 h (l_p - l_q) + 2 h h``; a swap moves the difference of two units.
    """
    empty = np.zeros((1, held.shape[1]))
    for _ in range(_SWAPS):
        if np.sqrt((lacking**2).mean()) < _TOLERANCE:
            return
        best, move = -1e-9, None
        for p, q in _pairs(len(lacking)):
            # A row or column of nothing: a swap with it is a move.
            left, right = np.flatnonzero(part == p), np.flatnonzero(part == q)
            moved = np.vstack([held[left], empty])[:, None] - np.vstack([held[right], empty])[None]
            change = 2 * (moved @ (lacking[p] - lacking[q])) + 2 * (moved**2).sum(axis=-1)
            if len(left) == 1:
                change[:-1, -1] = 0  # no part is emptied
            if len(right) == 1:
                change[-1, :-1] = 0
            i, j = np.unravel_index(np.argmin(change), change.shape)
            if change[i, j] < best:
                best = change[i, j]
                move = p, q, left[i : i + 1], right[j : j + 1], moved[i, j]
        if move is None:
            return
        p, q, leaving, entering, shifted = move
        part[leaving], part[entering] = q, p
        lacking[p] += shifted
        lacking[q] -= shifted


def _pairs(parts: int) -> list[tuple[int, int]]:
    return [(p, q) for p in range(parts) for q in range(p + 1, parts)]
