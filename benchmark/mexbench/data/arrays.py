"""From labelled samples to the array that models see."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.config.run_config import RowGroup
from mexbench.data.cache import Cache
from mexbench.data.duplicates import Pixels
from mexbench.data.image import DamagedImageError
from mexbench.data.pipeline import Pipeline
from mexbench.data.samples import LabelledSamples, Source, check_damage, check_not_empty
from mexbench.errors import DataError, SampleRejected, listed
from mexbench.fingerprint import digest, digest_array
from mexbench.interfaces import Sample

#: Called with how many clips are ready.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Arrays:
    """What models see, in the order of the samples.

    Args:
        x: (n, T, ...), of the type that the last step returns; of long videos the frames of all, one after the other
            (frames, ...).
        copies: (n, copies, T, ...): altered copies for the training side; None without augmentation.
        digests: Digest of each sample's final arrays: what a task's fingerprint is made of.
        pixels: What the pixels before the first step are compared by.
        notes: What a user should know about samples, with the number of clips it is true of.
        spans: First and past-the-last frame of each long video in ``x`` (n, 2); None where samples are stacked.
    """

    x: NDArray[Any]
    copies: NDArray[Any] | None
    digests: tuple[str, ...]
    pixels: Pixels
    notes: Mapping[str, int]
    spans: NDArray[np.intp] | None = None

    def select(self, positions: Sequence[int]) -> Arrays:
        """Return the arrays of some samples, in this order."""
        if len(positions) == len(self.digests) and list(positions) == list(range(len(positions))):
            return self
        return dataclasses.replace(
            self,
            x=self.x if self.spans is not None else self.x[list(positions)],
            spans=None if self.spans is None else self.spans[list(positions)],
            copies=None if self.copies is None else self.copies[list(positions)],
            digests=tuple(self.digests[index] for index in positions),
            pixels=self.pixels.select(positions),
        )


def load_arrays(
    group: RowGroup, data: LabelledSamples, cache: Cache | None = None, progress: Progress = lambda _: None
) -> tuple[LabelledSamples, Arrays]:
    """Load every clip, put it through the steps, once, and stack the results.

    Returns:
        The samples that could be used, and their arrays.

    Raises:
        DataError: A sample cannot be read or processed, none is left, the results differ in shape, or, under
            ``damaged: refuse``, an image is damaged.
    """
    pipeline = Pipeline(group, cache)
    by_frame = pipeline.by_frame
    rejected: dict[str, str] = {}
    damaged: dict[str, str] = {}
    versions_by_sample: list[list[NDArray[Any]]] = []  # per sample: the original, then its copies
    pixels: list[Pixels] = []
    notes: Counter[str] = Counter()
    for count, source in enumerate(data.sources, start=1):
        try:
            entries = pipeline(source.clip, source.pick)
        except DamagedImageError as error:
            rejected[source.clip.sample_id] = error.reason
            damaged[source.clip.sample_id] = str(error)
        except SampleRejected as error:
            rejected[source.clip.sample_id] = str(error)
        else:
            parts = [cut_samples(entry.clip.frames, source, by_frame=by_frame) for entry in entries]
            versions_by_sample += [list(versions) for versions in zip(*parts, strict=True)]
            pixels.append(pixels_of(entries[0].raw_digests, entries[0].raw_hashes, by_frame=by_frame))
            notes.update(entries[0].clip.notes)
        progress(count)
    check_damage(group, damaged)
    data = data.without(rejected)
    check_not_empty(data, f"dataset {group.dataset.plugin!r}")
    originals = [versions[0] for versions in versions_by_sample]
    _check_same_kind(data.samples, [array[:1] for array in originals] if data.target == "spotting" else originals)
    x, spans = _joined_videos(data.samples, originals) if data.target == "spotting" else (np.stack(originals), None)
    arrays = Arrays(
        x=x,
        copies=np.stack([np.stack(versions[1:]) for versions in versions_by_sample]) if pipeline.copies else None,
        digests=tuple(digest([digest_array(version) for version in versions]) for versions in versions_by_sample),
        pixels=joined(pixels),
        notes=notes,
        spans=spans,
    )
    return data, arrays


def _joined_videos(samples: Sequence[Sample], arrays: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Put the frames of all videos one after the other; return them and where each video is."""
    for sample, array in zip(samples, arrays, strict=True):
        first, last = (sample.video.frames if sample.video else None) or (0, -1)
        if len(array) != last - first + 1:
            raise DataError(
                f"video {sample.sample_id}: frames {first} to {last} became {len(array)} in preprocessing; every step "
                "must keep the frames of a long video"
            )
    ends = np.cumsum([len(array) for array in arrays])
    spans = np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1)
    return np.concatenate(arrays), spans.astype(np.intp)


def read_pixels(group: RowGroup, data: LabelledSamples, progress: Progress = lambda _: None) -> Pixels:
    """Load every clip without putting it through the steps, and digest and hash each sample's pixels.

    Raises:
        DataError: A sample cannot be read.
    """
    pipeline = Pipeline(group)
    pixels: list[Pixels] = []
    damaged: dict[str, str] = {}
    for count, source in enumerate(data.sources, start=1):
        try:
            traits = pipeline.traits(pipeline.raw(source.clip, source.pick))
        except DamagedImageError as error:
            damaged[source.clip.sample_id] = str(error)
            continue
        pixels.append(pixels_of(*traits, by_frame=pipeline.by_frame))
        progress(count)
    if damaged:
        check_damage(dataclasses.replace(group, damaged="refuse"), damaged)
    return joined(pixels)


def pixels_of(frame_digests: Sequence[str], hashes: Sequence[str], *, by_frame: bool) -> Pixels:
    """Return what the samples of one clip are compared by."""
    if by_frame:
        return Pixels(tuple(frame_digests), tuple((frame_hash,) for frame_hash in hashes))
    return Pixels((digest(list(frame_digests)),), (tuple(hashes),))


def joined(parts: Sequence[Pixels]) -> Pixels:
    """Return what the samples of several clips are compared by."""
    return Pixels(
        digests=tuple(item for part in parts for item in part.digests),
        hashes=tuple(item for part in parts for item in part.hashes),
    )


def cut_samples(array: NDArray[Any], source: Source, *, by_frame: bool) -> list[NDArray[Any]]:
    """Cut a clip's array into those of its samples."""
    if not by_frame:
        return [array]
    if len(array) != len(source.samples):
        raise DataError(
            f"sample {source.clip.sample_id}: {len(source.samples)} frames became {len(array)} in preprocessing; "
            "with 'unit: frame' every step must keep the frames"
        )
    return [array[index : index + 1] for index in range(len(array))]


def _check_same_kind(samples: Collection[Sample], arrays: Sequence[NDArray[Any]]) -> None:
    kinds = Counter((array.shape, array.dtype.name) for array in arrays)
    if len(kinds) > 1:
        (shape, dtype), _ = kinds.most_common(1)[0]
        odd = [s.sample_id for s, a in zip(samples, arrays, strict=True) if (a.shape, a.dtype.name) != (shape, dtype)]
        raise DataError(
            f"samples differ in shape or type: {len(odd)} of {len(arrays)} are not {shape} {dtype}: "
            f"{listed(odd, limit=5)}; a step or the 'frames' block must bring all to one shape"
        )
