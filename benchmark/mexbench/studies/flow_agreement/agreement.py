"""Two fields of motion for each sample, compared channel by channel and pixel by pixel.

"TV-L1 flow from onset to apex" names no data: crop, implementation and scaling decide what a model sees. Packs stretch
each channel to 0 to 255, so that magnitudes are gone; hence correlation, which no gain and no offset changes, and the
endpoint difference after the best gain and offset of each channel. The same figures between fields of different
samples are the level that says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError, counted, listed

#: Names of the channels by their number.
CHANNELS = {2: ("u", "v"), 3: ("u", "v", "strain")}
#: A displacement of one field against the other is looked for up to so many pixels along each axis.
MOST_SHIFT = 6


@dataclass(frozen=True, eq=False)
class FlowFields:
    """The fields of a run's samples under one recipe.

    Args:
        name: What the page calls it.
        ids: Sample ids (n).
        fields: (n, H, W, C) with C of 2, u and v, or 3, u, v and strain.
    """

    name: str
    ids: tuple[str, ...]
    fields: NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class FlowAgreement:
    """What two recipes have in common.

    Args:
        first: Name of the first.
        second: Name of the second.
        channels: Names of the channels.
        samples: Number of samples that both have.
        identical: How many of them have equal values.
        correlations: Of each sample and channel over the pixels (n, C); NaN where a field is constant.
        unrelated: The same between each sample of the first and another one of the second (n, C): half the list
            away, since its neighbours are clips of the same person.
        aligned: Correlations at the displacement that gives the greatest sum over u and v (n, C).
        shifts: That displacement of each sample, right and down in pixels (n, 2).
        endpoint: Root mean square endpoint difference of each sample after gain and offset, over that of the second
            field from its own mean (n): 0 is equal, 1 is no better than a constant.
        pixels: Mean endpoint difference in pixels without any alignment (n); None where a field is stretched (bytes).
        magnitude: Mean length of the second's vectors in pixels (n); None as ``pixels``.
    """

    first: str
    second: str
    channels: tuple[str, ...]
    samples: int
    identical: int
    correlations: NDArray[np.float64]
    unrelated: NDArray[np.float64]
    aligned: NDArray[np.float64]
    shifts: NDArray[np.intp]
    endpoint: NDArray[np.float64]
    pixels: NDArray[np.float64] | None = None
    magnitude: NDArray[np.float64] | None = None


def compare_fields(first: FlowFields, second: FlowFields) -> FlowAgreement:
    """Compare the fields of the samples that both have.

    Raises:
        DataError: They have no sample in common, or fields of different sizes.
    """
    place = {name: index for index, name in enumerate(second.ids)}
    common = [(index, place[name]) for index, name in enumerate(first.ids) if name in place]
    if len(common) < 2:
        raise DataError(
            f"{first.name} and {second.name} share {counted(len(common), 'sample')}, at least 2 are needed; the first "
            f"of each: {listed(first.ids, limit=1)}; {listed(second.ids, limit=1)}"
        )
    if first.fields.shape[1:] != second.fields.shape[1:] or first.fields.shape[-1] not in CHANNELS:
        raise DataError(
            f"{first.name} has fields {first.fields.shape[1:]}, {second.name} {second.fields.shape[1:]}: expected one "
            "size and the channels u, v or u, v, strain; end both with the same 'resize'"
        )
    left, right = (np.array(side) for side in zip(*common, strict=True))
    stretched = "u" in (first.fields.dtype.kind + second.fields.dtype.kind)
    a, b = first.fields[left].astype(np.float64), second.fields[right].astype(np.float64)
    shifts, aligned = _aligned(a, b)
    flow_a, flow_b = a[..., :2], b[..., :2]
    return FlowAgreement(
        first=first.name,
        second=second.name,
        channels=CHANNELS[a.shape[-1]],
        samples=len(common),
        identical=int(np.sum((a == b).all(axis=(1, 2, 3)))),
        correlations=correlations(a, b),
        unrelated=correlations(a, np.roll(b, len(b) // 2, axis=0)),
        aligned=aligned,
        shifts=shifts,
        endpoint=_endpoint_after_fit(flow_a, flow_b),
        pixels=None if stretched else np.linalg.norm(flow_a - flow_b, axis=-1).mean(axis=(1, 2)),
        magnitude=None if stretched else np.linalg.norm(flow_b, axis=-1).mean(axis=(1, 2)),
    )


def correlations(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's correlation over the pixels of each sample and channel (n, C); NaN for a constant field."""
    a, b = (part - part.mean(axis=(1, 2), keepdims=True) for part in (a, b))
    products, squares = (a * b).sum(axis=(1, 2)), (a**2).sum(axis=(1, 2)) * (b**2).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(squares > 0, products / np.sqrt(squares), np.nan)


def _aligned(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the best displacement of each sample (n, 2) and the correlations there (n, C)."""
    reach = range(-MOST_SHIFT, MOST_SHIFT + 1)
    # No displacement comes first: it is taken where another one is no better.
    shifts = sorted(((right, down) for right in reach for down in reach), key=lambda shift: (shift != (0, 0), shift))
    height, width = a.shape[1:3]
    if min(height, width) <= 2 * MOST_SHIFT + 1:
        return np.zeros((len(a), 2), np.intp), correlations(a, b)
    every = []
    for right, down in shifts:
        rows = slice(max(0, down), height + min(0, down))
        columns = slice(max(0, right), width + min(0, right))
        rows_a = slice(max(0, -down), height + min(0, -down))
        columns_a = slice(max(0, -right), width + min(0, -right))
        every.append(correlations(a[:, rows_a, columns_a], b[:, rows, columns]))
    stacked = np.stack(every)  # (shifts, n, C)
    best = np.nansum(stacked[..., :2], axis=-1).argmax(axis=0)
    return np.array(shifts, np.intp)[best], stacked[best, np.arange(len(a))]


def _endpoint_after_fit(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is left of b after the best gain and offset of each channel of a, as a share of its deviation."""
    left = (b - b.mean(axis=(1, 2), keepdims=True)) ** 2
    total = left.sum(axis=(1, 2))
    explained = np.nan_to_num(correlations(a, b)) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        share = ((1 - explained) * total).sum(axis=-1) / total.sum(axis=-1)
    return np.sqrt(np.maximum(share, 0))


def compare_all(recipes: Sequence[FlowFields]) -> list[FlowAgreement]:
    """Compare each pair of recipes.

    Raises:
        DataError: There is only one, or two cannot be compared.
    """
    if len(recipes) < 2:
        raise DataError(
            f"only one recipe ({recipes[0].name}): give a second config, or a config whose rows differ in 'preprocess'"
        )
    return [compare_fields(first, second) for place, first in enumerate(recipes) for second in recipes[place + 1 :]]
