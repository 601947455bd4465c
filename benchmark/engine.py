"""Plan a run as pure tasks, refuse what would leak, run what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark.cache import Cache
from benchmark.config import RunConfig
from benchmark.data import Arrays, LabelledSamples, Progress, load_arrays, read_samples
from benchmark.errors import ProtocolError
from benchmark.executors import Executor, Failure, Outcome, Task, Workload
from benchmark.fingerprint import digest, digest_code, environment
from benchmark.interfaces import Fold
from benchmark.leaks import NEAR, UNKNOWN_SUBJECTS, Pixels, check_folds, find_leaks
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
    """

    config: RunConfig
    data: LabelledSamples
    arrays: Arrays
    folds: tuple[Fold, ...]
    tasks: tuple[Task, ...]
    flags: tuple[str, ...]

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


def split(
    config: RunConfig, data: LabelledSamples, pixels: Pixels | None = None
) -> tuple[tuple[Fold, ...], tuple[str, ...]]:
    """Ask the protocol for folds and inspect each.

    Args:
        config: Names the protocol.
        data: The samples.
        pixels: What the samples' pixels are compared by; without it, duplicates are not looked for.

    Returns:
        The folds, and the flags of the leaks that the protocol permits, of near-duplicates, which are told by
        likeness and so never refused, and of subjects that nobody knows.

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
    certain = [leak for leak in leaks if leak.kind != NEAR]
    if certain and protocol.subject_independent:
        kinds = Counter(leak.kind for leak in certain)
        shown = [next(leak for leak in certain if leak.kind == kind) for kind in kinds]
        raise ProtocolError(
            f"{where} promises that nothing stands on both sides of a fold, and "
            + "; ".join(f"{kinds[leak.kind]} folds break it by {leak.kind}" for leak in shown)
            + "".join(f"\n  {leak}" for leak in shown)
            + "\n  mend the data (remove or relabel one of the two), then run again"
        )
    nameless = any(sample.subject is None for sample in data.samples)
    return folds, (*sorted({leak.flag for leak in leaks}), *([UNKNOWN_SUBJECTS] if nameless else []))


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
    folds, leak_flags = split(config, data, arrays.pixels)
    shared = config.dataset, *config.preprocess, config.protocol
    flags = [flag for component in shared for flag in component.instance.flags()]
    return Plan(
        config=config,
        data=data,
        arrays=arrays,
        folds=folds,
        tasks=_tasks(config, data, arrays, folds),
        flags=tuple(dict.fromkeys([*flags, *leak_flags])),
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
        tasks += [
            Task(model.name, seed, fold.name, digest([recipe, seed, sides[fold.name]]))
            for seed in config.seeds
            for fold in folds
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
        for outcome in executor.run(waiting, plan.workload()):
            if isinstance(outcome, Failure):
                folder.write_failure(outcome)
                failures.append(outcome)
            else:
                folder.write_result(outcome, ids[outcome.task.fold])
            notify(outcome)
    return failures


def missing(plan: Plan, folder: RunFolder) -> tuple[Task, ...]:
    """Return the tasks that have no valid result."""
    return tuple(task for task in plan.tasks if folder.read_result(task) is None)


def model_flags(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """Return each model's flags: those of the run, then its own."""
    return {m.name: tuple(dict.fromkeys([*plan.flags, *m.instance.flags()])) for m in plan.config.models}
