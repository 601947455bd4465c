"""The residual blocks that HybridMicroNet (RLayers) and the AU-CNN (RepeatLayers) share."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.batch_norm_layer import BatchNorm
from mexbench_plugins.models._nn.layers import Context, Conv, record
from mexbench_plugins.models._nn.recipe import Activation

ACTIVATIONS = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "elu": jax.nn.elu}


class ResidualBlock(nnx.Module):
    """Conv 3x3, BN, activation, conv 3x3, BN, add the shortcut, activation.

    Args:
        inputs: Input channels.
        filters: Of both convolutions; where they differ from the input's, a 1x1 convolution and BN fit the shortcut.
        activation: By name.
        batch_norm: False removes every BN.
        rng: Source of the initial weights.
    """

    def __init__(
        self, inputs: int, filters: int, *, activation: Activation = "relu", batch_norm: bool = True, rng: Generator
    ) -> None:
        self.activation: Activation = activation
        self.conv1 = Conv(inputs, filters, 3, padding="SAME", rng=rng)
        self.norm1 = BatchNorm(filters) if batch_norm else None
        self.conv2 = Conv(filters, filters, 3, padding="SAME", rng=rng)
        self.norm2 = BatchNorm(filters) if batch_norm else None
        fits = inputs == filters
        self.shortcut = None if fits else Conv(inputs, filters, 1, rng=rng)
        self.shortcut_norm = BatchNorm(filters) if batch_norm and not fits else None

    def __call__(self, x: Array, context: Context) -> Array:
        """Map (n, H, W, inputs) to (n, H, W, filters)."""
        activate = ACTIVATIONS[self.activation]
        y = activate(normalise(self.norm1, self.conv1, x, context))
        y = normalise(self.norm2, self.conv2, y, context)
        if self.shortcut is not None:
            x = normalise(self.shortcut_norm, self.shortcut, x, context)
        return activate(record("Add", y + x))


class ResidualAttention(nnx.Module):
    """Attention that can strengthen a value but never silence it: F (1 + M), M = sigmoid of two 1x1 convolutions.

    The papers name "residual attention units" without describing them; this is the smallest module of that name (Wang
    et al., Residual attention network for image classification, CVPR 2017, equation 3).

    Args:
        filters: Channels of the input and of both convolutions.
        rng: Source of the initial weights.
    """

    def __init__(self, filters: int, *, rng: Generator) -> None:
        self.conv1 = Conv(filters, filters, 1, rng=rng)
        self.conv2 = Conv(filters, filters, 1, rng=rng)

    def __call__(self, x: Array) -> Array:
        """Weight (n, H, W, filters)."""
        return record("ResidualAttention", x * (1 + jax.nn.sigmoid(self.conv2(jax.nn.relu(self.conv1(x))))))


def normalise(norm: BatchNorm | None, conv: Conv, x: Array, context: Context) -> Array:
    """Convolve x and apply batch normalisation where a network has it."""
    return conv(x) if norm is None else norm.after(conv, x, context)
