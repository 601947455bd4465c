"""How a task is run: one training on a training side and one prediction of a test side.

``TaskRunner`` holds a run's data with all its labels and stays in the process that scores. ``Trainer`` is the part of
it that trains, in this process or in another one, and sees the labels of training sides alone: a ``GroupData`` at a
time.
"""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.config.tuning import Tuning
from mexbench.devices import used
from mexbench.evaluation.tuning import TrainingSide, tune
from mexbench.interfaces import FoldsModel, Model, Predictor, Rows
from mexbench.interfaces.rows import drop_pages, read_rows
from mexbench.runs.model_writer import ModelWriter
from mexbench.runs.task import Failure, Outcome, Success, Task, TaskGroup, health_of, history_of, printable
from mexbench.runs.tuning_record import TuningRecord

#: Characters of an error and of its traceback that are stored: a model may put a whole array into a message.
_MOST_ERROR, _MOST_TRACE = 4_000, 200_000


@dataclass(frozen=True, eq=False)
class GroupData:
    """What the training of a task group is given, with the labels of its training sides and no others.

    Folds that are trained together hold out each other's training samples, so a ``FoldsModel`` is given the labels of
    all that train in one of them, and the masks that it promises to keep. A sample that trains in none of the group's
    folds has neither label nor subject here.

    Args:
        tasks: The group, of one model and with one seed.
        rows: Positions (n,) among the run's samples of those that train in at least one of the tasks.
        y: Their class indices (n,), or which action units show (n, units), bool.
        groups: Their subjects (n,).
        train_masks: Which of them train in which task (tasks, n).
        test_rows: Positions of each task's test side.
    """

    tasks: TaskGroup
    rows: NDArray[np.intp]
    y: NDArray[Any]
    groups: NDArray[np.str_]
    train_masks: NDArray[np.bool_]
    test_rows: tuple[NDArray[np.intp], ...]

    def of_task(self, index: int) -> GroupData:
        """Return what one task of the group is given where each is trained alone."""
        mask = self.train_masks[index]
        one = np.ones((1, int(mask.sum())), dtype=bool)
        return GroupData(
            (self.tasks[index],), self.rows[mask], self.y[mask], self.groups[mask], one, (self.test_rows[index],)
        )


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains and predicts; it holds no label.

    Args:
        x: Samples (n, T, ...).
        copies: Altered copies (n, copies, T, ...) that join the training side alone; None without augmentation.
        models: By name.
        n_classes: Number of classes, or of units.
        model_writer: Where predictors are saved; None saves none.
        tunings: Of the models whose values are chosen inside each training side.
    """

    x: NDArray[Any]
    copies: NDArray[Any] | None
    models: Mapping[str, Model]
    n_classes: int
    model_writer: ModelWriter | None = None
    tunings: Mapping[str, Tuning] = field(default_factory=dict)

    def run_group(self, data: GroupData) -> list[Outcome]:
        """Run the tasks of a group; if one fails, all of them once more. Whatever a model raises becomes a ``Failure``.

        Raises:
            KeyboardInterrupt: Ctrl-C, or a model raised it, which cannot be distinguished here.
        """
        outcomes = self._try_group(data)
        failed = next((outcome for outcome in outcomes if isinstance(outcome, Failure)), None)
        if failed is None:
            return outcomes
        first_error = f"the first try failed: {failed.error}"
        return [
            replace(outcome, warnings=(first_error, *outcome.warnings)) if isinstance(outcome, Success) else outcome
            for outcome in self._try_group(data)
        ]

    def _try_group(self, data: GroupData) -> list[Outcome]:
        name = data.tasks[0].model
        model, tuning = self.models[name], self.tunings.get(name)
        if len(data.tasks) > 1 and (tuning is not None or not isinstance(model, FoldsModel)):
            return [outcome for i in range(len(data.tasks)) for outcome in self._try_group(data.of_task(i))]
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                start, processor = time.perf_counter(), time.process_time()
                record: TuningRecord | None = None
                if tuning is not None:
                    model, record = tune(model, tuning, self._side(data))
                predictors = self._fit(model, data)
                fit_s = (time.perf_counter() - start) / len(data.tasks)
                successes = [
                    self._predict(task, model, predictor, test, fit_s, of_units=data.y.ndim == 2)
                    for task, predictor, test in zip(data.tasks, predictors, data.test_rows, strict=True)
                ]
                texts, processor_s = _texts(caught), (time.process_time() - processor) / len(data.tasks)
            return [replace(done, warnings=texts, processor_s=processor_s, tuning=record) for done in successes]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a model raises must not end the run
            return [failure(task, error) for task in data.tasks]
        finally:
            drop_pages(self.x)

    def _fit(self, model: Model, data: GroupData) -> Iterable[Predictor]:
        seed = data.tasks[0].seed
        if len(data.tasks) > 1:
            assert isinstance(model, FoldsModel)  # noqa: S101 - _try_group saw to it
            return model.fit_folds(
                self._read(model, data.rows), data.y.copy(), data.train_masks.copy(),
                n_classes=self.n_classes, groups=data.groups.copy(), seed=seed,
            )  # fmt: skip
        return [self._side(data).fit(model)]

    def _read(self, model: Model, positions: NDArray[np.intp]) -> Any:  # noqa: ANN401 - what the model takes
        return Rows(self.x, positions) if model.reads_rows else read_rows(self.x, positions)

    def _side(self, data: GroupData) -> TrainingSide:
        """Return the training side of a task that is trained alone."""
        return TrainingSide(
            Rows(self.x, data.rows, self.copies),
            data.y,
            data.groups,
            n_classes=self.n_classes,
            seed=data.tasks[0].seed,
            copies=0 if self.copies is None else self.copies.shape[1],
        )

    def _predict(
        self, task: Task, model: Model, predictor: Predictor, test: NDArray[np.intp], fit_s: float, *, of_units: bool
    ) -> Success:
        start = time.perf_counter()
        scores = predictor(self._read(model, test)) if len(test) else np.empty((0, self.n_classes))
        predict_s = time.perf_counter() - start
        checked = check_scores(scores, (len(test), self.n_classes), of_units=of_units)
        unsaved = self.model_writer.save(task, model, predictor) if self.model_writer else None
        return Success(
            task, checked, fit_s, predict_s,
            history=history_of(predictor), health=health_of(predictor), unsaved=unsaved, device=used(),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class TaskRunner:
    """All that the tasks of a row group need, with every label.

    Args:
        x: Samples (n, T, ...).
        copies: Altered copies (n, copies, T, ...) that join the training side alone; None without augmentation.
        y: Class indices (n,), or which action units show (n, units), bool.
        groups: Subject of each sample (n,).
        folds: Name -> positions of the training side and of the test side.
        models: By name.
        n_classes: Number of classes, or of units.
        model_writer: Where predictors are saved; None saves none.
        tunings: Of the models whose values are chosen inside each training side.
    """

    x: NDArray[Any]
    copies: NDArray[Any] | None
    y: NDArray[Any]
    groups: NDArray[np.str_]
    folds: Mapping[str, tuple[NDArray[np.intp], NDArray[np.intp]]]
    models: Mapping[str, Model]
    n_classes: int
    model_writer: ModelWriter | None = None
    tunings: Mapping[str, Tuning] = field(default_factory=dict)

    def trainer(self) -> Trainer:
        """Return the part that trains, without a label."""
        return Trainer(self.x, self.copies, self.models, self.n_classes, self.model_writer, self.tunings)

    def group_data(self, tasks: TaskGroup) -> GroupData:
        """Return what the training of a task group is given."""
        sides = [self.folds[task.fold] for task in tasks]
        if len(tasks) == 1:
            rows = sides[0][0]  # in its own order, and with its own repetitions
            masks = np.ones((1, len(rows)), dtype=bool)
        else:
            masks = np.zeros((len(tasks), len(self.y)), dtype=bool)
            for mask, (train, _) in zip(masks, sides, strict=True):
                mask[train] = True
            rows = np.flatnonzero(masks.any(axis=0))
            masks = masks[:, rows]
        return GroupData(tasks, rows, self.y[rows], self.groups[rows], masks, tuple(test for _, test in sides))

    def run_group(self, tasks: TaskGroup) -> list[Outcome]:
        """Run the tasks of a group in this process; see ``Trainer.run_group``."""
        return self.trainer().run_group(self.group_data(tasks))


def check_scores(scores: object, expected: tuple[int, int], *, of_units: bool) -> NDArray[np.float64]:
    """Return a predictor's scores as 64-bit floats.

    Args:
        scores: What it gave.
        expected: Number of test samples and of classes or units.
        of_units: Whether they are of action units, and so from 0 to 1.

    Raises:
        ValueError: They have another shape, are not numbers, or not finite.
    """
    array = np.asarray(scores)
    if array.shape != expected or array.dtype.kind not in "biuf":
        raise ValueError(f"predictor gave {array.dtype} {array.shape}, expected numbers {expected}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError("predictor gave scores that are not finite")
    if of_units and array.size and not 0 <= array.min() <= array.max() <= 1:
        raise ValueError(f"predictor gave scores from {array.min():g} to {array.max():g}, expected 0 to 1")
    return array


def failure(task: Task, error: BaseException) -> Failure:
    """Record what a task raised, as text that can be written."""
    try:
        text = " ".join(str(error).split())
    except BaseException as again:  # noqa: BLE001 - an error whose text cannot be had is an error all the same
        text = f"<its text raises {type(again).__name__}>"
    try:
        trace = "".join(traceback.format_exception(error))
    except BaseException:  # noqa: BLE001 - as above
        trace = ""
    return Failure(
        task, shortened(printable(f"{type(error).__name__}: {text}"), _MOST_ERROR), shortened(printable(trace))
    )


def shortened(text: str, most: int = _MOST_TRACE) -> str:
    """Return a text of at most so many characters, without its middle where it has more."""
    return text if len(text) <= most else f"{text[: most // 2]} [...] {text[-most // 2 :]}"


def _texts(caught: Iterable[warnings.WarningMessage]) -> tuple[str, ...]:
    texts = (printable(f"{warning.category.__name__}: {warning.message}") for warning in caught)
    return tuple(dict.fromkeys(shortened(text, _MOST_ERROR) for text in texts))
