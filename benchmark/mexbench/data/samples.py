"""From a dataset to labelled samples, and from samples to the array that models see."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.config import frame_selection as frames
from mexbench.config.composite import Composite
from mexbench.config.run_config import Part, Target
from mexbench.data.cache import Cache
from mexbench.data.pipeline import Pipeline
from mexbench.errors import DataError, ProtocolError, SampleRejected, listed
from mexbench.evaluation.split_checks import Pixels
from mexbench.fingerprint import digest, digest_array
from mexbench.interfaces import UNITS, CaseStudy, Sample

#: What ``Sample.aus`` calls the units that a run with ``target: action_units`` tells.
UNIT_NAMES = tuple(f"AU{number}" for number in UNITS)
#: Called with how many clips are ready.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Source:
    """A clip of the dataset and what becomes of it.

    Args:
        clip: The dataset's own sample.
        pick: Which of its frames are read; None reads it as the dataset gives it.
        samples: What it becomes: itself, or its frames.
    """

    clip: Sample
    pick: frames.Pick | None
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class LabelledSamples:
    """The samples of a run, before any pixel is read.

    Args:
        sources: Clips, sorted by id, each with the samples that it becomes.
        classes: Class names; a label is a position in here. With the target ``action_units``, names of units.
        left_out: Reason -> ids of the clips that are not used.
        target: What a model is to tell of a sample.
    """

    sources: tuple[Source, ...]
    classes: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]
    target: Target = "emotion"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Samples with their labels: clips by id, frames within a clip in time. The order on disk changes nothing."""
        return tuple(sample for source in self.sources for sample in source.samples)

    @property
    def fingerprint(self) -> str:
        """Digest of sample ids and class names, or names of units."""
        labels = {sample.sample_id: self.truth(sample) for sample in self.samples}
        return digest({"classes": self.classes, "labels": labels})

    @property
    def subjects(self) -> list[str]:
        """Subjects, sorted; clips stand in where the data names none."""
        return sorted({sample.group for sample in self.samples})

    @property
    def members(self) -> list[str]:
        """Datasets that the samples come from, sorted."""
        return sorted({sample.dataset for sample in self.samples})

    def support(self, member: str | None = None) -> dict[str, int]:
        """Count the samples of each class, or those that each unit shows in; of one data set, or of all."""
        chosen = [sample for sample in self.samples if member in (None, sample.dataset)]
        truths = [self.truth(sample) for sample in chosen]
        counts = Counter(name for told in truths for name in ([told] if isinstance(told, str) else told or []))
        return {name: counts[name] for name in self.classes}

    def truth(self, sample: Sample) -> str | list[str] | None:
        """Return the name of a sample's class, None where a case study has none, or names of the units that show."""
        if self.target == "action_units":
            return [name for name in self.classes if name in sample.aus]
        return None if sample.label is None else self.classes[sample.label]

    def truths(self) -> NDArray[Any]:
        """Return which units show (n, units), bool, or class indices (n,).

        An index is -1 where a case study has no class: such a sample is never trained on.
        """
        if self.target == "action_units":
            return np.array([[name in sample.aus for name in self.classes] for sample in self.samples], dtype=bool)
        return np.array([-1 if sample.label is None else sample.label for sample in self.samples], dtype=np.intp)

    def rejected(self) -> dict[str, str]:
        """Return the clips that are not used: clip's sample id -> reason."""
        return {sample_id: reason for reason, ids in self.left_out.items() for sample_id in ids}

    def without(self, rejected: Mapping[str, str]) -> LabelledSamples:
        """Leave out clips that turned out unusable: clip's sample id -> reason."""
        left_out = {reason: list(ids) for reason, ids in self.left_out.items()}
        gone = self.rejected()
        for sample_id, reason in rejected.items():
            if sample_id not in gone:
                left_out.setdefault(reason, []).append(sample_id)
        return dataclasses.replace(
            self,
            sources=tuple(source for source in self.sources if source.clip.sample_id not in rejected),
            left_out={reason: tuple(ids) for reason, ids in left_out.items()},
        )


@dataclass(frozen=True)
class Arrays:
    """What models see, in the order of the samples.

    Args:
        x: (n, T, ...), of the type that the last step returns.
        copies: (n, copies, T, ...): altered copies for the training side; None without augmentation.
        digests: Digest of each sample's final arrays: what a task's fingerprint is made of.
        pixels: What the pixels before the first step are compared by.
        notes: What a user should know about samples, with the number of clips it is true of.
    """

    x: NDArray[Any]
    copies: NDArray[Any] | None
    digests: tuple[str, ...]
    pixels: Pixels
    notes: Mapping[str, int]

    def select(self, positions: Sequence[int]) -> Arrays:
        """Return the arrays of some samples, in this order."""
        if len(positions) == len(self.digests) and list(positions) == list(range(len(positions))):
            return self
        return dataclasses.replace(
            self,
            x=self.x[list(positions)],
            copies=None if self.copies is None else self.copies[list(positions)],
            digests=tuple(self.digests[index] for index in positions),
            pixels=self.pixels.select(positions),
        )


def read_samples(part: Part) -> LabelledSamples:
    """Ask the dataset for its samples, label them under the protocol's map, choose frames and sort them.

    Raises:
        DataError: There is no sample, none with a class, or two with one id.
        ProtocolError: The protocol has no use for action units.
    """
    where = f"dataset {part.dataset.plugin!r}"
    units = part.target == "action_units"
    found = part.dataset.instance.samples()
    if not found:
        raise DataError(f"{where} has no samples")
    twice = [name for name, count in Counter(sample.sample_id for sample in found).items() if count > 1]
    if twice:
        raise DataError(f"{where} gives a sample id more than once: {listed(sorted(twice))}")
    study = part.protocol.instance.case_study
    if units and study is not None:
        raise ProtocolError(f"protocol {part.protocol.plugin!r} tells emotions; 'target: action_units' cannot use it")
    label_map = {} if units else _label_map(part)
    if study is not None:
        label_map = _learned(part, label_map, study, found)
    classes = UNIT_NAMES if units else tuple(dict.fromkeys(label_map.values()))
    sources: list[Source] = []
    rejected: dict[str, str] = {}
    for sample in sorted(found, key=lambda sample: sample.sample_id):
        try:
            applied = study is not None and sample.dataset == study.dataset
            labelled = _with_units(sample) if units else _labelled(sample, label_map, classes, must=not applied)
            sources.append(_source(part, labelled))
        except SampleRejected as error:
            rejected[sample.sample_id] = str(error)
    # What the loader could not use is counted like what a step could not.
    dropped = {found.where: found.what for found in part.dataset.instance.findings() if found.dropped}
    data = LabelledSamples(sources=tuple(sources), classes=classes, left_out={}, target=part.target)
    data = data.without({**dropped, **rejected})
    emotions = f"whose emotions with a class are {listed(label_map)}"
    _refuse_nothing(data, f"{where}, {'of which all action units must be known' if units else emotions}")
    return data


def _labelled(sample: Sample, label_map: Mapping[str, str], classes: Sequence[str], *, must: bool) -> Sample:
    if sample.emotion is not None and sample.emotion in label_map:
        return dataclasses.replace(sample, label=classes.index(label_map[sample.emotion]))
    if must:
        raise SampleRejected(f"no class for {sample.emotion!r}" if sample.emotion else "unlabelled")
    return dataclasses.replace(sample, label=None)


def _with_units(sample: Sample) -> Sample:
    """Take a sample whose action units are known; an emotion is not needed, and gives no label."""
    if not sample.aus_complete:
        raise SampleRejected("action units not fully known")
    return dataclasses.replace(sample, label=None)


def _label_map(part: Part) -> Mapping[str, str]:
    dataset = part.dataset.instance
    own = dataset.label_map()
    chosen = part.protocol.instance.label_map(own)
    if isinstance(dataset, Composite) and chosen is own:  # a protocol's own map settles what members disagree about
        dataset.refuse_contradictions()
    return chosen


def _learned(part: Part, label_map: Mapping[str, str], study: CaseStudy, found: Sequence[Sample]) -> Mapping[str, str]:
    """Keep the classes that models can learn: what only the clips show that they are applied to, they cannot say."""
    learned = {label_map.get(sample.emotion or "") for sample in found if sample.dataset != study.dataset}
    own = part.protocol.instance.label_map({})
    if isinstance(part.dataset.instance, Composite) and not own:  # no map of the protocol's: that of what trains
        learned &= set(part.dataset.instance.without(study.dataset).label_map().values())
    return {emotion: name for emotion, name in label_map.items() if name in learned}


def _source(part: Part, sample: Sample) -> Source:
    chosen = part.input.frames
    if chosen is None:
        return Source(sample, None, (sample,))
    pick = chosen.pick(part.dataset.instance, sample)
    return Source(sample, pick, chosen.split(sample, pick))


def _refuse_nothing(data: LabelledSamples, where: str) -> None:
    if not data.sources:
        reasons = "; ".join(f"{reason}: {len(ids)}" for reason, ids in data.left_out.items())
        raise DataError(f"no sample is left of {where}; left out: {reasons}")


def load_arrays(
    part: Part, data: LabelledSamples, cache: Cache | None = None, progress: Progress = lambda _: None
) -> tuple[LabelledSamples, Arrays]:
    """Load every clip, put it through the steps, once, and stack the results.

    Returns:
        The samples that could be used, and their arrays.

    Raises:
        DataError: A sample cannot be read or processed, none is left, or the results differ in shape.
    """
    pipeline = Pipeline(part, cache)
    by_frame = pipeline.by_frame
    rejected: dict[str, str] = {}
    made: list[list[NDArray[Any]]] = []  # per sample: the original, then its copies
    pixels: list[Pixels] = []
    notes: Counter[str] = Counter()
    for count, source in enumerate(data.sources, start=1):
        try:
            entries = pipeline(source.clip, source.pick)
        except SampleRejected as error:
            rejected[source.clip.sample_id] = str(error)
        else:
            parts = [_parts(entry.clip.frames, source, by_frame=by_frame) for entry in entries]
            made += [list(versions) for versions in zip(*parts, strict=True)]
            pixels.append(_pixels(entries[0].raw_digests, entries[0].raw_hashes, by_frame=by_frame))
            notes.update(entries[0].clip.notes)
        progress(count)
    data = data.without(rejected)
    _refuse_nothing(data, f"dataset {part.dataset.plugin!r}")
    _refuse_mixed(data.samples, [versions[0] for versions in made])
    arrays = Arrays(
        x=np.stack([versions[0] for versions in made]),
        copies=np.stack([np.stack(versions[1:]) for versions in made]) if pipeline.copies else None,
        digests=tuple(digest([digest_array(version) for version in versions]) for versions in made),
        pixels=_joined(pixels),
        notes=notes,
    )
    return data, arrays


def read_pixels(part: Part, data: LabelledSamples, progress: Progress = lambda _: None) -> Pixels:
    """Load every clip without putting it through the steps, and digest and hash each sample's pixels.

    Raises:
        DataError: A sample cannot be read.
    """
    pipeline = Pipeline(part)
    pixels: list[Pixels] = []
    for count, source in enumerate(data.sources, start=1):
        traits = pipeline.traits(pipeline.raw(source.clip, source.pick))
        pixels.append(_pixels(*traits, by_frame=pipeline.by_frame))
        progress(count)
    return _joined(pixels)


def _pixels(frame_digests: Sequence[str], hashes: Sequence[str], *, by_frame: bool) -> Pixels:
    if by_frame:
        return Pixels(tuple(frame_digests), tuple((found,) for found in hashes))
    return Pixels((digest(list(frame_digests)),), (tuple(hashes),))


def _joined(parts: Sequence[Pixels]) -> Pixels:
    return Pixels(
        digests=tuple(found for part in parts for found in part.digests),
        hashes=tuple(found for part in parts for found in part.hashes),
    )


def _parts(array: NDArray[Any], source: Source, *, by_frame: bool) -> list[NDArray[Any]]:
    """Cut a clip's array into those of its samples."""
    if not by_frame:
        return [array]
    if len(array) != len(source.samples):
        raise DataError(
            f"sample {source.clip.sample_id}: {len(source.samples)} frames became {len(array)} in preprocessing; "
            "with 'unit: frame' every step must keep the frames"
        )
    return [array[index : index + 1] for index in range(len(array))]


def _refuse_mixed(samples: Collection[Sample], arrays: Sequence[NDArray[Any]]) -> None:
    kinds = Counter((array.shape, array.dtype.name) for array in arrays)
    if len(kinds) > 1:
        (shape, dtype), _ = kinds.most_common(1)[0]
        odd = [s.sample_id for s, a in zip(samples, arrays, strict=True) if (a.shape, a.dtype.name) != (shape, dtype)]
        raise DataError(
            f"samples differ in shape or type: {len(odd)} of {len(arrays)} are not {shape} {dtype}: "
            f"{listed(odd, limit=5)}; a step or the 'frames' block must bring all to one shape"
        )
