"""The layers of STSTNet (2019)."""

from __future__ import annotations

import jax
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.batch_norm_layer import BatchNorm
from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, dropout, record
from mexbench_plugins.models._nn.pooling import average_pool, max_pool


class STSTNetLayers(Network):
    """Three streams as one convolution; output shapes and values, running statistics included, for 3 classes: 1,715."""

    def __init__(self, n_classes: int, rng: Generator, *, dropout: float, channels: str) -> None:
        self.dropout, self.reversed = dropout, channels == "reversed"
        # Zero filters would change the last digits of published rows; training the folds together, which is the fast
        # way, has a convolution of its own.
        self.conv = Conv(3, 16, 3, padding=2, convention="torch", fast_on_cpu=False, rng=rng)
        self.norm = BatchNorm(16, convention="torch")
        self.dense = Dense(5 * 5 * 16, n_classes, convention="torch", rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=1, 28, 28, 3)."""
        x = x[:, 0, ..., ::-1] if self.reversed else x[:, 0]  #    28 x 28 x 3         0
        x = jax.nn.relu(self.conv(x))  #                          30 x 30 x 16       448
        x = self.norm(x, context)  #                              30 x 30 x 16        64
        x = max_pool(x, 3, 3, padding=1)  #                       10 x 10 x 16         0
        x = dropout(x, self.dropout, context)  #                  10 x 10 x 16         0
        x = average_pool(x, 2)  #                                   5 x 5 x 16         0
        x = record("Flatten", x.reshape(len(x), -1))  #                    400         0
        return self.dense(x)  #                                              3     1,203
