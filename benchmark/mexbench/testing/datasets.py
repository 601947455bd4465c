"""What datasets promise. These checks read the data, three samples of it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator

import numpy as np

from mexbench.interfaces import Dataset
from mexbench.testing.checks import NotApplicable, check, same

_READ = 3


@check("gives each sample a unique, namespaced id")
def ids(dataset: Dataset) -> Iterator[str]:
    """Look at every sample's metadata."""
    samples = dataset.samples()
    if not samples:
        yield "there are no samples"
    for name, count in Counter(sample.sample_id for sample in samples).items():
        if count > 1:
            yield f"duplicate sample id {name}, {count} times"
    for sample in samples:
        for field in ("sample_id", "clip_id", "subject"):
            value = getattr(sample, field)
            if value is not None and not value.startswith(f"{sample.dataset}/"):
                yield f"{field} {value!r} does not start with the name of its dataset, {sample.dataset + '/'!r}"
                return
        if sample.label is not None:
            yield f"{sample.sample_id} has a label, which is the engine's to set"
            return


@check("has a class for at least one of its emotions")
def classes(dataset: Dataset) -> Iterator[str]:
    """Hold the label map against the samples."""
    known = dataset.label_map()
    emotions = {sample.emotion for sample in dataset.samples() if sample.emotion}
    if emotions and not emotions & known.keys():
        yield f"none of {sorted(emotions)} is among {sorted(known)}"


@check("gives the same samples every time")
def deterministic(dataset: Dataset) -> Iterator[str]:
    """Ask a second object."""
    again = dataclasses.replace(dataset)  # type: ignore[type-var]
    if sorted(dataset.samples(), key=lambda s: s.sample_id) != sorted(again.samples(), key=lambda s: s.sample_id):
        yield "a second look finds other samples"


@check("loads arrays whose first axis is time, the same every time")
def loading(dataset: Dataset) -> Iterator[str]:
    """Load the first samples twice."""
    for sample in sorted(dataset.samples(), key=lambda s: s.sample_id)[:_READ]:
        clip, again = dataset.load(sample), dataset.load(sample)
        if clip.frames.ndim < 2 or 0 in clip.frames.shape or clip.frames.dtype.kind not in "biuf":
            yield f"{sample.sample_id}: {clip.frames.dtype} {clip.frames.shape}, expected numbers (T, ...)"
        elif not np.isfinite(clip.frames).all():
            yield f"{sample.sample_id}: values that are not finite"
        elif not same(clip.frames, again.frames):
            yield f"{sample.sample_id}: the second time other values"
        yield from (f"{sample.sample_id}: no file {path}" for path in dataset.files(sample) if not path.is_file())


@check("loads chosen frames as it loads them all")
def frames(dataset: Dataset) -> Iterator[str]:
    """Compare single frames with the whole clip, where a sample is a sequence of frames."""
    samples = sorted(dataset.samples(), key=lambda s: s.sample_id)[:_READ]
    if not any(dataset.frame_numbers(sample) for sample in samples):
        raise NotApplicable
    for sample in samples:
        numbers = list(dataset.frame_numbers(sample))
        if not numbers:
            continue
        if numbers != sorted(set(numbers)):
            yield f"{sample.sample_id}: frame numbers do not rise"
        all_frames = dataset.load(sample).frames
        chosen = dataset.load_frames(sample, [numbers[0], numbers[-1]]).frames
        if not (same(all_frames[0], chosen[0]) and same(all_frames[-1], chosen[-1])):
            yield f"{sample.sample_id}: the first or last frame differs from the one that load gives"


CHECKS = (ids, classes, deterministic, loading, frames)
