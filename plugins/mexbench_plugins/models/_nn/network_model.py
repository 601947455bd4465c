"""What every network has: a table of layers, a check of its input, and the shared training engine."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.devices import backend
from mexbench.errors import DataError
from mexbench.interfaces import EpochsModel, FoldsModel, LayerRow, Predictor, select_rows
from mexbench_plugins.models._nn.memory import keep_memory
from mexbench_plugins.models._nn.recipe import Training

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.layers import Network

Shape = tuple[int, ...]

#: More folds than any protocol of the field has: on a GPU all are trained together that its memory allows.
ALL_FOLDS = 1_000
#: Most weights of the folds that are trained together, whose predictors are on the device at once: 4 GiB.
MOST_WEIGHTS = 2**30
#: JAX's words for products of float32 in which nothing is rounded.
FULL_PRECISION = ("", "highest", "float32")


@dataclass(frozen=True)
class NetworkBuilder:
    """Builds one network again and again; networks that differ in training options alone are equal."""

    model: NetworkModel
    shape: Shape
    n_classes: int

    def __call__(self, rng: Generator) -> Network:
        """Return the network with initial weights."""
        return self.model.network(self.shape, self.n_classes, rng)


@dataclass(frozen=True, kw_only=True)
class NetworkModel(Training, EpochsModel, FoldsModel):
    """A network and its recipe. The same seed gives the same predictor on the same machine.

    On a GPU all folds are trained together, which gives what training each alone gives, rounding aside; see
    ``fold_vmap``. On a CPU they are trained one by one.
    """

    reads_rows: ClassVar[bool] = True

    #: Whether there is batch normalisation anywhere in the network.
    has_batch_norm: ClassVar[bool] = True

    def flags(self) -> tuple[str, ...]:
        """Name running statistics, since they depend on the number of training steps, and rounded products."""
        running = self.has_batch_norm and self.batch_norm_statistics == "running"
        precision = os.environ.get("JAX_DEFAULT_MATMUL_PRECISION", "highest")
        return (
            *super().flags(),
            *(["running-batch-norm"] if running else []),
            *([] if precision in FULL_PRECISION else [f"matmul-{precision}"]),
        )

    @abstractmethod
    def network(self, shape: Shape, n_classes: int, rng: Generator) -> Network:
        """Build the network for samples of a shape that ``check`` accepts.

        Args:
            shape: Of one sample (T, ...).
            n_classes: Units of the last layer.
            rng: Source of the initial weights.
        """

    @abstractmethod
    def check(self, shape: Shape) -> None:
        """Refuse samples that the network does not take.

        Raises:
            DataError: The text names the expected shape, the actual one, and the step that fixes it.
        """

    def builder(self, shape: Shape, n_classes: int) -> NetworkBuilder:
        """Check the shape of a sample and return what builds the network for it.

        Whatever trains a network or applies it asks for this first, so this is where the process is prepared.

        Raises:
            DataError: The network does not take samples of this shape.
        """
        self.check(shape)
        keep_memory()
        defaults = {field.name: field.default for field in fields(Training)}
        return NetworkBuilder(replace(self, **defaults), shape, n_classes)

    def layers(self, n_classes: int, shape: Shape | None = None) -> list[LayerRow]:
        """Return the network's table, row by row, without computing anything.

        Args:
            n_classes: Number of classes.
            shape: Of one sample (T, ...); None for the paper's input.

        Raises:
            DataError: The network does not take samples of this shape.
        """
        import jax

        from mexbench_plugins.models._nn.layers import ShapesOnly, recording

        shape = self.example_shape if shape is None else shape
        self.check(shape)
        with recording() as rows:
            jax.eval_shape(
                lambda x: self.network(shape, n_classes, ShapesOnly())(x, None),
                jax.ShapeDtypeStruct((1, *shape), np.float32),
            )
        return rows

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train by gradient descent.

        Returns:
            A predictor with softmax scores, 0 for a class that never trained, and its learning curves in ``history``.

        Raises:
            DataError: The network does not take samples of this shape.
            FloatingPointError: The loss became NaN or infinite.
            ValueError: Early stopping has no second subject to watch.
        """
        from mexbench_plugins.models._nn import trainer

        build = self.builder(x.shape[1:], n_classes)
        return trainer.train(self, build, x, y, n_classes=n_classes, groups=groups, seed=seed)

    def folds_at_once(self) -> int:
        """Return 1 on a CPU, where mapped convolutions cost several times as much, and with early stopping.

        On a GPU it is all folds, or as many as have 4 GiB of weights; how many of them are in one program is decided
        by the memory that is free (``fold_vmap``) and changes nothing.
        """
        if self.early_stopping is not None or backend() == "cpu":
            return 1
        n_params = sum(row.n_params for row in self.layers(n_classes=3))
        return max(1, min(ALL_FOLDS, MOST_WEIGHTS // max(1, n_params)))

    def fit_folds(
        self,
        x: NDArray[Any],
        y: NDArray[np.intp],
        train_masks: NDArray[np.bool_],
        *,
        n_classes: int,
        groups: NDArray[np.str_],
        seed: int,
    ) -> Sequence[Predictor]:
        """Train all folds at once where ``folds_at_once`` says so, else one by one; see ``FoldsModel.fit_folds``."""
        if self.folds_at_once() == 1:
            return [
                self.fit(select_rows(x, mask), y[mask], n_classes=n_classes, groups=groups[mask], seed=seed)
                for mask in train_masks
            ]
        from mexbench_plugins.models._nn import fold_vmap

        build = self.builder(x.shape[1:], n_classes)
        return fold_vmap.train(fold_vmap.Folds(self, build, x, y, train_masks, n_classes, seed))

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write weights as safetensors and the rest as JSON.

        Raises:
            ValueError: A weight is NaN or infinite.
        """
        from mexbench_plugins.models._nn import checkpoint, trainer

        if not isinstance(predictor, trainer.NetworkPredictor):
            raise TypeError(f"{type(predictor).__name__} is not a predictor of {type(self).__name__}")
        checkpoint.save(predictor, folder)

    def load(self, folder: Path) -> Predictor:
        """Read what ``save`` wrote.

        Raises:
            ValueError: The weights are not those of this network, or are not finite.
        """
        from mexbench_plugins.models._nn import checkpoint

        return checkpoint.load(self, self.builder, folder)

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
        from mexbench_plugins.models._nn import fold_vmap, trainer

        del groups
        build = self.builder(x.shape[1:], n_classes)
        if len(train_masks) > 1 and self.folds_at_once() > 1:
            return fold_vmap.after_each_epoch(fold_vmap.Folds(self, build, x, y, train_masks, n_classes, seed))
        folds = [
            trainer.after_each_epoch(self, build, select_rows(x, mask), y[mask], n_classes=n_classes, seed=seed)
            for mask in train_masks
        ]
        return zip(*folds, strict=True)


def check_single_image(name: str, shape: Shape, expected: tuple[int, int, int], hint: str) -> None:
    """Refuse samples that are not a single image (T = 1) of one size.

    Raises:
        DataError: With both shapes and the step that fixes it.
    """
    if shape != (1, *expected):
        height, width, channels = expected
        is_clip = len(shape) == 4 and shape[0] > 1
        advice = "it reads single frames: choose one, or make each frame a sample" if is_clip else hint
        raise DataError(f"{name} needs (n, T=1, {height}, {width}, {channels}), got {shape_text(shape)}; {advice}")


def shape_text(shape: Shape) -> str:
    """Write a sample's shape as the error texts do: (n, T=16, 48, 48, 1)."""
    return f"(n, {', '.join([f'T={shape[0]}', *map(str, shape[1:])])})" if shape else "(n)"
