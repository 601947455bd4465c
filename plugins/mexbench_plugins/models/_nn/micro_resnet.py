"""The residual network that HybridMicroNet and the AU-CNN share; the file of each says what goes in."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.layers import (
    BatchNorm,
    Conv,
    Dense,
    StepContext,
    global_average_pool,
    max_pool,
    record,
)
from mexbench_plugins.models._nn.network_model import Network

Activation = Literal["relu", "sigmoid", "tanh", "elu"]
_ACTIVATIONS = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "elu": jax.nn.elu}


class ResidualBlock(nnx.Module):
    """Conv, BN, activation, conv, BN, add the shortcut, activation.

    Args:
        inputs: Input channels.
        filters: Of both convolutions; where they differ from the input's, a 1x1 convolution and BN fit the shortcut.
        activation: By name.
        batch_norm: False leaves every BN out.
        rng: Source of the initial weights.
    """

    def __init__(self, inputs: int, filters: int, *, activation: Activation, batch_norm: bool, rng: Generator) -> None:
        self.activation: Activation = activation
        self.conv1 = Conv(inputs, filters, 3, padding="SAME", normalised=batch_norm, rng=rng)
        self.norm1 = BatchNorm(filters) if batch_norm else None
        self.conv2 = Conv(filters, filters, 3, padding="SAME", normalised=batch_norm, rng=rng)
        self.norm2 = BatchNorm(filters) if batch_norm else None
        fits = inputs == filters
        self.shortcut = None if fits else Conv(inputs, filters, 1, normalised=batch_norm, rng=rng)
        self.shortcut_norm = BatchNorm(filters) if batch_norm and not fits else None

    def __call__(self, x: Array, batch: StepContext | None) -> Array:
        """Map (n, H, W, inputs) to (n, H, W, filters)."""
        activate = _ACTIVATIONS[self.activation]
        y = activate(_normalised(self.norm1, self.conv1(x), batch))
        y = _normalised(self.norm2, self.conv2(y), batch)
        if self.shortcut is not None:
            x = _normalised(self.shortcut_norm, self.shortcut(x), batch)
        return activate(record("Add", y + x))


class ResidualAttention(nnx.Module):
    """Attention that can strengthen a value but never silence it: F (1 + M), M = sigmoid of two 1x1 convolutions.

    The papers name "residual attention units" without saying what they are; this is the smallest that deserves the
    name (Wang et al., Residual attention network for image classification, CVPR 2017, equation 3).

    Args:
        filters: Channels of the input and of both convolutions.
        rng: Source of the initial weights.
    """

    def __init__(self, filters: int, *, rng: Generator) -> None:
        self.conv1 = Conv(filters, filters, 1, rng=rng)
        self.conv2 = Conv(filters, filters, 1, rng=rng)

    def __call__(self, x: Array) -> Array:
        """Weigh (n, H, W, filters)."""
        return record("ResidualAttention", x * (1 + jax.nn.sigmoid(self.conv2(jax.nn.relu(self.conv1(x))))))


class MicroResNet(Network):
    """Pad 3, conv 7x7/2 16, BN, activation, maxpool 3x3/2, RLayers(16, 16), RLayers(32, 32), average, dense.

    Args:
        inputs: Channels of the input.
        n_classes: Units of the last layer.
        joined: How many of the last channels are no image: their values at the first pixel join the averages.
        padding_value: What the three pixels around the input hold.
        residual_attention: Whether attention follows each RLayers.
        layers: Convolutions on the main path: 5, or 3 without the last RLayers, or 1 without both.
        batch_norm: False leaves every BN out.
        activation: Of every layer but the last.
        rng: Source of the initial weights.
    """

    def __init__(
        self,
        inputs: int,
        n_classes: int,
        *,
        joined: int = 0,
        padding_value: float = 0.0,
        residual_attention: bool = False,
        layers: Literal[1, 3, 5] = 5,
        batch_norm: bool = True,
        activation: Activation = "relu",
        rng: Generator,
    ) -> None:
        self.activation: Activation = activation
        self.joined = joined
        self.conv = Conv(
            inputs - joined, 16, 7, stride=2, padding=3, padding_value=padding_value, normalised=batch_norm, rng=rng
        )
        self.norm = BatchNorm(16) if batch_norm else None
        sizes = {1: (), 3: ((16, 16),), 5: ((16, 16), (16, 32))}[layers]
        self.blocks = nnx.List(
            ResidualBlock(before, after, activation=activation, batch_norm=batch_norm, rng=rng)
            for before, after in sizes
        )
        self.attention = nnx.List(
            ResidualAttention(after, rng=rng) if residual_attention else None for _, after in sizes
        )
        self.dense = Dense((sizes[-1][1] if sizes else 16) + joined, n_classes, rng=rng)

    def __call__(self, x: Array, batch: StepContext | None) -> Array:
        """Return logits (n, classes) for x (n, T=1, H, W, C)."""
        x, vector = jnp.split(x[:, 0], [x.shape[-1] - self.joined], axis=-1)
        # For the table alone: the convolution pads by itself.
        record("Padding 3", jnp.pad(x, [(0, 0), (3, 3), (3, 3), (0, 0)]))
        x = self.conv(x)
        x = _ACTIVATIONS[self.activation](_normalised(self.norm, x, batch))
        x = max_pool(x, 3, 2)
        for block, attention in zip(self.blocks, self.attention, strict=True):
            x = block(x, batch)
            x = x if attention is None else attention(x)
        x = global_average_pool(x)
        if self.joined:
            x = record("Concatenate", jnp.concatenate([x, vector[:, 0, 0]], axis=1))
        return self.dense(x)


def _normalised(norm: BatchNorm | None, x: Array, batch: StepContext | None) -> Array:
    return x if norm is None else norm(x, batch)
