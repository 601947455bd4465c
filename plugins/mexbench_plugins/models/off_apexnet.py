"""OFF-ApexNet: two small streams on horizontal and vertical flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
from annotated_types import Ge, Gt
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench.errors import DataError
from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, max_pool, record
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, shape_text


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
        del shape
        return OffApexNetLayers(n_classes, rng)


class Stream(nnx.Module):
    """The layers of one component."""

    def __init__(self, rng: Generator) -> None:
        self.conv1 = Conv(1, 6, 5, padding="SAME", rng=rng)
        self.conv2 = Conv(6, 16, 5, padding="SAME", rng=rng)

    def __call__(self, x: Array) -> Array:
        """Map (n, 28, 28, 1) to (n, 784)."""
        x = jax.nn.relu(self.conv1(x))  #                        28 x 28 x 6            156
        x = max_pool(x, 2, 2)  #                                 14 x 14 x 6              0
        x = jax.nn.relu(self.conv2(x))  #                       14 x 14 x 16          2,416
        x = max_pool(x, 2, 2)  #                                  7 x 7 x 16              0
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
