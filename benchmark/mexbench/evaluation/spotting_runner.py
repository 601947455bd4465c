"""How a task of ``target: spotting`` is done: long videos instead of stacked samples, intervals instead of scores."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mexbench.devices import used
from mexbench.evaluation.task_runner import GroupData, TaskRunner, Trainer
from mexbench.interfaces import LongVideo, Model, Predictor, SpottingModel, SpottingPredictor
from mexbench.interfaces.spotting import VideoFrames, checked_intervals
from mexbench.runs.task import Success, Task, history_of


@dataclass(frozen=True, eq=False)
class SpottingTrainer(Trainer):
    """As ``Trainer``; ``x`` has the frames of all videos one after the other (frames, ...): one array to share.

    Args:
        spans: First and past-the-last frame of each video in ``x`` (n, 2).
        first: Published number of each video's first frame (n,).
        fps: Frames per second of each video (n,).
    """

    spans: NDArray[np.intp] = field(kw_only=True)
    first: NDArray[np.intp] = field(kw_only=True)
    fps: NDArray[np.float64] = field(kw_only=True)

    def frames_of(self, positions: Sequence[int] | NDArray[np.intp]) -> list[VideoFrames]:
        """Return what a spotter sees of these videos."""
        return [self._frames(int(position)) for position in positions]

    def _frames(self, position: int) -> VideoFrames:
        start, stop = self.spans[position]
        frames = self.x[start:stop]
        frames.flags.writeable = False
        return VideoFrames(frames=frames, first=int(self.first[position]), fps=float(self.fps[position]))

    def fit_spotter(self, model: Model, data: GroupData) -> SpottingPredictor:
        """Train on the videos of one training side alone."""
        if not isinstance(model, SpottingModel):
            raise TypeError(f"{type(model).__name__} cannot spot expressions: it has no 'fit_spotting'")
        videos, intervals = self.frames_of(data.rows), [tuple(one) for one in data.y]
        return model.fit_spotting(videos, intervals, groups=data.groups.copy(), seed=data.tasks[0].seed)

    def _fit(self, model: Model, data: GroupData) -> Iterable[Predictor]:
        return [self.fit_spotter(model, data)]  # pyright: ignore[reportReturnType] - only _predict calls it

    def _predict(
        self, task: Task, model: Model, predictor: Predictor, test: NDArray[np.intp], fit_s: float, *, of_units: bool
    ) -> Success:
        del of_units
        videos = self.frames_of(test)
        start = time.perf_counter()
        spotted = predictor(videos)  # pyright: ignore[reportArgumentType] - what _fit returned
        predict_s = time.perf_counter() - start
        unsaved = self.model_writer.save(task, model, predictor) if self.model_writer else None
        return Success(
            task, np.empty((len(test), 0)), fit_s, predict_s, history=history_of(predictor), unsaved=unsaved,
            device=used(), intervals=checked_intervals(spotted, videos),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class SpottingRunner(TaskRunner):
    """As ``TaskRunner``; ``y`` has what is annotated in each video (n,), a tuple of intervals.

    Args:
        videos: Each video, in the order of the samples.
        spans: First and past-the-last frame of each video in ``x`` (n, 2).
    """

    videos: tuple[LongVideo, ...] = field(kw_only=True)
    spans: NDArray[np.intp] = field(kw_only=True)

    def trainer(self) -> SpottingTrainer:
        """Return the part that trains, without what is annotated in any video."""
        return SpottingTrainer(
            self.x,
            self.copies,
            self.models,
            self.n_classes,
            self.model_writer,
            spans=self.spans,
            first=np.array([(video.frames or (0, 0))[0] for video in self.videos], dtype=np.intp),
            fps=np.array([video.fps for video in self.videos]),
        )


def annotated(videos: Sequence[LongVideo]) -> NDArray[np.object_]:
    """Return what is annotated in each video (n,): a tuple of intervals, also where all have equally many."""
    frames = np.empty(len(videos), dtype=object)
    for position, video in enumerate(videos):
        frames[position] = video.intervals
    return frames
