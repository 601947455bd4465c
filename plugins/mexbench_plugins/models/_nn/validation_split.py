"""The validation part that early stopping watches: whole subjects, from the training side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def validation_part(
    groups: NDArray[np.str_], share: float, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw groups one by one until they hold the share of the samples; one group at least stays to learn from.

    Args:
        groups: Subject of each sample (n,).
        share: Share of the samples.
        rng: Draws the order of the groups.

    Returns:
        Positions to learn from and positions to watch, both rising; no group is on both sides.

    Raises:
        ValueError: There is only one group.
    """
    names, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError(
            f"early_stopping watches subjects that do not train, but all samples are of one: {', '.join(names)}; "
            "set early_stopping: null"
        )
    drawn = rng.permutation(len(names))[:-1]
    before = np.cumsum(sizes[drawn]) - sizes[drawn]  # samples held before each draw
    watched = np.isin(group_of, drawn[before < share * len(groups)])
    return np.flatnonzero(~watched), np.flatnonzero(watched)
