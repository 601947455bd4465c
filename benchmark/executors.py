"""Where tasks run: in this process, or in several."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import signal
import tempfile
import time
import traceback
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.histories import History, history_of
from benchmark.interfaces import FoldsModel, Model, Predictor
from benchmark.threads import one_in_children

if TYPE_CHECKING:
    from benchmark.keeping import Keeper


@dataclass(frozen=True)
class Task:
    """One training and one test: a model on a fold with a seed.

    Args:
        model: The model's name in the config.
        seed: Source of its randomness.
        fold: Name of the fold.
        fingerprint: Digest of everything that can change the result.
    """

    model: str
    seed: int
    fold: str
    fingerprint: str

    def __str__(self) -> str:
        """Name the task as messages do."""
        return f"{self.model}, seed {self.seed}, fold {self.fold}"


@dataclass(frozen=True)
class Success:
    """What a task gave.

    Args:
        task: Which.
        scores: (n_test, n_classes), finite, in the order of the fold's test ids.
        fit_s: Seconds of training.
        predict_s: Seconds of prediction.
        warnings: Texts of the warnings that the model gave, each once.
        history: The predictor's learning curves; nothing where it has none.
        unsaved: Why the predictor, which was to be kept, is not.
    """

    task: Task
    scores: NDArray[np.float64]
    fit_s: float
    predict_s: float
    warnings: tuple[str, ...] = ()
    history: History = ()
    unsaved: str | None = None


@dataclass(frozen=True)
class Failure:
    """A task that raised: its error on one line, and the whole traceback."""

    task: Task
    error: str
    trace: str = ""


Outcome = Success | Failure
#: Tasks that are done together: one, or the folds that a ``FoldsModel`` trains at once.
Unit = tuple[Task, ...]


@dataclass(frozen=True)
class Workload:
    """What a task needs, and no more: neither labels nor groups of a test side ever reach ``Model.fit``.

    Folds that are trained together hold out each other's training samples, so ``FoldsModel.fit_folds`` is given those
    and the masks that it promises to keep; what trains in none of its folds never reaches it either.

    Args:
        x: Samples (n, T, ...).
        copies: Altered copies (n, copies, T, ...) that join the training side alone; None without augmentation.
        y: Class indices (n,).
        groups: Subject of each sample (n,).
        folds: Name -> positions of the training side and of the test side.
        models: By name.
        n_classes: Number of classes.
        keeper: Where predictors go; None keeps none.
    """

    x: NDArray[Any]
    copies: NDArray[Any] | None
    y: NDArray[np.intp]
    groups: NDArray[np.str_]
    folds: Mapping[str, tuple[NDArray[np.intp], NDArray[np.intp]]]
    models: Mapping[str, Model]
    n_classes: int
    keeper: Keeper | None = None

    def run(self, task: Task) -> Outcome:
        """Fit on the training side, predict the test side. An error becomes a ``Failure``."""
        train, _ = self.folds[task.fold]
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                start = time.perf_counter()
                x, y, groups = self._training_side(train)
                predictor = self.models[task.model].fit(x, y, n_classes=self.n_classes, groups=groups, seed=task.seed)
                found = self._predict(task, predictor, time.perf_counter() - start)
            return replace(found, warnings=_texts(caught))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model raises must not end the run
            return _failure(task, error)

    def run_unit(self, unit: Unit) -> list[Outcome]:
        """Run the tasks of a unit: of one model, with one seed."""
        model = self.models[unit[0].model]
        if len(unit) == 1 or not isinstance(model, FoldsModel):
            return [self.run(task) for task in unit]
        masks = np.zeros((len(unit), len(self.y)), dtype=bool)
        for mask, task in zip(masks, unit, strict=True):
            mask[self.folds[task.fold][0]] = True
        used = np.flatnonzero(masks.any(axis=0))
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                start = time.perf_counter()
                predictors = model.fit_folds(
                    self.x[used], self.y[used], masks[:, used],
                    n_classes=self.n_classes, groups=self.groups[used], seed=unit[0].seed,
                )  # fmt: skip
                fit_s = (time.perf_counter() - start) / len(unit)
                found = [self._predict(task, made, fit_s) for task, made in zip(unit, predictors, strict=True)]
            return [replace(success, warnings=_texts(caught)) for success in found]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            return [_failure(task, error) for task in unit]

    def _predict(self, task: Task, predictor: Predictor, fit_s: float) -> Success:
        test = self.folds[task.fold][1]
        start = time.perf_counter()
        scores = predictor(self.x[test]) if len(test) else np.empty((0, self.n_classes))
        predict_s = time.perf_counter() - start
        checked = self._checked(scores, len(test))
        unsaved = self.keeper.keep(task, self.models[task.model], predictor) if self.keeper else None
        return Success(task, checked, fit_s, predict_s, history=history_of(predictor), unsaved=unsaved)

    def _training_side(self, train: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.str_]]:
        if self.copies is None:
            return self.x[train], self.y[train], self.groups[train]
        versions = np.concatenate([self.x[train][:, None], self.copies[train]], axis=1)
        each = versions.shape[1]  # a sample and its copies stay together
        x = versions.reshape(-1, *versions.shape[2:])
        return x, np.repeat(self.y[train], each), np.repeat(self.groups[train], each)

    def _checked(self, scores: object, n_test: int) -> NDArray[np.float64]:
        array = np.asarray(scores)
        expected = (n_test, self.n_classes)
        if array.shape != expected or array.dtype.kind not in "biuf":
            raise ValueError(f"predictor gave {array.dtype} {array.shape}, expected numbers {expected}")
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise ValueError("predictor gave scores that are not finite")
        return array


def _failure(task: Task, error: BaseException) -> Failure:
    text = " ".join(str(error).split())
    return Failure(task, f"{type(error).__name__}: {text}", "".join(traceback.format_exception(error)))


def _texts(caught: Iterable[warnings.WarningMessage]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{found.category.__name__}: {found.message}" for found in caught))


class Executor(ABC):
    """Runs units of tasks and hands back outcomes as they come, in any order."""

    @abstractmethod
    def run(self, units: Sequence[Unit], workloads: Mapping[str, Workload]) -> Iterator[Outcome]:
        """Run every task once.

        Args:
            units: What to run.
            workloads: What the tasks of each model need; models may share one.
        """


class Serial(Executor):
    """This process, one task after the other."""

    def run(self, units: Sequence[Unit], workloads: Mapping[str, Workload]) -> Iterator[Outcome]:
        """Run every task once, in order."""
        for unit in units:
            yield from workloads[unit[0].model].run_unit(unit)


class Processes(Executor):
    """Several processes of this machine, which share one copy of the data through the file system's cache."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def run(self, units: Sequence[Unit], workloads: Mapping[str, Workload]) -> Iterator[Outcome]:
        """Run every task once; when a process dies, its tasks and all that follow fail by name."""
        distinct = list({id(found): found for found in workloads.values()}.values())
        where = {model: next(i for i, one in enumerate(distinct) if one is found) for model, found in workloads.items()}
        with tempfile.TemporaryDirectory(prefix="mexbench-") as folder:
            for index, found in enumerate(distinct):
                inside = Path(folder) / str(index)
                inside.mkdir()
                for name, array in (("x", found.x), ("copies", found.copies)):
                    if array is not None:
                        np.save(inside / f"{name}.npy", array, allow_pickle=False)
            light = {
                model: (index, replace(distinct[index], x=np.empty(0), copies=None)) for model, index in where.items()
            }
            with one_in_children():
                pool = concurrent.futures.ProcessPoolExecutor(
                    min(self.jobs, len(units)) or 1,
                    # A forked process inherits locks and threads of numeric libraries; a spawned one starts clean.
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=_start_worker,
                    initargs=(Path(folder), light),
                )
                try:
                    yield from self._outcomes(pool, units)
                finally:
                    pool.shutdown(wait=True, cancel_futures=True)

    def _outcomes(self, pool: concurrent.futures.Executor, units: Sequence[Unit]) -> Iterator[Outcome]:
        waiting = iter(units)
        running: dict[concurrent.futures.Future[list[Outcome]], Unit] = {}

        def submit(count: int) -> list[Failure]:
            failed = []
            for unit in islice(waiting, count):
                try:
                    running[pool.submit(_run_in_worker, unit)] = unit
                except BrokenProcessPool as error:
                    failed += [Failure(task, f"not started: {error}") for task in unit]
            return failed

        yield from submit(4 * self.jobs)  # some ahead, so that no process waits; not all, for memory's sake
        while running:
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                unit = running.pop(future)
                try:
                    yield from future.result()
                except BrokenProcessPool:
                    yield from (Failure(task, "a worker process died (out of memory?)") for task in unit)
                yield from submit(1)


_workloads: Mapping[str, Workload] = {}  # of this worker process, set once when it starts


def _start_worker(folder: Path, light: Mapping[str, tuple[int, Workload]]) -> None:
    global _workloads  # noqa: PLW0603 - a process pool gives a worker no other place
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle

    def whole(index: int, workload: Workload) -> Workload:
        files = (folder / str(index)).glob("*.npy")
        return replace(workload, **{path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in files})

    _workloads = {model: whole(*found) for model, found in light.items()}


def _run_in_worker(unit: Unit) -> list[Outcome]:
    return _workloads[unit[0].model].run_unit(unit)


def executor_for(jobs: int) -> Executor:
    """Choose by the number of jobs."""
    return Serial() if jobs == 1 else Processes(jobs)
