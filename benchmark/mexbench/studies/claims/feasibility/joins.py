"""Sums over classes that must meet: all combinations of two halves whose counts and values add up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: More combinations than this are drawn from at random, and the search is no longer complete.
MOST_COMBINATIONS = 400_000
#: Values lie in [0, 2): count * SPREAD + value orders by count first.
SPREAD = 4.0
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass
class Work:
    """A count of elementary operations, so that the end of a search does not depend on the machine's speed."""

    limit: int
    done: int = 0

    def add(self, steps: int) -> None:
        """Count steps."""
        self.done += steps

    @property
    def spent(self) -> bool:
        """Whether the limit is reached."""
        return self.done >= self.limit


@dataclass(frozen=True)
class Options:
    """The options of one class: a count each, and a value each for every figure (figures, n)."""

    counts: Ints
    values: Floats


@dataclass(frozen=True)
class Combinations:
    """Choices of several classes: positions (n, classes), their count (n,) and values (figures, n)."""

    chosen: Ints
    counts: Ints
    values: Floats
    complete: bool

    def take(self, order: Ints | NDArray[np.bool_]) -> Combinations:
        """Return some of them."""
        return Combinations(self.chosen[order], self.counts[order], self.values[:, order], self.complete)


def combine(classes: Sequence[Options], most: int, rng: np.random.Generator, work: Work) -> Combinations:
    """Combine the choices of several classes, as long as their counts sum to at most ``most``."""
    figures = classes[0].values.shape[0] if classes else 0
    combined = Combinations(
        np.zeros((1, 0), dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros((figures, 1)), complete=True
    )
    for options in classes:
        size, width = combined.counts.size, options.counts.size
        if size * width > MOST_COMBINATIONS * 4:  # thin out before the product is made
            keep = max(1, MOST_COMBINATIONS * 4 // width)
            combined = combined.take(np.sort(rng.choice(size, size=keep, replace=False)))
            combined = Combinations(combined.chosen, combined.counts, combined.values, complete=False)
            size = keep
        work.add(size * width)
        counts = combined.counts[:, None] + options.counts[None, :]
        first, second = np.nonzero(counts <= most)
        chosen = np.concatenate([combined.chosen[first], second[:, None]], axis=1)
        values = combined.values[:, first] + options.values[:, second]
        combined = Combinations(chosen, counts[first, second], values, combined.complete)
    if combined.counts.size > MOST_COMBINATIONS:
        sample = combined.take(np.sort(rng.choice(combined.counts.size, size=MOST_COMBINATIONS, replace=False)))
        combined = Combinations(sample.chosen, sample.counts, sample.values, complete=False)
    return combined


def halves(sizes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Split positions so that the products of sizes are about equal."""
    left: list[int] = []
    right: list[int] = []
    products = [0.0, 0.0]
    for position in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        smaller = 0 if products[0] <= products[1] else 1
        (left, right)[smaller].append(position)
        products[smaller] += float(np.log(max(sizes[position], 1)) + 1e-6)
    return left, right


class Meeting:
    """Pairs from two halves whose counts add to ``count`` and whose values all fall between ``low`` and ``high``.

    Args:
        left: One half, in the order in which pairs come.
        right: The other.
        low: Per figure.
        high: Per figure.
    """

    def __init__(self, left: Combinations, right: Combinations, low: Floats, high: Floats) -> None:
        self.left, self.low, self.high = left, low, high
        key = right.counts * SPREAD
        if low.size:
            key = key + right.values[0]
        order = np.argsort(key, kind="stable")
        self.right, self.key = right.take(order), key[order]

    def pairs(self, count: int, work: Work, *, chunk: int = 200_000) -> Iterator[tuple[Ints, Ints]]:
        """Yield positions in ``left`` and in ``right``, in chunks."""
        work.add(self.left.counts.size * 16)
        base = (count - self.left.counts) * SPREAD
        if self.low.size:
            first = np.searchsorted(self.key, base + np.maximum(self.low[0] - self.left.values[0], -1.0), "left")
            last = np.searchsorted(self.key, base + np.minimum(self.high[0] - self.left.values[0], 2.0), "right")
        else:
            first = np.searchsorted(self.key, base - 1.0, "left")
            last = np.searchsorted(self.key, base + 1.0, "right")
        lengths = np.maximum(last - first, 0)
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if ends.size else 0
        for start in range(0, total, chunk):
            numbers = np.arange(start, min(start + chunk, total))
            work.add(numbers.size)
            rows = np.searchsorted(ends, numbers, "right")
            columns = first[rows] + numbers - (ends[rows] - lengths[rows])
            for figure in range(1, self.low.size):
                sums = self.left.values[figure, rows] + self.right.values[figure, columns]
                keep = (sums >= self.low[figure]) & (sums <= self.high[figure])
                rows, columns, numbers = rows[keep], columns[keep], numbers[keep]
            if rows.size:
                yield rows, columns
