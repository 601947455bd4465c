"""What the scikit-learn models share: scaling inside ``fit``, scores for every class, saving through skops."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mexbench.files import read_json, write_json
from mexbench.interfaces import ActionUnitModel, Predictor
from mexbench_plugins.models._health import answer_health
from mexbench_plugins.models._sklearn_state import restore
from mexbench_plugins.models._skops_file import read_skops

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

Scaler = Literal["standard", "minmax", "none"]

#: Classes of the largest run, and action units of the largest set, that a saved model may have.
_MOST_CLASSES, _MOST_UNITS = 10_000, 1_000
#: What a classifier keeps of its training and needs for no prediction.
_TRAINING_ONLY = (
    "_optimizer", "_random_state", "_best_coefs", "_best_intercepts", "loss_curve_", "_feature_subsample_rng",
    "_bin_mapper", "_label_encoder", "_loss", "_random_seed",
)  # fmt: skip
_PIPELINE, _REST, _UNITS = "pipeline.skops", "predictor.json", "units.json"


class SklearnBaseline(ActionUnitModel):
    """A scikit-learn classifier behind a scaler, on flattened samples; of action units, one classifier for each."""

    scaler: Scaler = "none"

    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train a classifier for each unit, present against absent, each with the same seed."""
        fitted = [self.fit(x, unit.astype(np.intp), n_classes=2, groups=groups, seed=seed) for unit in y.T]
        return ActionUnitPredictor(tuple(unit for unit in fitted if isinstance(unit, SklearnPredictor)))

    @abstractmethod
    def classifier(self, seed: int) -> BaseEstimator:
        """Return the unfitted scikit-learn classifier."""

    def unfitted(self, seed: int) -> Pipeline:
        """Return the scaler, where there is one, and the classifier.

        The scaler is standard for mean 0 and variance 1 per feature, minmax for the range 0 to 1, none for raw values.
        """
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler, StandardScaler

        steps = {"standard": [StandardScaler()], "minmax": [MinMaxScaler()], "none": []}[self.scaler]
        return make_pipeline(*steps, self.classifier(seed))

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Fit the scaler and the classifier on flattened samples.

        A class that is absent from ``y`` scores below every other one.
        """
        del groups
        return self.fit_pipeline(self.unfitted(seed), x, y, n_classes=n_classes)

    def fit_pipeline(
        self, pipeline: Pipeline, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int
    ) -> SklearnPredictor:
        """Fit a pipeline with the steps of ``unfitted``, whose options may depend on the training side; see ``fit``."""
        trained = np.unique(y)
        if len(trained) == 1:  # several classifiers refuse a single class; there is one answer all the same
            return SklearnPredictor(self, None, trained, n_classes)
        answers = self.fit_predict(pipeline, _flat(x), y)
        losses = getattr(pipeline.steps[-1][1], "loss_curve_", ())
        history = tuple({"epoch": epoch, "loss": float(loss)} for epoch, loss in enumerate(losses, 1))
        return SklearnPredictor(self, pipeline, trained, n_classes, history, answer_health(answers, y))

    def fit_predict(self, pipeline: Pipeline, rows: NDArray[Any], y: NDArray[np.intp]) -> NDArray[np.intp]:
        """Fit a pipeline to rows (n, features) of the classes y (n,), at least two.

        Returns:
            The classes (n,) that it then gives these rows.
        """
        pipeline.fit(rows, y)
        return np.unique(y)[self.scores(pipeline, rows).argmax(1)]

    def presence(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the confidence (n,) in [0, 1] that a unit is present, from its scores (absent, present) (n, 2)."""
        return scores[:, 1]

    @abstractmethod
    def scores(self, pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - a fitted Pipeline
        """Return scores (n, trained classes) of a fitted pipeline for x (n, features)."""

    def check_pipeline(self, pipeline: Any) -> None:  # noqa: ANN401 - a fitted Pipeline
        """Refuse what a loaded pipeline may not hold, beyond types and numbers; nothing here.

        Raises:
            ValueError: With the reason.
        """

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write the fitted pipeline through skops, and beside it what is ours.

        Raises:
            ValueError: A fitted value is not finite.
        """
        if isinstance(predictor, ActionUnitPredictor):
            for index, unit in enumerate(predictor.units):
                _write(folder, unit, _prefix(index))
            write_json(folder / _UNITS, {"units": len(predictor.units)})
        elif isinstance(predictor, SklearnPredictor):
            _write(folder, predictor)
        else:
            raise TypeError(f"{type(predictor).__name__} is not a predictor of {type(self).__name__}")

    def load(self, folder: Path) -> Predictor:
        """Read what ``save`` wrote.

        Raises:
            ValueError: The file holds a type that is not known to be harmless, or values that no fitted classifier
                has: an index out of range, another shape, a number that is not finite.
        """
        if not (folder / _UNITS).is_file():
            return self._read(folder)
        units = read_json(folder / _UNITS)["units"]
        if not isinstance(units, int) or not 1 <= units <= _MOST_UNITS:
            raise ValueError(f"{_UNITS} has {units!r} units, expected 1 to {_MOST_UNITS}")
        return ActionUnitPredictor(tuple(self._read(folder, _prefix(index)) for index in range(units)))

    def _read(self, folder: Path, prefix: str = "") -> SklearnPredictor:
        pipeline_name, rest_name = prefix + _PIPELINE, prefix + _REST
        document = read_json(folder / rest_name)
        trained, n_classes = _trained_classes(document, rest_name)
        pipeline = None
        if len(trained) > 1:
            stored = read_skops(folder / pipeline_name)
            try:
                pipeline = restore(self.unfitted(0), stored, trained)
            except ValueError as error:
                raise ValueError(f"{pipeline_name}: {error}") from None
        return SklearnPredictor(
            self, pipeline, trained, n_classes, tuple(document["history"]), document.get("health", {})
        )


@dataclass(frozen=True, eq=False)
class SklearnPredictor:
    """A fitted pipeline.

    Args:
        model: The recipe, which knows how to score.
        pipeline: Scaler and classifier; None where only one class trained.
        trained: The classes that trained, rising.
        n_classes: Number of classes of the run.
        history: Loss per epoch, L2 penalty included, of classifiers that keep it.
        health: How it answers its training side; see ``interfaces.Predictor``.
    """

    model: SklearnBaseline
    pipeline: Pipeline | None
    trained: NDArray[np.intp]
    n_classes: int
    history: tuple[dict[str, float], ...] = ()
    health: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Return scores (n, n_classes) for x (n, ...)."""
        scores = np.ones((len(x), 1)) if self.pipeline is None else self.model.scores(self.pipeline, _flat(x))
        return _spread(scores, self.trained, self.n_classes)


@dataclass(frozen=True, eq=False)
class ActionUnitPredictor:
    """A fitted pipeline for each action unit, present against absent."""

    units: tuple[SklearnPredictor, ...]

    @property
    def health(self) -> Mapping[str, float]:
        """The mean accuracy of the units on the training side."""
        accuracies = [unit.health.get("tested_accuracy", 1.0) for unit in self.units]  # 1 where there is one answer
        return {"tested_accuracy": float(np.mean(accuracies))}

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Return the confidence that each unit is present (n, units) for x (n, ...).

        It is 0 or 1 where the training side had one answer alone.
        """
        columns = [
            np.full(len(x), float(unit.trained[0])) if unit.pipeline is None else unit.model.presence(unit(x))
            for unit in self.units
        ]
        return np.stack(columns, axis=1)


def _prefix(index: int) -> str:
    return f"{index:02}-"


def _write(folder: Path, predictor: SklearnPredictor, prefix: str = "") -> None:
    import skops.io

    document = {
        "n_classes": predictor.n_classes,
        "trained": predictor.trained.tolist(),
        "history": predictor.history,
        "health": dict(predictor.health),
    }
    write_json(folder / (prefix + _REST), document)
    if predictor.pipeline is not None:
        path = folder / (prefix + _PIPELINE)
        skops.io.dump(_without_training(predictor.pipeline), path)
        read_skops(path)  # refuses what could not be loaded, such as a number that is not finite


def _flat(x: NDArray[Any]) -> NDArray[Any]:
    return x.reshape(len(x), -1)


def _spread(scores: NDArray[np.float64], trained: NDArray[np.intp], n_classes: int) -> NDArray[np.float64]:
    """Put scores of the trained classes into their columns; the others get less than the least, at most 0."""
    lowest = np.minimum(scores.min(axis=1, keepdims=True, initial=np.inf) - 1, 0) if len(scores) else np.zeros((0, 1))
    full = np.repeat(lowest, n_classes, axis=1)
    full[:, trained] = scores
    return full


def _without_training(pipeline: Pipeline) -> Pipeline:
    from sklearn.pipeline import Pipeline

    name, classifier = pipeline.steps[-1]
    lean = copy.copy(classifier)
    for attribute in _TRAINING_ONLY:
        vars(lean).pop(attribute, None)
    return Pipeline([*pipeline.steps[:-1], (name, lean)])


def _trained_classes(document: Mapping[str, Any], name: str) -> tuple[NDArray[np.intp], int]:
    """Return the classes that trained, and the number of classes of the run.

    Raises:
        ValueError: They are not rising class indices.
    """
    n_classes, trained = document["n_classes"], document["trained"]
    if not isinstance(n_classes, int) or not 1 <= n_classes <= _MOST_CLASSES:
        raise ValueError(f"{name}: n_classes is {n_classes!r}, expected 1 to {_MOST_CLASSES}")
    indices = all(isinstance(one, int) and 0 <= one < n_classes for one in trained) if isinstance(trained, list) else 0
    if not indices or not trained or trained != sorted(set(trained)):
        raise ValueError(f"{name}: trained is {trained!r}, expected rising numbers from 0 to {n_classes - 1}")
    return np.array(trained, dtype=np.intp), n_classes
