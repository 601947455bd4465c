"""The layers of CNN-LSTM (2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, each, record
from mexbench_plugins.models._nn.lstm import LSTM, SimpleRNN
from mexbench_plugins.models._nn.pooling import max_pool

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.network_model import Shape


class CNNLSTMLayers(Network):
    """Two convolutions and three poolings on each frame, two recurrent and two dense layers; see ``__call__``.

    Output shapes and numbers of values there are for one image of 48x48x1, read by rows, and 6 classes.
    """

    def __init__(self, shape: Shape, n_classes: int, rng: Generator, *, time: str, filters: int) -> None:
        self.rows = time == "rows" or (time == "auto" and shape[0] == 1)
        _, height, width, channels = shape
        height, width = (((side - 2) // 2 - 2) // 4 for side in (height, width))
        self.conv1 = Conv(channels, 32, 3, product=True, rng=rng)
        self.conv2 = Conv(32, filters, 3, product=True, rng=rng)
        self.lstm = LSTM(width * filters * (1 if self.rows else height), 50, rng=rng)
        self.rnn = SimpleRNN(50, 30, rng=rng)
        self.dense1 = Dense(30, 128, rng=rng)
        self.dense2 = Dense(128, n_classes, rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T, H, W, C)."""
        del context
        n, frames = x.shape[:2]
        x = each(self.frame_layers, x.reshape(n * frames, *x.shape[2:]))
        x = record("Reshape", x.reshape(n, x.shape[1] if self.rows else frames, -1))  # 5 x 320           0
        x = self.lstm(x)  #                                                              5 x 50      74,200
        x = self.rnn(x)  #                                                                   30       2,430
        x = jax.nn.relu(self.dense1(x))  #                                                  128       3,968
        return self.dense2(x)  #                                                              6         774

    def frame_layers(self, x: Array) -> Array:
        """Return feature maps (n, 5, 5, 64) of images x (n, 48, 48, 1)."""
        x = self.conv1(x)  #                                                       46 x 46 x 32         320
        x = jax.nn.relu(max_pool(x, 2, 2))  #                                      23 x 23 x 32           0
        x = self.conv2(x)  #                                                       21 x 21 x 64      18,496
        x = jax.nn.relu(max_pool(x, 2, 2))  #                                      10 x 10 x 64           0
        return max_pool(x, 2, 2)  #                                                  5 x 5 x 64           0
