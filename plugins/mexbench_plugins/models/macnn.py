"""MACNN: residual blocks, dilated convolutions and wide dense layers on flow of 112x112."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import jax
from annotated_types import Ge, Gt, Le, Lt
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, dropout, max_pool, record
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image
from mexbench_plugins.models._nn.recipe import StepDecay
from mexbench_plugins.models.htnet import RESIZED

PUBLISHED = (32, 4096)


@dataclass(frozen=True, kw_only=True)
class MACNN(NetworkModel, StepDecay):
    """Four residual blocks, two dilated convolutions, three dense layers on 112x112: 70,573,923 values for 3 classes.

    Layers and recipe are those of the re-implementation in Off-TANet's repository, whose input is TV-L1 flow of faces
    of 112x112; a flow pack of 28x28 that is enlarged is another input. Those authors keep the epoch with the best mean
    recall on the held-out subjects; here the last epoch predicts. Other filters or hidden units than the published flag
    the row ``resized-network``. Whole-number pixels are divided by 255 where those authors do not scale;
    ``pixels: raw`` does as they do.

    Args:
        filters: Of the first block; each next one has twice as many.
        hidden: Units of each hidden dense layer.
        dropout: Share of the values that are set to zero after each hidden dense layer.
        learning_rate: As in that code, at the beginning.
        decay_every: As in that code.
        decay_factor: As in that code.
        epochs: As in that code; the last epoch is what predicts.
        batch_size: As in that code.
    """

    source = "MACNN as re-implemented in the public code of Off-TANet (PRICAI 2021)"
    example_shape = (1, 112, 112, 3)
    cuts_batches = True
    has_batch_norm = False

    filters: Annotated[int, Ge(1)] = PUBLISHED[0]
    hidden: Annotated[int, Ge(1)] = PUBLISHED[1]
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    decay_every: Annotated[int, Ge(1)] = 50
    decay_factor: Annotated[float, Gt(0), Le(1)] = 0.9
    epochs: Annotated[int, Ge(1)] = 501
    batch_size: Annotated[int, Ge(1)] = 64

    def flags(self) -> tuple[str, ...]:
        """Name a network of another size than the published one."""
        return (*super().flags(), *([RESIZED] if (self.filters, self.hidden) != PUBLISHED else []))

    def check(self, shape: Shape) -> None:
        """Refuse anything but one flow image of 112x112x3."""
        check_single_image("macnn", shape, (112, 112, 3), "resize flow with strain to 112x112")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> MACNNLayers:
        """Build the network."""
        del shape
        return MACNNLayers(self, n_classes, rng)


def _conv(inputs: int, filters: int, size: int, rng: Generator, dilation: int = 1) -> Conv:
    return Conv(inputs, filters, size, padding=size // 2 * dilation, dilation=dilation, convention="torch", rng=rng)


class ResidualWithoutNorm(nnx.Module):
    """Twice conv 3x3, ReLU; plus a 1x1 convolution of the input; max-pool."""

    def __init__(self, inputs: int, filters: int, rng: Generator) -> None:
        self.conv1, self.conv2 = _conv(inputs, filters, 3, rng), _conv(filters, filters, 3, rng)
        self.shortcut = _conv(inputs, filters, 1, rng)

    def __call__(self, x: Array) -> Array:
        """Map (n, H, W, inputs) to (n, H / 2, W / 2, filters)."""
        y = jax.nn.relu(self.conv2(jax.nn.relu(self.conv1(x))))
        return max_pool(record("Add", y + self.shortcut(x)), 2, 2)


class MACNNLayers(Network):
    """Output shapes and values for the published size and 3 classes: 70,573,923 in all."""

    def __init__(self, model: MACNN, n_classes: int, rng: Generator) -> None:
        self.rate, filters = model.dropout, model.filters
        self.block1, self.block2 = ResidualWithoutNorm(3, filters, rng), ResidualWithoutNorm(filters, 2 * filters, rng)
        self.block3, self.block4 = (
            ResidualWithoutNorm(2 * filters, 4 * filters, rng),
            ResidualWithoutNorm(4 * filters, 8 * filters, rng),
        )
        self.dilated4 = _conv(8 * filters, 8 * filters, 3, rng, dilation=4)
        self.dilated2 = _conv(8 * filters, 8 * filters, 3, rng, dilation=2)
        self.dense1 = Dense(7 * 7 * 8 * filters, model.hidden, convention="torch", rng=rng)
        self.dense2 = Dense(model.hidden, model.hidden, convention="torch", rng=rng)
        self.dense3 = Dense(model.hidden, n_classes, convention="torch", rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=1, 112, 112, 3)."""
        x = self.block1(x[:, 0])  #                                   56 x 56 x 32        10,272
        x = self.block2(x)  #                                         28 x 28 x 64        57,536
        x = self.block3(x)  #                                        14 x 14 x 128       229,760
        x = self.block4(x)  #                                          7 x 7 x 256       918,272
        x = jax.nn.relu(self.dilated4(x))  #                           7 x 7 x 256       590,080
        x = jax.nn.relu(self.dilated2(x))  #                           7 x 7 x 256       590,080
        x = record("Flatten", x.reshape(len(x), -1))  #                     12,544             0
        x = dropout(jax.nn.relu(self.dense1(x)), self.rate, context)  #      4,096    51,384,320
        x = dropout(jax.nn.relu(self.dense2(x)), self.rate, context, 1)  #   4,096    16,781,312
        return self.dense3(x)  #                                                 3        12,291
