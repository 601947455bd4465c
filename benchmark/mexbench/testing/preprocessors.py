"""What preprocessors promise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mexbench.errors import SampleRejected, counted
from mexbench.interfaces import Augmentation, Clip, Preprocessor
from mexbench.testing.checks import NotApplicable, check, same


def example(step: Preprocessor, seed: int = 0) -> Clip:
    """Draw a clip of smooth noise, read-only, whose apex is in the middle, with two action units."""
    rng = np.random.default_rng(seed)
    length, height, width, channels = step.example_shape
    coarse = rng.integers(0, 256, size=(length, -(-height // 8), -(-width // 8), channels))
    frames = coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width].astype(step.example_dtype)
    frames.flags.writeable = False
    return Clip(
        frames=frames,
        fps=200.0,
        onset_index=0,
        apex_index=length // 2,
        offset_index=length - 1,
        aus=frozenset({"AU4", "AU12"}),
    )


def _result(step: Preprocessor, clip: Clip) -> Clip | str:
    """Return the new clip, or the reason why this one is excluded."""
    try:
        return step(clip)
    except SampleRejected as error:
        return str(error)


def _equal(one: Clip | str, other: Clip | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return same(one.frames, other.frames) and one.notes == other.notes


@check("gives a clip of finite numbers, its first axis time, or says why it cannot")
def output(step: Preprocessor) -> Iterator[str]:
    """Look at what comes out."""
    result = _result(step, example(step))
    if isinstance(result, str):
        if not result:
            yield "a clip is excluded without a reason"
        return
    if not isinstance(result, Clip):
        yield f"gave {type(result).__name__}, expected a Clip"
        return
    frames = result.frames
    if frames.ndim < 2 or 0 in frames.shape:
        yield f"gave an array {frames.shape}, expected (T, ...) with T >= 1"
    elif frames.dtype.kind not in "biuf" or not np.isfinite(frames).all():
        yield "gave values that are not finite numbers"
    for name in ("onset_index", "apex_index", "offset_index"):
        index = getattr(result, name)
        if index is not None and not 0 <= index < len(frames):
            yield f"{name} is {index} in a clip of {counted(len(frames), 'frame')}"


@check("leaves the given clip alone, which is read-only")
def no_mutation(step: Preprocessor) -> Iterator[str]:
    """Compare the clip before and after; writing into it raises."""
    clip = example(step)
    before = clip.frames.copy()
    _result(step, clip)
    if not same(before, clip.frames):
        yield "the frames of the given clip changed"


@check("gives the same for the same clip, whatever came before")
def stateless(step: Preprocessor) -> Iterator[str]:
    """Process a clip, another one, and the first again."""
    first = _result(step, example(step))
    _result(step, example(step, seed=1))
    if not _equal(first, _result(step, example(step))):
        yield "the second time the result is another one"


@check("alters copies by the given randomness alone, in shape and type like the original")
def augmentation(step: Preprocessor) -> Iterator[str]:
    """Look at the copies of an augmentation; other steps make none."""
    if not isinstance(step, Augmentation):
        raise NotApplicable
    clip = example(step)
    if not _equal(step(clip), clip):
        yield "the original is altered, so test samples would be"
    one, other = (step.vary(clip, np.random.default_rng(3)) for _ in range(2))
    if not _equal(one, other):
        yield "the same randomness gives another copy"
    if one.frames.shape != clip.frames.shape or one.frames.dtype != clip.frames.dtype:
        yield f"a copy is {one.frames.dtype} {one.frames.shape}, the original {clip.frames.dtype} {clip.frames.shape}"


CHECKS = (output, no_mutation, stateless, augmentation)
