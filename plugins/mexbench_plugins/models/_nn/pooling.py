"""Poolings of images (n, H, W, C), with gradients that are fast on a CPU."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mexbench_plugins.models._nn.layers import computed_once, record, window_places


def max_pool(x: Array, size: int, stride: int, *, padding: int = 0) -> Array:
    """Take the maximum over windows of (n, H, W, C); windows that do not fit are dropped, as in Keras and PyTorch.

    ReLU follows it where a paper has it before: values and gradients are the same, and there are fewer to compute.
    """
    if padding:
        x = jnp.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)], constant_values=-jnp.inf)
    return record(f"MaxPooling2D {size}x{size}/{stride}", maxima(x, size, stride))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def maxima(x: Array, size: int, stride: int) -> Array:
    """Take a maximum over strided slices: ``reduce_window`` and its gradient cost ten times as much on a CPU.

    A window is 5 pixels wide at most.
    """
    return computed_once(lambda x: functools.reduce(jnp.maximum, window_places(x, size, stride)), x)


def _maxima_forward(x: Array, size: int, stride: int) -> tuple[Array, Array]:
    return maxima(x, size, stride), x


def maxima_gradient(size: int, stride: int, x: Array, gradient: Array) -> tuple[Array]:
    """Ask for each pixel which windows it is the maximum of; several maxima of a window share its gradient equally.

    Differentiation would add up one array of the input's size for each place in the window, and with the layers
    before the pooling that took nine times as long.
    """
    return (computed_once(functools.partial(_gradient_of_maxima, size, stride), gradient, x),)


def places_of_maxima(x: Array, size: int, stride: int) -> Array:
    """Return the places of each window's maxima as bits: 1 for its first pixel, 2 for the next in the row.

    A comparison with the maxima would not do: where XLA computes x once more for it, as it may under ``vmap`` and on a
    GPU, its last digits differ, and no pixel is equal to the maximum. Here one is at least.
    """
    best, *others = window_places(x, size, stride)
    bits = jnp.ones(best.shape, jnp.int32)
    for place, part in enumerate(others, 1):
        bits = jnp.where(part > best, 1 << place, jnp.where(part == best, bits | 1 << place, bits))
        best = jnp.maximum(best, part)
    return bits


def _gradient_of_maxima(size: int, stride: int, gradient: Array, x: Array) -> Array:
    height, width = x.shape[1:3]
    rows, columns = -(-height // stride), -(-width // stride)
    bits = places_of_maxima(x, size, stride)
    share = gradient / jax.lax.population_count(bits)
    reach = -(-size // stride)  # how many cells of stride x stride pixels a window covers, either way
    around = [(0, 0), (reach - 1, rows - bits.shape[1]), (reach - 1, columns - bits.shape[2]), (0, 0)]
    bits, share = jnp.pad(bits, around), jnp.pad(share, around)
    total = jnp.zeros((len(x), rows, stride, columns, stride, x.shape[-1]), x.dtype)
    for down in range(reach):
        for right in range(reach):
            begun = (slice(None), slice(reach - 1 - down, None), slice(reach - 1 - right, None))
            ours, part = (array[begun][:, :rows, None, :columns, None] for array in (bits, share))
            row, column = (np.arange(stride) + stride * cells for cells in (down, right))
            inside = (row < size)[:, None] & (column < size)
            place = np.where(inside, size * row[:, None] + column, 31)  # a bit that no window has
            mask = np.int32(1) << place[:, None, :, None].astype(np.int32)
            total += jnp.where(ours & mask != 0, part, 0)
    return total.reshape(len(x), rows * stride, columns * stride, -1)[:, :height, :width]


maxima.defvjp(_maxima_forward, maxima_gradient)


def average_pool(x: Array, size: int) -> Array:
    """Average over windows of (n, H, W, C) that do not overlap and must fill the image."""
    n, height, width, channels = x.shape
    windows = x.reshape(n, height // size, size, width // size, size, channels)
    return record(f"AveragePooling2D {size}x{size}/{size}", windows.mean((2, 4)))


def global_average_pool(x: Array) -> Array:
    """Average each channel of (n, H, W, C) over the image."""
    return record("GlobalAveragePooling2D", x.mean((1, 2)))


def adaptive_average_pool(x: Array, size: int) -> Array:
    """Average (n, H, W, C) over size x size windows that cover the image and may overlap, as PyTorch chooses them."""
    for axis in (1, 2):
        side = x.shape[axis]
        edges = [(i * side // size, -(-(i + 1) * side // size)) for i in range(size)]
        x = jnp.stack([jax.lax.slice_in_dim(x, *edge, axis=axis).mean(axis) for edge in edges], axis)
    return record(f"AdaptiveAveragePooling2D {size}x{size}", x)
