"""What every network is: a table of layers, an input that it insists on, and the shared training engine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import EpochsModel, Predictor
from mexbench_plugins.models._nn import checkpoint as _saved
from mexbench_plugins.models._nn import trainer as _training
from mexbench_plugins.models._nn.layers import LayerRow, StepContext, recording
from mexbench_plugins.models._nn.recipe import Training

Shape = tuple[int, ...]


class Network(nnx.Module):
    """Layers from pixels to class scores."""

    def __call__(self, x: Array, batch: StepContext | None) -> Array:
        """Return logits (n, classes) for x (n, T, ...), float; ``batch`` is None in evaluation."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class NetworkModel(Training, EpochsModel):
    """A network and its recipe. The same seed gives the same predictor on the same machine."""

    @abstractmethod
    def network(self, shape: Shape, n_classes: int, rng: Generator) -> Network:
        """Build the network for samples of a shape that ``check`` let through.

        Args:
            shape: Of one sample (T, ...).
            n_classes: Units of the last layer.
            rng: Source of the initial weights.
        """

    @abstractmethod
    def check(self, shape: Shape) -> None:
        """Refuse samples that the network is not made for.

        Raises:
            DataError: The text names the shape that is needed, the one that came, and the step that mends it.
        """

    def layers(self, n_classes: int, shape: Shape | None = None) -> list[LayerRow]:
        """Return the network's table, row by row, without computing anything.

        Args:
            n_classes: Number of classes.
            shape: Of one sample (T, ...); None for the paper's input.

        Raises:
            DataError: The network is not made for this shape.
        """
        shape = self.example_shape if shape is None else shape
        self.check(shape)
        with recording() as rows:
            jax.eval_shape(
                lambda x: self.network(shape, n_classes, np.random.default_rng(0))(x, None),
                jax.ShapeDtypeStruct((1, *shape), jnp.float32),
            )
        return rows

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train by gradient descent.

        Returns:
            A predictor with softmax scores, 0 for a class that never trained, and its learning curves in ``history``.

        Raises:
            DataError: The network is not made for samples of this shape.
            FloatingPointError: The loss is no number any more.
            ValueError: Early stopping has no second subject to watch.
        """
        self.check(x.shape[1:])
        return _training.train(self, x, y, n_classes=n_classes, groups=groups, seed=seed)

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write weights as safetensors and the rest as JSON.

        Raises:
            ValueError: A weight is NaN or infinite.
        """
        if not isinstance(predictor, _training.NetworkPredictor):
            raise TypeError(f"{type(predictor).__name__} is no predictor of {type(self).__name__}")
        _saved.save(predictor, folder)

    def load(self, folder: Path) -> Predictor:
        """Read what ``save`` wrote.

        Raises:
            ValueError: The weights are not those of this network, or are not finite.
        """
        return _saved.load(self, folder)

    def fit_epochs(
        self,
        x: NDArray[Any],
        y: NDArray[np.intp],
        train_masks: NDArray[np.bool_],
        *,
        n_classes: int,
        groups: NDArray[np.str_],
        seed: int,
    ) -> Iterator[Sequence[Predictor]]:
        """Train the folds side by side and yield after each epoch; see ``EpochsModel.fit_epochs``."""
        del groups
        self.check(x.shape[1:])
        folds = [
            _training.after_each_epoch(self, x[mask], y[mask], n_classes=n_classes, seed=seed) for mask in train_masks
        ]
        return zip(*folds, strict=True)


def need_single(name: str, shape: Shape, wanted: tuple[int, int, int], hint: str) -> None:
    """Refuse what is no single image (T = 1) of one size.

    Raises:
        DataError: With both shapes and the step that mends it.
    """
    if shape != (1, *wanted):
        height, width, channels = wanted
        many = len(shape) == 4 and shape[0] > 1
        mend = "it looks at single frames: choose one, or let each frame be a sample" if many else hint
        raise DataError(f"{name} needs (n, T=1, {height}, {width}, {channels}), got {shown(shape)}; {mend}")


def shown(shape: Shape) -> str:
    """Write a sample's shape as the error texts do: (n, T=16, 48, 48, 1)."""
    return f"(n, {', '.join([f'T={shape[0]}', *map(str, shape[1:])])})" if shape else "(n)"
