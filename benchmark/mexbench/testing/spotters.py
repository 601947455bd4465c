"""What spotters promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mexbench.errors import counted
from mexbench.interfaces import Interval, ScoredInterval, SpottingModel, SpottingPredictor, ThresholdPredictor
from mexbench.interfaces.spotting import VideoFrames
from mexbench.runs.model_files import content_errors, file_errors
from mexbench.runs.saved_model import ABOUT, can_save
from mexbench.testing.checks import NotApplicable, check

_FPS, _FIRST, _N_FRAMES, _VIDEOS = 30.0, 101, 240, 6
Spotted = list[list[ScoredInterval]]


def example_videos(model: SpottingModel, seed: int = 0) -> tuple[list[VideoFrames], list[list[Interval]]]:
    """Make videos of noise in which a part of the picture changes during an expression; one of each three has none."""
    videos, intervals = [], []
    for index in range(_VIDEOS):
        rng = np.random.default_rng([seed, index])
        shape = model.example_shape[1:]
        frames = np.broadcast_to(rng.normal(128, 20, shape), (_N_FRAMES, *shape)) + rng.normal(
            0, 2, (_N_FRAMES, *shape)
        )
        frames = frames.reshape(_N_FRAMES, -1).copy()
        inside: list[Interval] = []
        for onset, length, kind in ((30, 12, "micro"), (120, 45, "macro")) if index % 3 != 2 else ():
            start = onset + int(rng.integers(20))
            rise = np.sin(np.pi * np.arange(length) / (length - 1))
            frames[start : start + length, : max(1, frames.shape[1] // 8)] += 40 * rise[:, None]
            inside.append(
                Interval(
                    onset=_FIRST + start,
                    apex=_FIRST + start + length // 2,
                    offset=_FIRST + start + length - 1,
                    kind="micro" if kind == "micro" else "macro",
                )
            )
        array = np.clip(frames, 0, 255).astype(model.example_dtype).reshape(_N_FRAMES, *shape)
        array.flags.writeable = False
        videos.append(VideoFrames(frames=array, first=_FIRST, fps=_FPS))
        intervals.append(inside)
    return videos, intervals


def _fit(
    model: SpottingModel, videos: Sequence[VideoFrames], intervals: Sequence[Sequence[Interval]], seed: int = 0
) -> SpottingPredictor:
    groups = np.array([f"subject {index % 3}" for index in range(len(videos))])
    groups.flags.writeable = False
    return model.fit_spotting(videos, intervals, groups=groups, seed=seed)


def _spot(predictor: SpottingPredictor, videos: Sequence[VideoFrames]) -> Spotted:
    return [list(row) for row in predictor(videos)]


@check("gives intervals inside each video for read-only frames")
def inside(model: SpottingModel) -> Iterator[str]:
    """Look at the intervals of as many videos as trained, and of one."""
    predictor = _fit(model, *example_videos(model))
    videos, _ = example_videos(model, seed=1)
    for asked in (videos, videos[:1]):
        spotted = _spot(predictor, asked)
        if len(spotted) != len(asked):
            yield f"{counted(len(asked), 'video')} gave {counted(len(spotted), 'row')} of intervals"
        for one in (one for row in spotted for one in row):
            if not isinstance(one, ScoredInterval):
                yield f"gave a {type(one).__name__}, expected a ScoredInterval"
                return
            if one.onset < _FIRST or one.offset > _FIRST + _N_FRAMES - 1:
                yield f"gave {one.onset}-{one.offset} in a video of frames {_FIRST} to {_FIRST + _N_FRAMES - 1}"


@check("spots the same for the same seed, and keeps nothing between two trainings")
def deterministic(model: SpottingModel) -> Iterator[str]:
    """Train twice, with another training in between, and ask the first spotter again."""
    videos, intervals = example_videos(model)
    test, _ = example_videos(model, seed=1)
    first = _fit(model, videos, intervals, seed=7)
    before = _spot(first, test)
    _spot(_fit(model, *example_videos(model, seed=2), seed=7), test)
    if _spot(first, test) != before:
        yield "an earlier spotter changed"
    if _spot(_fit(model, videos, intervals, seed=7), test) != before:
        yield "training twice with one seed gives other intervals"


@check("takes each test video by itself")
def one_by_one(model: SpottingModel) -> Iterator[str]:
    """Spot together and one by one: whoever looks at the other test videos learns from them."""
    predictor = _fit(model, *example_videos(model))
    test, _ = example_videos(model, seed=1)
    together = _spot(predictor, test)
    alone = [_spot(predictor, [video])[0] for video in test]
    spans = [[[(one.onset, one.offset, one.kind) for one in row] for row in rows] for rows in (together, alone)]
    if spans[0] != spans[1]:
        yield "intervals differ from those of the whole test side"


@check("copes with training videos of one type, and with none that has any expression")
def scarce(model: SpottingModel) -> Iterator[str]:
    """Train on macro-expressions alone, then on nothing."""
    videos, intervals = example_videos(model)
    macro = [[one for one in row if one.kind == "macro"] for row in intervals]
    spotted = _spot(_fit(model, videos, macro), videos)
    if any(one.kind == "micro" for row in spotted for one in row):
        yield "spots a type that never trained"
    if any(_spot(_fit(model, videos, [[] for _ in videos]), videos)):
        yield "spots expressions although none trained"


@check("where it has a threshold, spots at each what reaches it")
def threshold(model: SpottingModel) -> Iterator[str]:
    """Compare the intervals at each threshold with those of the lowest one."""
    predictor = _fit(model, *example_videos(model))
    if not isinstance(predictor, ThresholdPredictor):
        raise NotApplicable
    videos, _ = example_videos(model, seed=1)
    values = sorted({*predictor.thresholds, predictor.threshold})
    everything = _spot(predictor.at(values[0]), videos)
    for value in (values[len(values) // 2], values[-1]):
        if _spot(predictor.at(value), videos) != [[one for one in row if one.score >= value] for row in everything]:
            yield f"at {value:g} it spots something else than what scores {value:g} at the lowest threshold"
    if _spot(predictor.at(predictor.threshold), videos) != _spot(predictor, videos):
        yield "at its own threshold it spots something else"


@check("where it can be saved, spots the same after saving and loading, with no pickle among the files")
def saved(model: SpottingModel) -> Iterator[str]:
    """Save two trainings into a folder each, one of them without any expression, load both and compare."""
    if not can_save(model):
        raise NotApplicable
    videos, intervals = example_videos(model)
    test, _ = example_videos(model, seed=1)
    for truth in (intervals, [[] for _ in videos]):
        predictor = _fit(model, videos, truth, seed=5)
        with TemporaryDirectory() as name:
            folder = Path(name)
            model.save(predictor, folder)
            if errors := [*file_errors(folder, ABOUT), *(e for path in folder.iterdir() for e in content_errors(path))]:
                yield "; ".join(errors)
                continue
            if _spot(model.load(folder), test) != _spot(predictor, test):
                yield "the loaded spotter gives other intervals"


CHECKS = (inside, deterministic, one_by_one, scarce, threshold, saved)
