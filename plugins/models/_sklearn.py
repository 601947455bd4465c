"""What the scikit-learn models share: scaling inside ``fit``, and scores for every class of the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.interfaces import Predictor

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

Scaler = Literal["standard", "minmax", "none"]
#: From a fitted pipeline and its input to scores for the classes that it was trained on.
Score = Callable[[Any, NDArray[Any]], NDArray[np.float64]]


def fit_scaled(
    classifier: BaseEstimator,
    x: NDArray[Any],
    y: NDArray[np.intp],
    *,
    n_classes: int,
    scaler: Scaler,
    score: Score,
) -> Predictor:
    """Fit a scaler and a classifier on flattened samples.

    A class that is absent from ``y`` scores below every other one.

    Args:
        classifier: An unfitted scikit-learn classifier.
        x: Training samples (n, ...), flattened to (n, features).
        y: Class indices (n,).
        n_classes: Number of classes of the run.
        scaler: standard for mean 0 and variance 1 per feature, minmax for the range 0 to 1, none for raw values.
        score: Returns scores (n, trained classes) of the fitted pipeline.

    Returns:
        A predictor with scores (n, n_classes).
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    trained = np.unique(y)
    if len(trained) == 1:  # several classifiers refuse a single class; there is one answer all the same
        return lambda x: _spread(np.ones((len(x), 1)), trained, n_classes)
    steps = {"standard": [StandardScaler()], "minmax": [MinMaxScaler()], "none": []}[scaler]
    pipeline: Pipeline = make_pipeline(*steps, classifier)
    pipeline.fit(_flat(x), y)
    return lambda x: _spread(score(pipeline, _flat(x)), trained, n_classes)


def probabilities(pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - any classifier with it
    """Score by ``predict_proba``."""
    return pipeline.predict_proba(x)


def _flat(x: NDArray[Any]) -> NDArray[Any]:
    return x.reshape(len(x), -1)


def _spread(scores: NDArray[np.float64], trained: NDArray[np.intp], n_classes: int) -> NDArray[np.float64]:
    """Put scores of the trained classes into their columns; the others get less than the least, at most 0."""
    lowest = np.minimum(scores.min(axis=1, keepdims=True, initial=np.inf) - 1, 0) if len(scores) else np.zeros((0, 1))
    full = np.repeat(lowest, n_classes, axis=1)
    full[:, trained] = scores
    return full
