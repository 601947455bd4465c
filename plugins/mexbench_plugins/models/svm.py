"""Support vector machine."""

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
class SVM(SklearnBaseline):
    """Support vector machine on scaled, flattened samples (scikit-learn's SVC, one against one).

    Args:
        C: Penalty of errors: the smaller, the wider the margin.
        kernel: Shape of the boundary; the field's baselines use linear.
        gamma: Width of the rbf, poly and sigmoid kernels.
        degree: Degree of the poly kernel.
        coef0: Constant term of the poly and sigmoid kernels.
        class_weight: balanced weighs classes by the inverse of their frequency in training.
        tol: Tolerance at which training stops.
        scaler: Fitted on the training side of each fold: standard, minmax or none.
    """

    source = "baseline of the AU-CNN paper (2024), table 4; scikit-learn SVC with its defaults but for the kernel"

    C: Annotated[float, Gt(0)] = 1.0
    kernel: Literal["linear", "poly", "rbf", "sigmoid"] = "linear"
    gamma: Literal["scale", "auto"] | Annotated[float, Gt(0)] = "scale"
    degree: Annotated[int, Ge(1)] = 3
    coef0: float = 0.0
    class_weight: Literal["balanced"] | None = None
    tol: Annotated[float, Gt(0)] = 1e-3
    scaler: Scaler = "standard"

    def classifier(self, seed: int) -> BaseEstimator:
        """Return the classifier; without probability estimates an SVC has no randomness, so the seed does nothing."""
        from sklearn.svm import SVC

        del seed
        return SVC(
            C=self.C,
            kernel=self.kernel,
            gamma=self.gamma,  # pyright: ignore[reportArgumentType] - numbers are fine too
            degree=self.degree,
            coef0=self.coef0,
            class_weight=self.class_weight,
            tol=self.tol,
        )

    def presence(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Put the decision function through the logistic function, which keeps its sign: 0 becomes 0.5."""
        from scipy.special import expit

        return expit(scores[:, 1])

    def scores(self, pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - a fitted Pipeline
        """Score by the decision function, so that the highest score is always the class that SVC predicts.

        The decision function counts the votes of one class against another and adds confidence as a fraction. SVC
        itself gives a tied vote to the first class, whatever the confidence: there, the two scores change places.
        """
        scores = pipeline.decision_function(x)
        if scores.ndim == 1:  # two classes: positive means the second
            return np.stack([-scores, scores], axis=1)
        rows = np.arange(len(scores))
        predicted = np.searchsorted(pipeline.classes_, pipeline.predict(x))
        highest = scores.argmax(axis=1)
        scores[rows, predicted], scores[rows, highest] = scores[rows, highest], scores[rows, predicted].copy()
        return scores
