"""Support vector machine."""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from mexbench_plugins.models._sklearn import Scaler, SklearnBaseline

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline
    from sklearn.svm import SVC

#: Rows of the largest kernel matrix that is held in memory: 134 MB.
MAX_KERNEL_ROWS = 4096


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

    def fit_predict(self, pipeline: Pipeline, rows: NDArray[Any], y: NDArray[np.intp]) -> NDArray[np.intp]:
        """Fit a pipeline to rows (n, features) of the classes y (n,), and return the classes that it gives them.

        The kernel of all pairs of rows comes from a product of matrices, which is faster than libsvm's way, row by
        row. The solver is libsvm's either way, so the two differ by rounding, inside the tolerance at which it stops.
        Of more than ``MAX_KERNEL_ROWS`` rows libsvm evaluates the kernel.
        """
        if len(rows) > MAX_KERNEL_ROWS:
            return super().fit_predict(pipeline, rows, y)
        for _, step in pipeline.steps[:-1]:
            rows = step.fit_transform(rows, y)
        return _fit_by_kernel_matrix(pipeline.steps[-1][1], rows.astype(np.float64, copy=False), y)

    def scores(self, pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - a fitted Pipeline
        """Score by the decision function, so that the highest score is always the class that SVC predicts.

        The score of a class is its votes, one class against another, and the confidence as a fraction, as scikit-learn
        adds them up. SVC itself gives a tied vote to the first class, whatever the confidence: there, the two scores
        change places.
        """
        svc = copy.copy(pipeline.steps[-1][1])
        svc.decision_function_shape = "ovo"  # all that SVC predicts from, so that its kernel is evaluated once
        decisions = svc.decision_function(_scaled(pipeline, x))
        if decisions.ndim == 1:  # two classes: positive means the second
            return np.stack([-decisions, decisions], axis=1)
        confidence = _sums(decisions)
        scores = _votes(decisions >= 0) + confidence / (3 * (np.abs(confidence) + 1))
        rows = np.arange(len(scores))
        predicted, highest = _votes(decisions > 0).argmax(axis=1), scores.argmax(axis=1)
        scores[rows, predicted], scores[rows, highest] = scores[rows, highest], scores[rows, predicted].copy()
        return scores


def _fit_by_kernel_matrix(svc: SVC, rows: NDArray[np.float64], y: NDArray[np.intp]) -> NDArray[np.intp]:
    """Fit a classifier to rows (n, features) through the kernel of all pairs; return the classes (n,) of these rows."""
    from sklearn.base import clone
    from sklearn.metrics.pairwise import pairwise_kernels

    gamma = _gamma(svc.gamma, rows)
    kernel = pairwise_kernels(
        rows, metric=svc.kernel, filter_params=True, gamma=gamma, degree=svc.degree, coef0=svc.coef0
    )
    precomputed: Any = clone(svc)
    precomputed.set_params(kernel="precomputed").fit(kernel, y)
    answers = precomputed.predict(kernel)
    # What the classifier would hold, had it been given the rows.
    fitted = {name: value for name, value in vars(precomputed).items() if name not in svc.get_params()}
    support = {"support_vectors_": rows[precomputed.support_], "_gamma": gamma}
    vars(svc).update({**fitted, **support, "shape_fit_": rows.shape, "n_features_in_": rows.shape[1]})
    return answers


def _gamma(gamma: str | float, rows: NDArray[np.float64]) -> float:
    """Return the number that a setting of SVC stands for."""
    if gamma == "auto":
        return 1 / rows.shape[1]
    if gamma == "scale":
        variance = rows.var()
        return 1 / (rows.shape[1] * variance) if variance else 1.0
    return float(gamma)


def _scaled(pipeline: Any, rows: NDArray[Any]) -> NDArray[Any]:  # noqa: ANN401 - a fitted Pipeline
    """Return rows (n, features) as the last step of a pipeline gets them."""
    for _, step in pipeline.steps[:-1]:
        rows = step.transform(rows)
    return rows


def _pairs(n_decisions: int) -> list[tuple[int, int]]:
    """Return the classes of each decision: the first against all that follow, then the second."""
    n_classes = (1 + math.isqrt(1 + 8 * n_decisions)) // 2
    return list(itertools.combinations(range(n_classes), 2))


def _votes(first_wins: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the votes (n, classes) of decisions (n, pairs), True for the first class of a pair."""
    pairs = _pairs(first_wins.shape[1])
    votes = np.zeros((len(first_wins), pairs[-1][1] + 1))
    for wins, (first, second) in zip(first_wins.T, pairs, strict=True):
        votes[:, first] += wins
        votes[:, second] += ~wins
    return votes


def _sums(decisions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the decisions (n, pairs) for and against each class add up to (n, classes)."""
    pairs = _pairs(decisions.shape[1])
    sums = np.zeros((len(decisions), pairs[-1][1] + 1))
    for decision, (first, second) in zip(decisions.T, pairs, strict=True):
        sums[:, first] += decision
        sums[:, second] -= decision
    return sums
