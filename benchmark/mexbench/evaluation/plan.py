"""Plan a run as pure tasks, and refuse what would leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mexbench.config.run_config import Component, RowGroup, RunConfig, Target
from mexbench.data.arrays import Arrays, Progress, load_arrays
from mexbench.data.cache import Cache
from mexbench.data.read_ahead import DEFAULT_BYTES
from mexbench.data.samples import LabelledSamples, read_samples
from mexbench.errors import DataError, ProtocolError, listed, raised
from mexbench.evaluation.sides import Positions, SampleIndex, side_digests
from mexbench.evaluation.split_checks import SplitLeak
from mexbench.evaluation.splits import split
from mexbench.evaluation.spotting_runner import SpottingRunner, annotated
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.fingerprint import digest, digest_code, environment
from mexbench.interfaces import Fold, FoldsModel, Model, Sample
from mexbench.runs.task import Task


@dataclass(frozen=True)
class RowGroupPlan:
    """What a part of a run will do, and the data it does it on.

    Args:
        part: What was asked for.
        data: Labelled samples.
        arrays: What models see.
        folds: The splits, checked.
        tasks: Every model x seed x fold.
        flags: Words that stand beside every score of the part.
        leaks: What the flags of leaks are about: the first of each kind.
    """

    part: RowGroup
    data: LabelledSamples
    arrays: Arrays
    folds: tuple[Fold, ...]
    tasks: tuple[Task, ...]
    flags: tuple[str, ...]
    leaks: tuple[SplitLeak, ...] = ()

    def task_runner(self) -> TaskRunner:
        """Return what the tasks need."""
        index = SampleIndex([sample.sample_id for sample in self.data.samples])

        def indices(ids: Sequence[str]) -> Positions:
            # Sorted: the order in which a protocol names samples cannot change what is learned.
            return np.sort(index.positions(ids))

        runner = TaskRunner(
            x=self.arrays.x,
            copies=self.arrays.copies,
            y=self.data.truths(),
            groups=np.array([sample.group for sample in self.data.samples]),
            folds={fold.name: (indices(fold.train), indices(fold.test)) for fold in self.folds},
            models={model.name: model.instance for model in self.part.models},
            n_classes=len(self.data.classes),
            tunings={model.name: model.tuning for model in self.part.models if model.tuning is not None},
        )
        if self.arrays.spans is None:
            return runner
        videos = tuple(sample.video for sample in self.data.samples if sample.video is not None)
        return SpottingRunner(**{**vars(runner), "y": annotated(videos)}, videos=videos, spans=self.arrays.spans)

    def test_ids(self) -> dict[str, list[str]]:
        """Return the sample ids of each fold's test side, in the order of a task's scores: that of the samples."""
        order = {sample.sample_id: index for index, sample in enumerate(self.data.samples)}
        return {fold.name: sorted(fold.test, key=order.__getitem__) for fold in self.folds}

    def model_flags(self, model: Component[Model]) -> tuple[str, ...]:
        """Return a model's flags: those of the part, then its own."""
        return tuple(dict.fromkeys([*self.flags, *model.flags()]))


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do.

    Args:
        config: What was asked for.
        parts: In the order of ``config.parts``.
    """

    config: RunConfig
    parts: tuple[RowGroupPlan, ...]

    @cached_property
    def by_row(self) -> Mapping[str, tuple[RowGroupPlan, Component[Model]]]:
        """Row -> its part and its model, in the order of the config."""
        rows = {model.name: (part, model) for part in self.parts for model in part.part.models}
        return {row: rows[row] for row in self.config.rows}

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """Every task of every row."""
        return tuple(task for row, (part, _) in self.by_row.items() for task in part.tasks if task.model == row)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names: the same in every part."""
        return self.parts[0].data.classes


def read(config: RunConfig) -> tuple[LabelledSamples, ...]:
    """Read the samples of every part, before any pixel is read.

    Raises:
        DataError: The data cannot be used.
        ProtocolError: Protocols disagree about the classes, or about whether labels are needed.
    """
    samples = [read_samples(part) for part in config.parts]
    for part, data in zip(config.parts, samples, strict=True):
        if (part.protocol.instance.case_study is None) != (config.protocols[0].instance.case_study is None):
            raise ProtocolError(
                f"protocols {config.protocols[0].name!r} and {part.protocol.name!r}: a case study applies models to "
                "clips that the other could not use; run one config for each"
            )
        if data.classes != samples[0].classes:
            raise ProtocolError(
                f"protocols {config.parts[0].protocol.name!r} and {part.protocol.name!r} have different classes, "
                f"{listed(samples[0].classes)} and {listed(data.classes)}: a table has one set; run one config for each"
            )
    return tuple(same_clips(samples))


def clips_to_load(config: RunConfig, data: Sequence[LabelledSamples]) -> int:
    """Count the clips that ``plan`` will load: each once per input."""
    return sum({id(part.input): len(found.sources) for part, found in zip(config.parts, data, strict=True)}.values())


def same_clips(found: Sequence[LabelledSamples]) -> list[LabelledSamples]:
    """Leave out of every part what one of them cannot use: rows are compared on the same clips."""
    rejected = {clip: reason for data in found for clip, reason in data.rejected().items()}
    return [data.without(rejected) for data in found]


def plan(
    config: RunConfig,
    cache: Cache | None = None,
    progress: Progress = lambda _: None,
    data: Sequence[LabelledSamples] | None = None,
    *,
    most_bytes: int = DEFAULT_BYTES,
) -> Plan:
    """Read the data and work out the tasks; nothing is trained yet.

    Args:
        config: What is asked for.
        cache: Where processed clips are kept.
        progress: Called with how many clips are ready, each counted once per input.
        data: What ``read`` gave, if it was called before.
        most_bytes: What clips that are read ahead may take in memory.

    Raises:
        DataError: The data cannot be used, or not by one of the models.
        ProtocolError: The protocol cannot be carried out on it.
    """
    data = data or read(config)
    # Before the pixels are read: a hopeless request should fail at once.
    splits = [split(part, samples) for part, samples in zip(config.parts, data, strict=True)]
    loaded: dict[int, tuple[LabelledSamples, Arrays]] = {}  # by input: equal ones are one object
    done = 0
    for part, samples in zip(config.parts, data, strict=True):
        if id(part.input) not in loaded:
            before = done
            loaded[id(part.input)] = load_arrays(
                part, samples, cache, lambda count, start=before: progress(start + count), most_bytes=most_bytes
            )
            done += len(samples.sources)
    usable = same_clips([*(samples for samples, _ in loaded.values()), *data])[len(loaded) :]
    return Plan(
        config,
        tuple(
            _plan_part(
                part, samples, *loaded[id(part.input)], folds=first.folds if samples.samples == before.samples else None
            )
            for part, samples, before, first in zip(config.parts, usable, data, splits, strict=True)
        ),
    )


def _plan_part(
    part: RowGroup, data: LabelledSamples, of_input: LabelledSamples, arrays: Arrays, *, folds: Sequence[Fold] | None
) -> RowGroupPlan:
    position = {sample.sample_id: index for index, sample in enumerate(of_input.samples)}
    arrays = arrays.select([position[sample.sample_id] for sample in data.samples])
    for model in part.models:
        check_shape(model, arrays.x.shape[1:])
    sides = split(part, data, arrays.pixels, folds=folds)
    shared = part.dataset, *part.input.preprocess, part.protocol
    flags = [flag for component in shared for flag in component.instance.flags()]
    return RowGroupPlan(
        part=part,
        data=data,
        arrays=arrays,
        folds=sides.folds,
        tasks=_tasks(part, data, arrays, sides.folds),
        flags=tuple(dict.fromkeys([*flags, *([f"profile:{part.profile}"] if part.profile else []), *sides.flags])),
        leaks=sides.leaks,
    )


def check_shape(model: Component[Model], shape: tuple[int, ...]) -> None:
    """Check that a model takes samples of a shape.

    Raises:
        DataError: It does not; the text names the model and its place in the config.
    """
    place = f"\n  in {model.where}" if model.where else ""
    try:
        model.instance.check(shape)
    except DataError as error:
        raise DataError(f"model {model.name!r}: {error}{place}") from None
    except Exception as error:  # whatever third-party code raises
        raise DataError(f"{raised(f'check of model {model.name!r}', error)}{place}") from error


def _tasks(part: RowGroup, data: LabelledSamples, arrays: Arrays, folds: Sequence[Fold]) -> tuple[Task, ...]:
    """Fingerprint every task by everything that can change its result: data, split, model, its code, versions, seed.

    What came before the final arrays (paths, loaders, steps) is in their content.
    """
    content = [
        [sample.sample_id, data.truth(sample), sample.group, found, *_recording(sample)]
        for sample, found in zip(data.samples, arrays.digests, strict=True)
    ]
    shared = digest([data.classes, content, environment()])
    sides = side_digests(folds, SampleIndex([sample.sample_id for sample in data.samples]))
    tasks = []
    for model in part.models:
        recipe = digest([shared, model.identity(), digest_code(type(model.instance))])
        step = folds_per_group(model, arrays, part.target)
        # Folds that are trained together share noise: which ones they are is part of what each of them is.
        beside = [
            [sides[fold.name] for fold in folds[index // step * step :][:step]] if step > 1 else []
            for index in range(len(folds))
        ]
        tasks += [
            Task(model.name, seed, fold.name, digest([recipe, seed, sides[fold.name], *company]))
            for seed in part.seeds
            for fold, company in zip(folds, beside, strict=True)
        ]
    return tuple(tasks)


def _recording(sample: Sample) -> list[float]:
    """Return what a spotter sees of a long video beside its frames."""
    return [] if sample.video is None else [sample.video.fps, *(sample.video.frames or ())]


def folds_per_group(component: Component[Model], arrays: Arrays, target: Target = "emotion") -> int:
    """Return how many folds of a model are trained at once.

    With augmented copies, and where emotions are not the target, they are trained one by one; so are those of a tuned
    model, each of which may choose other values, and whose inner folds are trained together instead.
    """
    model, alone = component.instance, component.tuning is not None
    may = isinstance(model, FoldsModel) and arrays.copies is None and target == "emotion" and not alone
    return model.folds_at_once() if isinstance(model, FoldsModel) and may else 1
