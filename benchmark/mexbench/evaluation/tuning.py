"""Choose parameters and the number of epochs inside one training side; no test sample comes in here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.config.tuning import Tuning, Values, with_values
from mexbench.errors import ProtocolError, counted
from mexbench.interfaces import ActionUnitModel, EpochsModel, FoldsModel, Model, Predictor, Rows
from mexbench.metrics.action_units import THRESHOLD, average_scores
from mexbench.metrics.classification import scores
from mexbench.runs.tuning_record import Candidate, TuningRecord

#: Characters of a candidate's error that are stored.
_MOST_ERROR = 300


@dataclass(frozen=True, eq=False)
class TrainingSide:
    """The samples that a task trains on.

    Args:
        x: Samples (n, T, ...), each followed by its altered copies where there are some.
        y: Class indices (n,), or which action units show (n, units), bool.
        groups: Subject of each sample (n,).
        n_classes: Number of classes, or of units.
        seed: Of the task.
        copies: Number of altered copies of each sample, which train and never validate.
    """

    x: Rows
    y: NDArray[Any]
    groups: NDArray[np.str_]
    n_classes: int
    seed: int
    copies: int = 0

    def training(self, model: Model, rows: NDArray[np.bool_] | slice) -> tuple[Any, NDArray[Any], NDArray[Any]]:
        """Return samples, truths and subjects of some rows, each followed by its copies, as a model takes them.

        They are new arrays: a model may write into what it is given. One that reads rows gets those.
        """
        x = self.x.select(self._versions(np.arange(len(self.y))[rows], 1 + self.copies))
        y, groups = (np.repeat(values[rows], 1 + self.copies, axis=0) for values in (self.y, self.groups))
        return x if model.reads_rows else x[:], y, groups

    def originals(self, model: Model, rows: NDArray[np.bool_] | slice = slice(None)) -> Any:  # noqa: ANN401
        """Return samples of some rows without their copies, as a model, or its predictor, takes them."""
        x = self.x.select(self._versions(np.arange(len(self.y))[rows], 1))
        return x if model.reads_rows else x[:]

    def _versions(self, positions: NDArray[np.intp], each: int) -> NDArray[np.intp]:
        return (positions[:, None] * (1 + self.copies) + np.arange(each)).ravel()

    def fit(self, model: Model, rows: NDArray[np.bool_] | slice = slice(None)) -> Predictor:
        """Train a model on some rows; on all by default.

        Raises:
            TypeError: Action units are the target and the model does not detect them.
        """
        x, y, groups = self.training(model, rows)
        if y.ndim == 2:
            if not isinstance(model, ActionUnitModel):
                raise TypeError(f"{type(model).__name__} cannot detect action units: it has no 'fit_action_units'")
            return model.fit_action_units(x, y, groups=groups, seed=self.seed)
        return model.fit(x, y, n_classes=self.n_classes, groups=groups, seed=self.seed)


def tune(model: Model, tuning: Tuning, side: TrainingSide) -> tuple[Model, TuningRecord]:
    """Choose inside a training side.

    Returns:
        The model with the chosen values, not trained yet, and the record of the choice.

    Raises:
        ProtocolError: The training side has fewer subjects than there are inner folds.
        RuntimeError: No candidate could be trained.
    """
    start = time.perf_counter()
    parts = inner_folds(side.y, side.groups, tuning.inner, side.seed)
    trials = [_Trial(values) for values in tuning.candidates]
    for trial in trials:
        trial.run(model, tuning, side, parts)
    candidates = [trial.candidate() for trial in trials]
    scored = [index for index, one in enumerate(candidates) if one.score is not None]
    if not scored:
        errors = dict.fromkeys(one.error for one in candidates if one.error)
        raise RuntimeError(
            f"none of {counted(len(candidates), 'candidate')} could be scored: {'; '.join(map(str, errors))}"
        )
    best = max(scored, key=lambda index: (candidates[index].score, -index))
    chosen = dict(candidates[best].values)
    if candidates[best].epochs is not None:
        chosen["epochs"] = candidates[best].epochs
    record = TuningRecord(
        chosen=chosen,
        metric=str(tuning.metric),
        inner=tuning.inner,
        fits=sum(trial.fits for trial in trials),
        seconds=time.perf_counter() - start,
        candidates=candidates,
        curve=trials[best].curve,
    )
    return with_values(model, chosen), record


@dataclass
class _Trial:
    """A candidate and what becomes of it."""

    values: Values
    fits: int = 0
    curve: list[list[float]] = field(default_factory=list)
    score: float | None = None
    epochs: int | None = None
    error: str | None = None

    def run(self, model: Model, tuning: Tuning, side: TrainingSide, parts: NDArray[np.intp]) -> None:
        """Train on the inner folds and score; an error is the candidate's, not the task's."""
        try:
            candidate = with_values(model, self.values)
            if tuning.epochs == "curve":
                assert isinstance(candidate, EpochsModel)  # noqa: S101 - the config was checked
                self._score_epochs(candidate, tuning, side, parts)
                return
            counts = _empty_counts(side, 1)
            for mask, predictor in self._predictors(candidate, side, parts, tuning.inner):
                counts[0] += _counts(candidate, predictor, side, ~mask)
            self.score = _score(counts, tuning)[0]
        except Exception as error:  # noqa: BLE001 - whatever a model raises, such as a training that diverges
            self.error = f"{type(error).__name__}: {' '.join(str(error).split())}"[:_MOST_ERROR]

    def _predictors(
        self, model: Model, side: TrainingSide, parts: NDArray[np.intp], inner: int
    ) -> Iterator[tuple[NDArray[np.bool_], Predictor]]:
        """Train without each inner fold in turn, together where the model does that faster."""
        for masks in _together(model, side, parts, inner):
            self.fits += len(masks)
            if len(masks) > 1:
                assert isinstance(model, FoldsModel)  # noqa: S101 - _together saw to it
                yield from zip(masks, model.fit_folds(
                    side.originals(model), side.y.copy(), masks.copy(),
                    n_classes=side.n_classes, groups=side.groups.copy(), seed=side.seed,
                ), strict=True)  # fmt: skip
            else:
                yield masks[0], side.fit(model, masks[0])

    def _score_epochs(self, model: EpochsModel, tuning: Tuning, side: TrainingSide, parts: NDArray[np.intp]) -> None:
        """Score the predictors of the epochs over all inner folds together, and take the first of the best epochs."""
        last = model.epochs
        epochs = [epoch for epoch in range(1, last + 1) if epoch % tuning.every == 0 or epoch == last]
        counts = _empty_counts(side, len(epochs))
        for masks in _together(model, side, parts, tuning.inner):
            self.fits += len(masks)
            alone = len(masks) == 1
            x, y, groups = (
                side.training(model, masks[0]) if alone
                else (side.originals(model), side.y.copy(), side.groups.copy())
            )  # fmt: skip
            trained = np.ones((1, len(y)), dtype=bool) if alone else masks.copy()
            steps = model.fit_epochs(x, y, trained, n_classes=side.n_classes, groups=groups, seed=side.seed)
            position = 0
            for epoch, predictors in enumerate(steps, start=1):
                if epoch != epochs[position]:
                    continue
                for mask, predictor in zip(masks, predictors, strict=True):
                    counts[position] += _counts(model, predictor, side, ~mask)
                position += 1
                if position == len(epochs):
                    break
        scored = _score(counts, tuning)
        self.curve = [[epoch, score] for epoch, score in zip(epochs, scored, strict=True) if score is not None]
        if self.curve:
            best = max(self.curve, key=lambda pair: (pair[1], -pair[0]))
            self.epochs, self.score = int(best[0]), best[1]

    def candidate(self) -> Candidate:
        return Candidate(values=dict(self.values), score=self.score, epochs=self.epochs, error=self.error)


def inner_folds(y: NDArray[Any], groups: NDArray[np.str_], inner: int, seed: int) -> NDArray[np.intp]:
    """Deal the subjects of a training side out to inner folds, so that each gets its share of every class.

    Each subject in a random order goes to the fold that lacks most of what it has.

    Args:
        y: Class indices (n,), or which action units show (n, units).
        groups: Subject of each sample (n,).
        inner: Number of folds.
        seed: Of the order.

    Returns:
        The inner fold of each sample (n,), from 0.

    Raises:
        ProtocolError: There are fewer subjects than folds.
    """
    names, subject = np.unique(groups, return_inverse=True)
    if len(names) < inner:
        raise ProtocolError(
            f"a training side of {counted(len(names), 'subject')} cannot make {inner} inner folds: lower 'inner'"
        )
    each = y.astype(np.float64) if y.ndim == 2 else (y[:, None] == np.unique(y)).astype(np.float64)
    each = np.hstack([each, np.ones((len(y), 1))])  # the samples altogether count as much as one class
    counts = np.zeros((len(names), each.shape[1]))
    np.add.at(counts, subject, each)
    held = counts[:, counts.sum(axis=0) > 0]
    held = held / held.sum(axis=0)
    lacking = np.full((inner, held.shape[1]), 1 / inner)
    part = np.empty(len(names), dtype=np.intp)
    for one in np.random.default_rng([seed, inner]).permutation(len(names)):
        part[one] = np.argmax(lacking @ held[one])
        lacking[part[one]] -= held[one]
    return part[subject]


def _together(model: Model, side: TrainingSide, parts: NDArray[np.intp], inner: int) -> Sequence[NDArray[np.bool_]]:
    """Return the masks of what trains: rows of one array are trained together."""
    masks = np.arange(inner)[:, None] != parts
    may = isinstance(model, FoldsModel) and not side.copies and side.y.ndim == 1
    step = max(1, model.folds_at_once()) if isinstance(model, FoldsModel) and may else 1
    return [masks[start : start + step] for start in range(0, inner, step)]


def _empty_counts(side: TrainingSide, n: int) -> NDArray[np.int64]:
    k = side.n_classes
    return np.zeros((n, k, 2, 2) if side.y.ndim == 2 else (n, k, k), dtype=np.int64)


def _counts(model: Model, predictor: Predictor, side: TrainingSide, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count truths and predictions of some rows: (K, K), or (units, 2, 2).

    Raises:
        ValueError: The scores have another shape, or are not finite.
    """
    y = side.y[rows]
    given = np.asarray(predictor(side.originals(model, rows)), dtype=np.float64)
    if given.shape != (len(y), side.n_classes) or not np.isfinite(given).all():
        raise ValueError(f"predictor gave scores {given.shape}, expected {(len(y), side.n_classes)}, all finite")
    counts = _empty_counts(side, 1)[0]
    if y.ndim == 2:
        for unit in range(side.n_classes):
            np.add.at(counts[unit], (y[:, unit].astype(np.intp), (given[:, unit] >= THRESHOLD).astype(np.intp)), 1)
    else:
        np.add.at(counts, (y, given.argmax(axis=1)), 1)
    return counts


def _score(counts: NDArray[np.int64], tuning: Tuning) -> list[float | None]:
    """Score each of (n, ...) counts; None where the metric is not defined."""
    of = average_scores if counts.ndim == 4 else scores
    return [None if np.isnan(value) else float(value) for value in of(counts)[str(tuning.metric)]]
