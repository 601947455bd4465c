"""The prediction for one window: the model's steps, then the model, with the time that each stage takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from mexbench.config.frame_selection import evenly, mixed
from mexbench.data.video.reader import Frame
from mexbench.errors import BenchError, NoFace, SampleRejected, SavedModelError, counted
from mexbench.interfaces import Clip, ClipInfo
from mexbench.runs.saved_model import SavedModel
from mexbench.studies.inference.apex import estimated_apex
from mexbench.studies.inference.film_units import FilmUnits, shown_units
from mexbench.studies.inference.input_spec import Wanted, clip_of_moments
from mexbench.studies.inference.windows import Window, WindowSpec

T = TypeVar("T")
Stage = Literal["decode", "detect", "preprocess", "predict"]
STAGES: tuple[Stage, ...] = ("decode", "detect", "preprocess", "predict")
#: Faces that the steps detected in a frame or a window; empty where no step detects faces.
Faces = Literal["one", "several", "none", ""]
_NONE, _SEVERAL = "no face found", "several faces found"
# Counted over windows by their text, so they hold no numbers.
NO_FACE = "no face found in any of its frames"
SOME_WITHOUT = "no face found in some frames: these are not used"
NO_UNITS = "its file of action units has no row with a sure face in this time"
ONE_FRAME = "a single usable frame, and this model needs motion"


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
        scores: (n_classes,), the mean over frames with a face where each is a sample; None without a prediction.
        frame_scores: (T, n_classes), scores of single frames where each is a sample; NaN for one without a face.
        frame_faces: What the steps detected in each frame of the window; all empty where no step detects faces.
        reason: Why a prediction is missing; empty where it is not.
        notes: Of the steps.
        units: Action units (``AU4``) that a file has of the window; None where there is no such file.
    """

    window: Window
    scores: NDArray[np.float64] | None
    frame_scores: NDArray[np.float64] | None = None
    frame_faces: tuple[Faces, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()
    units: frozenset[str] | None = None

    @property
    def faces(self) -> Faces:
        """What the frames show together: none only where no frame has a face."""
        if "several" in self.frame_faces:
            return "several"
        if "one" in self.frame_faces:
            return "one"
        return "none" if "none" in self.frame_faces else ""


class WindowPredictor:
    """A saved model and its steps, ready for windows.

    Where a step detects faces, it is asked about every frame by itself first: a frame without a face is not used. The
    others of a window are treated as a clip of the training data: they go through the steps together, so that a face is
    detected in the first of them and every frame is cropped to it. Where a sample is a clip, the model's count of
    frames is spread over them, those between two interpolated; where it is a frame, each frame is one.
    """

    def __init__(self, model: SavedModel, wanted: Wanted, spec: WindowSpec) -> None:
        self.model, self.wanted, self.spec = model, wanted, spec
        self.units: FilmUnits | None = None  # of the film that is read now, where a file has them
        self.stopwatch = Stopwatch()
        last = max((index for index, step in enumerate(wanted.steps) if step.instance.finds_faces), default=-1)
        self._until_face = wanted.steps[: last + 1]
        self._frame_faces: dict[Frame, Faces] = {}
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
        frame_faces = self._faces_by_frame(window)
        usable = [index for index, faces in enumerate(frame_faces) if faces != "none"]
        if not usable:
            return WindowPrediction(window, None, frame_faces=frame_faces, reason=NO_FACE)
        notes = (SOME_WITHOUT,) if len(usable) < len(window.frames) else ()
        if len(usable) == 1 and (self.wanted.count or 1) > 1:
            return WindowPrediction(window, None, frame_faces=frame_faces, reason=ONE_FRAME, notes=notes)
        measured = None
        if self.units is not None:
            measured = self.units.within(window.start_s, window.end_s)
            if measured is None:
                return WindowPrediction(window, None, frame_faces=frame_faces, reason=NO_UNITS, notes=notes)
        shown = None if measured is None else shown_units(measured)
        clip = self._clip(window, usable)
        info = ClipInfo(clip_id="film", length=len(usable), frames=clip.frames)
        try:
            for step in self.wanted.steps:
                clip = replace(clip, measured=measured, clip_info=info if step.instance.needs_clip_info() else None)
                with self.stopwatch.timing("detect" if step.instance.finds_faces else "preprocess"):
                    clip = step.instance(clip)
                clip.frames.flags.writeable = False
        except SampleRejected as error:
            notes = (*notes, *clip.notes)
            return WindowPrediction(window, None, frame_faces=frame_faces, reason=str(error), notes=notes, units=shown)
        notes = (*notes, *clip.notes)
        with self.stopwatch.timing("predict"):
            if self.wanted.count is not None:
                scores = self._score(clip.frames[None])[0]
                return WindowPrediction(window, scores, frame_faces=frame_faces, notes=notes, units=shown)
            if len(clip.frames) != len(usable):
                raise SavedModelError(
                    f"{self.model.folder}: {counted(len(usable), 'frame')} became {len(clip.frames)} in its steps, but "
                    "each frame is a sample"
                )
            scores = self._score(clip.frames[:, None])
            each = np.full((len(window.frames), scores.shape[1]), np.nan)
            each[usable] = scores
            return WindowPrediction(window, scores.mean(axis=0), each, frame_faces, notes=notes, units=shown)

    def _clip(self, window: Window, usable: Sequence[int]) -> Clip:
        """Return what the steps are given of a window: as many of its frames as the model's samples have."""
        if self.wanted.at and len(window.frames) > 1:
            return self._moments(window, usable)
        frames = np.stack([window.frames[index].image for index in usable])
        if self.wanted.count is not None:
            pick = evenly(len(frames), self.wanted.count)
            with self.stopwatch.timing("preprocess"):
                frames = mixed(frames[list(pick.numbers)], pick)
        frames.flags.writeable = False
        return Clip(frames=frames, fps=self._fps(window))

    def _moments(self, window: Window, usable: Sequence[int]) -> Clip:
        """Return the moments of a window: its first frame is the onset, its last one the offset.

        The apex is the one that is known, or else estimated: see ``estimated_apex``.
        """
        frames = np.stack([window.frames[index].image for index in usable])
        apex = usable.index(window.apex) if window.apex in usable else None
        if apex is None and "apex" in self.wanted.at:
            with self.stopwatch.timing("detect"):
                apex = estimated_apex(self._cropped(frames))
        position = {"onset": 0, "apex": apex or 0, "offset": len(usable) - 1}
        picked = frames[[position[moment] for moment in self.wanted.at]]
        picked.flags.writeable = False
        return clip_of_moments(picked, self.wanted.at)

    def _cropped(self, frames: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the faces of frames, as the steps crop them; the frames where no step does or can."""
        frames.flags.writeable = False
        clip = Clip(frames=frames, onset_index=0)
        try:
            for step in self._until_face:
                clip = step.instance(clip)
                clip.frames.flags.writeable = False
        except BenchError:  # the steps will say so of the picked frames
            return frames
        return clip.frames if len(clip.frames) == len(frames) and clip.frames.ndim == 4 else frames

    def _faces_by_frame(self, window: Window) -> tuple[Faces, ...]:
        """Return what each frame of a window shows; frames of overlapping windows are searched once."""
        if not self._until_face:
            return ("",) * len(window.frames)
        known = self._frame_faces
        with self.stopwatch.timing("detect"):
            self._frame_faces = {
                frame: known[frame] if frame in known else self._faces_of(frame) for frame in window.frames
            }
        return tuple(self._frame_faces.values())

    def _faces_of(self, frame: Frame) -> Faces:
        image = frame.image[None]
        image.flags.writeable = False
        clip, looked = Clip(frames=image, fps=self.spec.fps), False
        try:
            for step in self._until_face:
                clip = step.instance(clip)
                clip.frames.flags.writeable = False
                looked = looked or step.instance.finds_faces
        except BenchError as error:  # of a step that a single frame is too little for: the window will show it
            return _faces(looked, error, clip.notes)
        return _faces(looked, None, clip.notes)

    def _score(self, x: NDArray[Any]) -> NDArray[np.float64]:
        scores = np.asarray(self.model(x), dtype=np.float64)
        if not np.isfinite(scores).all():
            raise SavedModelError(f"{self.model.folder}: gave scores that are not finite; train and save it again")
        return scores

    def _fps(self, window: Window) -> float | None:
        """Return frames per second of the clip that a step sees, in Hz."""
        length = window.end_s - window.start_s
        return (self.wanted.count or len(window.frames)) / length if length > 0 else None


def _faces(looked: bool, error: BenchError | None, notes: tuple[str, ...]) -> Faces:  # noqa: FBT001
    texts = (*notes, str(error)) if error else notes
    if isinstance(error, NoFace) or any(text.startswith(_NONE) for text in texts):
        return "none"
    if any(text.startswith(_SEVERAL) for text in texts):
        return "several"
    return "one" if looked else ""
