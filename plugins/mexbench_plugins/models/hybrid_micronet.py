"""HybridMicroNet (2023): a small residual head on VGG-16 features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import jax
from annotated_types import Ge, Gt, Le, Lt
from jax import Array
from numpy.random import Generator

from mexbench.errors import DataError
from mexbench_plugins.models._nn.layers import (
    BatchNorm,
    Context,
    Conv,
    Dense,
    Network,
    global_average_pool,
    max_pool,
    record_padding,
)
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image, shape_text
from mexbench_plugins.models._nn.recipe import Optimiser
from mexbench_plugins.models._nn.residual_block import ResidualAttention, ResidualBlock

#: Channels of VGG-16's last feature map.
CHANNELS = 512


@dataclass(frozen=True, kw_only=True)
class HybridMicroNet(NetworkModel):
    """Residual network on the 7x7x512 features of VGG-16: 421,237 values for 5 classes.

    Readings where the paper contradicts itself: three pixels of padding, not two, which alone give the shapes of table
    2; batch 64, which section 3.4 says first (32 elsewhere). The learning rate is unstated: .01 is Keras's default for
    sgd. Batch normalisation and initial weights are Keras's, but its statistics after training are exact ones
    (``batch_norm_statistics``), where Keras keeps running ones. The 2026 paper has faces of 256x256, whose features are
    8x8x512: any size from 7x7 on is accepted, and none changes the number of values. Its model with action units is
    ``hybrid_micronet_au``.

    Args:
        padding_value: The text pads with zeros in one place and with ones in another.
        residual_attention: Whether a residual attention unit follows each RLayers. The text names such units and does
            not describe them, and table 2 has no room for their values.
        optimiser: As in the paper.
        learning_rate: Unstated in the paper.
        momentum: As in the paper.
        weight_decay: As in the paper.
        epochs: As in the paper.
        batch_size: 64 or 32 in the paper.
    """

    source = "HybridMicroNet paper (2023), section 3.4 and table 2; values counted as Keras counts them"
    example_shape = (1, 7, 7, CHANNELS)

    padding_value: Annotated[float, Ge(0), Le(1)] = 0.0
    residual_attention: bool = False
    optimiser: Optimiser = "sgd"
    learning_rate: Annotated[float, Gt(0)] = 0.01
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.5
    weight_decay: Annotated[float, Ge(0)] = 0.001
    epochs: Annotated[int, Ge(1)] = 10
    batch_size: Annotated[int, Ge(1)] = 64

    def check(self, shape: Shape) -> None:
        """Refuse anything but the features of one image."""
        if len(shape) == 4 and shape[0] == 1 and min(shape[1:3]) >= 7 and shape[3] >= CHANNELS:
            if shape[3] == CHANNELS:
                return
            raise DataError(
                f"hybrid_micronet needs (n, T=1, 7, 7, 512), got {shape_text(shape)}; use hybrid_micronet_au to read "
                f"the {shape[3] - CHANNELS} planes behind the features, or remove the step action_units"
            )
        check_single_image("hybrid_micronet", shape, (7, 7, 512), "add vgg16 to the steps, after resize to 224x224")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> HybridMicroNetLayers:
        """Build the network."""
        del shape
        return HybridMicroNetLayers(self, n_classes, rng)


class HybridMicroNetLayers(Network):
    """Table 2, with output shapes and numbers of values for features of 7x7x512 and 5 classes: 421,237 in all.

    Args:
        model: Names the options.
        n_classes: Units of the last layer.
        rng: Source of the initial weights.
        units: Number of action units that join the averages.
    """

    def __init__(self, model: HybridMicroNet, n_classes: int, rng: Generator, units: int = 0) -> None:
        self.conv = Conv(
            CHANNELS, 16, 7, stride=2, padding=3, padding_value=model.padding_value, normalised=True, rng=rng
        )
        self.norm = BatchNorm(16)
        self.layers1 = ResidualBlock(16, 16, rng=rng)
        self.layers2 = ResidualBlock(16, 32, rng=rng)
        self.attention1 = ResidualAttention(16, rng=rng) if model.residual_attention else None
        self.attention2 = ResidualAttention(32, rng=rng) if model.residual_attention else None
        self.dense = Dense(32 + units, n_classes, rng=rng)

    def averages(self, x: Array, context: Context) -> Array:
        """Return the globally averaged feature maps (n, 32) of features x (n, 7, 7, 512)."""
        record_padding(x, 3)  #                                 13 x 13 x 512            0
        x = self.conv(x)  #                                       4 x 4 x 16       401,424
        x = jax.nn.relu(self.norm(x, context))  #                 4 x 4 x 16            64
        x = max_pool(x, 3, 2)  #                                  1 x 1 x 16             0
        x = self.layers1(x, context)  # RLayers(16, 16)           1 x 1 x 16         4,768
        x = x if self.attention1 is None else self.attention1(x)  # option   1 x 1 x 16         (544)
        x = self.layers2(x, context)  # RLayers(32, 32)           1 x 1 x 32        14,816
        x = x if self.attention2 is None else self.attention2(x)  # option   1 x 1 x 32       (2,112)
        return global_average_pool(x)  #                                  32             0

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for features x (n, T=1, 7, 7, 512)."""
        return self.dense(self.averages(x[:, 0], context))  #             5          165
