"""The layers of the plain convolutional baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, in_parts, record
from mexbench_plugins.models._nn.pooling import max_pool

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.network_model import Shape


class CNNLayers(Network):
    """Convolutions and poolings in turn, then two dense layers; shapes and values for 128x128x3 and 5 classes."""

    def __init__(self, shape: Shape, n_classes: int, rng: Generator, *, filters: tuple[int, ...], hidden: int) -> None:
        _, height, width, channels = shape
        sizes = zip((channels, *filters), filters, strict=False)
        self.convolutions = nnx.List(Conv(before, after, 3, padding="SAME", rng=rng) for before, after in sizes)
        halvings = len(filters)
        flat = (height >> halvings) * (width >> halvings) * filters[-1]
        self.dense1 = Dense(flat, hidden, rng=rng)
        self.dense2 = Dense(hidden, n_classes, rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for images x (n, T=1, H, W, C)."""
        del context
        x = in_parts(self.image_layers, x[:, 0])
        x = record("Flatten", x.reshape(len(x), -1))  #     16,384                             0
        x = jax.nn.relu(self.dense1(x))  #                      64                     1,048,640
        return self.dense2(x)  #                                 5                           325

    def image_layers(self, x: Array) -> Array:
        """Return feature maps (n, 16, 16, 64) of images x (n, 128, 128, 3)."""
        for convolution in self.convolutions:  # to 64 filters and 16 x 16 pixels in three turns
            x = convolution(x)  #                   H x W x filters              448 + 4,640 + 18,496
            x = jax.nn.relu(max_pool(x, 2, 2))  # H/2 x W/2 x filters                               0
        return x
