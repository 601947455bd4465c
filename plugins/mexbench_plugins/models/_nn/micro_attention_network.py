"""The layers of Micro-Attention."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.batch_norm_layer import BatchNorm
from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, dropout, record
from mexbench_plugins.models._nn.pooling import max_pool


class Block(nnx.Module):
    """a = conv 3x3, BN, ReLU; b = the same on a; m = 1x1 of the input; s = b + m; s + s x weights; max-pool."""

    def __init__(self, inputs: int, filters: int, rng: Generator) -> None:
        def conv(channels: int, count: int, size: int) -> Conv:
            return Conv(channels, count, size, padding=size // 2, convention="torch", rng=rng)

        self.conv1, self.norm1 = conv(inputs, filters, 3), BatchNorm(filters, convention="torch")
        self.conv2, self.norm2 = conv(filters, filters, 3), BatchNorm(filters, convention="torch")
        self.shortcut = conv(inputs, filters, 1)
        # Its bias adds one number to all logits of a picture, which the softmax takes away: it never acts. Left in
        # the gradient, it would be rounding.
        self.attend = conv(3 * filters, 3 * filters, 1)

    def __call__(self, x: Array, context: Context) -> Array:
        """Map (n, H, W, inputs) to (n, H / 2, W / 2, filters)."""
        a = jax.nn.relu(self.norm1.after(self.conv1, x, context))
        b = jax.nn.relu(self.norm2.after(self.conv2, a, context))
        m = self.shortcut(x)
        s = b + m
        logits = self.attend.without_bias(jnp.concatenate([a, b, m], axis=-1)).mean(-1, keepdims=True)
        return max_pool(record("Spatial attention", s + s * jax.nn.softmax(logits, axis=(1, 2))), 2, 2)


class MicroAttentionLayers(Network):
    """Output shapes and trainable values for the published size and 3 classes: 53,384,195 in all."""

    def __init__(self, n_classes: int, rng: Generator, *, dropout: float, filters: int, hidden: int) -> None:
        self.rate = dropout
        self.conv = Conv(3, filters, 7, stride=2, padding=3, convention="torch", rng=rng)
        self.block1 = Block(filters, 2 * filters, rng)
        self.block2 = Block(2 * filters, 4 * filters, rng)
        self.block3 = Block(4 * filters, 8 * filters, rng)
        self.dense1 = Dense(7 * 7 * 8 * filters, hidden, convention="torch", rng=rng)
        self.dense2 = Dense(hidden, n_classes, convention="torch", rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=1, 224, 224, 3)."""
        x = self.conv(x[:, 0])  #                                     112 x 112 x 32         4,736
        x = jax.nn.relu(max_pool(x, 3, 2, padding=1))  #                56 x 56 x 32             0
        x = self.block1(x, context)  #                                  28 x 28 x 64        94,848
        x = self.block2(x, context)  #                                 14 x 14 x 128       378,112
        x = self.block3(x, context)  #                                   7 x 7 x 256     1,509,888
        x = record("Flatten", x.reshape(len(x), -1))  #                       12,544             0
        x = dropout(jax.nn.relu(self.dense1(x)), self.rate, context)  #        4,096    51,384,320
        return self.dense2(x)  #                                                   3        12,291
