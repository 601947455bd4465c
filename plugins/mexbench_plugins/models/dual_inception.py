"""Dual-Inception: two inception streams on horizontal and vertical flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt
from numpy.random import Generator

from mexbench.errors import DataError
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, shape_text

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.dual_inception_network import DualInceptionLayers

Variant = Literal["original", "reimplemented"]


@dataclass(frozen=True, kw_only=True)
class DualInception(NetworkModel):
    """Two streams of two inception blocks on the flow (u, v), 28x28: 6,449,963 values for 3 classes.

    The original streams read pictures of three channels: here each component is given three times. Its authors take the
    flow from onset to the middle frame; what the data set gives is read here, from onset to apex in the flow pack. They
    train on the two other data sets of the composite, and their epoch is the best on the other subjects of the test
    subject's own data set; here the training side trains and the last epoch predicts. The re-implementation in
    Off-TANet's repository (6,449,867 values) has one channel per stream and no activation on the plain 1x1 path; its
    recipe is Adam at 1e-3, batch 64, 501 epochs. Only the first two channels of a sample are read.

    Args:
        variant: original, or reimplemented as in Off-TANet's repository, with PyTorch's initial weights.
        learning_rate: As in the original code.
        epochs: As in the original code; the last epoch is what predicts.
        batch_size: As in the original code.
    """

    source = "Dual-Inception network, by the authors' public code of 2019 for the MEGC2019"
    example_shape = (1, 28, 28, 2)
    cuts_batches = True
    has_batch_norm = False

    variant: Variant = "original"
    learning_rate: Annotated[float, Gt(0)] = 1e-4
    epochs: Annotated[int, Ge(1)] = 40
    batch_size: Annotated[int, Ge(1)] = 3

    def check(self, shape: Shape) -> None:
        """Refuse anything but one flow field of 28x28."""
        if len(shape) != 4 or shape[:3] != (1, 28, 28) or shape[3] not in (2, 3):
            raise DataError(
                f"dual_inception needs (n, T=1, 28, 28, 2 or 3) flow with channels u, v, got {shape_text(shape)}; add "
                "optical_flow, and resize to 28x28"
            )

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> DualInceptionLayers:
        """Build the network."""
        from mexbench_plugins.models._nn.dual_inception_network import DualInceptionLayers

        del shape
        return DualInceptionLayers(self.variant, n_classes, rng)
