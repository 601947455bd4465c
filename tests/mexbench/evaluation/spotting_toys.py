"""Long videos of a few numbers, and spotters that read them: whoever looks at the frames can be perfect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mexbench.interfaces import (
    Clip,
    Dataset,
    Interval,
    LongVideo,
    Sample,
    ScoredInterval,
    SpottingModel,
    VideoFrames,
)

N_FRAMES = 60


@dataclass(frozen=True, kw_only=True)
class ToyLong(Dataset):
    """Frames of two numbers: 1 inside an expression else 0, and a number that names the video.

    Args:
        subjects: How many, each with two videos, the second one without expression.
        unknown: Whether the length of the first video is unknown.
    """

    named: ClassVar[str] = "toylong"
    subjects: int = 3
    unknown: bool = False

    def label_map(self) -> dict[str, str]:
        return {}

    def samples(self) -> Sequence[Sample]:
        return []

    def load(self, sample: Sample) -> Clip:
        raise AssertionError(sample)

    def videos(self) -> Sequence[LongVideo]:
        result = []
        for subject in range(self.subjects):
            for number in range(2):
                onset = 10 + 5 * subject
                shown = Interval(onset=onset, apex=onset + 4, offset=onset + 9, kind="micro", emotion="joy")
                unknown = self.unknown and not result
                result.append(
                    LongVideo(
                        video_id=f"{self.named}/p{subject}/v{number}",
                        subject=f"{self.named}/p{subject}",
                        dataset=self.named,
                        fps=30.0,
                        frames=None if unknown else (1, N_FRAMES),
                        intervals=(shown,) if number == 0 else (),
                    )
                )
        return result[::-1]

    def load_video(self, video: LongVideo) -> Clip:
        frames = np.zeros((N_FRAMES, 2), np.float32)
        subject, number = (int(part[1:]) for part in video.video_id.split("/")[1:])
        frames[:, 1] = 1 + 10 * subject + number + (100 if self.named == "other" else 0)
        for interval in video.intervals:
            frames[interval.onset - 1 : interval.offset, 0] = 1
        return Clip(frames=frames)


class PictureLong(ToyLong):
    """The same as gray pictures of four by four."""

    named = "pictures"

    def load_video(self, video: LongVideo) -> Clip:
        frames = super().load_video(video).frames
        pictures = np.full((len(frames), 4, 4, 1), 100, np.uint8)
        pictures[:, :2, :2, 0] += (50 * frames[:, 0, None, None]).astype(np.uint8)
        pictures[:, 3, 3, 0] = frames[:, 1]  # no two videos are equal
        return Clip(frames=pictures)


class OtherLong(ToyLong):
    """The same under another name, with other pixels."""

    named = "other"


def names(videos: Sequence[VideoFrames]) -> list[float]:
    return [float(video.frames[0, 1]) for video in videos]


def runs(video: VideoFrames) -> list[ScoredInterval]:
    inside = np.flatnonzero(video.frames[:, 0] > 0.5)
    if not len(inside):
        return []
    return [ScoredInterval(onset=int(inside[0]) + video.first, offset=int(inside[-1]) + video.first, kind="micro")]


@dataclass(frozen=True, kw_only=True)
class Seer(SpottingModel):
    """Read the truth out of the frames, and note which videos were trained on and which tested."""

    source = "tests"
    seen: ClassVar[list[tuple[list[float], list[int], list[str], list[float]]]] = []

    def fit_spotting(self, videos: Any, intervals: Any, *, groups: Any, seed: int) -> Any:  # noqa: ANN401
        del seed
        trained = names(videos), [len(one) for one in intervals], list(groups)

        def spot(tested: Sequence[VideoFrames]) -> list[list[ScoredInterval]]:
            self.seen.append((*trained, names(tested)))
            return [runs(video) for video in tested]

        return spot


@dataclass(frozen=True, kw_only=True)
class Escapee(Seer):
    """Spot beyond the end of a video."""

    def fit_spotting(self, videos: Any, intervals: Any, *, groups: Any, seed: int) -> Any:  # noqa: ANN401
        del videos, intervals, groups, seed
        return lambda tested: [[ScoredInterval(onset=1, offset=N_FRAMES + 1, kind="micro")] for _ in tested]


@dataclass(frozen=True, kw_only=True)
class Blind(Seer):
    """Spot nothing: a null model."""

    def flags(self) -> tuple[str, ...]:
        return ("null-model",)

    def fit_spotting(self, videos: Any, intervals: Any, *, groups: Any, seed: int) -> Any:  # noqa: ANN401
        del videos, intervals, groups, seed
        return lambda tested: [[] for _ in tested]
