"""What the scikit-learn models share: scaling inside ``fit``, scores for every class, saving through skops."""

from __future__ import annotations

import copy
import zipfile
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mexbench.files import read_json, write_json
from mexbench.interfaces import ActionUnitModel, Predictor
from mexbench_plugins.models._health import answer_health

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

Scaler = Literal["standard", "minmax", "none"]

#: What skops does not know by itself and we do: the nodes of decision and boosted trees, which are arrays.
TRUSTED = frozenset({"sklearn.tree._tree.Tree", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"})
#: What a classifier keeps of its training and needs for no prediction.
_TRAINING_ONLY = (
    "_optimizer", "_random_state", "_best_coefs", "_best_intercepts", "loss_curve_", "_feature_subsample_rng",
)  # fmt: skip
_PIPELINE, _REST, _UNITS = "pipeline.skops", "predictor.json", "units.json"


class SklearnBaseline(ActionUnitModel):
    """A scikit-learn classifier behind a scaler, on flattened samples; of action units, one classifier for each."""

    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train a classifier for each unit, present against absent, each with the same seed."""
        fitted = [self.fit(x, unit.astype(np.intp), n_classes=2, groups=groups, seed=seed) for unit in y.T]
        return ActionUnitPredictor(tuple(unit for unit in fitted if isinstance(unit, SklearnPredictor)))

    def fit_scaled(
        self, classifier: BaseEstimator, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, scaler: Scaler
    ) -> SklearnPredictor:
        """Fit a scaler and a classifier on flattened samples.

        A class that is absent from ``y`` scores below every other one.

        Args:
            classifier: An unfitted scikit-learn classifier.
            x: Training samples (n, ...), flattened to (n, features).
            y: Class indices (n,).
            n_classes: Number of classes of the run.
            scaler: standard for mean 0 and variance 1 per feature, minmax for the range 0 to 1, none for raw values.

        Returns:
            A predictor with scores (n, n_classes).
        """
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler, StandardScaler

        trained = np.unique(y)
        if len(trained) == 1:  # several classifiers refuse a single class; there is one answer all the same
            return SklearnPredictor(self, None, trained, n_classes)
        steps = {"standard": [StandardScaler()], "minmax": [MinMaxScaler()], "none": []}[scaler]
        pipeline: Pipeline = make_pipeline(*steps, classifier)
        pipeline.fit(_flat(x), y)
        losses = getattr(classifier, "loss_curve_", ())
        history = tuple({"epoch": epoch, "loss": float(loss)} for epoch, loss in enumerate(losses, 1))
        predictor = SklearnPredictor(self, pipeline, trained, n_classes, history)
        return replace(predictor, health=answer_health(predictor(x).argmax(1), y))

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
            ValueError: The file holds a type that is not known to be harmless, or values that are not finite.
        """
        if not (folder / _UNITS).is_file():
            return self._read(folder)
        return ActionUnitPredictor(
            tuple(self._read(folder, _prefix(index)) for index in range(read_json(folder / _UNITS)["units"]))
        )

    def _read(self, folder: Path, prefix: str = "") -> SklearnPredictor:
        pipeline_name, rest_name = prefix + _PIPELINE, prefix + _REST
        document = read_json(folder / rest_name)
        trained = np.array(document["trained"], dtype=np.intp)
        pipeline = _read_pipeline(folder / pipeline_name) if len(trained) > 1 else None
        if pipeline is not None and not np.array_equal(pipeline.classes_, trained):
            raise ValueError(f"{pipeline_name} has the classes {pipeline.classes_}, {rest_name} has {trained}")
        if pipeline is not None:
            self.check_pipeline(pipeline)
        return SklearnPredictor(
            self, pipeline, trained, document["n_classes"], tuple(document["history"]), document.get("health", {})
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
        _check_numbers(path)


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


def _read_pipeline(path: Path) -> Pipeline:
    import skops.io
    from sklearn.pipeline import Pipeline

    _check_numbers(path)
    untrusted = set(skops.io.get_untrusted_types(file=path)) - TRUSTED
    if untrusted:
        raise ValueError(f"{path.name} holds types that are not trusted: {', '.join(sorted(untrusted))}")
    pipeline = skops.io.load(path, trusted=sorted(TRUSTED))
    if not isinstance(pipeline, Pipeline):
        raise ValueError(f"{path.name} holds a {type(pipeline).__name__}, expected a Pipeline")  # noqa: TRY004
    return pipeline


def _check_numbers(path: Path) -> None:
    """Check every array of a skops file, before it is loaded.

    Raises:
        ValueError: It is not a skops file, or a value is NaN or infinite.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as stream:
                        array = np.lib.format.read_array(stream, allow_pickle=False)
                    fields = [array[field] for field in array.dtype.names] if array.dtype.names else [array]
                    if not all(np.isfinite(part).all() for part in fields if part.dtype.kind == "f"):
                        raise ValueError(f"{path.name} holds numbers that are NaN or infinite")
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path.name} is not a skops file: {error}") from None
