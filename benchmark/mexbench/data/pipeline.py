"""One clip through loading and the steps of ``preprocess``, or out of the cache."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from mexbench.config import frame_selection as frames
from mexbench.config.run_config import Component, RowGroup, Target
from mexbench.data.cache import Cache, CacheEntry
from mexbench.data.perceptual_hash import few_of, perceptual_hash
from mexbench.data.read_ahead import cores
from mexbench.errors import BenchError, DataError, SampleRejected, raised
from mexbench.fingerprint import digest, digest_array, digest_code, digest_files, environment
from mexbench.interfaces import Augmentation, Clip, ClipInfo, Preprocessor, Sample

T = TypeVar("T")
#: Digest of each frame's pixels before the first step, and the perceptual hashes that samples are compared by.
Traits = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class FetchedClip:
    """A clip before the first step, or what the cache has of it after the last one.

    Args:
        sample: The clip.
        raw: As it was read; None where the cache has what comes out of the steps.
        traits: Of ``raw``.
        keys: Under which the cache keeps what comes out of the steps.
        entries: What the cache has.
    """

    sample: Sample
    raw: Clip | None = None
    traits: Traits = ((), ())
    keys: tuple[str, ...] = ()
    entries: tuple[CacheEntry, ...] = ()


class Pipeline:
    """Loads clips and puts them through the steps; a step sees one clip, no label and no other clip."""

    def __init__(self, group: RowGroup, cache: Cache | None = None) -> None:
        self.dataset, self.dataset_where = group.dataset.instance, group.dataset.where
        steps, chosen = group.input.preprocess, group.input.frames
        # Without steps there is nothing to save: reading a file again is as fast as reading the cache.
        self.cache = cache if steps else None
        cut = next((i for i, s in enumerate(steps) if isinstance(s.instance, Augmentation)), None)
        self.before: Sequence[Component[Preprocessor]] = steps[:cut]
        self.augmentation = steps[cut] if cut is not None else None
        self.after: Sequence[Component[Preprocessor]] = steps[cut + 1 :] if cut is not None else ()
        self.by_frame = chosen is not None and chosen.unit == "frame"
        self.by_origin = any(step.instance.needs_clip_info() for step in steps)
        self.components = (*group.members, *steps)
        study = group.protocol.instance.case_study
        reads = any(model.instance.reads_annotation() for model in group.models)
        #: The data set whose clips nobody has to annotate; None where every clip needs what the steps ask for.
        self.unannotated = None if study is None or reads else study.dataset

    @functools.cached_property
    def recipe(self) -> str:
        """Digest of what makes an entry of the cache out of a file; only asked for where there is a cache."""
        components = [[one.identity(), digest_code(type(one.instance))] for one in self.components]
        return digest([components, environment(), self.by_frame])

    @property
    def copies(self) -> int:
        """How many altered copies for the training side each clip gets."""
        step = self.augmentation.instance if self.augmentation else None
        return step.copies if isinstance(step, Augmentation) else 0

    def reading_threads(self, target: Target) -> int:
        """Return how many threads may read clips: all cores where the data set allows it, one for long videos."""
        return 1 if target == "spotting" or not self.dataset.reads_in_threads() else cores()

    def __call__(self, sample: Sample, pick: frames.FrameSampling | None) -> list[CacheEntry]:
        """Return the clip after the last step, then its altered copies.

        Raises:
            SampleRejected: A step cannot use this clip.
            DataError: It cannot be read, or a step gave nonsense; names the sample.
        """
        return self.finish(self.fetch(sample, pick))

    def fetch(self, sample: Sample, pick: frames.FrameSampling | None) -> FetchedClip:
        """Read a clip, or what the cache has of it. No step is called: several threads may fetch at a time.

        Raises:
            DataError: It cannot be read; names the sample.
        """
        raw = None
        if self.cache is None:
            raw = self.raw(sample, pick)
            return FetchedClip(sample, raw, self.traits(raw))
        if (video := sample.video) is not None:
            files = self._of_dataset(sample, "video_files", lambda: self.dataset.video_files(video))
        else:
            numbers = pick.numbers if pick else None
            files = self._of_dataset(sample, "files", lambda: self.dataset.files(sample, numbers))
        if files:
            source = self._of_dataset(sample, "files", lambda: digest_files(files))
        else:
            raw = self.raw(sample, pick)
            source = digest_array(raw.frames)
        picked = None if pick is None else [pick.numbers, pick.lower, pick.upper, pick.weight]
        parts = [self.recipe, source, picked, sorted(sample.aus)]
        if self._is_blank(sample):
            parts.append("unannotated")  # another model's run excludes this clip
        if self.by_origin:
            parts += [sample.clip_id, self._published_length(sample)]
        # A copy is drawn from the sample's id, so that equal files under two ids still vary differently.
        keys = (digest([*parts, None]), *(digest([*parts, sample.sample_id, copy]) for copy in range(self.copies)))
        cached = [self.cache.get(key) for key in keys]
        if all(entry is not None for entry in cached):
            return FetchedClip(sample, entries=tuple(entry for entry in cached if entry is not None))
        raw = raw if raw is not None else self.raw(sample, pick)
        return FetchedClip(sample, raw, self.traits(raw), keys)

    def finish(self, fetched: FetchedClip) -> list[CacheEntry]:
        """Put a clip through the steps, where the cache did not have it, and keep the result.

        Raises:
            SampleRejected: A step cannot use this clip.
            DataError: A step gave nonsense; names the sample.
        """
        if fetched.raw is None:
            return list(fetched.entries)
        entries = self._run(fetched.sample, fetched.raw, fetched.traits)
        if self.cache is not None:
            for key, entry in zip(fetched.keys, entries, strict=True):
                self.cache.put(key, entry)
        return entries

    def through_steps(self, sample: Sample, raw: Clip) -> list[CacheEntry]:
        """Put a loaded clip through the steps, without the cache: the clip after the last one, then its copies.

        Raises:
            SampleRejected: A step cannot use this clip.
            DataError: A step refuses it, raises something else, or gave nonsense.
        """
        return self._run(sample, raw, self.traits(raw))

    def instance(self, step: Component[Preprocessor], sample: Sample) -> Preprocessor:
        """Return a step as it is used for a sample: an applied clip of a case study may lack an annotation."""
        return step.instance.unannotated() if self._is_blank(sample) else step.instance

    def _is_blank(self, sample: Sample) -> bool:
        return sample.dataset == self.unannotated and not sample.aus

    def clip_info(self, sample: Sample, raw: Clip) -> ClipInfo:
        """Return what a step may know of a loaded clip."""
        length = self._published_length(sample) or len(raw.frames)
        return ClipInfo(clip_id=sample.clip_id, length=length, frames=raw.frames)

    def raw(self, sample: Sample, pick: frames.FrameSampling | None) -> Clip:
        """Load a clip or a long video, before any step."""
        if (video := sample.video) is not None:
            load, action = "load_video", lambda: self.dataset.load_video(video)
        elif pick is None:
            load, action = "load", lambda: self.dataset.load(sample)
        else:
            load, action = "load_frames", lambda: frames.load(self.dataset, sample, pick)
        return _checked(sample, load, self._of_dataset(sample, load, action))

    def _of_dataset(self, sample: Sample, method: str, action: Callable[[], T]) -> T:
        return _named(sample, action, f"{method!r} of the data set", self.dataset_where)

    def _run(self, sample: Sample, raw: Clip, traits: Traits) -> list[CacheEntry]:
        origin = self.clip_info(sample, raw)
        clips = [self._through(self.before, sample, raw, origin)]
        if self.augmentation is not None and isinstance(step := self.augmentation.instance, Augmentation):
            original, name = clips[0], self.augmentation.plugin
            for copy in range(step.copies):
                seed = int(digest([self.augmentation.identity(), sample.sample_id, copy]), 16)
                rng = np.random.default_rng(seed)
                varied = _checked(
                    sample,
                    name,
                    _named(sample, lambda rng=rng: step.vary(original, rng), name, self.augmentation.where),
                )
                clips.append(varied)
            clips[0] = self._through([self.augmentation], sample, original, origin)
        digests, hashes = traits
        return [CacheEntry(self._through(self.after, sample, clip, origin), digests, hashes) for clip in clips]

    def _through(self, steps: Sequence[Component[Preprocessor]], sample: Sample, clip: Clip, origin: ClipInfo) -> Clip:
        for step in steps:
            instance = self.instance(step, sample)
            clip_info = origin if instance.needs_clip_info() else None
            before = replace(clip, aus=sample.aus or None, clip_info=clip_info)  # not what the step before returned
            clip = _checked(
                sample,
                step.plugin,
                _named(sample, lambda instance=instance, before=before: instance(before), step.plugin, step.where),
            )
        return clip

    def _published_length(self, sample: Sample) -> int:
        """Return how many frames a clip has on disk, 0 where it is not a sequence of frames; of a long video all."""
        if sample.video is not None:
            first, last = sample.video.frames or (0, -1)
            return last - first + 1
        return len(self.dataset.frame_numbers(sample))

    def traits(self, raw: Clip) -> Traits:
        """Return the digest of each frame's pixels, and the perceptual hashes that its samples are compared by."""
        frames = raw.frames if self.by_frame else few_of(raw.frames)
        return tuple(digest_array(frame) for frame in raw.frames), tuple(perceptual_hash(frame) for frame in frames)


def _named(sample: Sample, action: Callable[[], T], what: str, where: str = "") -> T:
    """Run an action; its error says which sample it was about, what failed, and where the config asks for it.

    Args:
        sample: What it is about.
        action: What is run.
        what: What it is part of, for an error that no plugin should raise.
        where: Place in the config.
    """
    place = f"\n  in {where}" if where else ""
    try:
        return action()
    except SampleRejected:  # a damaged image too
        raise
    except (DataError, OSError) as error:
        raise DataError(f"sample {sample.sample_id}: {error}{place}") from None
    except BenchError:
        raise
    except Exception as error:  # whatever third-party code raises
        raise DataError(f"sample {sample.sample_id}: {raised(what, error)}{place}") from error


def _checked(sample: Sample, step: str, clip: Clip) -> Clip:
    """Refuse what a model could not use, and lock the array: one step cannot change another's input."""
    if not isinstance(clip, Clip):
        raise DataError(f"sample {sample.sample_id}: {step} gave a {type(clip).__name__}, expected a Clip")
    array: Any = clip.frames
    if not isinstance(array, np.ndarray) or array.ndim < 2 or 0 in array.shape:
        shape = getattr(array, "shape", type(array).__name__)
        raise DataError(f"sample {sample.sample_id}: {step} gave {shape}, expected an array (T, ...) with T >= 1")
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise DataError(f"sample {sample.sample_id}: {step} gave values that are not finite numbers")
    array.flags.writeable = False
    return clip
