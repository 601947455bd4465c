"""The layers of OFF-ApexNet (2019)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, record
from mexbench_plugins.models._nn.pooling import max_pool


class Stream(nnx.Module):
    """The layers of one component."""

    def __init__(self, rng: Generator) -> None:
        self.conv1 = Conv(1, 6, 5, padding="SAME", rng=rng)
        self.conv2 = Conv(6, 16, 5, padding="SAME", rng=rng)

    def __call__(self, x: Array) -> Array:
        """Map (n, 28, 28, 1) to (n, 784)."""
        x = self.conv1(x)  #                                     28 x 28 x 6            156
        x = jax.nn.relu(max_pool(x, 2, 2))  #                    14 x 14 x 6              0
        x = self.conv2(x)  #                                    14 x 14 x 16          2,416
        x = jax.nn.relu(max_pool(x, 2, 2))  #                     7 x 7 x 16              0
        return record("Flatten", x.reshape(len(x), -1))  #               784              0


class OffApexNetLayers(Network):
    """A stream per component and three dense layers; output shapes and values for 3 classes: 2,664,475 in all."""

    def __init__(self, n_classes: int, rng: Generator) -> None:
        self.u, self.v = Stream(rng), Stream(rng)
        self.dense1 = Dense(2 * 7 * 7 * 16, 1024, rng=rng)
        self.dense2 = Dense(1024, 1024, rng=rng)
        self.dense3 = Dense(1024, n_classes, rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=1, 28, 28, C), of which the first two channels are u and v."""
        del context
        u = self.u(x[:, 0, ..., :1])  #                                  784          2,572
        v = self.v(x[:, 0, ..., 1:2])  #                                 784          2,572
        x = record("Concatenate", jnp.concatenate([u, v], axis=1))  #  1,568              0
        x = jax.nn.relu(self.dense1(x))  #                             1,024      1,606,656
        x = jax.nn.relu(self.dense2(x))  #                             1,024      1,049,600
        return self.dense3(x)  #                                           3          3,075
