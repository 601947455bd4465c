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

from mexbench_plugins.models._sklearn import Scaler, SklearnBaseline, SklearnPredictor

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

    def training_answers(self, predictor: SklearnPredictor, x: NDArray[Any]) -> NDArray[np.intp]:
        """Answer by products of matrices, where libsvm evaluates its kernel row by row, which takes as long as to fit.

        They are computed in float32, so the decisions differ from libsvm's by about a millionth, and serve for the
        training's health alone.
        """
        pipeline: Any = predictor.pipeline
        rows, svc = _scaled(pipeline, np.asarray(x).reshape(len(x), -1)), pipeline.steps[-1][1]
        if svc.kernel == "linear":
            decisions = rows @ svc.coef_.T + svc.intercept_
        else:
            kernel = self._kernel(rows.astype(np.float32, copy=False), svc._gamma)[:, svc.support_]
            decisions = _decisions(kernel, svc.dual_coef_, svc.n_support_, svc.intercept_)
        first_wins = decisions > 0
        # Of two classes, scikit-learn turns the signs.
        return predictor.trained[_votes(~first_wins if len(predictor.trained) == 2 else first_wins).argmax(1)]

    def _kernel(self, rows: NDArray[np.float32], gamma: float) -> NDArray[np.float32]:
        """Return the kernel of each pair of rows (n, n) for rows (n, features)."""
        if self.kernel == "rbf":
            rows = rows - rows.mean(axis=0)  # distances stay, and squares do not cancel
        products = rows @ rows.T
        if self.kernel == "rbf":
            squares = np.diagonal(products)
            return np.exp(-gamma * np.maximum(squares[:, None] + squares - 2 * products, 0))
        products = gamma * products + self.coef0
        return products**self.degree if self.kernel == "poly" else np.tanh(products)

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


def _decisions(
    kernel: NDArray[np.floating[Any]],
    dual: NDArray[np.float64],
    n_support: NDArray[np.int32],
    intercept: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the decisions (n, pairs), positive for a pair's first class, from the kernel (n, support vectors).

    The support vectors are in the order of their classes. A vector of class i has a coefficient against each other
    class: in row j - 1 against a later class j, in row j against an earlier one. Of two classes there is one row, and
    the decision is positive for the second.
    """
    ends = np.cumsum(n_support)
    vectors = [slice(end - count, end) for end, count in zip(ends, n_support, strict=True)]
    if len(n_support) == 2:
        return kernel @ dual.T + intercept
    return np.stack(
        [
            kernel[:, vectors[first]] @ dual[second - 1, vectors[first]]
            + kernel[:, vectors[second]] @ dual[first, vectors[second]]
            + constant
            for (first, second), constant in zip(_pairs(len(intercept)), intercept, strict=True)
        ],
        axis=1,
    )
