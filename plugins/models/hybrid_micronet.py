"""HybridMicroNet: a small residual head on VGG-16 features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt
from numpy.random import Generator

from plugins.models._micronet import MicroNet
from plugins.models._network import NetworkModel, Shape, need_single
from plugins.models._options import Optimiser


@dataclass(frozen=True, kw_only=True)
class HybridMicroNet(NetworkModel):
    """Residual network on the 7x7x512 features of VGG-16: 421,237 values for 5 classes.

    Read where the paper contradicts itself: three pixels of padding, not two, which alone give the shapes of table 2;
    batch 64, which section 3.4 says first (32 stands elsewhere). The learning rate is unstated: .01 is Keras's own for
    sgd. Batch normalisation and initial weights are Keras's.

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
    example_shape = (1, 7, 7, 512)

    padding_value: Annotated[float, Ge(0), Le(1)] = 0.0
    residual_attention: bool = False
    optimiser: Optimiser = "sgd"
    learning_rate: Annotated[float, Gt(0)] = 0.01
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.5
    weight_decay: Annotated[float, Ge(0)] = 0.001
    epochs: Annotated[int, Ge(1)] = 10
    batch_size: Annotated[int, Ge(1)] = 64

    def check(self, shape: Shape) -> None:
        """Refuse what is not the features of one image."""
        need_single("hybrid_micronet", shape, (7, 7, 512), "add vgg16 to the steps, after resize to 224x224")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> MicroNet:
        """Build the head."""
        return MicroNet(
            shape[-1],
            n_classes,
            padding_value=self.padding_value,
            residual_attention=self.residual_attention,
            rng=rng,
        )
