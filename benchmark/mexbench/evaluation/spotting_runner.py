"""How a task of ``target: spotting`` is done: long videos instead of stacked samples, intervals instead of scores."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mexbench.devices import used
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.interfaces import LongVideo, Model, Predictor, ScoredInterval, SpottingModel, SpottingPredictor
from mexbench.interfaces.spotting import VideoFrames
from mexbench.runs.task import Success, Task, history_of


@dataclass(frozen=True)
class SpottingRunner(TaskRunner):
    """As ``TaskRunner``; ``x`` has the frames of all videos one after the other (frames, ...): one array to share.

    What is annotated in a test video never reaches ``SpottingModel.fit_spotting``, nor do its frames.

    Args:
        videos: Each video with what is annotated in it, in the order of the samples.
        spans: First and past-the-last frame of each video in ``x`` (n, 2).
    """

    videos: tuple[LongVideo, ...] = field(kw_only=True)
    spans: NDArray[np.intp] = field(kw_only=True)

    def frames_of(self, positions: Sequence[int] | NDArray[np.intp]) -> list[VideoFrames]:
        """Return what a spotter sees of these videos."""
        return [self._frames(int(position)) for position in positions]

    def _frames(self, position: int) -> VideoFrames:
        start, stop = self.spans[position]
        video = self.videos[position]
        frames = self.x[start:stop]
        frames.flags.writeable = False
        return VideoFrames(frames=frames, first=(video.frames or (0, 0))[0], fps=video.fps)

    def fit_spotter(self, model: Model, train: NDArray[np.intp], seed: int) -> SpottingPredictor:
        """Train on these videos alone."""
        if not isinstance(model, SpottingModel):
            raise TypeError(f"{type(model).__name__} cannot spot expressions: it has no 'fit_spotting'")
        intervals = [self.videos[position].intervals for position in train]
        return model.fit_spotting(self.frames_of(train), intervals, groups=self.groups[train], seed=seed)

    def _fit(self, model: Model, train: NDArray[np.intp], seed: int) -> Predictor:
        return self.fit_spotter(model, train, seed)  # pyright: ignore[reportReturnType] - only _predict calls it

    def _predict(self, task: Task, predictor: Predictor, fit_s: float) -> Success:
        test = self.folds[task.fold][1]
        start = time.perf_counter()
        videos = self.frames_of(test)
        spotted = predictor(videos)  # pyright: ignore[reportArgumentType] - what _fit returned
        predict_s = time.perf_counter() - start
        unsaved = self.model_writer.keep(task, self.models[task.model], predictor) if self.model_writer else None
        return Success(
            task, np.empty((len(test), 0)), fit_s, predict_s, history=history_of(predictor), unsaved=unsaved,
            device=used(), intervals=checked_intervals(spotted, videos),
        )  # fmt: skip


def checked_intervals(spotted: object, videos: Sequence[VideoFrames]) -> tuple[tuple[ScoredInterval, ...], ...]:
    """Refuse what no spotter may return.

    Raises:
        TypeError: Something else than intervals.
        ValueError: Not one sequence of intervals for each video, or an interval that leaves its video.
    """
    rows = [tuple(row) for row in spotted] if isinstance(spotted, Sequence) else None
    if rows is None or len(rows) != len(videos):
        got = type(spotted).__name__ if rows is None else f"{len(rows)} of them"
        raise ValueError(f"the spotter gave {got}, expected a sequence of intervals for each of {len(videos)} videos")
    for row, video in zip(rows, videos, strict=True):
        for interval in row:
            if not isinstance(interval, ScoredInterval):
                raise TypeError(f"the spotter gave a {type(interval).__name__}, expected a ScoredInterval")
            if interval.onset < video.first or interval.offset > video.last:
                raise ValueError(
                    f"the spotter gave {interval.onset}-{interval.offset} in a video of frames {video.first} to "
                    f"{video.last}"
                )
    return tuple(rows)
