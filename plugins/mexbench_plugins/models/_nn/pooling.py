"""Poolings of images (n, H, W, C), with gradients that are fast on a CPU."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from mexbench_plugins.models._nn.layers import computed_once, record, window_places

#: Greatest height and width of a window where its maxima are found as bits of a 32-bit number.
MOST = 5


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

    Args:
        size: Height and width of a window.
        stride: In both directions.
        residuals: What was pooled (n, H, W, C), and its maxima.
        gradient: Of the maxima.
    """
    by_comparison = functools.partial(_gradient_by_comparison, size, stride)
    by_place = functools.partial(_gradient_by_place, size, stride)
    return (computed_once(by_comparison, *residuals, gradient, otherwise=by_place),)


def _gradient_by_comparison(size: int, stride: int, x: Array, best: Array, gradient: Array) -> Array:
    """Compare pixels with the maxima: with both in memory, this is the fastest way."""
    share = gradient / functools.reduce(jnp.add, [part == best for part in window_places(x, size, stride)], 0)
    height, width = x.shape[1:3]
    rows, columns = -(-height // stride), -(-width // stride)
    padded = jnp.pad(x, [(0, 0), (0, rows * stride - height), (0, columns * stride - width), (0, 0)])
    pixels = padded.reshape(len(x), rows, stride, columns, stride, -1)
    return _added_up(size, stride, x.shape, (best, share), lambda best, *_: pixels == best)


def _gradient_by_place(size: int, stride: int, x: Array, best: Array, gradient: Array) -> Array:
    """Ask the windows for the places of their maxima.

    A comparison with the maxima would not do where XLA may compute x once more for it, as under ``vmap`` and on a GPU:
    the last digits then differ, and no pixel is equal to the maximum.
    """
    del best
    bits = places_of_maxima(x, size, stride)
    share = gradient / jax.lax.population_count(bits)

    def hit(bits: Array, row: NDArray[np.intp], column: NDArray[np.intp]) -> Array:
        place = np.minimum(row, size - 1) * size + np.minimum(column, size - 1)
        return bits & np.int32(1) << place.astype(np.int32) != 0

    return _added_up(size, stride, x.shape, (bits, share), hit)


def places_of_maxima(x: Array, size: int, stride: int) -> Array:
    """Return the places of each window's maxima as bits: 1 for its first pixel, 2 for the next in the row.

    At least one is set, whatever the digits of x are each time that it is read.

    Raises:
        ValueError: A window is larger than ``MOST`` x ``MOST`` pixels, which have no bits.
    """
    if size > MOST:
        raise ValueError(f"a pooling window is {size} pixels wide, the most are {MOST}")
    best, *others = window_places(x, size, stride)
    bits = jnp.ones(best.shape, jnp.int32)
    for place, part in enumerate(others, 1):
        bits = jnp.where(part > best, 1 << place, jnp.where(part == best, bits | 1 << place, bits))
        best = jnp.maximum(best, part)
    return bits


def _added_up(
    size: int,
    stride: int,
    shape: tuple[int, ...],
    windows: tuple[Array, Array],
    hit: Callable[[Array, NDArray[np.intp], NDArray[np.intp]], Array],
) -> Array:
    """Return for each pixel of an image the sum of the shares of those windows that it is a maximum of.

    Args:
        size: Height and width of a window.
        stride: In both directions.
        shape: Of the images (n, H, W, C).
        windows: What ``hit`` needs to know of each window (n, rows, columns, C), and its share.
        hit: Tells which pixels are maxima, from the first of ``windows`` and a pixel's row and column in the window;
            pixels are (n, H / stride, stride, W / stride, stride, C), and windows likewise. What it says of pixels
            outside of the window does not count.
    """
    n, height, width, channels = shape
    rows, columns = -(-height // stride), -(-width // stride)
    reach = -(-size // stride)  # how many cells of stride x stride pixels a window covers, either way
    begun_rows, begun_columns = windows[0].shape[1:3]
    around = [(0, 0), (reach - 1, rows - begun_rows), (reach - 1, columns - begun_columns), (0, 0)]
    marks, share = (jnp.pad(array, around) for array in windows)
    total = jnp.zeros((n, rows, stride, columns, stride, channels), share.dtype)
    for down in range(reach):
        for right in range(reach):
            begun = (slice(None), slice(reach - 1 - down, None), slice(reach - 1 - right, None))
            mark, part = (array[begun][:, :rows, None, :columns, None] for array in (marks, share))
            row = (np.arange(stride) + stride * down)[:, None, None, None]
            column = (np.arange(stride) + stride * right)[:, None]
            inside = (row < size) & (column < size)
            total += jnp.where(hit(mark, row, column) & inside, part, 0)
    return total.reshape(n, rows * stride, columns * stride, channels)[:, :height, :width]


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
