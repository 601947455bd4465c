"""The layers of the AU-CNN (2024)."""

from __future__ import annotations

from typing import Any

from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.batch_norm_layer import BatchNorm
from mexbench_plugins.models._nn.first_block import normalised_maxima
from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, record_padding, stored
from mexbench_plugins.models._nn.pooling import global_average_pool, max_pool
from mexbench_plugins.models._nn.recipe import Activation
from mexbench_plugins.models._nn.residual_block import ACTIVATIONS, ResidualBlock


class AUCNNLayers(Network):
    """Table 3; output shapes and numbers of values for 7 classes: 22,247 in all."""

    def __init__(
        self,
        n_classes: int,
        rng: Generator,
        *,
        batch_norm: bool,
        activation: Activation,
        convolutions: int,
    ) -> None:
        norm, self.activation = batch_norm, activation
        options: Any = {"activation": activation, "batch_norm": norm, "rng": rng}
        self.conv = Conv(3, 16, 7, stride=2, padding=3, rng=rng)
        self.norm = BatchNorm(16) if norm else None
        self.layers1 = ResidualBlock(16, 16, **options) if convolutions >= 3 else None
        self.layers2 = ResidualBlock(16, 32, **options) if convolutions == 5 else None
        self.dense = Dense(32 if convolutions == 5 else 16, n_classes, rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for images x (n, T=1, 128, 128, 3)."""
        x = x[:, 0]
        record_padding(x, 3)  #                                                        134 x 134 x 3          0
        # Convolution 7x7/2                                                             64 x 64 x 16      2,368
        # and batch normalisation                                                       64 x 64 x 16         64
        # and max-pooling, which every activation may follow as none of them falls      31 x 31 x 16          0
        x = max_pool(self.conv(x), 3, 2) if self.norm is None else normalised_maxima(self.conv, self.norm, x, context)
        x = stored(ACTIVATIONS[self.activation](x))
        x = x if self.layers1 is None else stored(self.layers1(x, context))  # RepeatLayers 16  31 x 31 x 16      4,768
        x = x if self.layers2 is None else self.layers2(x, context)  # RepeatLayers 32  31 x 31 x 32     14,816
        x = global_average_pool(x)  #                                                             32          0
        return self.dense(x)  #                                                                    7        231
