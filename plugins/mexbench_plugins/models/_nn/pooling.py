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
    """Take a maximum over strided slices: ``reduce_window`` and its gradient cost ten times as much on a CPU."""
    return computed_once(lambda x: functools.reduce(jnp.maximum, window_places(x, size, stride)), x)


def _maxima_forward(x: Array, size: int, stride: int) -> tuple[Array, tuple[Array, Array]]:
    best: Array = maxima(x, size, stride)
    return best, (x, best)


def maxima_gradient(size: int, stride: int, residuals: tuple[Array, Array], gradient: Array) -> tuple[Array]:
    """Ask for each pixel which windows it is the maximum of; several maxima of a window share its gradient equally.

    Differentiation would add up one array of the input's size for each place in the window, and with the layers
    before the pooling that took nine times as long.
    """
    return (computed_once(functools.partial(_gradient_of_maxima, size, stride), gradient, *residuals),)


def _gradient_of_maxima(size: int, stride: int, gradient: Array, x: Array, best: Array) -> Array:
    share = gradient / functools.reduce(jnp.add, [part == best for part in window_places(x, size, stride)], 0)
    height, width = x.shape[1:3]
    rows, columns = -(-height // stride), -(-width // stride)
    x = jnp.pad(x, [(0, 0), (0, rows * stride - height), (0, columns * stride - width), (0, 0)])
    cells = x.reshape(len(x), rows, stride, columns, stride, -1)  # a window begins at the first pixel of each
    reach = -(-size // stride)  # how many cells a window covers, either way
    around = [(0, 0), (reach - 1, rows - best.shape[1]), (reach - 1, columns - best.shape[2]), (0, 0)]
    best, share = jnp.pad(best, around, constant_values=jnp.inf), jnp.pad(share, around)
    total = jnp.zeros_like(cells)
    for down in range(reach):
        for right in range(reach):
            begun = (slice(None), slice(reach - 1 - down, None), slice(reach - 1 - right, None))
            ours, part = (array[begun][:, :rows, None, :columns, None] for array in (best, share))
            inside = (np.arange(stride) < size - stride * down)[:, None, None, None]
            inside = inside & (np.arange(stride) < size - stride * right)[:, None]
            total += jnp.where((cells == ours) & inside, part, 0)
    return total.reshape(x.shape)[:, :height, :width]


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
