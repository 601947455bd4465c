"""Several data sets as one: what a config's ``dataset`` becomes when it is a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mexbench.errors import DataError, listed
from mexbench.interfaces import Clip, Correction, DataIssue, Dataset, LongVideo, Sample


@dataclass(frozen=True)
class CompositeDataset(Dataset):
    """The samples of all members together.

    Ids and subjects carry their data set's name in front, which is put there where a member does not: two members
    cannot be confused. Where members give the same name, as a composite and one of its parts do, an equal subject is
    the same person and an equal sample id is refused: a sample may not count twice.

    Args:
        members: Each data set with the name that messages call it.
    """

    members: tuple[tuple[str, Dataset], ...]

    def flags(self) -> tuple[str, ...]:
        """Return every member's flags."""
        return tuple(dict.fromkeys(flag for _, member in self.members for flag in member.flags()))

    def label_map(self) -> Mapping[str, str]:
        """Return the members' maps as one; where two contradict each other, the first one's class."""
        return {emotion: next(iter(classes)) for emotion, classes in self._classes().items()}

    def check_contradictions(self) -> None:
        """Check that one emotion means one class.

        Raises:
            DataError: Two members give an emotion different classes.
        """
        for emotion, classes in self._classes().items():
            if len(classes) > 1:
                labels = "; ".join(f"{name!r} in {listed(members)}" for name, members in classes.items())
                raise DataError(
                    f"the data sets contradict each other about the emotion {emotion!r}: its class is {labels}; choose "
                    "the same classes for each, or a protocol with a map of its own, such as cross_dataset's 'classes'"
                )

    def without(self, dataset: str) -> CompositeDataset:
        """Return the other members: those with a sample of another data set."""
        remaining = [
            (name, one) for name, one in self.members if any(sample.dataset != dataset for sample in one.samples())
        ]
        return CompositeDataset(tuple(remaining))

    def samples(self) -> Sequence[Sample]:
        """Return every member's samples."""
        return [sample for sample, _, _ in self._index.values()]

    def videos(self) -> Sequence[LongVideo]:
        """Return every member's long videos."""
        return [video for video, _, _ in self._videos.values()]

    def load_video(self, video: LongVideo) -> Clip:
        """Let the video's member read it."""
        _, member, original = self._videos[video.video_id]
        return member.load_video(original)

    def video_files(self, video: LongVideo) -> Sequence[Path]:
        """Ask the video's member."""
        _, member, original = self._videos[video.video_id]
        return member.video_files(original)

    def load(self, sample: Sample) -> Clip:
        """Let the sample's member read it."""
        member, original = self._origin(sample)
        return member.load(original)

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        """Let the sample's member read these frames."""
        member, original = self._origin(sample)
        return member.load_frames(original, numbers)

    def frame_numbers(self, sample: Sample) -> Sequence[int]:
        """Ask the sample's member."""
        member, original = self._origin(sample)
        return member.frame_numbers(original)

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        """Ask the sample's member."""
        member, original = self._origin(sample)
        return member.files(original, numbers)

    def reads_in_threads(self) -> bool:
        """Return whether every member does."""
        return all(member.reads_in_threads() for _, member in self.members)

    def display_name(self) -> str:
        """Return the members' names, joined."""
        return " + ".join(member.display_name() or name for name, member in self.members)

    def notice(self) -> str | None:
        """Return the members' notices, each once."""
        notices = dict.fromkeys(notice for _, member in self.members if (notice := member.notice()))
        return "\n\n".join(notices) or None

    def applied_corrections(self) -> Sequence[Correction]:
        """Return every member's corrections."""
        return [erratum for _, member in self.members for erratum in member.applied_corrections()]

    def read_from(self) -> Sequence[str]:
        """Return what the members' annotations were read from."""
        return [text for _, member in self.members for text in member.read_from()]

    def data_issues(self) -> Sequence[DataIssue]:
        """Return what is irregular about any member."""
        return [finding for _, member in self.members for finding in member.data_issues()]

    def _classes(self) -> dict[str, dict[str, list[str]]]:
        """Return emotion -> class -> the members that have it."""
        classes: dict[str, dict[str, list[str]]] = {}
        for name, member in self.members:
            for emotion, label in member.label_map().items():
                classes.setdefault(emotion, {}).setdefault(label, []).append(name)
        return classes

    @cached_property
    def _index(self) -> dict[str, tuple[Sample, int, Sample]]:
        """Return id -> the sample as a run sees it, the position of its member and the sample as that knows it."""
        index: dict[str, tuple[Sample, int, Sample]] = {}
        for position, (name, member) in enumerate(self.members):
            for original in member.samples():
                sample = _named(original)
                if sample.sample_id in index:
                    other = self.members[index[sample.sample_id][1]][0]
                    raise DataError(
                        f"sample {sample.sample_id} is in dataset {other!r} and in {name!r}: it may not count twice; "
                        "remove one of them"
                        if index[sample.sample_id][1] != position
                        else f"dataset {name!r} gives a sample id more than once: {sample.sample_id}"
                    )
                index[sample.sample_id] = sample, position, original
        return index

    @cached_property
    def _videos(self) -> dict[str, tuple[LongVideo, Dataset, LongVideo]]:
        """Return id -> the video as a run sees it, its member and the video as that knows it."""
        index: dict[str, tuple[LongVideo, Dataset, LongVideo]] = {}
        for name, member in self.members:
            for original in member.videos():
                video = replace(
                    original,
                    video_id=_full(original.video_id, original.dataset),
                    subject=_full(original.subject, original.dataset),
                )
                if video.video_id in index:
                    raise DataError(f"dataset {name!r} gives a video id that is there already: {video.video_id}")
                index[video.video_id] = video, member, original
        return index

    def _origin(self, sample: Sample) -> tuple[Dataset, Sample]:
        _, position, original = self._index[sample.sample_id]
        return self.members[position][1], original


def _named(sample: Sample) -> Sample:
    """Put the data set's name in front where it is missing."""
    return replace(
        sample,
        sample_id=_full(sample.sample_id, sample.dataset),
        clip_id=_full(sample.clip_id, sample.dataset),
        subject=None if sample.subject is None else _full(sample.subject, sample.dataset),
    )


def _full(name: str, dataset: str) -> str:
    return name if name.startswith(f"{dataset}/") else f"{dataset}/{name}"
