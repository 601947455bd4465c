"""Logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from mexbench_plugins.models._sklearn import Scaler, SklearnBaseline

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


@dataclass(frozen=True, kw_only=True)
class LogisticRegression(SklearnBaseline):
    """Multinomial logistic regression with an L2 penalty on scaled, flattened samples (scikit-learn).

    Args:
        C: Inverse weight of the penalty: the smaller, the simpler the boundary.
        class_weight: balanced weighs classes by the inverse of their frequency in training.
        max_iter: Steps of the solver (L-BFGS) at most.
        tol: Tolerance at which training stops.
        scaler: Fitted on the training side of each fold: standard, minmax or none.
    """

    source = "textbook baseline; scikit-learn LogisticRegression with its defaults but for max_iter"

    C: Annotated[float, Gt(0)] = 1.0
    class_weight: Literal["balanced"] | None = None
    max_iter: Annotated[int, Ge(1)] = 1_000
    tol: Annotated[float, Gt(0)] = 1e-4
    scaler: Scaler = "standard"

    def classifier(self, seed: int) -> BaseEstimator:
        """Return the classifier; L-BFGS has no randomness, so the seed does nothing."""
        from sklearn.linear_model import LogisticRegression

        del seed
        return LogisticRegression(C=self.C, class_weight=self.class_weight, max_iter=self.max_iter, tol=self.tol)

    def scores(self, pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - a fitted Pipeline
        """Score by ``predict_proba``."""
        return pipeline.predict_proba(x)
