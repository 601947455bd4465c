"""VGG-16's convolutions, compiled layer by layer for the machine at hand."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from mexbench_plugins._compilations import keep_compilations
from mexbench_plugins.preprocessors._vgg16_weights import BLOCKS, Weights
from mexbench_plugins.preprocessors._winograd import Tile, convolve, transform_kernel

#: Frames that are computed at once. A processor's caches hold what lies between two steps of one frame, not of more.
BATCH = {"cpu": 1}
_ACCELERATED = 16


def features(weights: Weights, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return features (T, H // 32, W // 32, 512) of frames (T, H, W, 3), RGB; the last batch is padded."""
    keep_compilations()
    backend = jax.default_backend()
    size = BATCH.get(backend, _ACCELERATED)
    layers = _layers(weights, frames.shape[1], frames.shape[2], backend)
    features = []
    for start in range(0, len(frames), size):
        part = frames[start : start + size]
        x = _pixels(np.resize(part, (size, *part.shape[1:])), weights.mean, weights.deviation, weights.blue_first)
        for kernel, bias, tile, last in layers:
            x = _layer(x, kernel, bias, tile=tile, pooled=last)
        features.append(np.asarray(x)[: len(part)])
    return np.concatenate(features)


_Layer = tuple[Array, Array, Tile | None, bool]


@functools.lru_cache(maxsize=2)
def _layers(weights: Weights, height: int, width: int, backend: str) -> list[_Layer]:
    """Transform the kernels beforehand for frames of this size."""
    layers: list[_Layer] = []
    pairs = iter(zip(weights.kernels, weights.biases, strict=True))
    for block, sizes in enumerate(BLOCKS):
        tile = _tile(min(height, width) >> block) if backend == "cpu" else None
        for layer in range(1, len(sizes) + 1):
            kernel, bias = next(pairs)
            chosen = transform_kernel(kernel, tile) if tile else kernel
            layers.append((jnp.asarray(chosen), jnp.asarray(bias), tile, layer == len(sizes)))
    return layers


def _tile(side: int) -> Tile | None:
    """Choose the algorithm for images of this side; None is a plain convolution.

    Measured on a processor: above 128 pixels the tiles of an image leave the caches, below 14 there are too few.
    """
    if not 14 <= side <= 128:
        return None
    return 4 if side >= 28 else 2


@functools.partial(jax.jit, static_argnames=("blue_first",))
def _pixels(frames: Array, mean: Array, deviation: Array, blue_first: bool) -> Array:  # noqa: FBT001
    x = frames[..., ::-1] if blue_first else frames
    return (x.astype(jnp.float32) - mean) / deviation


@functools.partial(jax.jit, static_argnames=("tile", "pooled"))
def _layer(x: Array, kernel: Array, bias: Array, *, tile: Tile | None, pooled: bool) -> Array:
    """Convolve, add the bias, cut off below zero, and take maxima of 2x2 where a block ends."""
    if tile is not None:
        return jax.nn.relu(convolve(x, kernel, tile, pooled=pooled) + bias)
    # Without HIGHEST an accelerator multiplies with fewer digits.
    y = lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision=lax.Precision.HIGHEST
    )
    if pooled:  # before the rest, which does not change what is largest
        n, height, width, filters = y.shape
        y = y[:, : height // 2 * 2, : width // 2 * 2]
        y = y.reshape(n, height // 2, 2, width // 2, 2, filters).max((2, 4))
    return jax.nn.relu(y + bias)
