"""What data sets of numbered image files share: a clip is a folder, a frame a file, its number in the file's name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mexbench.data.image import DamagedImageError, read_image
from mexbench.errors import DataError, counted, listed
from mexbench.interfaces import Clip, Correction, DataIssue, Dataset, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameClip:
    """A sample and its files.

    Args:
        sample: What is known about it.
        frames: Frame number -> file, numbers rising; all that lie on disk, before the onset and after the offset too.
    """

    sample: Sample
    frames: Mapping[int, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetIndex:
    """What one copy of a data set holds.

    Args:
        clips: Sample id -> clip, those that can be used.
        data_issues: What is irregular, those that cannot be used among it.
        errata: Corrections that were made.
        described_by: Files that say which frame is onset, apex and offset, such as the annotation.
        read_from: Those files, with the sheet of each, in words.
    """

    clips: Mapping[str, FrameClip]
    data_issues: tuple[DataIssue, ...] = ()
    errata: tuple[Correction, ...] = ()
    described_by: tuple[Path, ...] = ()
    read_from: tuple[str, ...] = ()


class FrameDataset(Dataset):
    """A data set of numbered image files. A subclass says where they lie; this class reads them.

    A clip is its frames from onset to offset, both included: what else a release holds before and after changes
    neither ``load`` nor ``frame_numbers``, so that two releases of the same recordings give the same clips.
    """

    @abstractmethod
    def _read(self) -> DatasetIndex:
        """Look at the copy on disk, without reading a pixel.

        Raises:
            DataError: The data is missing or contradicts itself.
        """

    @cached_property
    def _copy(self) -> DatasetIndex:
        return self._read()

    def samples(self) -> Sequence[Sample]:
        """Return one sample per clip that can be used; ``data_issues`` names the others."""
        return [clip.sample for clip in self._copy.clips.values()]

    def data_issues(self) -> Sequence[DataIssue]:
        """Return what is irregular about this copy."""
        return self._copy.data_issues

    def applied_corrections(self) -> Sequence[Correction]:
        """Return the corrections that were made to this copy's annotation."""
        return self._copy.errata

    def read_from(self) -> Sequence[str]:
        """Return the files and sheets that the annotation was read from."""
        return self._copy.read_from

    def reads_in_threads(self) -> bool:
        """Return True: files are read, and nothing is kept."""
        return True

    def frame_numbers(self, sample: Sample) -> Sequence[int]:
        """Return the numbers of the frames on disk from onset to offset, rising; one may be missing in between."""
        first = -1 if sample.onset is None else sample.onset
        return [
            number
            for number in self._frames(sample)
            if number >= first and (sample.offset is None or number <= sample.offset)
        ]

    def load(self, sample: Sample) -> Clip:
        """Read the frames from onset to offset: (T, H, W, 3) RGB or (T, H, W, 1) gray, uint8."""
        numbers = self.frame_numbers(sample)
        if not numbers:
            raise DataError(
                f"{sample.clip_id} has no frame from onset, {sample.onset}, to offset, {sample.offset}; its frames lie "
                f"between {min(self._frames(sample))} and {max(self._frames(sample))}"
            )
        return self._clip(sample, numbers, sample.fps)

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        """Read the frames with these numbers, in this order; any frame on disk, before the onset too.

        ``fps`` is that of the result: half the recording's where every other frame is taken, None where the steps
        between the frames differ.
        """
        steps = {second - first for first, second in pairwise(numbers)}
        step = steps.pop() if len(steps) == 1 else 0
        return self._clip(sample, numbers, sample.fps / step if sample.fps is not None and step > 0 else None)

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        """Return the frames' files, then those that say which of them is onset, apex and offset."""
        frames = self._frames(sample)
        chosen = self.frame_numbers(sample) if numbers is None else numbers
        return [*(self._path(sample, frames, number) for number in chosen), *self._copy.described_by]

    def _frames(self, sample: Sample) -> Mapping[int, Path]:
        clip = self._copy.clips.get(sample.clip_id)
        if clip is None:
            raise DataError(f"no clip {sample.clip_id!r} in this copy; clips: {listed(self._copy.clips, limit=5)}")
        return clip.frames

    @staticmethod
    def _path(sample: Sample, frames: Mapping[int, Path], number: int) -> Path:
        if number not in frames:
            raise DataError(
                f"{sample.clip_id} has no frame {number}; it has {counted(len(frames), 'frame')}, "
                f"from {min(frames)} to {max(frames)}"
            )
        return frames[number]

    def _clip(self, sample: Sample, numbers: Sequence[int], fps: float | None) -> Clip:
        if not numbers:
            raise DataError(f"{sample.clip_id}: no frame was asked for; a clip has at least one")
        frames = self._frames(sample)
        images = _stack([self._path(sample, frames, number) for number in numbers])
        # A number that was asked for twice stands where it came first; one that was not has no position.
        position: dict[int | None, int] = {number: index for index, number in reversed(list(enumerate(numbers)))}
        return Clip(
            frames=images,
            fps=fps,
            onset_index=position.get(sample.onset),
            apex_index=position.get(sample.apex),
            offset_index=position.get(sample.offset),
        )


def _stack(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """Read images of one size into one array, without holding the clip twice; every damaged one is named."""
    images: NDArray[np.uint8] | None = None
    first = paths[0]
    problems: dict[Path, str] = {}
    for index, path in enumerate(paths):
        try:
            image = read_image(path)
        except DamagedImageError as error:
            problems.update(error.problems)
            continue
        if images is None:
            first, images = path, np.empty((len(paths), *image.shape), np.uint8)
        if image.shape != images.shape[1:]:
            raise DataError(
                f"{path.parent}: frames differ in size: {first.name} is {_size(images[0])}, {path.name} is "
                f"{_size(image)}; copy the clip again from one release"
            )
        images[index] = image
    if problems or images is None:
        raise DamagedImageError(problems)
    return images


def _size(image: NDArray[np.uint8]) -> str:
    height, width, channels = image.shape
    return f"{width}x{height} {'gray' if channels == 1 else 'colour'}"
