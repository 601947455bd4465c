"""Plan a run as pure tasks, refuse what would leak, run what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np

from benchmark.cache import Cache
from benchmark.config import RunConfig
from benchmark.data import Arrays, LabelledSamples, Progress, load_arrays, read_samples
from benchmark.errors import ProtocolError
from benchmark.executors import Executor, Failure, Outcome, Task, Unit, Workload
from benchmark.fingerprint import digest, digest_code, environment
from benchmark.interfaces import Fold, FoldsModel, Model
from benchmark.leaks import NEAR, UNKNOWN_SUBJECTS, Leak, Pixels, check_folds, find_leaks
from benchmark.store import RunFolder

Recompute = Literal["missing", "always", "never"]


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do, and the data it does it on.

    Args:
        config: What was asked for.
        data: Labelled samples.
        arrays: What models see.
        folds: The splits, checked.
        tasks: Every model x seed x fold.
        flags: Words that stand beside every score of the run.
        leaks: What the flags of leaks are about: the first of each kind.
    """

    config: RunConfig
    data: LabelledSamples
    arrays: Arrays
    folds: tuple[Fold, ...]
    tasks: tuple[Task, ...]
    flags: tuple[str, ...]
    leaks: tuple[Leak, ...] = ()

    def workload(self) -> Workload:
        """Return what the tasks need."""
        position = {sample.sample_id: index for index, sample in enumerate(self.data.samples)}

        def indices(ids: Sequence[str]) -> np.ndarray:
            # Sorted: the order in which a protocol names samples cannot change what is learned.
            return np.array(sorted(position[name] for name in ids), dtype=np.intp)

        return Workload(
            x=self.arrays.x,
            copies=self.arrays.copies,
            y=np.array([sample.label for sample in self.data.samples], dtype=np.intp),
            groups=np.array([sample.group for sample in self.data.samples]),
            folds={fold.name: (indices(fold.train), indices(fold.test)) for fold in self.folds},
            models={model.name: model.instance for model in self.config.models},
            n_classes=len(self.data.classes),
        )

    def test_ids(self) -> dict[str, list[str]]:
        """Return the sample ids of each fold's test side, in the order of a task's scores: that of the samples."""
        order = {sample.sample_id: index for index, sample in enumerate(self.data.samples)}
        return {fold.name: sorted(fold.test, key=order.__getitem__) for fold in self.folds}


@dataclass(frozen=True)
class Split:
    """Folds that may be run.

    Args:
        folds: The splits, checked.
        flags: Those of the leaks that the protocol permits, of near-duplicates, which are told by likeness and so never
            refused, and of subjects that nobody knows.
        leaks: The first leak of each kind.
    """

    folds: tuple[Fold, ...]
    flags: tuple[str, ...]
    leaks: tuple[Leak, ...]


def split(config: RunConfig, data: LabelledSamples, pixels: Pixels | None = None) -> Split:
    """Ask the protocol for folds and inspect each.

    Args:
        config: Names the protocol.
        data: The samples.
        pixels: What the samples' pixels are compared by; without it, duplicates are not looked for.

    Raises:
        ProtocolError: A fold cannot be scored honestly, or breaks the protocol's promise of disjoint subjects.
    """
    protocol = config.protocol.instance
    where = f"protocol {config.protocol.plugin!r}"
    try:
        folds = tuple(protocol.folds(data.samples))
        check_folds(folds, data.samples, data.classes)
    except ProtocolError as error:
        raise ProtocolError(f"{where}: {error}") from None
    leaks = find_leaks(folds, data.samples, pixels)
    kinds = Counter(leak.kind for leak in leaks)
    first = tuple(next(leak for leak in leaks if leak.kind == kind) for kind in kinds)
    shown = [leak for leak in first if leak.kind != NEAR]
    if shown and protocol.subject_independent:
        raise ProtocolError(
            f"{where} promises that nothing stands on both sides of a fold, and "
            + "; ".join(f"{kinds[leak.kind]} folds break it by {leak.kind}" for leak in shown)
            + "".join(f"\n  {leak}" for leak in shown)
            + "\n  mend the data (remove or relabel one of the two), then run again"
        )
    nameless = any(sample.subject is None for sample in data.samples)
    return Split(folds, (*sorted(leak.flag for leak in first), *([UNKNOWN_SUBJECTS] if nameless else [])), first)


def plan(
    config: RunConfig,
    cache: Cache | None = None,
    progress: Progress = lambda _: None,
    data: LabelledSamples | None = None,
) -> Plan:
    """Read the data and work out the tasks; nothing is trained yet.

    Raises:
        DataError: The data cannot be used.
        ProtocolError: The protocol cannot be carried out on it.
    """
    data = data or read_samples(config)
    split(config, data)  # before the pixels are read: a hopeless request should fail at once
    data, arrays = load_arrays(config, data, cache, progress)
    found = split(config, data, arrays.pixels)
    shared = config.dataset, *config.preprocess, config.protocol
    flags = [flag for component in shared for flag in component.instance.flags()]
    return Plan(
        config=config,
        data=data,
        arrays=arrays,
        folds=found.folds,
        tasks=_tasks(config, data, arrays, found.folds),
        flags=tuple(dict.fromkeys([*flags, *found.flags])),
        leaks=found.leaks,
    )


def _tasks(config: RunConfig, data: LabelledSamples, arrays: Arrays, folds: Sequence[Fold]) -> tuple[Task, ...]:
    """Fingerprint every task by everything that can change its result: data, split, model, its code, versions, seed.

    What came before the final arrays (paths, loaders, steps) is in their content.
    """
    content = [
        [sample.sample_id, data.classes[sample.label or 0], sample.group, found]
        for sample, found in zip(data.samples, arrays.digests, strict=True)
    ]
    shared = digest([data.classes, content, environment()])
    sides = {fold.name: digest([sorted(fold.train), sorted(fold.test)]) for fold in folds}
    tasks = []
    for model in config.models:
        recipe = digest([shared, model.identity(), digest_code(type(model.instance))])
        step = _together(model.instance, arrays)
        # Folds that are trained together share noise: which ones they are is part of what each of them is.
        beside = [
            [sides[fold.name] for fold in folds[index // step * step :][:step]] if step > 1 else []
            for index in range(len(folds))
        ]
        tasks += [
            Task(model.name, seed, fold.name, digest([recipe, seed, sides[fold.name], *company]))
            for seed in config.seeds
            for fold, company in zip(folds, beside, strict=True)
        ]
    return tuple(tasks)


def run(
    plan: Plan,
    folder: RunFolder,
    executor: Executor,
    *,
    recompute: Recompute = "missing",
    notify: Callable[[Outcome], None] = lambda _: None,
) -> list[Failure]:
    """Run what is missing and store each outcome as it comes.

    Args:
        plan: What to do.
        folder: Where results lie and go.
        executor: Where tasks run.
        recompute: ``missing`` runs what has no valid result, ``always`` everything, ``never`` nothing.
        notify: Called with every outcome once it is stored.

    Returns:
        The tasks that failed in this call.
    """
    if recompute == "never":
        return []
    waiting = plan.tasks if recompute == "always" else missing(plan, folder)
    failures: list[Failure] = []
    ids = plan.test_ids()
    if waiting:
        wanted = set(waiting)
        for outcome in executor.run(_units(plan, wanted), plan.workload()):
            if outcome.task not in wanted:  # done before, and done again with the others of its unit
                continue
            if isinstance(outcome, Failure):
                folder.write_failure(outcome)
                failures.append(outcome)
            else:
                folder.write_result(outcome, ids[outcome.task.fold])
            notify(outcome)
    return failures


def _units(plan: Plan, wanted: Set[Task]) -> list[Unit]:
    """Cut the tasks into units, always at the same places: what is done together must not hang on what is missing."""
    size = {model.name: _together(model.instance, plan.arrays) for model in plan.config.models}
    units: list[Unit] = []
    for _, tasks in groupby(plan.tasks, key=lambda task: (task.model, task.seed)):
        row = list(tasks)
        step = size[row[0].model]
        units += [tuple(row[start : start + step]) for start in range(0, len(row), step)]
    return [unit for unit in units if not wanted.isdisjoint(unit)]


def _together(model: Model, arrays: Arrays) -> int:
    """Return how many folds of a model are trained at once; with augmented copies they are trained one by one."""
    return model.folds_at_once() if isinstance(model, FoldsModel) and arrays.copies is None else 1


def missing(plan: Plan, folder: RunFolder) -> tuple[Task, ...]:
    """Return the tasks that have no valid result."""
    return tuple(task for task in plan.tasks if folder.read_result(task) is None)


def model_flags(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """Return each model's flags: those of the run, then its own."""
    return {m.name: tuple(dict.fromkeys([*plan.flags, *m.instance.flags()])) for m in plan.config.models}
