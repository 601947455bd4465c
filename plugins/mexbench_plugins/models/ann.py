"""Artificial neural network: the fully connected baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, MinLen
from numpy.typing import NDArray

from mexbench.interfaces import Predictor
from mexbench_plugins.models._sklearn import Scaler, SklearnBaseline

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


@dataclass(frozen=True, kw_only=True)
class ANN(SklearnBaseline):
    """Fully connected network on scaled, flattened samples (scikit-learn's MLPClassifier).

    It computes in float32: of bytes the scaler would make float64, which takes nearly twice as long. scikit-learn's
    early stopping is not offered: it cuts its validation part at random, across subjects.

    Args:
        hidden_layer_sizes: Units of each hidden layer.
        activation: Of the hidden layers.
        solver: Optimiser.
        alpha: Weight of the L2 penalty.
        batch_size: Samples per step; auto is 200, or all where there are fewer.
        learning_rate_init: Step size.
        max_iter: Epochs at most; training ends earlier once the training loss stops falling.
        tol: Improvement of the training loss that counts.
        n_iter_no_change: Epochs without improvement after which training ends.
        scaler: Fitted on the training side of each fold: standard, minmax or none.
    """

    source = (
        "baseline of the AU-CNN paper (2024), table 4, where sizes are unstated; scikit-learn MLPClassifier's defaults"
    )

    hidden_layer_sizes: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = (100,)
    activation: Literal["identity", "logistic", "tanh", "relu"] = "relu"
    solver: Literal["adam", "sgd", "lbfgs"] = "adam"
    alpha: Annotated[float, Ge(0)] = 1e-4
    batch_size: Annotated[int, Ge(1)] | Literal["auto"] = "auto"
    learning_rate_init: Annotated[float, Gt(0)] = 1e-3
    max_iter: Annotated[int, Ge(1)] = 200
    tol: Annotated[float, Ge(0)] = 1e-4
    n_iter_no_change: Annotated[int, Ge(1)] = 10
    scaler: Scaler = "standard"

    def classifier(self, seed: int) -> BaseEstimator:
        """Return the classifier; the seed draws the weights that training starts from and its order."""
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(
            hidden_layer_sizes=self.hidden_layer_sizes,
            activation=self.activation,
            solver=self.solver,
            alpha=self.alpha,
            batch_size=self.batch_size,  # pyright: ignore[reportArgumentType] - numbers are fine too
            learning_rate_init=self.learning_rate_init,
            max_iter=self.max_iter,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            random_state=seed,
        )

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Fit the scaler and the network in float32; see ``SklearnBaseline.fit``."""
        return super().fit(x.astype(np.float32, copy=False), y, n_classes=n_classes, groups=groups, seed=seed)

    def scores(self, pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - a fitted Pipeline
        """Score by ``predict_proba``."""
        return pipeline.predict_proba(x.astype(np.float32, copy=False)).astype(np.float64)
