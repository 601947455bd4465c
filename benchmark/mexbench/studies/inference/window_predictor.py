"""The prediction for one window: the model's steps, then the model, with the time that each stage takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from mexbench.config.frame_selection import evenly, mixed
from mexbench.errors import NoFace, SampleRejected, SavedModelError
from mexbench.interfaces import Clip
from mexbench.runs.saved_model import SavedModel
from mexbench.studies.inference.input_spec import Wanted
from mexbench.studies.inference.windows import Window, WindowSpec

T = TypeVar("T")
Stage = Literal["decode", "detect", "preprocess", "predict"]
STAGES: tuple[Stage, ...] = ("decode", "detect", "preprocess", "predict")
#: Faces that the steps detected in a window; empty where no step detects faces.
Faces = Literal["one", "several", "none", ""]
_NONE, _SEVERAL = "no face found", "several faces found"


@dataclass
class Stopwatch:
    """Seconds by stage, of the wall clock unless another is given."""

    clock: Callable[[], float] = time.perf_counter
    seconds: dict[Stage, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def timing(self, stage: Stage) -> Iterator[None]:
        """Add the time that a block takes."""
        start = self.clock()
        try:
            yield
        finally:
            self.seconds[stage] += self.clock() - start

    def each(self, stage: Stage, items: Iterable[T]) -> Iterator[T]:
        """Pass items on and add the time that each takes to come."""
        iterator = iter(items)
        while True:
            with self.timing(stage):
                item = next(iterator, None)
            if item is None:
                return
            yield item


@dataclass(frozen=True, eq=False)
class WindowPrediction:
    """The prediction of a model for a window.

    Args:
        window: The window.
        scores: (n_classes,), the mean over frames where each is a sample; None without a prediction.
        frame_scores: (T, n_classes), scores of single frames where each is a sample.
        faces: What the steps detected.
        reason: Why a prediction is missing; empty where it is not.
        notes: Of the steps.
    """

    window: Window
    scores: NDArray[np.float64] | None
    frame_scores: NDArray[np.float64] | None = None
    faces: Faces = ""
    reason: str = ""
    notes: tuple[str, ...] = ()


class WindowPredictor:
    """A saved model and its steps, ready for windows.

    A window is treated as a clip of the training data: its frames go through the steps together, so that a face is
    detected in its first frame and every frame is cropped to it. Where a sample is a clip, the model's count of
    frames is spread over the window, those between two interpolated; where it is a frame, each frame is one.
    """

    def __init__(self, model: SavedModel, wanted: Wanted, spec: WindowSpec) -> None:
        self.model, self.wanted, self.spec = model, wanted, spec
        self.stopwatch = Stopwatch()
        sample = model.about["sample"]
        # Networks compile for a number of samples: before the clock runs.
        count = 1 if wanted.count else max(1, round(spec.length_s * spec.fps))
        self._score(np.zeros((count, *sample["shape"]), sample["dtype"]))

    def __call__(self, window: Window) -> WindowPrediction:
        """Return the prediction for a window.

        Raises:
            SavedModelError: The steps return samples of another shape than those that the model was trained on.
            DataError: A step cannot process these frames.
        """
        images = np.stack([frame.image for frame in window.frames])
        if self.wanted.count is not None:
            pick = evenly(len(images), self.wanted.count)
            with self.stopwatch.timing("preprocess"):
                images = mixed(images[list(pick.numbers)], pick)
        images.flags.writeable = False
        clip = Clip(frames=images, fps=self._fps(window))
        looked = False
        try:
            for step in self.wanted.steps:
                with self.stopwatch.timing("detect" if step.instance.finds_faces else "preprocess"):
                    clip = step.instance(clip)
                clip.frames.flags.writeable = False
                looked = looked or step.instance.finds_faces
        except SampleRejected as error:
            return WindowPrediction(
                window, None, faces=_faces(looked, error, clip.notes), reason=str(error), notes=clip.notes
            )
        faces = _faces(looked, None, clip.notes)
        with self.stopwatch.timing("predict"):
            if self.wanted.count is not None:
                return WindowPrediction(window, self._score(clip.frames[None])[0], faces=faces, notes=clip.notes)
            if len(clip.frames) != len(window.frames):
                raise SavedModelError(
                    f"{self.model.folder}: {len(window.frames)} frames became {len(clip.frames)} in its steps, but "
                    "each frame is a sample"
                )
            each = self._score(clip.frames[:, None])
            return WindowPrediction(window, each.mean(axis=0), each, faces, notes=clip.notes)

    def _score(self, x: NDArray[Any]) -> NDArray[np.float64]:
        scores = np.asarray(self.model(x), dtype=np.float64)
        if not np.isfinite(scores).all():
            raise SavedModelError(f"{self.model.folder}: gave scores that are not finite; train and save it again")
        return scores

    def _fps(self, window: Window) -> float | None:
        """Return frames per second of the clip that a step sees, in Hz."""
        length = window.end_s - window.start_s
        return (self.wanted.count or len(window.frames)) / length if length > 0 else None


def _faces(looked: bool, error: SampleRejected | None, notes: tuple[str, ...]) -> Faces:  # noqa: FBT001
    texts = (*notes, str(error)) if error else notes
    if isinstance(error, NoFace) or any(text.startswith(_NONE) for text in texts):
        return "none"
    if any(text.startswith(_SEVERAL) for text in texts):
        return "several"
    return "one" if looked else ""
