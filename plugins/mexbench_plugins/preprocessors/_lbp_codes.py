"""What LBP and LBP-TOP share: where the neighbours lie, which patterns are uniform, how cells are cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

POINTS = 8
CODES = 2**POINTS

#: Steps (along the first axis, along the second) to the neighbour of each bit: counter-clockwise from the right.
STEPS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))

#: A neighbour's place on the circle: its share of the radius on the first axis and on the second, clean of the dust
#: that sin(pi) leaves.
CIRCLE = tuple(
    (round(-math.sin(2 * math.pi * bit / POINTS), 15), round(math.cos(2 * math.pi * bit / POINTS), 15))
    for bit in range(POINTS)
)


def uniform_table() -> NDArray[np.intp]:
    """Return code -> bin (256,): 58 uniform codes, at most two changes around the circle, rising; bin 58 for the rest.

    Source: Ojala et al. (2002); the numbering follows the codes' own order.
    """
    codes = np.arange(CODES)
    bits = codes[:, None] >> np.arange(POINTS) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    table = np.full(CODES, uniform.sum(), dtype=np.intp)
    table[uniform] = np.arange(uniform.sum())
    return table


def cell_of(length: int, cells: int) -> NDArray[np.intp]:
    """Return the cell of each of ``length`` places: ``cells`` cells whose sizes differ by one at most."""
    return np.arange(length) * cells // length


def histograms(bins: NDArray[Any], cells: NDArray[np.intp], n_cells: int, n_bins: int) -> NDArray[np.intp]:
    """Count bins within cells: (n_cells, n_bins).

    Args:
        bins: A bin for each place, of any shape.
        cells: The cell of each place, of a shape that broadcasts to that of ``bins``.
        n_cells: Number of cells.
        n_bins: Number of bins.
    """
    return np.bincount((cells * n_bins + bins).ravel(), minlength=n_cells * n_bins).reshape(n_cells, n_bins)


def taps(radii: Sequence[int], bit: int, *, on_circle: bool) -> tuple[tuple[int, int, float], ...]:
    """Return what the neighbour of a bit is the sum of: steps along the two axes, and a weight.

    Args:
        radii: Along the first axis and along the second.
        bit: Which neighbour.
        on_circle: On the ellipse with these radii, bilinearly interpolated; otherwise at the corners and the middle
            of the sides of the rectangle around it, which are pixels.
    """
    if not on_circle:
        first, second = STEPS[bit]
        return ((first * radii[0], second * radii[1], 1.0),)
    places = []
    for radius, share in zip(radii, CIRCLE[bit], strict=True):
        low = math.floor(radius * share)
        fraction = radius * share - low
        places.append([(low, 1 - fraction), (low + 1, fraction)])
    return tuple((i, j, u * v) for i, u in places[0] for j, v in places[1] if u * v)
