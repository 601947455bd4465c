"""The layers of HybridMicroNet (2023)."""

from __future__ import annotations

import jax
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._input_shapes import VGG16_CHANNELS
from mexbench_plugins.models._nn.batch_norm_layer import BatchNorm
from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, record_padding
from mexbench_plugins.models._nn.pooling import global_average_pool, max_pool
from mexbench_plugins.models._nn.residual_block import ResidualAttention, ResidualBlock


class HybridMicroNetLayers(Network):
    """Table 2, with output shapes and numbers of values for features of 7x7x512 and 5 classes: 421,237 in all.

    Args:
        n_classes: Units of the last layer.
        rng: Source of the initial weights.
        units: Number of action units that join the averages.
        padding_value: What surrounds the features in the first convolution.
        residual_attention: Whether a residual attention unit follows each RLayers.
    """

    def __init__(
        self, n_classes: int, rng: Generator, units: int = 0, *, padding_value: float, residual_attention: bool
    ) -> None:
        self.conv = Conv(VGG16_CHANNELS, 16, 7, stride=2, padding=3, padding_value=padding_value, rng=rng)
        self.norm = BatchNorm(16)
        self.layers1 = ResidualBlock(16, 16, rng=rng)
        self.layers2 = ResidualBlock(16, 32, rng=rng)
        self.attention1 = ResidualAttention(16, rng=rng) if residual_attention else None
        self.attention2 = ResidualAttention(32, rng=rng) if residual_attention else None
        self.dense = Dense(32 + units, n_classes, rng=rng)

    def averages(self, x: Array, context: Context) -> Array:
        """Return the globally averaged feature maps (n, 32) of features x (n, 7, 7, 512)."""
        record_padding(x, 3)  #                                 13 x 13 x 512            0
        # Convolution 7x7/2                                       4 x 4 x 16       401,424
        # and batch normalisation                                 4 x 4 x 16            64
        x = jax.nn.relu(self.norm.after(self.conv, x, context))
        x = max_pool(x, 3, 2)  #                                  1 x 1 x 16             0
        x = self.layers1(x, context)  # RLayers(16, 16)           1 x 1 x 16         4,768
        x = x if self.attention1 is None else self.attention1(x)  # option   1 x 1 x 16         (544)
        x = self.layers2(x, context)  # RLayers(32, 32)           1 x 1 x 32        14,816
        x = x if self.attention2 is None else self.attention2(x)  # option   1 x 1 x 32       (2,112)
        return global_average_pool(x)  #                                  32             0

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for features x (n, T=1, 7, 7, 512)."""
        return self.dense(self.averages(x[:, 0], context))  #             5          165
