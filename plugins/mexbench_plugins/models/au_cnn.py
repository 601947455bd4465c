"""AU-CNN (2024): a small residual network on face images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.interfaces import ActionUnitModel, Predictor
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image
from mexbench_plugins.models._nn.recipe import Activation

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.au_cnn_network import AUCNNLayers


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
        from mexbench_plugins.models._nn.au_cnn_network import AUCNNLayers

        del shape
        return AUCNNLayers(
            n_classes, rng, batch_norm=self.batch_norm, activation=self.activation, convolutions=self.convolutions
        )

    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train by gradient descent, as ``fit`` does; scores are the sigmoids.

        ``class_weight: balanced`` gives a unit's presence and its absence the same total weight.
        """
        from mexbench_plugins.models._nn import trainer

        build = self.builder(x.shape[1:], y.shape[1])
        return trainer.train(self, build, x, y, n_classes=y.shape[1], groups=groups, seed=seed, head="sigmoid")
