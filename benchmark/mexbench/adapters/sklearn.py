"""A scikit-learn estimator, a pipeline, or any object with ``fit`` and ``predict``, as a model."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mexbench.adapters import sklearn_files
from mexbench.interfaces import ActionUnitModel, Predictor


class SklearnModel(ActionUnitModel):
    """A model that a scikit-learn estimator is behind; of action units, one estimator for each.

    A plugin implements ``estimator`` alone:

        @dataclass(frozen=True, kw_only=True)
        class Forest(SklearnModel):
            '''Random forest on flattened samples.'''

            trees: int = 100

            def estimator(self):
                from sklearn.ensemble import RandomForestClassifier

                return RandomForestClassifier(self.trees)

    Scores are aligned by class, a class without a training sample scores below the others, and predictors can be saved
    by skops: a file with any type that neither skops nor ``trusted_types`` knows is refused before it is built.
    """

    #: Further types that a saved estimator may hold, such as ``("my_module.MyTransformer",)``. Estimators made of trees
    #: need ``"sklearn.tree._tree.Tree"``, whose arrays compiled code follows without looking: a forged one can crash.
    trusted_types: ClassVar[tuple[str, ...]] = ()
    copies_samples: ClassVar[bool] = True  # some estimators write into what they are given

    @abstractmethod
    def estimator(self) -> Any:  # noqa: ANN401 - anything with fit and predict
        """Return a new, unfitted estimator. ``random_state`` parameters that are None get the seed of the task."""

    def prepare(self, x: NDArray[Any]) -> NDArray[Any]:
        """Turn samples (n, T, ...) into what the estimator takes: rows (n, features)."""
        return x.reshape(len(x), -1)

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> EstimatorPredictor:
        """Train one estimator. A class that is absent from ``y`` scores below every other one.

        A search over parameters (``GridSearchCV`` and its kind) and an estimator whose ``fit`` has an argument
        ``groups`` get the subjects, so that their inner splits can keep people apart.
        """
        classes = np.unique(y)
        if len(classes) == 1:  # many classifiers refuse a single class, and there is one answer all the same
            return EstimatorPredictor(self, None, classes, n_classes)
        estimator = seeded(self.estimator(), seed)
        rows = np.array(self.prepare(x))  # a copy: the samples are shared and read-only, and some estimators scale
        estimator.fit(rows, y, **({"groups": groups} if _takes_groups(estimator) else {}))
        health = _health(EstimatorPredictor(self, estimator, classes, n_classes), x, y)
        return EstimatorPredictor(self, estimator, classes, n_classes, health)

    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> UnitEstimators:
        """Train an estimator for each unit, present against absent, each with the same seed."""
        units = [self.fit(x, unit.astype(np.intp), n_classes=2, groups=groups, seed=seed) for unit in y.T]
        return UnitEstimators(tuple(units))

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write fitted estimators through skops; of a search over parameters, the estimator that it chose.

        Raises:
            ValueError: An estimator holds what a skops file cannot, or a type that would not be trusted when read.
        """
        if isinstance(predictor, UnitEstimators):
            predictors, units = predictor.units, True
        elif isinstance(predictor, EstimatorPredictor):
            predictors, units = (predictor,), False
        else:
            raise TypeError(f"{type(predictor).__name__} is not a predictor of {type(self).__name__}")
        fitted = [
            sklearn_files.StoredEstimator(one.estimator, one.trained.tolist(), one.n_classes, one.health)
            for one in predictors
        ]
        sklearn_files.write(fitted, folder, units=units, trusted=self.trusted_types)

    def load(self, folder: Path) -> EstimatorPredictor | UnitEstimators:
        """Read what ``save`` wrote.

        skops refuses types that are not trusted, and builds the others from what the file says.

        Raises:
            ValueError: A file holds a type that is not trusted, or is not a skops file.
        """
        fitted, units = sklearn_files.read(folder, trusted=self.trusted_types)
        predictors = tuple(
            EstimatorPredictor(self, one.estimator, np.array(one.trained, dtype=np.intp), one.n_classes, one.health)
            for one in fitted
        )
        return UnitEstimators(predictors) if units else predictors[0]


class EstimatorModel(SklearnModel):
    """An estimator of the user's session: each task trains a clone of it.

    Args:
        original: An estimator, a pipeline or any object with ``fit`` and ``predict``. What has no ``get_params`` is
            copied as it is, so it should be unfitted.
        flatten: Whether it gets rows of a table (n, features), or samples as they are (n, T, ...).
    """

    def __init__(self, original: Any, *, flatten: bool = True) -> None:  # noqa: ANN401
        self.original = original
        self.flatten = flatten

    def estimator(self) -> Any:  # noqa: ANN401
        """Return an unfitted copy."""
        from sklearn.base import clone

        return clone(self.original, safe=False)

    def prepare(self, x: NDArray[Any]) -> NDArray[Any]:
        """Flatten samples, if that is asked for."""
        return super().prepare(x) if self.flatten else x


@dataclass(frozen=True, eq=False)
class EstimatorPredictor:
    """A fitted estimator.

    Args:
        model: Prepares samples.
        estimator: None where a single class trained.
        trained: The classes that trained, rising.
        n_classes: Number of classes of the run.
        health: How it answers its training side; see ``interfaces.Predictor``.
    """

    model: SklearnModel
    estimator: Any
    trained: NDArray[np.intp]
    n_classes: int
    health: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Return scores (n, n_classes) for x (n, T, ...): the highest is always the class that ``predict`` gives."""
        if self.estimator is None:
            return _spread(np.ones((len(x), 1)), self.trained, self.n_classes)
        rows = np.array(self.model.prepare(x))
        predicted = self._predicted(rows)
        scores, classes = self._scores(rows, predicted)
        full = _spread(scores, classes, self.n_classes)
        # A vote that is tied, or a threshold that was moved, can make 'predict' differ from the highest score.
        index, highest = np.arange(len(full)), full.argmax(axis=1)
        full[index, predicted], full[index, highest] = full[index, highest], full[index, predicted].copy()
        tied = full.argmax(axis=1) != predicted
        full[tied, predicted[tied]] = np.nextafter(full[tied].max(axis=1), np.inf)
        return full

    def presence(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return how surely the second of two classes shows (n,), from 0 to 1; from 0.5 on it is predicted."""
        if self.estimator is None:
            return np.full(len(x), float(self.trained[0]))
        scores = self(x)
        shows = scores.argmax(axis=1) == 1
        low, high = scores.min(axis=1), scores.max(axis=1)
        if hasattr(self.estimator, "predict_proba"):
            surely = scores[:, 1]  # probabilities: they add up to 1
        else:
            surely = np.where(shows, 1 / (1 + np.exp(-(high - low))), 1 / (1 + np.exp(high - low)))
        return np.where(shows, np.maximum(surely, 0.5), np.minimum(surely, np.nextafter(0.5, 0)))

    def _predicted(self, rows: NDArray[Any]) -> NDArray[np.intp]:
        given = np.asarray(self.estimator.predict(rows))
        expected = f"expected class indices ({len(rows)},), as 'fit' was given"
        if given.shape != (len(rows),):
            raise ValueError(f"predict gave {given.dtype} {given.shape}, {expected}")
        if given.dtype.kind not in "biuf" or not np.isin(given, self.trained).all():
            wrong = given[~np.isin(given, self.trained)] if given.dtype.kind in "biuf" else given
            raise ValueError(
                f"predict gave {wrong[0]!r}, {expected}: one of {self.trained.tolist()}; is it a classifier?"
            )
        return given.astype(np.intp)

    def _scores(self, rows: NDArray[Any], predicted: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return scores (n, classes) and the class of each column, by whatever the estimator has."""
        classes = np.asarray(getattr(self.estimator, "classes_", self.trained)).astype(np.intp)
        for method in ("predict_proba", "decision_function"):
            if (score := getattr(self.estimator, method, None)) is not None:
                scores = np.asarray(score(rows), dtype=np.float64)
                if scores.ndim == 1 and len(classes) == 2:  # positive means the second
                    scores = np.stack([-scores, scores], axis=1)
                if scores.shape == (len(rows), len(classes)):
                    return scores, classes
        return (predicted[:, None] == self.trained).astype(np.float64), self.trained


@dataclass(frozen=True, eq=False)
class UnitEstimators:
    """A fitted estimator for each action unit, present against absent."""

    units: tuple[EstimatorPredictor, ...]

    @property
    def health(self) -> Mapping[str, float]:
        """The mean accuracy of the units on the training side."""
        accuracies = [unit.health.get("tested_accuracy", 1.0) for unit in self.units]  # 1 where there is one answer
        return {"tested_accuracy": float(np.mean(accuracies))}

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Return how surely each unit shows (n, units) for x (n, T, ...)."""
        return np.stack([unit.presence(x) for unit in self.units], axis=1)


def seeded(estimator: Any, seed: int) -> Any:  # noqa: ANN401
    """Give an estimator's random parameters that are None a seed; one that the user has set stays."""
    parameters = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    unset = [name for name, value in parameters.items() if name.split("__")[-1] == "random_state" and value is None]
    return estimator.set_params(**dict.fromkeys(unset, seed)) if unset else estimator


def _health(predictor: EstimatorPredictor, x: NDArray[Any], y: NDArray[np.intp]) -> Mapping[str, float]:
    answers = predictor(x).argmax(axis=1)
    return {
        "tested_accuracy": float(np.mean(answers == y)),
        "predicted_classes": float(len(np.unique(answers))),
        "train_classes": float(len(np.unique(y))),
    }


def _takes_groups(estimator: object) -> bool:
    from sklearn.model_selection._search import BaseSearchCV

    if isinstance(estimator, BaseSearchCV):
        return True
    try:
        return "groups" in inspect.signature(estimator.fit).parameters  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return False


def _spread(scores: NDArray[np.float64], classes: NDArray[np.intp], n_classes: int) -> NDArray[np.float64]:
    """Put scores into the columns of their classes; the others get less than the least, at most 0."""
    lowest = np.minimum(scores.min(axis=1, keepdims=True) - 1, 0) if scores.size else np.zeros((len(scores), 1))
    full = np.repeat(lowest, n_classes, axis=1)
    full[:, classes] = scores
    return full
