"""The layers of Dual-Inception."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.layers import Context, Conv, Convention, Dense, Network, record
from mexbench_plugins.models._nn.pooling import max_pool


class Inception(nnx.Module):
    """Four paths side by side, then max-pooling.

    Args:
        inputs: Input channels.
        filters: Of each convolution.
        plain_relu: Whether the path of one 1x1 convolution has an activation.
        convention: Whose initial weights.
        rng: Source of the initial weights.
    """

    def __init__(self, inputs: int, filters: int, *, plain_relu: bool, convention: Convention, rng: Generator) -> None:
        def conv(channels: int, size: int) -> Conv:
            return Conv(channels, filters, size, padding="SAME", convention=convention, rng=rng)

        self.plain_relu = plain_relu
        self.plain = conv(inputs, 1)
        self.reduce3, self.conv3 = conv(inputs, 1), conv(filters, 3)
        self.reduce5, self.conv5 = conv(inputs, 1), conv(filters, 5)
        self.pooled = conv(inputs, 1)

    def __call__(self, x: Array) -> Array:
        """Map (n, H, W, inputs) to (n, H / 2, W / 2, 4 * filters)."""
        plain = self.plain(x)
        paths = [
            jax.nn.relu(plain) if self.plain_relu else plain,
            jax.nn.relu(self.conv3(jax.nn.relu(self.reduce3(x)))),
            jax.nn.relu(self.conv5(jax.nn.relu(self.reduce5(x)))),
            jax.nn.relu(self.pooled(max_pool(x, 3, 1, padding=1))),
        ]
        return max_pool(record("Concatenate", jnp.concatenate(paths, axis=-1)), 2, 2)


class InceptionStream(nnx.Module):
    """The layers of one component; values of the original, with three channels."""

    def __init__(self, channels: int, *, plain_relu: bool, convention: Convention, rng: Generator) -> None:
        self.block1 = Inception(channels, 6, plain_relu=plain_relu, convention=convention, rng=rng)
        self.block2 = Inception(24, 16, plain_relu=plain_relu, convention=convention, rng=rng)

    def __call__(self, x: Array) -> Array:
        """Map (n, 28, 28, channels) to (n, 3136)."""
        x = self.block1(x)  #                                     14 x 14 x 24          1,332
        x = self.block2(x)  #                                       7 x 7 x 64         10,336
        return record("Flatten", x.reshape(len(x), -1))  #               3,136              0


class DualInceptionLayers(Network):
    """A stream per component and two dense layers; output shapes and values for 3 classes: 6,449,963 in all."""

    def __init__(self, variant: str, n_classes: int, rng: Generator) -> None:
        original = variant == "original"
        convention: Convention = "keras" if original else "torch"
        self.channels = 3 if original else 1
        self.u = InceptionStream(self.channels, plain_relu=original, convention=convention, rng=rng)
        self.v = InceptionStream(self.channels, plain_relu=original, convention=convention, rng=rng)
        self.dense1 = Dense(2 * 7 * 7 * 64, 1024, convention=convention, rng=rng)
        self.dense2 = Dense(1024, n_classes, convention=convention, rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=1, 28, 28, C), of which the first two channels are u and v."""
        del context
        u, v = (jnp.repeat(x[:, 0, ..., i : i + 1], self.channels, axis=-1) for i in (0, 1))
        u = self.u(u)  #                                                 3,136         11,668
        v = self.v(v)  #                                                 3,136         11,668
        x = record("Concatenate", jnp.concatenate([u, v], axis=1))  #    6,272              0
        x = jax.nn.relu(self.dense1(x))  #                               1,024      6,423,552
        return self.dense2(x)  #                                             3          3,075
