"""What ``bench check`` does with the steps and the models of a config: all that ``bench run`` does before it trains.

Every clip is read. One of each kind goes through the steps: of each data set, shape, type and set of annotations; the
shortest and the longest of the kind do so too, where their numbers of frames differ. Where a step excludes a clip,
others of its kind are tried. ``every`` puts all through the steps instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.config.run_config import Component, RowGroup, RunConfig
from mexbench.data.arrays import cut_samples, joined, pixels_of
from mexbench.data.cache import Cache, CacheEntry
from mexbench.data.duplicates import Pixels
from mexbench.data.pipeline import Pipeline, Traits
from mexbench.data.read_ahead import read_ahead
from mexbench.data.samples import LabelledSamples, Source
from mexbench.errors import BenchError, DataError, SampleRejected, counted, listed, raised
from mexbench.evaluation.plan import check_shape
from mexbench.fingerprint import environment
from mexbench.interfaces import Clip, Preprocessor

Shape = tuple[tuple[int, ...], str]
#: Kinds of which one goes through the steps: images of the wild may all differ in size.
_MOST_KINDS = 24
#: Clips of one kind that are tried until a step takes one.
_MOST_TRIES = 12
#: Frames of a long video that go through the steps, where not all must.
_FEW_FRAMES = 40
_SHOWN = 5


@dataclass
class ChainCheck:
    """What the check of one input found.

    Args:
        errors: What would end a run, each text with its place in the config.
        rejected: Clips that are excluded: sample id -> reason.
        shapes: Shape and type of a sample after the last step -> the samples seen to have it.
        tried: How many clips went through the steps.
        read: Clips that could be read, in the order of ``pixels``.
        pixels: What their pixels are compared by.
    """

    errors: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    shapes: dict[Shape, list[str]] = field(default_factory=dict)
    tried: int = 0
    read: list[Source] = field(default_factory=list)
    pixels: Pixels = field(default_factory=lambda: Pixels((), ()))


def check_plugins(config: RunConfig) -> list[str]:
    """Look for every file of weights, extra package and device that the plugins of a config name."""
    errors: list[str] = []
    for component in config.components():
        with _gathered(errors, component):
            component.identity()
    with _gathered(errors):
        environment()
    return list(dict.fromkeys(errors))


@contextmanager
def _gathered(errors: list[str], component: Component[Any] | None = None) -> Iterator[None]:
    try:
        yield
    except (BenchError, OSError) as error:
        errors.append(f"{error}\n  in {component.where}" if component and component.where else str(error))
    except Exception as error:  # noqa: BLE001 - whatever third-party code raises
        text = raised(f"plugin {component.plugin!r}" if component else "this machine", error)
        errors.append(f"{text}\n  in {component.where}" if component and component.where else text)


def check_chain(
    part: RowGroup, data: LabelledSamples, cache: Cache | None = None, progress: Callable[[int], None] = lambda _: None,
    *, every: bool = False,
) -> ChainCheck:  # fmt: skip
    """Read every clip of an input, and put one of each kind, or all, through the steps.

    Args:
        part: Names the steps.
        data: The clips.
        cache: Where processed clips are kept, so that a run finds them; for ``every`` alone.
        progress: Called with how many clips are read.
        every: Whether all go through the steps.
    """
    return _ChainChecker(part, Pipeline(part, cache if every else None), data, every=every).check(progress)


class _ChainChecker:
    def __init__(self, part: RowGroup, pipeline: Pipeline, data: LabelledSamples, *, every: bool) -> None:
        self.pipeline, self.data, self.every = pipeline, data, every
        self.steps = part.input.preprocess
        self.asked = [step for step in self.steps if type(step.instance).check_clip is not Preprocessor.check_clip]
        self.result = ChainCheck()
        self.errors: Counter[str] = Counter()  # without the sample's name -> how many
        self.examples: dict[str, str] = {}
        self.tries: Counter[Hashable] = Counter()
        self.passed: set[Hashable] = set()
        self.failing: set[Hashable] = set()
        self.lengths: dict[Hashable, set[int]] = {}  # frames of the clips of each kind that went through the steps
        self.extremes: dict[Hashable, list[tuple[int, Source]]] = {}  # the shortest and the longest of each kind

    def check(self, progress: Callable[[int], None]) -> ChainCheck:
        pixels = []
        reading = read_ahead(
            self.data.sources, self.raw_and_traits, lambda read: read[0].frames.nbytes,
            threads=self.pipeline.reading_threads(self.data.target),
        )  # fmt: skip
        for count, (source, get) in enumerate(reading, start=1):
            if (read := self.read(source, get)) is not None:
                raw, traits = read
                self.result.read.append(source)
                pixels.append(pixels_of(*traits, by_frame=self.pipeline.by_frame))
                self.look(source, raw)
            progress(count)
        self.look_at_extremes()
        self.result.pixels = joined(pixels)
        if len(self.result.shapes) > 1:
            self.result.errors.append(self.different_shapes())
        for text, count in self.errors.items():
            more = f"\n  and {counted(count - 1, 'more clip')} in the same way" if count > 1 else ""
            self.result.errors.append(f"{self.examples[text]}{more}")
        return self.result

    def raw_and_traits(self, source: Source) -> tuple[Clip, Traits]:
        raw = self.pipeline.raw(source.clip, source.pick)
        return raw, self.pipeline.traits(raw)

    def read(self, source: Source, get: Callable[[], tuple[Clip, Traits]]) -> tuple[Clip, Traits] | None:
        try:
            return get()
        except SampleRejected as error:
            self.result.rejected[source.clip.sample_id] = str(error)
        except BenchError as error:
            self.failed(source, error)
        return None

    def failed(self, source: Source, error: BenchError) -> None:
        text = str(error)
        kind = re.sub(r"\d+", "0", text.replace(source.clip.sample_id, "").replace(_short_id(source), ""))
        self.errors[kind] += 1
        self.examples.setdefault(kind, text)

    def look(self, source: Source, raw: Clip) -> None:
        """Ask the steps about a clip, and put it through them where its kind needs one."""
        clip = source.clip
        try:
            for step in self.asked:
                self.ask(step, source, raw)
            kind = _kind(source, raw)
            if not self.every:
                if kind not in self.tries and len(self.tries) >= _MOST_KINDS:
                    return
                self.note_length(kind, source, len(raw.frames))
                if kind in self.passed or self.tries[kind] >= _MOST_TRIES:
                    return
            self.tries[kind] += 1
            self.put_through(source, raw)
            self.passed.add(kind)
        except SampleRejected as error:
            self.result.rejected[clip.sample_id] = str(error)
        except BenchError as error:
            self.passed.add(_kind(source, raw))  # to say it once is enough
            self.failing.add(_kind(source, raw))
            self.failed(source, error)

    def put_through(self, source: Source, raw: Clip) -> None:
        self.lengths.setdefault(_kind(source, raw), set()).add(len(raw.frames))
        self.result.tried += 1
        self.remember(source, self.processed(source, raw), len(raw.frames))

    def note_length(self, kind: Hashable, source: Source, length: int) -> None:
        ends = self.extremes.setdefault(kind, [(length, source)] * 2)
        if length < ends[0][0]:
            ends[0] = length, source
        elif length > ends[1][0]:
            ends[1] = length, source

    def look_at_extremes(self) -> None:
        """Put the shortest and the longest clip of each kind through the steps too: some need a number of frames."""
        for kind, ends in self.extremes.items():
            for length, source in ends:
                if kind in self.failing or length in self.lengths.get(kind, ()):
                    continue
                try:
                    self.put_through(source, self.pipeline.raw(source.clip, source.pick))
                except SampleRejected as error:
                    self.result.rejected[source.clip.sample_id] = str(error)
                except BenchError as error:
                    self.failed(source, error)

    def ask(self, step: Component[Any], source: Source, raw: Clip) -> None:
        place = f"\n  in {step.where}" if step.where else ""
        try:
            instance = self.pipeline.instance(step, source.clip)
            instance.check_clip(self.pipeline.clip_info(source.clip, raw), source.clip.aus)
        except (DataError, OSError) as error:
            raise DataError(f"sample {source.clip.sample_id}: {error}{place}") from None
        except BenchError:
            raise
        except Exception as error:  # whatever third-party code raises
            raise DataError(f"sample {source.clip.sample_id}: {raised(step.plugin, error)}{place}") from error

    def processed(self, source: Source, raw: Clip) -> list[CacheEntry]:
        if self.every and self.pipeline.cache is not None:
            return self.pipeline(source.clip, source.pick)
        if not self.every and self.data.target == "spotting":
            raw = replace(raw, frames=raw.frames[:_FEW_FRAMES])
        return self.pipeline.through_steps(source.clip, raw)

    def remember(self, source: Source, entries: list[CacheEntry], read: int) -> None:
        array = entries[0].clip.frames
        if self.data.target == "spotting":
            expected = read if self.every else min(read, _FEW_FRAMES)
            if len(array) != expected:
                raise DataError(
                    f"video {source.clip.sample_id}: {counted(expected, 'frame')} became {len(array)} in "
                    "preprocessing; every step must keep the frames of a long video"
                )
            arrays: list[NDArray[Any]] = [array[0]]
        else:
            arrays = cut_samples(array, source, by_frame=self.pipeline.by_frame)
        for one in arrays:
            ids = self.result.shapes.setdefault((one.shape, one.dtype.name), [])
            if source.clip.sample_id not in ids[-1:]:
                ids.append(source.clip.sample_id)

    def different_shapes(self) -> str:
        shapes = sorted(self.result.shapes.items(), key=lambda item: -len(item[1]))
        texts = [f"{shape} {dtype} of {listed(ids, limit=3)}" for (shape, dtype), ids in shapes[:_SHOWN]]
        where = self.steps[-1].where if self.steps else self.pipeline.dataset_where
        return (
            f"samples differ in shape or type after the last step: {'; '.join(texts)}; a step or the 'frames' block "
            f"must bring all to one shape\n  in {where}"
        )


def _short_id(source: Source) -> str:
    """Return a clip's id without its data set, as paths have it."""
    return source.clip.clip_id.partition("/")[2] or source.clip.clip_id


def _kind(source: Source, raw: Clip) -> Hashable:
    clip = source.clip
    annotated = (clip.onset is None, clip.apex is None, clip.offset is None, bool(clip.aus), clip.fps is None)
    return clip.dataset, raw.frames.shape[1:], np.dtype(raw.frames.dtype).name, len(raw.frames) == 1, annotated


def check_models(part: RowGroup, checked: ChainCheck) -> list[str]:
    """Ask every model whether it takes what comes out of the steps; nothing where nothing does."""
    errors: list[str] = []
    for model in part.models:
        for shape, _ in checked.shapes:
            with _gathered(errors):
                check_shape(model, shape)
    return list(dict.fromkeys(errors))


def nothing_passes(part: RowGroup, data: LabelledSamples, checked: ChainCheck) -> list[str]:
    """Say so where not one clip that was tried comes out of the steps, which leaves a run without any."""
    if checked.shapes or checked.errors or not checked.rejected:
        return []
    reasons = Counter(checked.rejected.values())
    texts = "; ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
    steps = part.input.preprocess
    named = [step.where for step in steps if any(f"({step.plugin}" in reason for reason in reasons)]
    where = next(iter([*named, *(step.where for step in steps), part.dataset.where]))
    return [
        f"no clip comes out of the steps: {len(checked.rejected)} of {len(data.sources)} were tried and excluded: "
        f"{texts}\n  in {where}"
    ]
