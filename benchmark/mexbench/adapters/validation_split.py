"""The validation part that early stopping watches: entire subjects of the training side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def validation_part(
    groups: NDArray[np.str_], share: float, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw groups one by one until they hold the share of the samples; at least one group stays in the training part.

    Args:
        groups: Subject of each sample (n,).
        share: Share of the samples.
        rng: Draws the order of the groups.

    Returns:
        Positions of the training part and of the validation part, both ascending; no group is in both.

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
    in_validation = np.isin(group_of, drawn[before < share * len(groups)])
    return np.flatnonzero(~in_validation), np.flatnonzero(in_validation)
