"""The plain convolutional baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import jax
from annotated_types import Ge, MinLen
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench.errors import DataError
from mexbench_plugins.models._nn.layers import Conv, Dense, StepContext, max_pool, record
from mexbench_plugins.models._nn.network_model import Network, NetworkModel, Shape, shown


@dataclass(frozen=True, kw_only=True)
class CNN(NetworkModel):
    """Plain convolutional network on single images of any size: conv 3x3, ReLU, pool 2x2, as often as told; dense.

    The paper compares with "CNN" and gives neither sizes nor recipe: this is the usual textbook network, and the recipe
    is that of the model it is compared with. Initial weights are Keras's.

    Args:
        filters: Of each convolution, 3x3 with an equal output size, each followed by ReLU and max-pooling 2x2.
        hidden: Units of the dense layer before the last.
        epochs: Those of the AU-CNN.
        batch_size: That of the AU-CNN.
    """

    source = "baseline of the AU-CNN paper (2024), table 4, where architecture and recipe are unstated"
    example_shape = (1, 128, 128, 3)

    filters: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = (16, 32, 64)
    hidden: Annotated[int, Ge(1)] = 64
    epochs: Annotated[int, Ge(1)] = 45
    batch_size: Annotated[int, Ge(1)] = 32

    def check(self, shape: Shape) -> None:
        """Refuse clips, and images too small to be halved once per convolution."""
        least = 2 ** len(self.filters)
        if len(shape) != 4 or shape[0] != 1 or min(shape[1:3]) < least:
            raise DataError(
                f"cnn needs (n, T=1, H, W, C) images of at least {least}x{least} pixels, got {shown(shape)}; it looks "
                "at single frames: choose one, or let each frame be a sample; add resize to small ones"
            )

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> PlainCNN:
        """Build the network."""
        return PlainCNN(shape, n_classes, self.filters, self.hidden, rng)


class PlainCNN(Network):
    """Convolutions and poolings in turn, then two dense layers."""

    def __init__(self, shape: Shape, n_classes: int, filters: tuple[int, ...], hidden: int, rng: Generator) -> None:
        _, height, width, channels = shape
        sizes = zip((channels, *filters), filters, strict=False)
        self.convolutions = nnx.List(Conv(before, after, 3, padding="SAME", rng=rng) for before, after in sizes)
        flat = (height >> len(filters)) * (width >> len(filters)) * filters[-1]
        self.dense1 = Dense(flat, hidden, rng=rng)
        self.dense2 = Dense(hidden, n_classes, rng=rng)

    def __call__(self, x: Array, batch: StepContext | None) -> Array:
        """Return logits (n, classes) for x (n, T=1, H, W, C)."""
        del batch
        x = x[:, 0]
        for convolution in self.convolutions:
            x = max_pool(jax.nn.relu(convolution(x)), 2, 2)
        x = record("Flatten", x.reshape(len(x), -1))
        return self.dense2(jax.nn.relu(self.dense1(x)))
