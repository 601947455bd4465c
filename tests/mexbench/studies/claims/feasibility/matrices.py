"""Confusion matrices for the tests, all of them or at random, and what a paper would print of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from mexbench.studies.claims.feasibility import KINDS, Figure, printed

Matrix = NDArray[np.int64]


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to share out a total."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in compositions(total - first, parts - 1):
            yield (first, *rest)


def every_matrix(supports: Sequence[int], columns: int | None = None) -> NDArray[np.int64]:
    """All matrices (n, K, K) with these supports; further columns make classes without test samples."""
    size = columns or len(supports)
    rows = [list(compositions(support, size)) for support in (*supports, *(0,) * (size - len(supports)))]
    return np.array(list(product(*rows)), dtype=np.int64)


def random_matrix(rng: np.random.Generator, classes: int, most: int, outside: int = 0) -> Matrix:
    """A matrix of a predictor anywhere between useless and perfect, now and then blind to a class."""
    supports = rng.integers(1, most + 1, size=classes)
    size = classes + outside
    skill = rng.beta(2, 1)
    confused = rng.dirichlet(np.full(size, rng.choice([0.1, 1.0, 10.0])), size=classes)
    chances = (1 - skill) * confused + skill * np.eye(classes, size)
    if rng.random() < 0.2:
        blind = rng.integers(classes)
        chances[:, blind] = 0
        chances[:, (blind + 1) % classes] += 1e-9
        chances /= chances.sum(axis=1, keepdims=True)
    cells = np.zeros((size, size), dtype=np.int64)
    for row, (support, chance) in enumerate(zip(supports, chances, strict=True)):
        cells[row] = rng.multinomial(support, chance / chance.sum())
    return cells


def figures_of(values: dict[str, float], kinds: Sequence[str], decimals: int, *, percent: bool) -> list[Figure]:
    """Print scores as an author would."""
    scale = 100 if percent else 1
    return [printed(kind, f"{scale * values[kind]:.{decimals}f}", percent=percent) for kind in kinds]


#: Two figures or more, in any combination.
KIND_SETS = st.lists(st.sampled_from(KINDS), min_size=1, max_size=5, unique=True)
SEEDS = st.integers(0, 2**32 - 1)
