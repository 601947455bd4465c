"""The plain convolutional baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, MinLen
from numpy.random import Generator

from mexbench.errors import DataError
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, shape_text

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.cnn_network import CNNLayers


@dataclass(frozen=True, kw_only=True)
class CNN(NetworkModel):
    """Plain convolutional network on single images of any size: conv 3x3, ReLU, pool 2x2 for each of filters; dense.

    The paper compares with "CNN" and gives neither sizes nor recipe: this is the usual textbook network, and the recipe
    is that of the model it is compared with. Initial weights are Keras's.

    Args:
        filters: Of each convolution, 3x3 with an equal output size, each followed by ReLU and max-pooling 2x2.
        hidden: Units of the dense layer before the last.
        epochs: Those of the AU-CNN.
        batch_size: That of the AU-CNN.
    """

    source = "baseline of the AU-CNN paper (2024), table 4, where architecture and recipe are unstated"
    example_shape = (1, 128, 128, 3)
    has_batch_norm = False

    filters: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = (16, 32, 64)
    hidden: Annotated[int, Ge(1)] = 64
    epochs: Annotated[int, Ge(1)] = 45
    batch_size: Annotated[int, Ge(1)] = 32

    def check(self, shape: Shape) -> None:
        """Refuse clips, and images that are too small to be halved once per convolution."""
        smallest = 2 ** len(self.filters)
        if len(shape) != 4 or shape[0] != 1 or min(shape[1:3]) < smallest:
            raise DataError(
                f"cnn needs (n, T=1, H, W, C) images of at least {smallest}x{smallest} pixels, got "
                f"{shape_text(shape)}; it reads single frames: choose one, or make each frame a "
                "sample; add resize for small ones"
            )

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> CNNLayers:
        """Build the network."""
        from mexbench_plugins.models._nn.cnn_network import CNNLayers

        return CNNLayers(shape, n_classes, rng, filters=self.filters, hidden=self.hidden)
