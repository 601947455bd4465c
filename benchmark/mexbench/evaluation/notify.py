"""Tells observers of a run; see ``mexbench.interfaces.observer``."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from functools import cached_property
from pathlib import Path

import numpy as np
import pluggy

from mexbench import GROUP
from mexbench.config.run_config import dataset_title
from mexbench.errors import PluginError
from mexbench.evaluation.plan import Plan
from mexbench.interfaces import hookspecs
from mexbench.interfaces.observer import Observer, RunDone, RunStarted, TaskDone
from mexbench.registry.catalogue import Catalogue, listens_to_runs, marker_errors
from mexbench.registry.parameters import build
from mexbench.runs.provenance import all_versions
from mexbench.runs.task import Outcome, Success, Task

_EVENTS = {
    RunStarted: ("bench_run_started", "run"),
    TaskDone: ("bench_task_done", "task"),
    RunDone: ("bench_run_done", "run"),
}


class Observers:
    """Those who are told of one run.

    Args:
        told: Name or distribution -> the object or module that has hooks.
        say: Where warnings go.
    """

    def __init__(self, told: Iterable[tuple[str, object]], say: Callable[[str], None]) -> None:
        self._say = say
        self._managers = [(name, _manager(plugin)) for name, plugin in told]

    def __bool__(self) -> bool:
        """Whether anybody is told anything."""
        return bool(self._managers)

    def tell(self, record: RunStarted | TaskDone | RunDone) -> None:
        """Give each observer a copy of its own. One that raises is named, and told nothing more."""
        hook, argument = _EVENTS[type(record)]
        for entry in list(self._managers):
            name, manager = entry
            try:
                with redirect_stdout(sys.stderr):  # stdout is for results
                    getattr(manager.hook, hook)(**{argument: copy.deepcopy(record)})
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises, the run goes on
                self._managers.remove(entry)
                text = " ".join(f"{type(error).__name__}: {error}".split())
                self._say(f"warning: observer {name} failed in {hook} and is told nothing more of this run: {text}")


def choose(catalogue: Catalogue, names: Iterable[str], say: Callable[[str], None]) -> Observers:
    """Bring together the modules that watch every run and the observers that the user names.

    Raises:
        PluginError: A name is unknown, or its observer cannot be used here.
    """
    chosen: list[tuple[str, object]] = []
    for name in dict.fromkeys(names):
        entry = catalogue.get("observer", name)
        observer, errors = build(entry.load(), {})
        if not isinstance(observer, Observer):
            raise PluginError(f"observer {name!r}: {'; '.join(text for _, text in errors)}")
        if wrong := [*marker_errors(observer), *_silence(observer)]:
            raise PluginError(f"observer {name!r}: {'; '.join(wrong)}")
        observer.prepare()
        chosen.append((repr(name), observer))
    return Observers([*((f"of {name}", module) for name, module in catalogue.run_listeners), *chosen], say)


def _manager(plugin: object) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    return manager


def _silence(observer: Observer) -> list[str]:
    """Say why an observer would never be told anything, if that is so."""
    try:
        return [] if listens_to_runs(_manager(observer), observer) else ["has no hook that tells of a run"]
    except pluggy.PluginValidationError as error:
        return [" ".join(str(error).split())]


class Reporter:
    """Makes the records of one run, and gives them to its observers.

    Args:
        observers: Who is told.
        plan: What the run does.
        folder: The run folder.
    """

    def __init__(self, observers: Observers, plan: Plan, folder: Path) -> None:
        self._observers, self._plan, self._folder = observers, plan, folder

    def started(self, waiting: int) -> None:
        """Tell that the run is about to train."""
        config = self._plan.config
        if not self._observers:
            return
        shared = [flag for flag in self._plan.parts[0].flags if all(flag in part.flags for part in self._plan.parts)]
        self._observers.tell(
            RunStarted(
                name=config.name,
                folder=self._folder,
                config=config.resolved(recorded=True),
                fingerprint=config.fingerprint,
                dataset=dataset_title(config),
                rows={row: model.resolved(recorded=True) for row, (_, model) in self._plan.by_row.items()},
                flags=tuple(shared),
                tasks=len(self._plan.tasks),
                waiting=waiting,
                versions=all_versions([component.distribution for component in config.components()]),
            )
        )

    def task(self, outcome: Outcome) -> None:
        """Tell that a task has ended."""
        if not self._observers:
            return
        task = outcome.task
        which = {"row": task.model, "seed": task.seed, "fold": task.fold, "number": self._numbers[task]}
        if not isinstance(outcome, Success):
            self._observers.tell(TaskDone(**which, error=outcome.error))
            return
        truth = self._truths[id(self._plan.by_row[task.model][0])][task.fold]
        known = truth >= 0  # a case study has samples without a class
        right = (
            None if truth.ndim > 1 or outcome.intervals is not None else (outcome.scores.argmax(axis=1) == truth)[known]
        )
        self._observers.tell(
            TaskDone(
                **which,
                samples=len(truth),
                accuracy=None if right is None or not len(right) else float(right.mean()),
                fit_s=outcome.fit_s,
                predict_s=outcome.predict_s,
                warnings=outcome.warnings,
                history=tuple(outcome.history),
            )
        )

    def done(self, scores: dict[str, object], reports: Iterable[str], *, complete: bool, interrupted: bool) -> None:
        """Tell that the run has ended."""
        if self._observers:
            written = tuple(name for name in reports if (self._folder / name).is_file())
            self._observers.tell(
                RunDone(folder=self._folder, scores=scores, complete=complete, interrupted=interrupted, reports=written)
            )

    @cached_property
    def _numbers(self) -> dict[Task, int]:
        counts: dict[str, int] = {}
        numbers = {}
        for task in self._plan.tasks:
            numbers[task] = counts[task.model] = counts.get(task.model, -1) + 1
        return numbers

    @cached_property
    def _truths(self) -> dict[int, dict[str, np.ndarray]]:
        """Part -> fold -> truth of its test side, as ``truths`` gives it, in the order of a task's scores."""
        listeners = {}
        for part in self._plan.parts:
            order = {sample.sample_id: index for index, sample in enumerate(part.data.samples)}
            truths = part.data.truths()
            ids = part.test_ids()
            listeners[id(part)] = {fold: truths[[order[name] for name in inside]] for fold, inside in ids.items()}
        return listeners
