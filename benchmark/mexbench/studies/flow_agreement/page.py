"""The agreement of flow recipes -> a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.studies.flow_agreement.agreement import MOST_SHIFT, FlowAgreement
from mexbench.tables import DASH, Table, escape


def markdown(agreements: Sequence[FlowAgreement]) -> str:
    """Write the page."""
    parts = [
        "# How far computations of optical flow lie apart",
        "> A name such as *TV-L1 flow from onset to apex* does not name a data set: a figure belongs to the files that "
        "it was computed on.",
        "## Correlation by channel",
        correlation_table(agreements).markdown(),
        "Pearson's correlation over the pixels of each sample: median over samples [lower, upper quartile]; gain and "
        "offset, such as a stretch to 0 to 255, do not change it. *Other clips* is the median between each sample of "
        "the first and another sample of the second: the level that says nothing.",
        "## Endpoint difference",
        endpoint_table(agreements).markdown(),
        "*After fit*: root mean square of what the best gain and offset of u and v leave, over the deviation of the "
        "second field from its mean: 0 is equal, 1 no better than a constant. *Pixels*: mean endpoint difference as "
        "computed, beside the mean length of the second's vectors, where neither is stretched. *Best shift*: the most "
        f"frequent displacement, right and down in pixels up to {MOST_SHIFT}, at which u and v correlate most, with "
        "the share of samples that have it and the median correlation of u and v at each sample's own.",
    ]
    return "\n\n".join(parts) + "\n"


def correlation_table(agreements: Sequence[FlowAgreement]) -> Table:
    """One row per pair of recipes."""
    channels = max((agreement.channels for agreement in agreements), key=len)
    rows = []
    for agreement in agreements:
        cells = dict(zip(agreement.channels, agreement.correlations.T, strict=True))
        others = ", ".join(f"{value:.2f}" for value in np.nanmedian(agreement.unrelated, axis=0))
        rows.append(
            [
                escape(agreement.first),
                escape(agreement.second),
                str(agreement.samples),
                str(agreement.identical),
                *(_quartiles(cells[name]) if name in cells else DASH for name in channels),
                others,
            ]
        )
    return Table(["first", "second", "samples", "identical", *channels, "other clips"], rows)


def endpoint_table(agreements: Sequence[FlowAgreement]) -> Table:
    """One row per pair of recipes."""
    rows = []
    for agreement in agreements:
        pixels = DASH
        if agreement.pixels is not None and agreement.magnitude is not None:
            pixels = f"{np.median(agreement.pixels):.3f} of {np.median(agreement.magnitude):.3f}"
        ((right, down), count), *_ = Counter(map(tuple, agreement.shifts.tolist())).most_common(1)
        median = np.nanmedian(agreement.aligned[:, :2], axis=0)
        rows.append(
            [
                escape(agreement.first),
                escape(agreement.second),
                _quartiles(agreement.endpoint),
                pixels,
                f"({right}, {down}) in {count / agreement.samples:.0%}: {median[0]:.2f}, {median[1]:.2f}",
            ]
        )
    return Table(["first", "second", "after fit", "pixels", "best shift"], rows)


def _quartiles(values: NDArray[Any]) -> str:
    low, median, high = np.nanquantile(values, [0.25, 0.5, 0.75])
    return f"{median:.2f} [{low:.2f}, {high:.2f}]"
