"""Linear discriminant analysis on principal components: Fisherfaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt
from numpy.typing import NDArray

from mexbench_plugins.models._sklearn import Scaler, SklearnBaseline, SklearnPredictor

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class LDA(SklearnBaseline):
    """Principal components, then linear discriminant analysis, on flattened samples (scikit-learn).

    The paper keeps as many components as there are training samples less the classes, the most with which the scatter
    within classes can be inverted, and gives a sample the class of its nearest neighbour among the projections. Here
    the class is the one with the highest posterior of normal distributions that share a covariance, which is nearest
    to the projected class mean but for the priors.

    Args:
        components: Principal components: a number, or a share of the variance that they must explain; null is the
            paper's number of samples less number of classes.
        shrinkage: Of the covariance within classes: auto is Ledoit and Wolf's, 0 to 1 fixes it; null is none, as in the
            paper.
        priors: training takes the frequencies of classes in training; uniform takes all alike.
        scaler: Fitted on the training side of each fold: standard, minmax or none.
    """

    source = (
        "Belhumeur et al., Eigenfaces vs. Fisherfaces: recognition using class specific linear projection, "
        "IEEE TPAMI 19(7), 1997"
    )

    components: Annotated[int, Ge(1)] | Annotated[float, Gt(0), Lt(1)] | None = None
    shrinkage: Literal["auto"] | Annotated[float, Ge(0), Lt(1)] | None = None
    priors: Literal["training", "uniform"] = "training"
    scaler: Scaler = "none"

    def classifier(self, seed: int) -> BaseEstimator:
        """Return the discriminant analysis; there is no randomness, so the seed does nothing."""
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        del seed
        return LinearDiscriminantAnalysis(solver="svd" if self.shrinkage is None else "lsqr", shrinkage=self.shrinkage)

    def unfitted(self, seed: int) -> Pipeline:
        """Return the scaler, where there is one, the principal components and the discriminant analysis."""
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline

        *scaler, (_, discriminant) = super().unfitted(seed).steps
        return make_pipeline(*(step for _, step in scaler), PCA(self.components, svd_solver="full"), discriminant)

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> SklearnPredictor:
        """Fit components, then discriminants; the number of components is limited by samples and features."""
        del groups
        trained = len(np.unique(y))
        most = min(max(len(y) - trained, 1), x[0].size)
        components = self.components
        if components is None or (isinstance(components, int) and components > most):
            components = most
        pipeline = self.unfitted(seed)
        (_, principal), (_, discriminant) = pipeline.steps[-2:]
        principal.set_params(n_components=components)
        discriminant.set_params(priors=np.full(trained, 1 / trained) if self.priors == "uniform" else None)
        return self.fit_pipeline(pipeline, x, y, n_classes=n_classes)

    def scores(self, pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - a fitted Pipeline
        """Score by the posteriors."""
        return pipeline.predict_proba(x)
