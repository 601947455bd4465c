"""RCN-A: a shallow recurrent convolutional network with parameter-free attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le, Lt
from numpy.random import Generator

from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image
from mexbench_plugins.models._nn.recipe import Optimiser, StepDecay

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.rcn_a_network import RCNALayers


@dataclass(frozen=True, kw_only=True)
class RCNA(NetworkModel, StepDecay):
    """Recurrent convolutions and attention from the classifier's own weights, 28x28 flow: 55,747 values for 3 classes.

    With 32 filters and a pool of 5, the README's example, there are 15,331. Batch normalisation and its running
    statistics are PyTorch's, but after training they are exact ones (``batch_norm_statistics``). The recurrent
    convolution is applied twice; its exact statistics are those of each application, its running ones are shared, as in
    the authors' code. Where the attention of a class is the same everywhere it is 0, where the code divides by zero.
    The authors test the last epoch, as here.

    Args:
        filters: Feature maps; 64 is the code's default.
        pool: Side of the last map and of the attention; 7 is the code's default.
        dropout: Share of the values that are set to zero after each max-pooling.
        optimiser: As in the authors' code.
        learning_rate: As in the authors' code, at the beginning.
        momentum: As in the authors' code.
        decay_every: As in the authors' code.
        decay_factor: As in the authors' code.
        epochs: As in the authors' code; the README's example has 20.
        batch_size: As in the authors' code.
    """

    source = "RCN-A, IEEE TIP 2020 (arXiv 2006.09674), by the authors' public code, version 3"
    example_shape = (1, 28, 28, 3)
    cuts_batches = True

    filters: Annotated[int, Ge(1)] = 64
    pool: Annotated[int, Ge(1), Le(12)] = 7
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    optimiser: Optimiser = "sgd"
    learning_rate: Annotated[float, Gt(0)] = 5e-4
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    epochs: Annotated[int, Ge(1)] = 100
    batch_size: Annotated[int, Ge(1)] = 64

    def check(self, shape: Shape) -> None:
        """Refuse anything but one flow image of 28x28x3."""
        check_single_image("rcn_a", shape, (28, 28, 3), "add optical_flow with strain, and resize to 28x28")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> RCNALayers:
        """Build the network."""
        from mexbench_plugins.models._nn.rcn_a_network import RCNALayers

        del shape
        return RCNALayers(n_classes, rng, pool=self.pool, dropout=self.dropout, filters=self.filters)
