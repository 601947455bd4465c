"""Decision tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from mexbench_plugins.models._sklearn import SklearnBaseline

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


@dataclass(frozen=True, kw_only=True)
class DecisionTree(SklearnBaseline):
    """Decision tree on flattened samples (scikit-learn's CART); scaling would change nothing.

    Args:
        criterion: Measure of a split.
        max_depth: Depth at which growing stops; null grows until the leaves are pure.
        min_samples_split: Samples that a node must have to be split.
        min_samples_leaf: Samples that each side of a split must keep.
        max_features: Features tried at each split: a share, sqrt or log2 of their number; null tries all.
        class_weight: balanced weighs classes by the inverse of their frequency in training.
        ccp_alpha: Cost of a leaf in pruning; 0 does not prune.
    """

    source = "baseline of the AU-CNN paper (2024), table 4; scikit-learn DecisionTreeClassifier with its defaults"

    criterion: Literal["gini", "entropy", "log_loss"] = "gini"
    max_depth: Annotated[int, Ge(1)] | None = None
    min_samples_split: Annotated[int, Ge(2)] = 2
    min_samples_leaf: Annotated[int, Ge(1)] = 1
    max_features: Literal["sqrt", "log2"] | Annotated[float, Gt(0), Le(1)] | None = None
    class_weight: Literal["balanced"] | None = None
    ccp_alpha: Annotated[float, Ge(0)] = 0.0

    def classifier(self, seed: int) -> BaseEstimator:
        """Return the classifier; the seed orders features among equally good splits."""
        from sklearn.tree import DecisionTreeClassifier

        return DecisionTreeClassifier(
            criterion=self.criterion,
            max_depth=self.max_depth,
            min_samples_split=self.min_samples_split,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            class_weight=self.class_weight,
            ccp_alpha=self.ccp_alpha,
            random_state=seed,
        )

    def scores(self, pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - a fitted Pipeline
        """Score by ``predict_proba``."""
        return pipeline.predict_proba(x)
