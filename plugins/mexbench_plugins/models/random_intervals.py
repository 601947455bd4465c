"""The null model of spotting: intervals at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mexbench.files import write_json
from mexbench.fingerprint import digest_array
from mexbench.interfaces import Interval, LongVideo, ScoredInterval, SpottingModel, VideoFrames
from mexbench.metrics.spotting import KINDS, IntervalStatistics, random_intervals
from mexbench_plugins.models._spotter_files import MOST_SECONDS, SPOTTER, check_range, number, read_document

#: Of a file that is read: intervals of a second of video, lengths of each type, and the seed.
_MOST_RATE, _MOST_LENGTHS, _MOST_SEED = 100.0, 100_000, 2**64 - 1


@dataclass(frozen=True)
class RandomSpotter:
    """Draw each video's intervals from the training side's rate and lengths; the same video gets the same ones."""

    statistics: IntervalStatistics
    seed: int

    def __call__(self, videos: Sequence[VideoFrames], /) -> list[tuple[ScoredInterval, ...]]:
        """Draw."""
        return [
            random_intervals(
                self.statistics,
                (video.first, video.last),
                video.fps,
                # From the video alone, so that it gets the same intervals whichever videos are beside it.
                np.random.default_rng([self.seed, int(digest_array(video.frames[:1])[:8], 16)]),
            )
            for video in videos
        ]


@dataclass(frozen=True, kw_only=True)
class RandomIntervals(SpottingModel):
    """Spot at random, with the rate and the lengths that the training side has: a null model.

    Whatever does not beat this row has found nothing.
    """

    source = "a null model of this program"
    example_shape = (32, 4, 4, 1)

    def flags(self) -> tuple[str, ...]:
        """Say that it looks at no pixel."""
        return ("null-model",)

    def fit_spotting(
        self, videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]], *,
        groups: NDArray[np.str_], seed: int,
    ) -> RandomSpotter:  # fmt: skip
        """Measure rate and lengths."""
        del groups
        return RandomSpotter(IntervalStatistics.of(annotated(videos, intervals)), seed)

    def save(self, predictor: object, folder: Path) -> None:
        """Write rate, lengths and the seed."""
        assert isinstance(predictor, RandomSpotter)  # noqa: S101 - fit_spotting returns no other
        statistics = predictor.statistics
        seconds = {kind: list(lengths) for kind, lengths in statistics.seconds.items()}
        write_json(folder / SPOTTER, {"seconds": seconds, "rate": dict(statistics.rate), "seed": predictor.seed})

    def load(self, folder: Path) -> RandomSpotter:
        """Read what ``save`` wrote.

        Raises:
            ValueError: The file has other content, or rates and lengths that training cannot give.
        """
        document = read_document(folder)
        seconds, rate, seed = document.get("seconds"), document.get("rate"), document.get("seed")
        if not isinstance(seconds, dict) or set(seconds) != set(KINDS) or not isinstance(rate, dict):
            raise ValueError(f"{SPOTTER}: expected 'seconds' and 'rate' by type")
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _MOST_SEED:
            raise ValueError(f"{SPOTTER}: invalid seed, expected an integer from 0 to {_MOST_SEED}")
        if any(not isinstance(seconds[kind], list) or len(seconds[kind]) > _MOST_LENGTHS for kind in KINDS):
            raise ValueError(f"{SPOTTER}: 'seconds' should be a list of at most {_MOST_LENGTHS} lengths for each type")
        lengths = {kind: tuple(number(one, "seconds") for one in seconds[kind]) for kind in KINDS}
        rates = {kind: number(rate.get(kind), "rate") for kind in KINDS}
        for one in (one for inside in lengths.values() for one in inside):
            check_range(one, "seconds", most=MOST_SECONDS)
        for rate in rates.values():
            check_range(rate, "rate", least=0, most=_MOST_RATE)
        return RandomSpotter(IntervalStatistics(lengths, rates), seed)


def annotated(videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]]) -> list[LongVideo]:
    """Return what is known of the training side as records without pixels."""
    return [
        LongVideo(
            video_id=str(index),
            subject="",
            dataset="",
            fps=video.fps,
            frames=(video.first, video.last),
            intervals=tuple(inside),
        )
        for index, (video, inside) in enumerate(zip(videos, intervals, strict=True))
    ]
