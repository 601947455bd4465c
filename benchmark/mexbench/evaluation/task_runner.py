"""What a task is and how it is done; where tasks run: in this process, or elsewhere.

Elsewhere is ``mexbench.evaluation.executors.processes``.
"""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mexbench.devices import used
from mexbench.interfaces import ActionUnitModel, FoldsModel, Model, Predictor
from mexbench.runs.task import Failure, Outcome, Success, Task, TaskGroup, history_of

if TYPE_CHECKING:
    from mexbench.runs.model_writer import ModelWriter


@dataclass(frozen=True)
class TaskRunner:
    """What a task needs, and no more: neither labels nor groups of a test side ever reach ``Model.fit``.

    Folds that are trained together hold out each other's training samples, so ``FoldsModel.fit_folds`` is given those
    and the masks that it promises to keep; what trains in none of its folds never reaches it either.

    Args:
        x: Samples (n, T, ...).
        copies: Altered copies (n, copies, T, ...) that join the training side alone; None without augmentation.
        y: Class indices (n,), or which action units show (n, units), bool.
        groups: Subject of each sample (n,).
        folds: Name -> positions of the training side and of the test side.
        models: By name.
        n_classes: Number of classes, or of units.
        model_writer: Where predictors go; None keeps none.
    """

    x: NDArray[Any]
    copies: NDArray[Any] | None
    y: NDArray[Any]
    groups: NDArray[np.str_]
    folds: Mapping[str, tuple[NDArray[np.intp], NDArray[np.intp]]]
    models: Mapping[str, Model]
    n_classes: int
    model_writer: ModelWriter | None = None

    def run(self, task: Task) -> Outcome:
        """Fit on the training side, predict the test side. An error becomes a ``Failure``."""
        train, _ = self.folds[task.fold]
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                start = time.perf_counter()
                predictor = self._fit(self.models[task.model], train, task.seed)
                found = self._predict(task, predictor, time.perf_counter() - start)
            return replace(found, warnings=_texts(caught))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model raises must not end the run
            return failure(task, error)

    def _fit(self, model: Model, train: NDArray[np.intp], seed: int) -> Predictor:
        x, y, groups = self._training_side(train)
        if self._of_units:
            if not isinstance(model, ActionUnitModel):
                raise TypeError(f"{type(model).__name__} cannot detect action units: it has no 'fit_action_units'")
            return model.fit_action_units(x, y, groups=groups, seed=seed)
        return model.fit(x, y, n_classes=self.n_classes, groups=groups, seed=seed)

    @property
    def _of_units(self) -> bool:
        return self.y.ndim == 2

    def run_group(self, unit: TaskGroup) -> list[Outcome]:
        """Run the tasks of a unit, of one model and with one seed; if that fails, once more."""
        found = self._run_group(unit)
        failed = next((outcome for outcome in found if isinstance(outcome, Failure)), None)
        if failed is None:
            return found
        told = f"the first try failed: {failed.error}"
        return [
            replace(outcome, warnings=(told, *outcome.warnings)) if isinstance(outcome, Success) else outcome
            for outcome in self._run_group(unit)
        ]

    def _run_group(self, unit: TaskGroup) -> list[Outcome]:
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
            return [failure(task, error) for task in unit]

    def _predict(self, task: Task, predictor: Predictor, fit_s: float) -> Success:
        test = self.folds[task.fold][1]
        start = time.perf_counter()
        scores = predictor(self.x[test]) if len(test) else np.empty((0, self.n_classes))
        predict_s = time.perf_counter() - start
        checked = self._checked(scores, len(test))
        unsaved = self.model_writer.keep(task, self.models[task.model], predictor) if self.model_writer else None
        return Success(
            task, checked, fit_s, predict_s, history=history_of(predictor), unsaved=unsaved, device=used()
        )  # fmt: skip

    def _training_side(self, train: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.str_]]:
        if self.copies is None:
            return self.x[train], self.y[train], self.groups[train]
        versions = np.concatenate([self.x[train][:, None], self.copies[train]], axis=1)
        each = versions.shape[1]  # a sample and its copies stay together
        x = versions.reshape(-1, *versions.shape[2:])
        return x, np.repeat(self.y[train], each, axis=0), np.repeat(self.groups[train], each)

    def _checked(self, scores: object, n_test: int) -> NDArray[np.float64]:
        array = np.asarray(scores)
        expected = (n_test, self.n_classes)
        if array.shape != expected or array.dtype.kind not in "biuf":
            raise ValueError(f"predictor gave {array.dtype} {array.shape}, expected numbers {expected}")
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise ValueError("predictor gave scores that are not finite")
        if self._of_units and array.size and not 0 <= array.min() <= array.max() <= 1:
            raise ValueError(f"predictor gave scores from {array.min():g} to {array.max():g}, expected 0 to 1")
        return array


def failure(task: Task, error: BaseException) -> Failure:
    """Record what a task raised."""
    text = " ".join(str(error).split())
    return Failure(task, f"{type(error).__name__}: {text}", "".join(traceback.format_exception(error)))


def _texts(caught: Iterable[warnings.WarningMessage]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{found.category.__name__}: {found.message}" for found in caught))
