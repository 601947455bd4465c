"""AU-CNN: the small residual network on face images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.interfaces import ActionUnitModel, Predictor
from mexbench_plugins.models._nn import trainer as _training
from mexbench_plugins.models._nn.micro_resnet import Activation, MicroResNet
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, need_single


@dataclass(frozen=True, kw_only=True)
class AUCNN(NetworkModel, ActionUnitModel):
    """Residual network on face images of 128x128x3: 22,247 values for 7 classes.

    The text says 8x8x512; 128x128x3 with three pixels of padding is the only input that gives table 3's shapes and its
    2,368 values in the first layer. Adam's learning rate is unstated: .001 is Keras's own. Batch normalisation and
    initial weights are Keras's. Table 5 varies the number of layers, table 7 batch norm and table 8 the activation.

    With ``target: action_units`` the last layer has a sigmoid for each unit and is trained by binary cross-entropy.

    Args:
        convolutions: On the main path. Table 5 tries 1, 3 and 5 and does not say which go: 3 leaves out
            RepeatLayers(32, 32), 1 leaves out both.
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
        """Refuse what is not one colour image of 128x128."""
        need_single("au_cnn", shape, (128, 128, 3), "add resize to 128x128, and leave out grayscale")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> MicroResNet:
        """Build the network."""
        return MicroResNet(
            shape[-1],
            n_classes,
            layers=self.convolutions,
            batch_norm=self.batch_norm,
            activation=self.activation,
            rng=rng,
        )

    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train by gradient descent, as ``fit`` does; scores are the sigmoids.

        ``class_weight: balanced`` gives a unit's presence and its absence the same weight in all.
        """
        self.check(x.shape[1:])
        return _training.train(self, x, y, n_classes=y.shape[1], groups=groups, seed=seed, head="sigmoid")
