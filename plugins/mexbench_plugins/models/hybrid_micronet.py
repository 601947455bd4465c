"""HybridMicroNet (2023): a small residual head on VGG-16 features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le, Lt
from numpy.random import Generator

from mexbench.errors import DataError
from mexbench_plugins.models._input_shapes import VGG16_CHANNELS
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image, shape_text
from mexbench_plugins.models._nn.recipe import Optimiser

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.hybrid_micronet_network import HybridMicroNetLayers


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
    example_shape = (1, 7, 7, VGG16_CHANNELS)

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
        if len(shape) == 4 and shape[0] == 1 and min(shape[1:3]) >= 7 and shape[3] >= VGG16_CHANNELS:
            if shape[3] == VGG16_CHANNELS:
                return
            raise DataError(
                f"hybrid_micronet needs (n, T=1, 7, 7, 512), got {shape_text(shape)}; use hybrid_micronet_au to read "
                f"the {shape[3] - VGG16_CHANNELS} planes behind the features, or remove the step action_units"
            )
        check_single_image("hybrid_micronet", shape, (7, 7, 512), "add vgg16 to the steps, after resize to 224x224")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> HybridMicroNetLayers:
        """Build the network."""
        from mexbench_plugins.models._nn.hybrid_micronet_network import HybridMicroNetLayers

        del shape
        return HybridMicroNetLayers(
            n_classes, rng, padding_value=self.padding_value, residual_attention=self.residual_attention
        )
