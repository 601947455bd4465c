"""The layers of MACNN."""

from __future__ import annotations

import jax
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, dropout, record
from mexbench_plugins.models._nn.pooling import max_pool


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

    def __init__(self, n_classes: int, rng: Generator, *, dropout: float, filters: int, hidden: int) -> None:
        self.rate = dropout
        self.block1, self.block2 = ResidualWithoutNorm(3, filters, rng), ResidualWithoutNorm(filters, 2 * filters, rng)
        self.block3, self.block4 = (
            ResidualWithoutNorm(2 * filters, 4 * filters, rng),
            ResidualWithoutNorm(4 * filters, 8 * filters, rng),
        )
        self.dilated4 = _conv(8 * filters, 8 * filters, 3, rng, dilation=4)
        self.dilated2 = _conv(8 * filters, 8 * filters, 3, rng, dilation=2)
        self.dense1 = Dense(7 * 7 * 8 * filters, hidden, convention="torch", rng=rng)
        self.dense2 = Dense(hidden, hidden, convention="torch", rng=rng)
        self.dense3 = Dense(hidden, n_classes, convention="torch", rng=rng)

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
