"""The layers of RCN-A."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.batch_norm_layer import EPSILON, BatchNorm, moments
from mexbench_plugins.models._nn.layers import Context, Conv, Network, StepContext, dropout, normal, record, unrecorded
from mexbench_plugins.models._nn.pooling import adaptive_average_pool, max_pool


class Statistics(nnx.Module):
    """Mean and variance, without weights."""

    def __init__(self, features: int) -> None:
        self.mean, self.var = nnx.BatchStat(jnp.zeros(features)), nnx.BatchStat(jnp.ones(features))


class Recurrence(nnx.Module):
    """y = f(x), then twice y = r(x + y): the two applications of r share its weights, and in training its statistics.

    The second application has a place for statistics of its own: after training, exact ones are measured there.
    """

    def __init__(self, filters: int, rng: Generator) -> None:
        self.first, self.first_norm = _conv(filters, filters, 1, 0, rng), BatchNorm(filters, convention="torch")
        self.again, self.norm = _conv(filters, filters, 3, 1, rng), BatchNorm(filters, convention="torch")
        self.second = Statistics(filters)

    def __call__(self, x: Array, context: Context) -> Array:
        """Map (n, H, W, filters) to (n, H, W, filters)."""
        y = jax.nn.relu(self.first_norm.after(self.first, x, context))
        y = jax.nn.relu(self.norm.after(self.again, x + y, context))
        with unrecorded():
            y = jax.nn.relu(self._normalise_second(x + y, context))
        return record("Conv2D 3x3 and BatchNormalization again", y, self.second)

    def _normalise_second(self, x: Array, context: Context) -> Array:
        if isinstance(context, StepContext):
            y = self.norm.after(self.again, x, context)
            self.second.mean[...], self.second.var[...] = self.norm.mean[...], self.norm.var[...]
            return y
        y, mean, var = self.again(x), self.second.mean[...], self.second.var[...]
        if context is not None:
            self.second.mean[...], self.second.var[...] = moments(y, context.mask)
        factor = self.norm.scale[...] * jax.lax.rsqrt(var + EPSILON["torch"])
        return (y - mean) * factor + self.norm.bias[...]


class Classifier(nnx.Module):
    """The linear layer, whose weights (pool, pool, filters, classes) are what the attention looks for."""

    def __init__(self, pool: int, filters: int, n_classes: int, rng: Generator) -> None:
        self.kernel = nnx.Param(normal(rng, (pool, pool, filters, n_classes), 0.01))
        self.bias = nnx.Param(jnp.zeros(n_classes))

    def __call__(self, x: Array) -> Array:
        """Map (n, pool, pool, filters) to logits (n, classes)."""
        y = x.reshape(len(x), -1) @ self.kernel[...].reshape(-1, self.kernel.shape[-1]) + self.bias[...]
        return record(f"Dense {y.shape[1]}", y, self)


def _conv(inputs: int, filters: int, size: int, padding: int, rng: Generator) -> Conv:
    """Build a convolution with He's normal weights by fan-out and PyTorch's biases."""
    conv = Conv(inputs, filters, size, padding=padding, convention="torch", rng=rng)
    conv.kernel = nnx.Param(normal(rng, (size, size, inputs, filters), (2 / (size * size * filters)) ** 0.5))
    return conv


class RCNALayers(Network):
    """Output shapes and trainable values for 64 filters, a pool of 7 and 3 classes: 55,747 in all."""

    def __init__(self, n_classes: int, rng: Generator, *, pool: int, dropout: float, filters: int) -> None:
        self.pool, self.dropout = pool, dropout
        self.conv, self.norm = _conv(3, filters, 5, 0, rng), BatchNorm(filters, convention="torch")
        self.recurrence = Recurrence(filters, rng)
        self.classifier = Classifier(pool, filters, n_classes, rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=1, 28, 28, 3)."""
        x = jax.nn.relu(self.norm.after(self.conv, x[:, 0], context))  # 24 x 24 x 64         4,992
        x = max_pool(x, 2, 2)  #                                        12 x 12 x 64             0
        x = dropout(x, self.dropout, context)  #                        12 x 12 x 64             0
        attention = self.attention(x)  #                                   7 x 7 x 1             0
        x = self.recurrence(x, context)  #                              12 x 12 x 64        41,344
        x = max_pool(x, 2, 2)  #                                          6 x 6 x 64             0
        x = dropout(x, self.dropout, context, 1)  #                       6 x 6 x 64             0
        x = adaptive_average_pool(x, self.pool) * attention  #            7 x 7 x 64             0
        return self.classifier(x)  #                                              3         9,411

    def attention(self, x: Array) -> Array:
        """Return where the classes' own weights find something (n, pool, pool, 1), from 0 to 1.

        Each class: features times its weights, mean over channels, least 0 and largest 1; then the mean over classes.
        """
        with unrecorded():
            pooled = adaptive_average_pool(x, self.pool)
        maps = jnp.einsum("nijc,ijck->nijk", pooled, self.classifier.kernel[...]) / x.shape[-1]
        least, largest = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
        flat = largest == least
        scaled = jnp.where(flat, 0, (maps - least) / jnp.where(flat, 1, largest - least))
        return record("Attention", scaled.mean(-1, keepdims=True))
