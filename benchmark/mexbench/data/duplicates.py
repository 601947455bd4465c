"""Digests of what models see, by which duplicates on both sides of a split are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pixels:
    """What the samples' pixels before the first step are compared by, in the order of the samples.

    Args:
        digests: One per sample: equal ones are duplicates.
        hashes: Perceptual hashes of each sample's frames, or of some of them; empty strings where a frame is not a
            picture.
    """

    digests: tuple[str, ...]
    hashes: tuple[tuple[str, ...], ...]

    def select(self, positions: Sequence[int]) -> Pixels:
        """Return those of some samples, in this order."""
        return Pixels(tuple(self.digests[i] for i in positions), tuple(self.hashes[i] for i in positions))
