"""The layers of SOFTNet and its training step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from numpy.random import Generator
from numpy.typing import NDArray

_FILTERS = (3, 5, 8)
_DENSE = ("dense", "dense_bias", "output", "output_bias")
#: Sides of a field that leave one square after both poolings.
_SMALLEST = (6, 6)
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

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights by name."""
        named = {f"kernel{index}": kernel for index, kernel in enumerate(self.kernels)}
        named |= {f"bias{index}": bias for index, bias in enumerate(self.biases)}
        named |= {name: getattr(self, name) for name in _DENSE}
        return {name: np.asarray(parameter[...], np.float32) for name, parameter in named.items()}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> ThreeStreams:
        """Build the network that has these weights.

        Raises:
            ValueError: They are not those of such a network.
        """
        network = cls(_SMALLEST, np.random.default_rng(0))
        expected = {name: array.shape for name, array in network.arrays().items()}
        dense = arrays.get("dense")
        if dense is not None and dense.ndim == 2 and dense.shape[0] % sum(_FILTERS) == 0:
            expected["dense"] = (dense.shape[0], _HIDDEN)  # its rows depend on the side of the fields
        if {name: array.shape for name, array in arrays.items()} != expected:
            raise ValueError("arrays of another network than SOFTNet's three streams")
        weights = {name: nnx.Param(jnp.asarray(array, jnp.float32)) for name, array in arrays.items()}
        network.kernels = nnx.List([weights[f"kernel{index}"] for index in range(len(_FILTERS))])
        network.biases = nnx.List([weights[f"bias{index}"] for index in range(len(_FILTERS))])
        for name in _DENSE:
            setattr(network, name, weights[name])
        return network

    def __call__(self, x: Array) -> Array:
        """Return scores (n,) for flow fields (n, H, W, 3)."""
        # One convolution whose kernels read a single channel each: half the time of three convolutions on a CPU.
        kernels = [
            jnp.pad(kernel[...], ((0, 0), (0, 0), (channel, len(_FILTERS) - 1 - channel), (0, 0)))
            for channel, kernel in enumerate(self.kernels)
        ]
        bias = jnp.concatenate([one[...] for one in self.biases])
        y = jax.lax.conv_general_dilated(
            x, jnp.concatenate(kernels, axis=-1), (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        y = _pooled(_pooled(jax.nn.relu(y + bias), 3), 2).reshape(len(x), -1)
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
