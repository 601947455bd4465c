"""A task, one training and one test, and what comes of it."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mexbench.interfaces import Predictor, ScoredInterval
from mexbench.runs.tuning_record import TuningRecord

#: A predictor's learning curves: one mapping of names to numbers per epoch.
History = tuple[Mapping[str, float], ...]


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
        health: How its training went; nothing where it does not know.
        unsaved: Why the predictor, which was to be kept, is not.
        device: What it was computed on.
        intervals: What was spotted in each test video, in the same order, where that is the target; then ``scores``
            has no columns.
        processor_s: Seconds of processor time of training and prediction, of all threads; None where not measured.
        tuning: What was chosen inside the training side; None where nothing was.
    """

    task: Task
    scores: NDArray[np.float64]
    fit_s: float
    predict_s: float
    warnings: tuple[str, ...] = ()
    history: History = ()
    health: Mapping[str, float] = field(default_factory=dict)
    unsaved: str | None = None
    device: str = "cpu"
    intervals: tuple[tuple[ScoredInterval, ...], ...] | None = None
    processor_s: float | None = None
    tuning: TuningRecord | None = None


@dataclass(frozen=True)
class Failure:
    """A task that raised: its error on one line, and the whole traceback."""

    task: Task
    error: str
    trace: str = ""


Outcome = Success | Failure


#: Tasks that are run together: one, or the folds that a ``FoldsModel`` trains at once.
TaskGroup = tuple[Task, ...]


def printable(text: str) -> str:
    """Return a text that can be written as UTF-8: half a surrogate pair, which cannot, is written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def history_of(predictor: Predictor) -> History:
    """Return a predictor's ``history``, or nothing where it has none; an invalid one is dropped with a warning."""
    rows = getattr(predictor, "history", None)
    if rows is None:
        return ()
    try:
        return tuple({"epoch": index, **_checked(row, " per epoch")} for index, row in enumerate(rows, start=1))
    except (TypeError, ValueError) as error:
        warnings.warn(f"the predictor's history is dropped: {error}", stacklevel=1)
        return ()


def health_of(predictor: Predictor) -> Mapping[str, float]:
    """Return a predictor's ``health``, or nothing where it has none; an invalid one is dropped with a warning."""
    try:
        return _checked(getattr(predictor, "health", {}))
    except ValueError as error:
        warnings.warn(f"the predictor's health is dropped: {error}", stacklevel=1)
        return {}


def _checked(row: object, per: str = "") -> dict[str, float]:
    if not isinstance(row, Mapping) or not all(isinstance(name, str) and name for name in row):
        raise ValueError(f"expected a mapping of names to numbers{per}, got {row!r}")
    for name, value in row.items():
        if name != printable(name):
            raise ValueError(f"{name!r} is not valid Unicode text")
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise ValueError(f"expected finite numbers, got {name} = {value!r}")
    return {name: int(value) if isinstance(value, numbers.Integral) else float(value) for name, value in row.items()}
