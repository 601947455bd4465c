"""OFF-ApexNet: two small streams on horizontal and vertical flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt
from numpy.random import Generator

from mexbench.errors import DataError
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, shape_text

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.off_apexnet_network import OffApexNetLayers


@dataclass(frozen=True, kw_only=True)
class OffApexNet(NetworkModel):
    """Two-stream network on the flow (u, v) from onset to apex, 28x28: about 2.66 million values for 3 classes.

    The authors' network is built: one stream per component, convolutions 5x5. Peers often run one stream on both
    components with 3x3 convolutions and one dense layer under this name. Convolutions keep the image's size, which is
    what gives 2.66 million values. Only the first two channels are read; a third one, strain, is allowed.
    The recipe is not in our sources: Adam at 1e-4, batch 128 and 100 epochs are our choice, as are Keras's initial
    weights.

    Args:
        learning_rate: Our choice.
        epochs: Our choice.
        batch_size: Our choice.
    """

    source = (
        "Gan et al., OFF-ApexNet on micro-expression recognition system, "
        "Signal Processing: Image Communication 74, 2019"
    )
    example_shape = (1, 28, 28, 2)
    has_batch_norm = False

    learning_rate: Annotated[float, Gt(0)] = 1e-4
    epochs: Annotated[int, Ge(1)] = 100
    batch_size: Annotated[int, Ge(1)] = 128

    def check(self, shape: Shape) -> None:
        """Refuse anything but one flow field of 28x28."""
        if len(shape) != 4 or shape[:3] != (1, 28, 28) or shape[3] not in (2, 3):
            raise DataError(
                f"off_apexnet needs (n, T=1, 28, 28, 2 or 3) flow with channels u, v, got {shape_text(shape)}; add "
                "optical_flow, and resize to 28x28"
            )

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> OffApexNetLayers:
        """Build the network."""
        from mexbench_plugins.models._nn.off_apexnet_network import OffApexNetLayers

        del shape
        return OffApexNetLayers(n_classes, rng)
