"""Micro-Attention: residual blocks with spatial attention on flow of 224x224."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
from annotated_types import Ge, Gt, Le, Lt
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.layers import (
    BatchNorm,
    Context,
    Conv,
    Dense,
    Network,
    dropout,
    max_pool,
    record,
)
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image
from mexbench_plugins.models._nn.recipe import Optimiser, StepDecay
from mexbench_plugins.models.htnet import RESIZED

PUBLISHED = (32, 4096)


@dataclass(frozen=True, kw_only=True)
class MicroAttention(NetworkModel, StepDecay):
    """Three residual blocks with spatial attention on flow of 224x224: 53,384,195 trainable values for 3 classes.

    Layers and recipe are those of the re-implementation in Off-TANet's repository, whose input is TV-L1 flow of faces
    of 224x224; a flow pack of 28x28 that is enlarged is another input. Those authors keep the epoch with the best mean
    recall on the held-out subjects; here the last epoch predicts, and statistics of batch normalisation are exact ones
    (``batch_norm_statistics``). Other filters or hidden units than the published flag the row ``resized-network``.
    Whole-number pixels are divided by 255 where those authors do not scale; ``pixels: raw`` does as they do.

    Args:
        filters: Of the first convolution; the blocks have 2, 4 and 8 times as many.
        hidden: Units of the hidden dense layer.
        dropout: Share of the values that are set to zero after the hidden dense layer.
        optimiser: As in that code.
        learning_rate: As in that code, at the beginning.
        momentum: As in that code.
        weight_decay: As in that code.
        decay_every: As in that code.
        decay_factor: As in that code.
        epochs: As in that code; the last epoch is what predicts.
        batch_size: As in that code.
    """

    source = "Micro-Attention as re-implemented in the public code of Off-TANet (PRICAI 2021)"
    example_shape = (1, 224, 224, 3)
    cuts_batches = True

    filters: Annotated[int, Ge(1)] = PUBLISHED[0]
    hidden: Annotated[int, Ge(1)] = PUBLISHED[1]
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    optimiser: Optimiser = "sgd"
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    weight_decay: Annotated[float, Ge(0)] = 5e-4
    decay_every: Annotated[int, Ge(1)] = 10
    decay_factor: Annotated[float, Gt(0), Le(1)] = 0.1
    epochs: Annotated[int, Ge(1)] = 51
    batch_size: Annotated[int, Ge(1)] = 10

    def flags(self) -> tuple[str, ...]:
        """Name a network of another size than the published one."""
        return (*super().flags(), *([RESIZED] if (self.filters, self.hidden) != PUBLISHED else []))

    def check(self, shape: Shape) -> None:
        """Refuse anything but one flow image of 224x224x3."""
        check_single_image("micro_attention", shape, (224, 224, 3), "resize flow with strain to 224x224")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> MicroAttentionLayers:
        """Build the network."""
        del shape
        return MicroAttentionLayers(self, n_classes, rng)


class Block(nnx.Module):
    """a = conv 3x3, BN, ReLU; b = the same on a; m = 1x1 of the input; s = b + m; s + s x weights; max-pool."""

    def __init__(self, inputs: int, filters: int, rng: Generator) -> None:
        def conv(channels: int, count: int, size: int, *, normalised: bool = False) -> Conv:
            return Conv(channels, count, size, padding=size // 2, convention="torch", normalised=normalised, rng=rng)

        self.conv1, self.norm1 = conv(inputs, filters, 3, normalised=True), BatchNorm(filters, convention="torch")
        self.conv2, self.norm2 = conv(filters, filters, 3, normalised=True), BatchNorm(filters, convention="torch")
        self.shortcut = conv(inputs, filters, 1)
        # Its bias adds one number to all logits of a picture, which the softmax takes away: it never acts. Left in
        # the gradient, it would be rounding.
        self.attend = conv(3 * filters, 3 * filters, 1, normalised=True)

    def __call__(self, x: Array, context: Context) -> Array:
        """Map (n, H, W, inputs) to (n, H / 2, W / 2, filters)."""
        a = jax.nn.relu(self.norm1(self.conv1(x), context))
        b = jax.nn.relu(self.norm2(self.conv2(a), context))
        m = self.shortcut(x)
        s = b + m
        logits = self.attend(jnp.concatenate([a, b, m], axis=-1)).mean(-1, keepdims=True)
        return max_pool(record("Spatial attention", s + s * jax.nn.softmax(logits, axis=(1, 2))), 2, 2)


class MicroAttentionLayers(Network):
    """Output shapes and trainable values for the published size and 3 classes: 53,384,195 in all."""

    def __init__(self, model: MicroAttention, n_classes: int, rng: Generator) -> None:
        self.rate, filters = model.dropout, model.filters
        self.conv = Conv(3, filters, 7, stride=2, padding=3, convention="torch", rng=rng)
        self.block1 = Block(filters, 2 * filters, rng)
        self.block2 = Block(2 * filters, 4 * filters, rng)
        self.block3 = Block(4 * filters, 8 * filters, rng)
        self.dense1 = Dense(7 * 7 * 8 * filters, model.hidden, convention="torch", rng=rng)
        self.dense2 = Dense(model.hidden, n_classes, convention="torch", rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=1, 224, 224, 3)."""
        x = jax.nn.relu(self.conv(x[:, 0]))  #                        112 x 112 x 32         4,736
        x = max_pool(x, 3, 2, padding=1)  #                             56 x 56 x 32             0
        x = self.block1(x, context)  #                                  28 x 28 x 64        94,848
        x = self.block2(x, context)  #                                 14 x 14 x 128       378,112
        x = self.block3(x, context)  #                                   7 x 7 x 256     1,509,888
        x = record("Flatten", x.reshape(len(x), -1))  #                       12,544             0
        x = dropout(jax.nn.relu(self.dense1(x)), self.rate, context)  #        4,096    51,384,320
        return self.dense2(x)  #                                                   3        12,291
