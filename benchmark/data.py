"""From a dataset to labelled samples, and from samples to the array that models see."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.cache import Cache, Entry
from benchmark.config import RunConfig
from benchmark.errors import DataError, listed
from benchmark.fingerprint import digest, digest_array, digest_code, digest_files, environment
from benchmark.interfaces import Clip, Sample

#: Called with how many samples are ready.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class LabelledSamples:
    """The samples of a run, before any pixel is read.

    Args:
        samples: Sorted by id, each with its label: their order on disk cannot change a result.
        classes: Class names; a label is a position in here.
        left_out: Emotion -> ids of the samples that have it and no class.
    """

    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]

    @property
    def fingerprint(self) -> str:
        """Digest of sample ids and class names."""
        labels = {sample.sample_id: self.classes[sample.label or 0] for sample in self.samples}
        return digest({"classes": self.classes, "labels": labels})

    @property
    def subjects(self) -> list[str]:
        """Subjects, sorted; clips stand in where the data names none."""
        return sorted({sample.group for sample in self.samples})

    @property
    def members(self) -> list[str]:
        """Datasets that the samples come from, sorted."""
        return sorted({sample.dataset for sample in self.samples})

    def support(self) -> dict[str, int]:
        """Count the samples of each class."""
        counts = Counter(sample.label for sample in self.samples)
        return {name: counts[index] for index, name in enumerate(self.classes)}


@dataclass(frozen=True)
class Arrays:
    """What models see, in the order of the samples.

    Args:
        x: (n, T, ...), of the type that the last step returns.
        digests: Digest of each sample's final array: what a task's fingerprint is made of.
        raw_digests: Digest of each sample's pixels before the first step: equal ones are duplicates.
    """

    x: NDArray[Any]
    digests: tuple[str, ...]
    raw_digests: tuple[str, ...]


def read_samples(config: RunConfig) -> LabelledSamples:
    """Ask the dataset for its samples, label them under the protocol's map and sort them.

    Raises:
        DataError: There is no sample, none with a class, or two with one id.
    """
    where = f"dataset {config.dataset.plugin!r}"
    found = config.dataset.instance.samples()
    if not found:
        raise DataError(f"{where} has no samples")
    twice = [name for name, count in Counter(sample.sample_id for sample in found).items() if count > 1]
    if twice:
        raise DataError(f"{where} gives a sample id more than once: {listed(sorted(twice))}")
    label_map = config.protocol.instance.label_map(config.dataset.instance.label_map())
    classes = tuple(dict.fromkeys(label_map.values()))
    labelled: list[Sample] = []
    left_out: dict[str, list[str]] = {}
    for sample in sorted(found, key=lambda sample: sample.sample_id):
        if sample.emotion is not None and sample.emotion in label_map:
            label = classes.index(label_map[sample.emotion])
            labelled.append(dataclasses.replace(sample, label=label))
        else:
            left_out.setdefault(sample.emotion or "(unlabelled)", []).append(sample.sample_id)
    if not labelled:
        raise DataError(
            f"{where}: no sample has a class; emotions found: {listed(sorted(left_out))}; "
            f"emotions with a class: {listed(label_map)}"
        )
    return LabelledSamples(
        samples=tuple(labelled),
        classes=classes,
        left_out={emotion: tuple(ids) for emotion, ids in left_out.items()},
    )


def load_arrays(
    config: RunConfig,
    samples: Sequence[Sample],
    cache: Cache | None = None,
    progress: Progress = lambda _: None,
) -> Arrays:
    """Load every sample, put it through the steps, once, and stack the results.

    Raises:
        DataError: A sample cannot be read or processed, or the results differ in shape.
    """
    loaded = _Pipeline(config, cache)
    entries = []
    for count, sample in enumerate(samples, start=1):
        entries.append(loaded(sample))
        progress(count)
    shapes = Counter((entry.clip.frames.shape, entry.clip.frames.dtype) for entry in entries)
    if len(shapes) > 1:
        usual = shapes.most_common(1)[0][0]
        odd = [
            s.sample_id
            for s, e in zip(samples, entries, strict=True)
            if (e.clip.frames.shape, e.clip.frames.dtype) != usual
        ]
        raise DataError(
            f"samples differ in shape or type: {len(odd)} of {len(samples)} are not {_shape_text(*usual)}: "
            f"{listed(odd, limit=5)}; a preprocessor must bring all to one shape"
        )
    return Arrays(
        x=np.stack([entry.clip.frames for entry in entries]),
        digests=tuple(digest_array(entry.clip.frames) for entry in entries),
        raw_digests=tuple(entry.raw_digest for entry in entries),
    )


def read_raw_digests(
    config: RunConfig, samples: Sequence[Sample], progress: Progress = lambda _: None
) -> tuple[str, ...]:
    """Load every sample without putting it through the steps, and digest its pixels.

    Raises:
        DataError: A sample cannot be read.
    """
    pipeline = _Pipeline(config, None)
    digests = []
    for count, sample in enumerate(samples, start=1):
        digests.append(digest_array(pipeline.load(sample).frames))
        progress(count)
    return tuple(digests)


class _Pipeline:
    """Loads one sample and puts it through the steps, or takes the result from the cache."""

    def __init__(self, config: RunConfig, cache: Cache | None) -> None:
        self.dataset = config.dataset.instance
        self.steps = config.preprocess
        # Without steps there is nothing to save: reading a file again is as fast as reading the cache.
        self.cache = cache if self.steps else None
        self.recipe = [
            [component.identity(), digest_code(type(component.instance))]
            for component in (config.dataset, *config.preprocess)
        ]

    def __call__(self, sample: Sample) -> Entry:
        key, raw = None, None
        if self.cache is not None:
            files = self.dataset.files(sample)
            if files:
                source = self._guarded(sample, lambda: digest_files(files))
            else:
                raw = self.load(sample)
                source = digest_array(raw.frames)
            key = digest({"recipe": self.recipe, "source": source, "environment": environment()})
            if (entry := self.cache.get(key)) is not None:
                return entry
        clip = raw = raw or self.load(sample)
        for step in self.steps:
            clip = self._checked(
                sample, step.plugin, self._guarded(sample, lambda step=step, clip=clip: step.instance(clip))
            )
        entry = Entry(clip, digest_array(raw.frames))
        if self.cache is not None and key is not None:
            self.cache.put(key, entry)
        return entry

    def load(self, sample: Sample) -> Clip:
        return self._checked(sample, "load", self._guarded(sample, lambda: self.dataset.load(sample)))

    def _guarded(self, sample: Sample, action: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the action returns
        try:
            return action()
        except DataError as error:
            raise DataError(f"sample {sample.sample_id}: {error}") from None
        except OSError as error:
            raise DataError(f"sample {sample.sample_id}: {error}") from None

    def _checked(self, sample: Sample, step: str, clip: Clip) -> Clip:
        """Refuse what a model could not use, and lock the array: one step cannot change another's input."""
        frames = clip.frames
        if not isinstance(frames, np.ndarray) or frames.ndim < 2 or 0 in frames.shape:
            shape = getattr(frames, "shape", type(frames).__name__)
            raise DataError(f"sample {sample.sample_id}: {step} gave {shape}, expected an array (T, ...) with T >= 1")
        if frames.dtype.kind not in "biuf" or not np.isfinite(frames).all():
            raise DataError(f"sample {sample.sample_id}: {step} gave values that are not finite numbers")
        frames.flags.writeable = False
        return clip


def _shape_text(shape: Iterable[int], dtype: np.dtype[Any]) -> str:
    return f"{tuple(shape)} {dtype}"
