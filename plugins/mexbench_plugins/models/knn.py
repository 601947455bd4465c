"""Nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from mexbench_plugins.models._sklearn import Scaler, SklearnBaseline, SklearnPredictor

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


@dataclass(frozen=True, kw_only=True)
class KNN(SklearnBaseline):
    """Vote of the nearest training samples, scaled and flattened (scikit-learn's KNeighborsClassifier).

    A saved model holds its training samples themselves: share one only where the data may be shared.

    Args:
        n_neighbors: Neighbours that vote; all training samples where there are fewer.
        weights: uniform gives each one vote; distance weighs a vote by the inverse of its distance.
        metric: Distance between samples.
        scaler: Fitted on the training side of each fold: standard, minmax or none.
    """

    source = "textbook baseline; scikit-learn KNeighborsClassifier with its defaults"

    n_neighbors: Annotated[int, Ge(1)] = 5
    weights: Literal["uniform", "distance"] = "uniform"
    metric: Literal["euclidean", "manhattan", "cosine"] = "euclidean"
    scaler: Scaler = "standard"

    def classifier(self, seed: int) -> BaseEstimator:
        """Return the classifier; there is no randomness, so the seed does nothing."""
        from sklearn.neighbors import KNeighborsClassifier

        del seed
        return KNeighborsClassifier(self.n_neighbors, weights=self.weights, metric=self.metric, algorithm="brute")

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> SklearnPredictor:
        """Keep the training side; all of it votes where it has fewer samples than ``n_neighbors``."""
        del groups
        pipeline = self.unfitted(seed)
        pipeline.steps[-1][1].set_params(n_neighbors=min(self.n_neighbors, len(y)))
        return self.fit_pipeline(pipeline, x, y, n_classes=n_classes)

    def scores(self, pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - a fitted Pipeline
        """Score by the shares of the votes."""
        return pipeline.predict_proba(x)
