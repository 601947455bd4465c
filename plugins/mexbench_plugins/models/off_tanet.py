"""Off-TANet: residual blocks and a transformer-like attention block on flow of 112x112."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le, Lt
from numpy.random import Generator

from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image
from mexbench_plugins.models._nn.recipe import StepDecay

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.off_tanet_network import OffTANetLayers


@dataclass(frozen=True, kw_only=True)
class OffTANet(NetworkModel, StepDecay):
    """Two residual blocks and an attention block on flow of 112x112: 59,403 trainable values for 3 classes.

    The authors compute TV-L1 flow of faces of 112x112 and a strain with uy where vy is usual; a flow pack of
    28x28 that is enlarged is another input. Their 294 clips of CASME, CASME II and CAS(ME)^2 are not those of MEGC2019.
    They keep the epoch with the best mean recall on the held-out subjects; here the last epoch predicts. After training
    the statistics of batch normalisation are exact ones (``batch_norm_statistics``). Whole-number pixels are divided by
    255 where the authors do not scale; ``pixels: raw`` does as they do.

    Args:
        dropout: Share of the values that are set to zero after each hidden dense layer.
        learning_rate: As in the authors' code, at the beginning.
        decay_every: As in the authors' code.
        decay_factor: As in the authors' code.
        epochs: As in the authors' code; the last epoch is what predicts.
        batch_size: As in the authors' code.
    """

    source = "Off-TANet, PRICAI 2021, by the authors' public code"
    example_shape = (1, 112, 112, 3)
    cuts_batches = True

    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    decay_every: Annotated[int, Ge(1)] = 60
    decay_factor: Annotated[float, Gt(0), Le(1)] = 0.3
    epochs: Annotated[int, Ge(1)] = 201
    batch_size: Annotated[int, Ge(1)] = 64

    def check(self, shape: Shape) -> None:
        """Refuse anything but one flow image of 112x112x3."""
        check_single_image("off_tanet", shape, (112, 112, 3), "resize flow with strain to 112x112")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> OffTANetLayers:
        """Build the network."""
        from mexbench_plugins.models._nn.off_tanet_network import OffTANetLayers

        del shape
        return OffTANetLayers(self.dropout, n_classes, rng)
