"""Gradient boosting of decision trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from mexbench.interfaces import Predictor
from mexbench_plugins.models._sklearn import SklearnBaseline


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

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Grow the trees; the seed draws the features of each split where they are a share."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        del groups
        classifier = HistGradientBoostingClassifier(
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
        return self.fit_scaled(classifier, x, y, n_classes=n_classes, scaler="none")

    def scores(self, pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - a fitted Pipeline
        """Score by ``predict_proba``."""
        return pipeline.predict_proba(x)

    def check_pipeline(self, pipeline: Any) -> None:  # noqa: ANN401 - a fitted Pipeline
        """Refuse trees that would lead outside their own nodes or the features: compiled code walks them unchecked.

        Raises:
            ValueError: A tree does.
        """
        boosting = pipeline[-1]
        for trees in boosting._predictors:
            for tree in trees:
                nodes = tree.nodes
                inner = nodes[nodes["is_leaf"] == 0]
                position = np.flatnonzero(nodes["is_leaf"] == 0)
                # A child comes after its parent, so that every walk ends.
                valid = len(nodes) > 0 and not inner["is_categorical"].any()
                for side in ("left", "right"):
                    valid = valid and bool(((inner[side] > position) & (inner[side] < len(nodes))).all())
                feature = inner["feature_idx"]
                if not (valid and ((feature >= 0) & (feature < boosting.n_features_in_)).all()):
                    raise ValueError("pipeline.skops holds a tree with nodes or features that do not exist")
