"""Long videos of procedural faces with known expressions, for spotting without any licensed data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from mexbench.interfaces import Clip, Dataset, LongVideo, Sample

if TYPE_CHECKING:
    from mexbench_plugins.synth.long_videos import LongScript

EMOTIONS = ("happiness", "disgust", "surprise", "repression", "sadness")
#: Of rendered videos that are kept.
_MOST_BYTES = 2**28
_CLASSES = {"happiness": "positive", "surprise": "surprise"}


@dataclass(frozen=True, kw_only=True)
class SyntheticLong(Dataset):
    """Long videos of procedural faces, cut to the face: neutral stretches, head motion, blinks, expressions.

    The head wanders and nods, the lids close, and in every third video of a person nothing is expressed at all. The
    true intervals run from the last frame before the face moves to the first that is neutral again. As clips, for
    recognition, it gives the expressions alone.

    Args:
        subjects: Number of people.
        videos_each: Videos per person.
        seconds: Length of a video.
        fps: Frames per second.
        size: Side of the face in the pictures, in pixels.
        view: face shows the face alone, always cut at the same place; picture the whole picture (240 x 180), as a film
            has it, in which a step has to find the face. ``size`` is of the face alone.
        micro: Micro-expressions in a video that has any expression.
        macro: Macro-expressions in it.
        intensity: Amplitude of the micro-expressions; macro-expressions have two to three times as much.
        seed: Another seed is another data set.
    """

    source = "made by this program"
    licence = "free of any"

    subjects: Annotated[int, Ge(2)] = 6
    videos_each: Annotated[int, Ge(1)] = 3
    seconds: Annotated[float, Gt(5), Le(600)] = 30.0
    fps: Annotated[int, Ge(10), Le(200)] = 30
    size: Annotated[int, Ge(24), Le(128)] = 64
    view: Literal["face", "picture"] = "face"
    micro: Annotated[int, Ge(0)] = 3
    macro: Annotated[int, Ge(0)] = 2
    intensity: Annotated[float, Gt(0), Le(5)] = 2.0
    seed: Annotated[int, Ge(0)] = 0

    def flags(self) -> tuple[str, ...]:
        """Say that the data is made up."""
        return ("synthetic",)

    def label_map(self) -> Mapping[str, str]:
        """Return the usual three classes."""
        return {emotion: _CLASSES.get(emotion, "negative") for emotion in EMOTIONS}

    def videos(self) -> Sequence[LongVideo]:
        """Return every video with what happens in it."""
        return [video for video, _ in self._index.values()]

    def load_video(self, video: LongVideo) -> Clip:
        """Render a video: frames (T, size, size, 1), gray; or (T, 180, 240, 1)."""
        frames = self._rendered.get(video.video_id)
        if frames is None:
            take = self._index[video.video_id][1].take()
            shown = take.face_frames(self.size) if self.view == "face" else take.gray_frames()
            frames = np.stack(list(shown))[..., None]
            frames.flags.writeable = False
            if sum(one.nbytes for one in self._rendered.values()) + frames.nbytes <= _MOST_BYTES:
                self._rendered[video.video_id] = frames
        return Clip(frames=frames, fps=float(self.fps))

    def samples(self) -> Sequence[Sample]:
        """Return one sample for each expression."""
        return [
            Sample(
                sample_id=f"{video.video_id}/{interval.onset:05}",
                clip_id=f"{video.video_id}/{interval.onset:05}",
                subject=video.subject,
                dataset=video.dataset,
                emotion=interval.emotion,
                onset=interval.onset,
                apex=interval.apex,
                offset=interval.offset,
                fps=video.fps,
            )
            for video in self.videos()
            for interval in video.intervals
        ]

    def load(self, sample: Sample) -> Clip:
        """Render the frames from the onset to the offset."""
        onset, apex, offset = sample.onset or 1, sample.apex or 1, sample.offset or 1
        video, _ = self._index[sample.clip_id.rpartition("/")[0]]
        frames = self.load_video(video).frames[onset - 1 : offset]
        return Clip(
            frames=frames, fps=float(self.fps), onset_index=0, apex_index=apex - onset, offset_index=offset - onset
        )

    @cached_property
    def _rendered(self) -> dict[str, NDArray[np.uint8]]:
        """Videos that were rendered already: every model's input asks for them again."""
        return {}

    @cached_property
    def _index(self) -> dict[str, tuple[LongVideo, LongScript]]:
        index: dict[str, tuple[LongVideo, LongScript]] = {}
        for subject in range(self.subjects):
            for number in range(self.videos_each):
                script = self._script(subject, number)
                name = f"synthetic_long/s{subject + 1:02}"
                video = LongVideo(
                    video_id=f"{name}/v{number + 1:02}",
                    subject=name,
                    dataset="synthetic_long",
                    fps=float(self.fps),
                    frames=(1, script.spec.n_frames),
                    intervals=script.intervals(),
                )
                index[video.video_id] = video, script
        return index

    def _script(self, subject: int, number: int) -> LongScript:
        from mexbench_plugins.synth.long_videos import LongVideoSpec, direct

        spec = LongVideoSpec(
            seconds=self.seconds, fps=self.fps, micro=self.micro, macro=self.macro, intensity=self.intensity
        )
        cast = np.random.default_rng([self.seed, 0x1046]).choice(100_000, self.subjects, replace=False)
        seed = 10_000 * self.seed + 100 * subject + number
        return direct(spec, person=int(cast[subject]), seed=seed, expressive=number % 3 != 2)
