"""Dual-Inception: two inception streams on horizontal and vertical flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from annotated_types import Ge, Gt
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench.errors import DataError
from mexbench_plugins.models._nn.layers import Context, Conv, Convention, Dense, Network, max_pool, record
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, shape_text

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
        del shape
        return DualInceptionLayers(self.variant, n_classes, rng)


class Inception(nnx.Module):
    """Four paths side by side, then max-pooling.

    Args:
        inputs: Input channels.
        filters: Of each convolution.
        plain_relu: Whether the path of one 1x1 convolution has an activation.
        convention: Whose initial weights.
        rng: Source of the initial weights.
    """

    def __init__(self, inputs: int, filters: int, *, plain_relu: bool, convention: Convention, rng: Generator) -> None:
        def conv(channels: int, size: int) -> Conv:
            return Conv(channels, filters, size, padding="SAME", convention=convention, rng=rng)

        self.plain_relu = plain_relu
        self.plain = conv(inputs, 1)
        self.reduce3, self.conv3 = conv(inputs, 1), conv(filters, 3)
        self.reduce5, self.conv5 = conv(inputs, 1), conv(filters, 5)
        self.pooled = conv(inputs, 1)

    def __call__(self, x: Array) -> Array:
        """Map (n, H, W, inputs) to (n, H / 2, W / 2, 4 * filters)."""
        plain = self.plain(x)
        paths = [
            jax.nn.relu(plain) if self.plain_relu else plain,
            jax.nn.relu(self.conv3(jax.nn.relu(self.reduce3(x)))),
            jax.nn.relu(self.conv5(jax.nn.relu(self.reduce5(x)))),
            jax.nn.relu(self.pooled(max_pool(x, 3, 1, padding=1))),
        ]
        return max_pool(record("Concatenate", jnp.concatenate(paths, axis=-1)), 2, 2)


class InceptionStream(nnx.Module):
    """The layers of one component; values of the original, with three channels."""

    def __init__(self, channels: int, *, plain_relu: bool, convention: Convention, rng: Generator) -> None:
        self.block1 = Inception(channels, 6, plain_relu=plain_relu, convention=convention, rng=rng)
        self.block2 = Inception(24, 16, plain_relu=plain_relu, convention=convention, rng=rng)

    def __call__(self, x: Array) -> Array:
        """Map (n, 28, 28, channels) to (n, 3136)."""
        x = self.block1(x)  #                                     14 x 14 x 24          1,332
        x = self.block2(x)  #                                       7 x 7 x 64         10,336
        return record("Flatten", x.reshape(len(x), -1))  #               3,136              0


class DualInceptionLayers(Network):
    """A stream per component and two dense layers; output shapes and values for 3 classes: 6,449,963 in all."""

    def __init__(self, variant: Variant, n_classes: int, rng: Generator) -> None:
        original = variant == "original"
        convention: Convention = "keras" if original else "torch"
        self.channels = 3 if original else 1
        self.u = InceptionStream(self.channels, plain_relu=original, convention=convention, rng=rng)
        self.v = InceptionStream(self.channels, plain_relu=original, convention=convention, rng=rng)
        self.dense1 = Dense(2 * 7 * 7 * 64, 1024, convention=convention, rng=rng)
        self.dense2 = Dense(1024, n_classes, convention=convention, rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=1, 28, 28, C), of which the first two channels are u and v."""
        del context
        u, v = (jnp.repeat(x[:, 0, ..., i : i + 1], self.channels, axis=-1) for i in (0, 1))
        u = self.u(u)  #                                                 3,136         11,668
        v = self.v(v)  #                                                 3,136         11,668
        x = record("Concatenate", jnp.concatenate([u, v], axis=1))  #    6,272              0
        x = jax.nn.relu(self.dense1(x))  #                               1,024      6,423,552
        return self.dense2(x)  #                                             3          3,075
