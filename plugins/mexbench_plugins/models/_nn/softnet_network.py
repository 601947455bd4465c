"""The layers of SOFTNet and its training step."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from numpy.random import Generator
from numpy.typing import NDArray

_FILTERS = (3, 5, 8)
_HIDDEN = 400


class ThreeStreams(nnx.Module):
    """Conv 5x5 of 3, 5 and 8 filters on u, v and strain, pool 3x3; joined, pool 2x2, dense 400, one output.

    At the authors' 42x42 it has 416 values in the convolutions and 314,401 in the dense layers.
    """

    def __init__(self, side: tuple[int, int], rng: Generator) -> None:
        self.kernels = nnx.List([nnx.Param(_glorot(rng, (5, 5, 1, filters))) for filters in _FILTERS])
        self.biases = nnx.List([nnx.Param(jnp.zeros(filters)) for filters in _FILTERS])
        height, width = ((length // 3) // 2 for length in side)
        self.dense = nnx.Param(_glorot(rng, (height * width * sum(_FILTERS), _HIDDEN)))
        self.dense_bias = nnx.Param(jnp.zeros(_HIDDEN))
        self.output = nnx.Param(_glorot(rng, (_HIDDEN, 1)))
        self.output_bias = nnx.Param(jnp.zeros(1))

    def __call__(self, x: Array) -> Array:
        """Return scores (n,) for flow fields (n, H, W, 3)."""
        streams = []
        for channel, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            y = jax.lax.conv_general_dilated(
                x[..., channel : channel + 1], kernel[...], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            streams.append(_pooled(jax.nn.relu(y + bias[...]), 3))
        y = _pooled(jnp.concatenate(streams, axis=-1), 2).reshape(len(x), -1)
        y = jax.nn.relu(y @ self.dense[...] + self.dense_bias[...])
        return (y @ self.output[...] + self.output_bias[...])[:, 0]


def _pooled(x: Array, size: int) -> Array:
    """Return the maximum of each square without overlap; what is left over at the border is dropped, as in Keras."""
    n, height, width, channels = x.shape
    rows, columns = height // size, width // size
    squares = x[:, : rows * size, : columns * size].reshape(n, rows, size, columns, size, channels)
    return squares.max(axis=(2, 4))


def _glorot(rng: Generator, shape: tuple[int, ...]) -> Array:
    limit = float(np.sqrt(6 / (np.prod(shape[:-2]) * (shape[-2] + shape[-1]))))
    return jnp.asarray(rng.uniform(-limit, limit, shape), jnp.float32)


@nnx.jit
def scores(network: ThreeStreams, x: NDArray[np.float32]) -> Array:
    """Return scores (n,) for flow fields (n, H, W, 3)."""
    return network(jnp.asarray(x))


def adam(network: ThreeStreams, learning_rate: float) -> nnx.Optimizer[ThreeStreams]:
    """Return Adam before its first step."""
    return nnx.Optimizer(network, optax.adam(learning_rate), wrt=nnx.Param)


def _train_step(
    network: ThreeStreams, optimiser: nnx.Optimizer[ThreeStreams], x: NDArray[np.float32], y: NDArray[np.float32]
) -> None:
    def loss(model: ThreeStreams) -> Array:
        return jnp.mean((model(jnp.asarray(x)) - jnp.asarray(y)) ** 2)

    optimiser.update(network, nnx.grad(loss)(network))


#: One step on flow fields (n, H, W, 3) and pseudo-labels (n,); it changes the network and the optimiser.
train_step = nnx.jit(_train_step)
