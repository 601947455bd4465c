"""MACNN: residual blocks, dilated convolutions and wide dense layers on flow of 112x112."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le, Lt
from numpy.random import Generator

from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image
from mexbench_plugins.models._nn.recipe import StepDecay
from mexbench_plugins.models.htnet import RESIZED

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.macnn_network import MACNNLayers

PUBLISHED = (32, 4096)


@dataclass(frozen=True, kw_only=True)
class MACNN(NetworkModel, StepDecay):
    """Four residual blocks, two dilated convolutions, three dense layers on 112x112: 70,573,923 values for 3 classes.

    Layers and recipe are those of the re-implementation in Off-TANet's repository, whose input is TV-L1 flow of faces
    of 112x112; a flow pack of 28x28 that is enlarged is another input. Those authors keep the epoch with the best mean
    recall on the held-out subjects; here the last epoch predicts. Other filters or hidden units than the published flag
    the row ``resized-network``. Whole-number pixels are divided by 255 where those authors do not scale;
    ``pixels: raw`` does as they do.

    Args:
        filters: Of the first block; each next one has twice as many.
        hidden: Units of each hidden dense layer.
        dropout: Share of the values that are set to zero after each hidden dense layer.
        learning_rate: As in that code, at the beginning.
        decay_every: As in that code.
        decay_factor: As in that code.
        epochs: As in that code; the last epoch is what predicts.
        batch_size: As in that code.
    """

    source = "MACNN as re-implemented in the public code of Off-TANet (PRICAI 2021)"
    example_shape = (1, 112, 112, 3)
    cuts_batches = True
    has_batch_norm = False

    filters: Annotated[int, Ge(1)] = PUBLISHED[0]
    hidden: Annotated[int, Ge(1)] = PUBLISHED[1]
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    decay_every: Annotated[int, Ge(1)] = 50
    decay_factor: Annotated[float, Gt(0), Le(1)] = 0.9
    epochs: Annotated[int, Ge(1)] = 501
    batch_size: Annotated[int, Ge(1)] = 64

    def flags(self) -> tuple[str, ...]:
        """Name a network of another size than the published one."""
        return (*super().flags(), *([RESIZED] if (self.filters, self.hidden) != PUBLISHED else []))

    def check(self, shape: Shape) -> None:
        """Refuse anything but one flow image of 112x112x3."""
        check_single_image("macnn", shape, (112, 112, 3), "resize flow with strain to 112x112")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> MACNNLayers:
        """Build the network."""
        from mexbench_plugins.models._nn.macnn_network import MACNNLayers

        del shape
        return MACNNLayers(n_classes, rng, dropout=self.dropout, filters=self.filters, hidden=self.hidden)
