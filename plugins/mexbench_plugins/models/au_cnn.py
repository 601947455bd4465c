"""AU-CNN (2024): a small residual network on face images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from jax import Array
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.interfaces import ActionUnitModel, Predictor
from mexbench_plugins.models._nn import trainer
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
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image
from mexbench_plugins.models._nn.residual_block import ACTIVATIONS, Activation, ResidualBlock, normalise


@dataclass(frozen=True, kw_only=True)
class AUCNN(NetworkModel, ActionUnitModel):
    """Residual network on face images of 128x128x3: 22,247 values for 7 classes.

    The text says 8x8x512; 128x128x3 with three pixels of padding is the only input that gives table 3's shapes and its
    2,368 values in the first layer. Adam's learning rate is unstated: .001 is Keras's default. Batch normalisation and
    initial weights are Keras's, but its statistics after training are exact ones (``batch_norm_statistics``): with the
    running ones of Keras, this recipe on a few hundred images ends near chance on its own training side. Table 5 varies
    the number of layers, table 7 batch norm and table 8 the activation.

    With ``target: action_units`` the last layer has a sigmoid for each unit and is trained by binary cross-entropy.

    Args:
        convolutions: On the main path. Table 5 tries 1, 3 and 5 and does not say which are removed: 3 is without
            RepeatLayers(32, 32), 1 without both.
        batch_norm: Whether batch normalisation follows each convolution.
        activation: Of every layer but the last.
        epochs: As in the paper.
        batch_size: As in the paper.
    """

    source = "AU-CNN paper (2024), section 3.3 and table 3; options from tables 5, 7 and 8"
    example_shape = (1, 128, 128, 3)

    convolutions: Literal[1, 3, 5] = 5
    batch_norm: bool = True
    activation: Activation = "relu"
    epochs: Annotated[int, Ge(1)] = 45
    batch_size: Annotated[int, Ge(1)] = 32

    def check(self, shape: Shape) -> None:
        """Refuse anything but one colour image of 128x128."""
        check_single_image("au_cnn", shape, (128, 128, 3), "add resize to 128x128, and remove grayscale")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> AUCNNLayers:
        """Build the network."""
        del shape
        return AUCNNLayers(self, n_classes, rng)

    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train by gradient descent, as ``fit`` does; scores are the sigmoids.

        ``class_weight: balanced`` gives a unit's presence and its absence the same total weight.
        """
        build = self.builder(x.shape[1:], y.shape[1])
        return trainer.train(self, build, x, y, n_classes=y.shape[1], groups=groups, seed=seed, head="sigmoid")


class AUCNNLayers(Network):
    """Table 3; output shapes and numbers of values for 7 classes: 22,247 in all."""

    def __init__(self, model: AUCNN, n_classes: int, rng: Generator) -> None:
        norm, self.activation = model.batch_norm, model.activation
        options: Any = {"activation": model.activation, "batch_norm": norm, "rng": rng}
        self.conv = Conv(3, 16, 7, stride=2, padding=3, normalised=norm, rng=rng)
        self.norm = BatchNorm(16) if norm else None
        self.layers1 = ResidualBlock(16, 16, **options) if model.convolutions >= 3 else None
        self.layers2 = ResidualBlock(16, 32, **options) if model.convolutions == 5 else None
        self.dense = Dense(32 if model.convolutions == 5 else 16, n_classes, rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for images x (n, T=1, 128, 128, 3)."""
        x = x[:, 0]
        record_padding(x, 3)  #                                                        134 x 134 x 3          0
        x = self.conv(x)  #                                                             64 x 64 x 16      2,368
        x = ACTIVATIONS[self.activation](normalise(self.norm, x, context))  #           64 x 64 x 16         64
        x = max_pool(x, 3, 2)  #                                                        31 x 31 x 16          0
        x = x if self.layers1 is None else self.layers1(x, context)  # RepeatLayers 16  31 x 31 x 16      4,768
        x = x if self.layers2 is None else self.layers2(x, context)  # RepeatLayers 32  31 x 31 x 32     14,816
        x = global_average_pool(x)  #                                                             32          0
        return self.dense(x)  #                                                                    7        231
