"""Random convolutions: ROCKET's features for images, and a ridge classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.files import read_arrays, write_arrays
from mexbench.interfaces import Predictor
from mexbench_plugins.models._sklearn import ActionUnitPredictor, SklearnBaseline, SklearnPredictor

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

_SIZES = (3, 5, 7, 9)
#: Penalties that inner folds choose from.
ALPHAS = tuple(10.0**power for power in range(-1, 7))
_FILE = "kernels.safetensors"
#: Samples whose feature maps are in memory together.
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Kernels:
    """Random kernels; a dilation spreads a kernel, a margin of zeros keeps the image's size.

    Args:
        weights: (kernels, 9, 9, channels), a smaller kernel in the first rows and columns.
        biases: (kernels,).
        shapes: Size, dilation and margin, 0 or 1, of each (kernels, 3).
    """

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    shapes: NDArray[np.int64]

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Return features (n, 2 * kernels) of images (n, H, W, C): share of positive values, then the maximum."""
        features = np.empty((len(x), 2, len(self.biases)), np.float32)
        for start in range(0, len(x), _BATCH):
            images = x[start : start + _BATCH].astype(np.float32)
            images = _standardised(images)
            for alike, (size, dilation, margin) in self._groups():
                maps = _convolve(images, self.weights[alike, :size, :size], dilation, size // 2 * dilation * margin)
                maps += self.biases[alike]
                features[start : start + _BATCH, 0, alike] = (maps > 0).mean(axis=(1, 2))
                features[start : start + _BATCH, 1, alike] = maps.max(axis=(1, 2))
        return features.reshape(len(x), -1)

    def _groups(self) -> Iterator[tuple[NDArray[np.intp], tuple[int, int, int]]]:
        for shape in np.unique(self.shapes, axis=0):
            size, dilation, margin = shape.tolist()
            yield np.flatnonzero((self.shapes == shape).all(axis=1)), (size, dilation, margin)


def draw(count: int, side: int, channels: int, rng: np.random.Generator) -> Kernels:
    """Draw kernels as ROCKET does, with squares in place of intervals.

    Sizes 3 to 9, weights normal and of mean zero, biases from -1 to 1, dilations exponential up to the image's shorter
    side, a margin for every second one on average, and a random subset of the channels for each.
    """
    weights = np.zeros((count, max(_SIZES), max(_SIZES), channels), np.float32)
    shapes = np.empty((count, 3), np.int64)
    sizes = [size for size in _SIZES if size <= side]
    for kernel, shape in zip(weights, shapes, strict=True):
        size = int(rng.choice(sizes))
        dilation = int(2 ** rng.uniform(0, np.log2((side - 1) / (size - 1))))
        read = rng.permutation(channels)[: rng.integers(1, channels + 1)]
        values = rng.normal(size=(size, size, len(read)))
        kernel[:size, :size, read] = values - values.mean()
        shape[:] = size, dilation, rng.integers(2)
    return Kernels(weights, rng.uniform(-1, 1, count).astype(np.float32), shapes)


def _standardised(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give each channel of each image mean 0 and variance 1, as ROCKET does with each series."""
    spread = images.std(axis=(1, 2), keepdims=True)
    return (images - images.mean(axis=(1, 2), keepdims=True)) / np.maximum(spread, 1e-6)


def _convolve(images: NDArray[np.float32], weights: NDArray[np.float32], dilation: int, margin: int) -> NDArray[Any]:
    """Convolve (n, H, W, C) with (k, size, size, C): one product of what each kernel sees with the kernels."""
    size = weights.shape[1]
    images = np.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    height, width = (length - (size - 1) * dilation for length in images.shape[1:3])
    places = [
        images[:, i * dilation : i * dilation + height, j * dilation : j * dilation + width]
        for i in range(size)
        for j in range(size)
    ]
    return np.concatenate(places, axis=-1) @ weights.reshape(len(weights), -1).T


@dataclass(frozen=True, eq=False)
class ConvolutionsPredictor:
    """Random kernels and the classifier behind them."""

    kernels: Kernels
    classifier: SklearnPredictor | ActionUnitPredictor

    @property
    def health(self) -> Mapping[str, float]:
        """How the classifier answers its training side."""
        return self.classifier.health

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Return scores (n, n_classes) for x (n, T, H, W, C)."""
        return self.classifier(self.kernels(_images(x)))


@dataclass(frozen=True, kw_only=True)
class RandomConvolutions(SklearnBaseline):
    """Random convolutions that nobody trains, two numbers of each feature map, and a ridge classifier (scikit-learn).

    ROCKET on images: its kernels are squares here, and each channel of each image has mean 0 and variance 1 before.
    Frames of a clip are read as channels. Features are scaled on the training side to mean 0 and variance 1.

    Args:
        kernels: How many; ROCKET has 10,000 of one dimension.
        alpha: Penalty of ridge regression. inner chooses among powers of ten from .1 to a million by the highest mean
            recall of up to five folds of the training side, cut by subject; the largest of equals.
        class_weight: balanced weighs classes by the inverse of their frequency in training.
    """

    source = (
        "Dempster et al., ROCKET: exceptionally fast and accurate time series classification using random "
        "convolutional kernels, Data Mining and Knowledge Discovery 34, 2020; images are our extension"
    )
    example_shape = (1, 12, 12, 3)
    scaler = "standard"

    kernels: Annotated[int, Ge(1)] = 1_000
    alpha: Literal["inner"] | Annotated[float, Gt(0)] = "inner"
    class_weight: Literal["balanced"] | None = "balanced"

    def classifier(self, seed: int) -> BaseEstimator:
        """Return the ridge classifier, with the penalty where the recipe has one; it has no randomness."""
        from sklearn.linear_model import RidgeClassifier

        del seed
        return RidgeClassifier(alpha=1.0 if self.alpha == "inner" else self.alpha, class_weight=self.class_weight)

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse what is not images of at least 3x3 pixels."""
        if len(shape) != 4 or min(shape[1:3]) < min(_SIZES):
            raise DataError(f"random_convolutions needs images (n, T, H, W, C) of at least 3x3 pixels, got {shape}")

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Draw kernels by the seed and fit ridge regression to their features."""
        kernels, features = self._features(x, seed)
        return ConvolutionsPredictor(kernels, self._fit_ridge(features, y, n_classes, groups))

    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Draw kernels once and fit a classifier for each unit, present against absent."""
        kernels, features = self._features(x, seed)
        units = tuple(self._fit_ridge(features, unit.astype(np.intp), 2, groups) for unit in y.T)
        return ConvolutionsPredictor(kernels, ActionUnitPredictor(units))

    def _features(self, x: NDArray[Any], seed: int) -> tuple[Kernels, NDArray[np.float32]]:
        self.check(x.shape[1:])
        images = _images(x)
        kernels = draw(self.kernels, min(images.shape[1:3]), images.shape[3], np.random.default_rng(seed))
        return kernels, kernels(images)

    def _fit_ridge(
        self, features: NDArray[Any], y: NDArray[np.intp], n_classes: int, groups: NDArray[np.str_]
    ) -> SklearnPredictor:
        pipeline = self.unfitted(0)
        if self.alpha == "inner":
            pipeline.steps[-1][1].set_params(alpha=self._inner_alpha(features, y, groups))
        return self.fit_pipeline(pipeline, features, y, n_classes=n_classes)

    def _inner_alpha(self, features: NDArray[Any], y: NDArray[np.intp], groups: NDArray[np.str_]) -> float:
        """Choose the penalty inside the training side; with a single subject or class, the middle one."""
        from sklearn.metrics import recall_score
        from sklearn.model_selection import GroupKFold

        n_groups = len(np.unique(groups))
        predicted = np.full((len(ALPHAS), len(y)), -1)
        for train, test in GroupKFold(min(5, n_groups)).split(features, y, groups) if n_groups > 1 else ():
            if len(np.unique(y[train])) > 1:
                for row, alpha in zip(predicted, ALPHAS, strict=True):
                    pipeline = self.unfitted(0)
                    pipeline.steps[-1][1].set_params(alpha=alpha)
                    row[test] = pipeline.fit(features[train], y[train]).predict(features[test])
        scored = predicted[0] >= 0
        if not scored.any():
            return ALPHAS[len(ALPHAS) // 2]
        recalls = [
            recall_score(y[scored], row[scored], labels=np.unique(y[scored]), average="macro") for row in predicted
        ]
        return max(zip(recalls, ALPHAS, strict=True))[1]

    def presence(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Put the regression's value through the logistic function, which keeps its sign: 0 becomes 0.5."""
        from scipy.special import expit

        return expit(scores[:, 1])

    def scores(self, pipeline: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ANN401 - a fitted Pipeline
        """Score by the regression's values."""
        scores = pipeline.decision_function(x)
        return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write the kernels as safetensors, and the classifier as all scikit-learn models."""
        if not isinstance(predictor, ConvolutionsPredictor):
            raise TypeError(f"{type(predictor).__name__} is not a predictor of {type(self).__name__}")
        super().save(predictor.classifier, folder)
        kernels = predictor.kernels
        arrays = {"weights": kernels.weights, "biases": kernels.biases, "shapes": kernels.shapes}
        write_arrays(folder / _FILE, arrays)

    def load(self, folder: Path) -> Predictor:
        """Read what ``save`` wrote.

        Raises:
            ValueError: The kernels are not such as ``draw`` gives, or the classifier is refused.
        """
        arrays = read_arrays(folder / _FILE)
        side, count = max(_SIZES), self.kernels
        shapes = {name: array.shape for name, array in arrays.items()}
        channels = arrays["weights"].shape[-1] if arrays.get("weights", np.zeros(())).ndim == 4 else 0
        if shapes != {"weights": (count, side, side, channels), "biases": (count,), "shapes": (count, 3)}:
            raise ValueError(f"{_FILE} holds {shapes}, which are not {count} kernels")
        kernels = Kernels(arrays["weights"], arrays["biases"], arrays["shapes"])
        size, dilation, margin = kernels.shapes.T
        if not (np.isin(size, _SIZES) & (dilation >= 1) & (dilation < 2**12) & np.isin(margin, (0, 1))).all():
            raise ValueError(f"{_FILE} holds kernels of an impossible size or dilation")
        classifier = super().load(folder)
        assert isinstance(classifier, SklearnPredictor | ActionUnitPredictor)  # noqa: S101 - all that it returns
        return ConvolutionsPredictor(kernels, classifier)


def _images(x: NDArray[Any]) -> NDArray[Any]:
    """Turn clips (n, T, H, W, C) into images (n, H, W, T * C)."""
    n, frames, height, width, channels = x.shape
    return np.moveaxis(x, 1, 3).reshape(n, height, width, frames * channels)
