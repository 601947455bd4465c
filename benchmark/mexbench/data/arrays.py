"""From labelled samples to the array that models see."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.config.run_config import RowGroup
from mexbench.data.cache import Cache
from mexbench.data.duplicates import Pixels
from mexbench.data.image import DamagedImageError
from mexbench.data.pipeline import FetchedClip, Pipeline
from mexbench.data.read_ahead import DEFAULT_BYTES, read_ahead
from mexbench.data.samples import LabelledSamples, Source, check_damage, check_not_empty
from mexbench.data.stored_arrays import ArrayWriter, stored_rows
from mexbench.errors import DataError, SampleRejected, counted, listed
from mexbench.fingerprint import digest, digest_array
from mexbench.interfaces import Sample

#: Called with how many clips are ready.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Arrays:
    """What models see, in the order of the samples.

    The arrays are files that are mapped, read-only: however many samples there are, they take no memory.

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
            x=self.x if self.spans is not None else stored_rows(self.x, positions),
            spans=None if self.spans is None else self.spans[list(positions)],
            copies=None if self.copies is None else stored_rows(self.copies, positions),
            digests=tuple(self.digests[index] for index in positions),
            pixels=self.pixels.select(positions),
        )


def load_arrays(
    group: RowGroup,
    data: LabelledSamples,
    cache: Cache | None = None,
    progress: Progress = lambda _: None,
    *,
    most_bytes: int = DEFAULT_BYTES,
) -> tuple[LabelledSamples, Arrays]:
    """Load every clip, put it through the steps, once, and write the results into files, one after the other.

    Args:
        group: Names the data set and the steps.
        data: The clips.
        cache: Where processed clips are kept.
        progress: Called with how many clips are ready.
        most_bytes: What clips that are read ahead may take in memory.

    Returns:
        The samples that could be used, and their arrays.

    Raises:
        DataError: A sample cannot be read or processed, none is left, the results differ in shape, or, under
            ``damaged: refuse``, an image is damaged. Or the disk is full.
    """
    pipeline = Pipeline(group, cache)
    with closing(_Loaded(group, data, pipeline)) as loaded:
        for count, (source, fetched) in enumerate(_fetched(pipeline, data, most_bytes), start=1):
            loaded.add(source, fetched)
            progress(count)
        return loaded.finish()


def _fetched(
    pipeline: Pipeline, data: LabelledSamples, most_bytes: int
) -> Iterator[tuple[Source, Callable[[], FetchedClip]]]:
    def size(fetched: FetchedClip) -> int:
        clips = [fetched.raw] if fetched.raw is not None else [entry.clip for entry in fetched.entries]
        return sum(clip.frames.nbytes for clip in clips)

    return read_ahead(
        data.sources, lambda source: pipeline.fetch(source.clip, source.pick), size,
        threads=pipeline.reading_threads(data.target), most_bytes=most_bytes,
    )  # fmt: skip


class _Loaded:
    """What becomes of the clips of an input, one after the other."""

    def __init__(self, group: RowGroup, data: LabelledSamples, pipeline: Pipeline) -> None:
        self.group, self.data, self.pipeline = group, data, pipeline
        self.rejected: dict[str, str] = {}
        self.damaged: dict[str, str] = {}
        self.kinds: list[tuple[tuple[int, ...], str]] = []  # shape and type of each sample
        self.lengths: list[int] = []
        self.digests: list[str] = []
        self.pixels: list[Pixels] = []
        self.notes: Counter[str] = Counter()
        self.originals = ArrayWriter(expected_rows(data))
        self.copies = ArrayWriter(expected_rows(data))

    def add(self, source: Source, fetch: Callable[[], FetchedClip]) -> None:
        """Put a clip through the steps and write its samples."""
        by_frame = self.pipeline.by_frame
        try:
            entries = self.pipeline.finish(fetch())
        except DamagedImageError as error:
            self.rejected[source.clip.sample_id] = error.reason
            self.damaged[source.clip.sample_id] = str(error)
        except SampleRejected as error:
            self.rejected[source.clip.sample_id] = str(error)
        else:
            parts = [cut_samples(entry.clip.frames, source, by_frame=by_frame) for entry in entries]
            for versions in zip(*parts, strict=True):
                self.write(list(versions))
            self.pixels.append(pixels_of(entries[0].raw_digests, entries[0].raw_hashes, by_frame=by_frame))
            self.notes.update(entries[0].clip.notes)

    def write(self, versions: Sequence[NDArray[Any]]) -> None:
        """Write a sample and its altered copies; of a long video each frame is a row."""
        original = versions[0]
        is_video = self.data.target == "spotting"
        self.kinds.append((original[:1].shape if is_video else original.shape, original.dtype.name))
        self.lengths.append(len(original))
        self.digests.append(digest([digest_array(version) for version in versions]))
        rows = original if is_video else original[None]
        if self.originals.takes(rows):  # else the samples are refused in the end, with all that differ
            self.originals.append(rows)
        if len(versions) > 1 and self.copies.takes(copies := np.stack(versions[1:])[None]):
            self.copies.append(copies)

    def finish(self) -> tuple[LabelledSamples, Arrays]:
        """Map what was written."""
        check_damage(self.group, self.damaged)
        data = self.data.without(self.rejected)
        check_not_empty(data, f"dataset {self.group.dataset.plugin!r}")
        _check_same_kind(data.samples, self.kinds)
        spans = _spans(data.samples, self.lengths) if data.target == "spotting" else None
        return data, Arrays(
            x=self.originals.finish(),
            copies=self.copies.finish() if self.pipeline.copies else None,
            digests=tuple(self.digests),
            pixels=joined(self.pixels),
            notes=self.notes,
            spans=spans,
        )

    def close(self) -> None:
        """Remove what was written and not mapped."""
        self.originals.discard()
        self.copies.discard()


def expected_rows(data: LabelledSamples) -> int:
    """Return how many rows the array of an input has if every clip can be used: samples, of long videos frames."""
    if data.target != "spotting":
        return sum(len(source.samples) for source in data.sources)
    frames = [source.clip.video.frames or (0, -1) for source in data.sources if source.clip.video]
    return sum(last - first + 1 for first, last in frames)


def _spans(samples: Sequence[Sample], lengths: Sequence[int]) -> NDArray[np.intp]:
    """Return where the frames of each video are, one video after the other."""
    for sample, length in zip(samples, lengths, strict=True):
        first, last = (sample.video.frames if sample.video else None) or (0, -1)
        if length != last - first + 1:
            raise DataError(
                f"video {sample.sample_id}: frames {first} to {last} became {length} in preprocessing; every step "
                "must keep the frames of a long video"
            )
    ends = np.cumsum(lengths)
    return np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1).astype(np.intp)


def read_pixels(group: RowGroup, data: LabelledSamples, progress: Progress = lambda _: None) -> Pixels:
    """Load every clip without putting it through the steps, and digest and hash each sample's pixels.

    Raises:
        DataError: A sample cannot be read.
    """
    pipeline = Pipeline(group)
    pixels: list[Pixels] = []
    damaged: dict[str, str] = {}
    reading = read_ahead(
        data.sources, lambda source: pipeline.traits(pipeline.raw(source.clip, source.pick)), lambda _: 0,
        threads=pipeline.reading_threads(data.target),
    )  # fmt: skip
    for count, (source, read) in enumerate(reading, start=1):
        try:
            traits = read()
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
            f"sample {source.clip.sample_id}: {counted(len(source.samples), 'frame')} became {len(array)} in "
            "preprocessing; with 'unit: frame' every step must keep the frames"
        )
    return [array[index : index + 1] for index in range(len(array))]


def _check_same_kind(samples: Collection[Sample], kinds: Sequence[tuple[tuple[int, ...], str]]) -> None:
    counts = Counter(kinds)
    if len(counts) > 1:
        usual, _ = counts.most_common(1)[0]
        odd = [sample.sample_id for sample, kind in zip(samples, kinds, strict=True) if kind != usual]
        raise DataError(
            f"samples differ in shape or type: {len(odd)} of {len(kinds)} are not {usual[0]} {usual[1]}: "
            f"{listed(odd, limit=5)}; a step or the 'frames' block must bring all to one shape"
        )
