"""Micro-Attention: residual blocks with spatial attention on flow of 224x224."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le, Lt
from numpy.random import Generator

from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image
from mexbench_plugins.models._nn.recipe import Optimiser, StepDecay
from mexbench_plugins.models.htnet import RESIZED

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.micro_attention_network import MicroAttentionLayers

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
        from mexbench_plugins.models._nn.micro_attention_network import MicroAttentionLayers

        del shape
        return MicroAttentionLayers(n_classes, rng, dropout=self.dropout, filters=self.filters, hidden=self.hidden)
