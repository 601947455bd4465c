"""Gradient boosting of decision trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from mexbench_plugins.models._sklearn import SklearnBaseline

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


@dataclass(frozen=True, kw_only=True)
class GradientBoosting(SklearnBaseline):
    """Boosted trees on binned, flattened samples (scikit-learn's HistGradientBoosting); scaling would change nothing.

    scikit-learn's early stopping is not offered: it cuts its validation part at random, across subjects.

    Args:
        learning_rate: Share of each tree that is added.
        max_iter: Rounds; each grows a tree for each class.
        max_leaf_nodes: Leaves of a tree at most.
        max_depth: Depth of a tree at most; null limits the leaves alone.
        min_samples_leaf: Samples that each leaf must keep.
        l2_regularization: Weight of the L2 penalty on leaves.
        max_features: Share of the features that each split may use.
        class_weight: balanced weighs classes by the inverse of their frequency in training.
    """

    source = (
        "Ke et al., LightGBM: a highly efficient gradient boosting decision tree, NeurIPS 2017; scikit-learn "
        "HistGradientBoostingClassifier with its defaults but for early stopping"
    )

    learning_rate: Annotated[float, Gt(0)] = 0.1
    max_iter: Annotated[int, Ge(1)] = 100
    max_leaf_nodes: Annotated[int, Ge(2)] = 31
    max_depth: Annotated[int, Ge(1)] | None = None
    min_samples_leaf: Annotated[int, Ge(1)] = 20
    l2_regularization: Annotated[float, Ge(0)] = 0.0
    max_features: Annotated[float, Gt(0)] = 1.0
    class_weight: Literal["balanced"] | None = None

    def __post_init__(self) -> None:
        """Refuse a share above one.

        Raises:
            ValueError: ``max_features`` is more than 1.
        """
        if self.max_features > 1:
            raise ValueError(f"max_features: {self.max_features:g}: a share of the features, at most 1")

    def classifier(self, seed: int) -> BaseEstimator:
        """Return the classifier; the seed draws the features of each split where they are a share."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.max_iter,
            max_leaf_nodes=self.max_leaf_nodes,
            max_depth=self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2_regularization,
            max_features=self.max_features,
            class_weight=self.class_weight,
            early_stopping=False,  # pyright: ignore[reportArgumentType] - documented
            random_state=seed,
        )

    def scores(self, pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - a fitted Pipeline
        """Score by ``predict_proba``."""
        return pipeline.predict_proba(x)
