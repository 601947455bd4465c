"""Films in the wild: a list of clips beside films, labelled or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le, MinLen

from mexbench.data.video.clip_list import ListedClip, read, require_films
from mexbench.data.video.reader import Video
from mexbench.errors import DataError, counted
from mexbench.interfaces import Clip, DataIssue, Dataset, Sample
from mexbench_plugins.datasets._io.folders import inside

#: The words that people write into lists -> class, in the order of the classes.
WORDS: Mapping[str, str] = {
    "anger": "anger", "angry": "anger", "contempt": "contempt", "disgust": "disgust", "disgusted": "disgust",
    "fear": "fear", "fearful": "fear", "afraid": "fear", "happiness": "happiness", "happy": "happiness",
    "joy": "happiness", "sadness": "sadness", "sad": "sadness", "surprise": "surprise", "surprised": "surprise",
    "neutral": "neutral", "repression": "repression", "other": "others", "others": "others",
}  # fmt: skip
#: Bytes of frames that one clip may take in memory.
MOST_BYTES = 4 * 2**30
#: A header's length need not be exact.
_SLACK_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Youtube(Dataset):
    """Clips of films, mp4, mov, avi or webm, that a list beside them names.

    The list is a CSV with the columns clip_id, path, subject, condition, start_s, end_s, emotion and source_url, of
    which only clip_id and path are required, and age_group, sex and ethnicity, by which figures are broken down. A clip
    without an emotion is unlabelled. A film is decoded at its own rate and sampled by the times of its frames; a
    frame's number is its time in milliseconds. Onset and apex are not known.

    Args:
        manifest: The list.
        fps: Frames of each second that are kept, in Hz; all of them where a film has fewer.
        title: What the data set is called: in front of every id and in every table.
    """

    source = "the user's own films"
    own_names = True
    licence = "that of the films; the people in them have to agree to the analysis"

    manifest: Path
    fps: Annotated[float, Gt(0), Le(200)] = 10.0
    title: Annotated[str, MinLen(1)] = "youtube"

    def label_map(self) -> Mapping[str, str]:
        """Return the words that the list uses -> class; every word known where no clip has a label."""
        used = {sample.emotion for sample in self.samples()}
        return {word: name for word, name in WORDS.items() if word in used} or WORDS

    def display_name(self) -> str | None:
        """Return the title."""
        return self.title

    def samples(self) -> Sequence[Sample]:
        """Return one sample per line of the list; the header of each film is looked at.

        Raises:
            DataError: The list cannot be used, or a film is missing or no film; the text names the line.
        """
        return [sample for sample, _ in self._index.values()]

    def data_issues(self) -> Sequence[DataIssue]:
        """Return what the list has beside its columns."""
        notices: list[str] = []
        read(self.manifest, notices.append)
        return [
            DataIssue(what="columns of the list ignored", where=self.manifest.name, detail=text) for text in notices
        ]

    def frame_numbers(self, sample: Sample) -> Sequence[int]:
        """Return the times of the sampled frames, in milliseconds; the film is decoded for it, once."""
        if sample.clip_id not in self._numbers:
            entry = self._entry(sample)
            with Video(self._film(entry)) as film:
                times = film.times(fps=self.fps, start_s=entry.start_s, end_s=entry.end_s)
                self._numbers[sample.clip_id] = sorted({_milliseconds(time_s) for time_s in times})
        return self._numbers[sample.clip_id]

    def load(self, sample: Sample) -> Clip:
        """Read every sampled frame: (T, H, W, 3) RGB, uint8."""
        return self.load_frames(sample, self.frame_numbers(sample))

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        """Read the frames at these times, in this order.

        Raises:
            DataError: One is not there, or all of them take too much memory.
        """
        entry, wanted = self._entry(sample), set(numbers)
        if not numbers:
            raise DataError(f"{sample.clip_id}: no frame was asked for; a clip has at least one")
        with Video(self._film(entry)) as film:
            bytes_needed = len(wanted) * film.width * film.height * 3
            if bytes_needed > MOST_BYTES:
                raise DataError(
                    f"{entry.line}: {counted(len(wanted), 'frame')} of {film.width}x{film.height}: "
                    f"{bytes_needed >> 20} MiB at once, at most {MOST_BYTES >> 20}: choose fewer (frames: count, or a "
                    "lower fps), cut the clip by start_s and end_s, or use 'bench predict', which needs no more for a "
                    "longer film"
                )
            images = {}
            for frame in film.frames(fps=self.fps, start_s=entry.start_s, end_s=entry.end_s):
                number = _milliseconds(frame.time_s)
                if number in wanted:
                    images.setdefault(number, frame.image)
                if len(images) == len(wanted):
                    break
            notes = film.issues()
        if lacking := sorted(wanted - images.keys()):
            raise DataError(f"{entry.line}: no frame at {lacking[0]} ms; {len(images)} of {len(wanted)} were found")
        frames = np.stack([images[number] for number in numbers])
        return Clip(frames=frames, fps=_rate(numbers), notes=notes)

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        """Return the film, and the list, which says where in it the clip lies."""
        del numbers
        return (self._film(self._entry(sample)), self.manifest)

    @cached_property
    def _index(self) -> dict[str, tuple[Sample, ListedClip]]:
        inside(self.manifest.parent, self.title, where="title")
        entries = read(self.manifest)
        require_films(entries, self.manifest.parent)
        return {sample.sample_id: (sample, entry) for entry in entries for sample in (self._sample(entry),)}

    @cached_property
    def _numbers(self) -> dict[str, list[int]]:
        return {}

    def _sample(self, entry: ListedClip) -> Sample:
        try:
            with Video(self._film(entry)) as film:
                rate, length = film.fps, film.promised_s
        except DataError as error:
            raise DataError(f"{entry.line}: {error}") from None
        if length is not None and max(entry.start_s, entry.end_s or 0) > length + _SLACK_S:
            raise DataError(
                f"{entry.line}: start_s {entry.start_s:g} or end_s {entry.end_s or length:g} lies behind the film's "
                f"end, {length:.3f} s"
            )
        name = f"{self.title}/{entry.clip_id}"
        return Sample(
            sample_id=name,
            clip_id=name,
            subject=f"{self.title}/{entry.subject}" if entry.subject else None,
            dataset=self.title,
            emotion=entry.emotion.casefold() if entry.emotion else None,
            fps=min(self.fps, rate) if rate else None,
            condition=entry.condition,
            person=tuple(entry.groups.items()),
        )

    def _entry(self, sample: Sample) -> ListedClip:
        if sample.clip_id not in self._index:
            raise DataError(f"{self.manifest}: no clip {sample.clip_id!r}")
        return self._index[sample.clip_id][1]

    def _film(self, entry: ListedClip) -> Path:
        return entry.film(self.manifest.parent)


def _milliseconds(time_s: float) -> int:
    return round(time_s * 1000)


def _rate(numbers: Sequence[int]) -> float | None:
    """Return frames per second, in Hz, where the frames follow each other about evenly."""
    steps = np.diff(numbers)
    if not len(steps) or steps.min() <= 0 or steps.max() > 1.5 * steps.min():
        return None
    return float(1000 / steps.mean())
