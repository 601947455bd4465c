"""The samples of a run made again from altered pictures: same frames, same steps, nothing that trains."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.config.frame_selection import FrameSampling
from mexbench.config.run_config import RowGroup, RunConfig
from mexbench.data.arrays import cut_samples
from mexbench.data.cache import Cache
from mexbench.data.pipeline import Pipeline
from mexbench.data.samples import LabelledSamples
from mexbench.data.stored_arrays import ArrayWriter
from mexbench.errors import ConfigError, DataError, SampleRejected
from mexbench.evaluation import plan as planning
from mexbench.fingerprint import digest, digest_code
from mexbench.interfaces import Clip, Sample
from mexbench.studies.audit.stress.alterations import Alteration


class AlteredPipeline(Pipeline):
    """The run's pipeline with altered pictures before the first step, and without copies for the training side."""

    def __init__(self, group: RowGroup, cache: Cache | None, alteration: Alteration, strength: float) -> None:
        super().__init__(group, cache)
        self.alteration, self.strength = alteration, strength
        # An augmentation leaves the original alone: as a step among others it makes no copies.
        self.before, self.augmentation, self.after = group.input.preprocess, None, ()
        self.by_origin = True  # what an alteration draws depends on the clip: so do the cache's keys

    @functools.cached_property
    def recipe(self) -> str:
        """Digest of what makes an altered sample out of a file."""
        altered = [self.alteration.name, self.strength, digest_code(type(self.alteration))]
        return digest([super().recipe, *altered])

    def raw(self, sample: Sample, pick: FrameSampling | None) -> Clip:
        """Load a clip and alter its pictures: steps that look at the loaded frames see altered ones too."""
        clip = super().raw(sample, pick)
        try:
            frames = self.alteration(clip.frames, self.strength, sample.clip_id)
        except DataError as error:
            raise DataError(f"sample {sample.sample_id}: {error}") from None
        frames.setflags(write=False)
        return replace(clip, frames=frames)


@dataclass(frozen=True)
class AlteredSamples:
    """The samples of a run under one alteration at one strength.

    Args:
        positions: Those that could be made, as positions among the run's samples, rising (m,).
        x: What the model sees of them (m, T, ...); a mapped file.
    """

    positions: NDArray[np.intp]
    x: NDArray[Any]


def load_altered(
    pipeline: AlteredPipeline, data: LabelledSamples, like: NDArray[Any], progress: Callable[[], None]
) -> AlteredSamples:
    """Put every clip through an altered pipeline.

    A clip that a step now rejects, such as one without a face to be found, gives no samples: the model has no answer.
    Samples are written into a file that is mapped, so that one clip at a time is in memory.

    Args:
        pipeline: With the alteration.
        data: The samples of the run.
        like: What models see of the unaltered samples (n, T, ...).
        progress: Called after every clip.

    Raises:
        DataError: A sample cannot be read or processed, or becomes another shape or type than the unaltered one.
    """
    writer = ArrayWriter(len(like))
    try:
        positions = _write_altered(writer, pipeline, data, like, progress)
        x = writer.finish() if positions else np.empty((0, *like.shape[1:]), like.dtype)
    finally:
        writer.discard()
    return AlteredSamples(np.array(positions, dtype=np.intp), x)


def _write_altered(
    writer: ArrayWriter, pipeline: AlteredPipeline, data: LabelledSamples, like: NDArray[Any],
    progress: Callable[[], None],
) -> list[int]:  # fmt: skip
    """Write the altered samples; return their positions among the run's."""
    positions: list[int] = []
    start = 0
    for source in data.sources:
        try:
            entry = pipeline(source.clip, source.pick)[0]
        except SampleRejected:
            pass
        else:
            parts = cut_samples(entry.clip.frames, source, by_frame=pipeline.by_frame)
            for offset, part in enumerate(parts):
                if (part.shape, part.dtype) != (like.shape[1:], like.dtype):
                    raise DataError(
                        f"sample {source.samples[offset].sample_id}: {pipeline.alteration.name} made it "
                        f"{part.shape} {part.dtype}, and unaltered it is {like.shape[1:]} {like.dtype}"
                    )
                positions.append(start + offset)
                writer.append(part[None])
        start += len(source.samples)
        progress()
    return positions


def check_pictures(config: RunConfig) -> None:
    """Refuse data that has no frames, before anything is trained.

    Raises:
        ConfigError: A clip is not a sequence of frames.
    """
    dataset = config.dataset.instance
    for data in planning.read(config):
        for source in data.sources:
            if not dataset.frame_numbers(source.clip):
                raise ConfigError(
                    f"--stress: a clip of {source.clip.dataset} is not a sequence of frames, so there are no pictures "
                    "to alter before preprocessing: what such data gives, as optical flow, was computed from frames "
                    "that it does not have; use a config whose data set has frames, such as loso_casme2 or "
                    "loso_megc2019_raw"
                )


def unaltered_inputs(group: RowGroup) -> Sequence[str]:
    """Return the steps that may read what is known of the unaltered recording, and not only its pictures."""
    return [
        step.plugin
        for step in group.input.preprocess
        if step.instance.needs_clip_info() or "coded-aus" in step.instance.flags()
    ]
