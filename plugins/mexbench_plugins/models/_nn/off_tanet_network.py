"""The layers of Off-TANet."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.batch_norm_layer import BatchNorm
from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, dropout, record, uniform
from mexbench_plugins.models._nn.pooling import max_pool


def conv(inputs: int, filters: int, size: int, rng: Generator, *, stride: int = 1) -> Conv:
    """Build a convolution that keeps the side, or divides it by the stride, with PyTorch's initial weights."""
    return Conv(inputs, filters, size, stride=stride, padding=size // 2, convention="torch", rng=rng)


class ResidualWithNorm(nnx.Module):
    """Twice conv 3x3, BN, ReLU; plus a 1x1 convolution of the input; max-pool."""

    def __init__(self, inputs: int, filters: int, rng: Generator) -> None:
        self.conv1, self.norm1 = conv(inputs, filters, 3, rng), BatchNorm(filters, convention="torch")
        self.conv2, self.norm2 = conv(filters, filters, 3, rng), BatchNorm(filters, convention="torch")
        self.shortcut = conv(inputs, filters, 1, rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Map (n, H, W, inputs) to (n, H / 2, W / 2, filters)."""
        y = jax.nn.relu(self.norm1.after(self.conv1, x, context))
        y = jax.nn.relu(self.norm2.after(self.conv2, y, context))
        return max_pool(record("Add", y + self.shortcut(x)), 2, 2)


def positions(side: int) -> Array:
    """Return the position matrix (side, side): x_i + x_j, x_i a sine for even i and a cosine for odd i."""
    index = np.arange(side)
    angle = 10000.0 ** -(index // 2 / side)
    wave = np.where(index % 2 == 0, np.sin(angle), np.cos(angle))
    return jnp.asarray(wave[:, None] + wave, jnp.float32)


class Heads(nnx.Module):
    """Heads whose queries, keys and values are 1x1 convolutions, and each channel a square matrix.

    A channel's logits are Q K' + Q P'; their softmax is over all entries of the matrix, and it multiplies the values
    entry by entry. The heads share no weight across channels, so all of them are one convolution.
    """

    def __init__(self, channels: int, rng: Generator) -> None:
        self.kernel = nnx.Param(uniform(rng, (channels, 3, channels), channels**-0.5))
        self.bias = nnx.Param(uniform(rng, (3, channels), channels**-0.5))

    def __call__(self, x: Array) -> Array:
        """Map (n, S, S, channels) to (n, S, S, channels)."""
        query, key, value = jnp.moveaxis(jnp.einsum("nijc,cpf->nijpf", x, self.kernel[...]) + self.bias[...], 3, 0)
        return record("Attention heads", self.weights(query, key) * value, self)

    def weights(self, query: Array, key: Array) -> Array:
        """Return weights (n, S, S, channels), which sum to 1 over each matrix."""
        logits = jnp.einsum("nikf,njkf->nijf", query, key + positions(key.shape[1])[:, :, None])
        return jax.nn.softmax(logits, axis=(1, 2))


class AttentionBlock(nnx.Module):
    """Channel gate, spatial gate, attention heads; plus a 1x1 convolution of the input; max-pool."""

    def __init__(self, inputs: int, filters: int, rng: Generator) -> None:
        self.conv1, self.norm1 = conv(inputs, inputs, 3, rng), BatchNorm(inputs, convention="torch")
        self.squeeze = nnx.Param(uniform(rng, (inputs, 1), inputs**-0.5))
        self.expand = nnx.Param(uniform(rng, (1, inputs), 1.0))
        self.spatial = nnx.Param(uniform(rng, (3, 3, 2, 1), 18**-0.5))
        self.heads = Heads(inputs, rng)
        self.conv2, self.norm2 = conv(inputs, filters, 3, rng), BatchNorm(filters, convention="torch")
        self.shortcut = conv(inputs, filters, 1, rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Map (n, 14, 14, inputs) to (n, 7, 7, filters)."""
        y = jax.nn.relu(self.norm1.after(self.conv1, x, context))
        pooled = jnp.stack([y.mean((1, 2)), y.max((1, 2))])
        gate = jax.nn.sigmoid((jax.nn.relu(pooled @ self.squeeze[...]) @ self.expand[...]).sum(0))
        y = record("Channel gate", y * gate[:, None, None], _Weights(self.squeeze, self.expand))
        maps = jnp.stack([y.mean(-1), y.max(-1)], axis=-1)
        gate = jax.lax.conv_general_dilated(
            maps, self.spatial[...], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        y = record("Spatial gate", y * jax.nn.sigmoid(gate), _Weights(self.spatial))
        y = self.heads(y)
        y = jax.nn.relu(self.norm2.after(self.conv2, y, context))
        return max_pool(record("Add", y + self.shortcut(x)), 2, 2)


class _Weights(nnx.Module):
    """Parameters that one row of the table counts."""

    def __init__(self, *params: nnx.Param[Array]) -> None:
        self.params = nnx.List(params)


class OffTANetLayers(Network):
    """Output shapes and trainable values for 3 classes: 59,403 in all."""

    def __init__(self, rate: float, n_classes: int, rng: Generator) -> None:
        self.rate = rate
        self.conv, self.norm = conv(3, 8, 7, rng, stride=2), BatchNorm(8, convention="torch")
        self.residual1, self.residual2 = ResidualWithNorm(8, 18, rng), ResidualWithNorm(18, 28, rng)
        self.attention = AttentionBlock(28, 8, rng)
        self.dense1 = Dense(7 * 7 * 8, 64, convention="torch", rng=rng)
        self.dense2 = Dense(64, 64, convention="torch", rng=rng)
        self.dense3 = Dense(64, n_classes, convention="torch", rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=1, 112, 112, 3)."""
        x = self.norm(jax.nn.relu(self.conv(x[:, 0])), context)  #    56 x 56 x 8         1,200
        x = self.residual1(x, context)  #                            28 x 28 x 18         4,482
        x = self.residual2(x, context)  #                            14 x 14 x 28        12,292
        x = self.attention(x, context)  #                               7 x 7 x 8        11,922
        x = record("Flatten", x.reshape(len(x), -1))  #                       392             0
        x = dropout(jax.nn.relu(self.dense1(x)), self.rate, context)  #        64        25,152
        x = dropout(jax.nn.relu(self.dense2(x)), self.rate, context, 1)  #     64         4,160
        return self.dense3(x)  #                                                3           195
