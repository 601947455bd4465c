"""The other null model of spotting: one interval every k frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mexbench.files import write_json
from mexbench.interfaces import Interval, ScoredInterval, SpottingModel, VideoFrames
from mexbench.metrics.spotting import KINDS, RegularSpotter
from mexbench_plugins.models._spotter_files import MOST_SECONDS, SPOTTER, check_range, number, read_document
from mexbench_plugins.models.random_intervals import annotated

#: Seconds between two intervals.
_LONGEST_PERIOD = 1e9


@dataclass(frozen=True)
class EveryK:
    """Apply what the training side chose."""

    regular: RegularSpotter

    def __call__(self, videos: Sequence[VideoFrames], /) -> list[tuple[ScoredInterval, ...]]:
        """Put the intervals into each video."""
        return [self.regular.spot((video.first, video.last), video.fps) for video in videos]


@dataclass(frozen=True, kw_only=True)
class EveryKFrames(SpottingModel):
    """Spot one interval every k frames, with the type, length and k that score best on the training side: a null model.

    Of each type the median length is tried, with one interval every 1, 2, 4, ... lengths.
    """

    source = "a null model of this program"
    example_shape = (32, 4, 4, 1)

    def flags(self) -> tuple[str, ...]:
        """Say that it looks at no pixel."""
        return ("null-model",)

    def fit_spotting(
        self, videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]], *,
        groups: NDArray[np.str_], seed: int,
    ) -> EveryK:  # fmt: skip
        """Try them on the training side."""
        del groups, seed
        return EveryK(RegularSpotter.fit(annotated(videos, intervals)))

    def save(self, predictor: object, folder: Path) -> None:
        """Write type, length and period."""
        assert isinstance(predictor, EveryK)  # noqa: S101 - fit_spotting returns no other
        write_json(folder / SPOTTER, asdict(predictor.regular))

    def load(self, folder: Path) -> EveryK:
        """Read what ``save`` wrote.

        Raises:
            ValueError: The file has other content, or a length or a period that training cannot give.
        """
        document = read_document(folder)
        kind = document.get("kind")
        if kind is not None and kind not in KINDS:
            raise ValueError(f"{SPOTTER}: unknown type {kind!r}; known: {', '.join(KINDS)}")
        seconds, period = (number(document.get(name), name) for name in ("seconds", "period"))
        if kind is not None:
            check_range(seconds, "seconds", most=MOST_SECONDS)
            check_range(period, "period", most=_LONGEST_PERIOD)
        return EveryK(RegularSpotter(kind, seconds, period))
