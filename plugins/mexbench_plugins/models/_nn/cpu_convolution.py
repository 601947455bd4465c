"""Convolutions of few input channels, computed in the ways that are fast on a CPU.

XLA's convolution on a CPU has cliffs: with up to 16 filters, and from three channels with 17 to 32 as well, it takes
two to seven times as long as with a few filters more. Two ways avoid them, and both compute the same sums:

- Neighbouring columns of the image become channels, and neighbouring columns of the output become filters. With two,
  the kernel gets twice the filters, once for each place of an output in its pair; taps beyond the kernel are zeros.
- The kernel is filled up with zero filters, whose outputs are cut off again.

Only in the forward pass: the gradient of the kernel has no such cliffs and is computed with the kernel as it is.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

#: Pixels above and below, and left and right.
Padding = tuple[tuple[int, int], tuple[int, int]]


class Columns(NamedTuple):
    """Numbers of filters, ``least`` to ``most``, for which so many ``columns`` of the output are joined."""

    least: int
    most: int
    columns: int


class Widths(NamedTuple):
    """Numbers of filters, ``least`` to ``most``, that are padded to ``padded``."""

    least: int
    most: int
    padded: int


_FROM_FEW = (Columns(5, 8, 4), Columns(9, 16, 2))
#: (height and width of the kernel, stride, input channels) -> what pays, by ``python -m tests.speed.filters``.
#: Milliseconds forward, as it is, with zero filters and with columns: 5x5 from 1 channel, 6 filters 12.1, 2.1 and 1.2;
#: 3x3 from 3, 16 filters 32.7, 20.0 and 12.3; 5x5 from 3, 32 filters 27.1, 11.4 and 9.9; 5x5 from 6, 16 filters 4.8,
#: 2.6 and 1.6; 7x7/2 from 3, 16 filters 24.0, 20.5 and 11.2, 8 filters 36.6, 32.4 and 12.2. Without a stride, four
#: columns of up to 4 filters are 16 filters, which is still before the cliff.
COLUMNS: dict[tuple[int, int, int], tuple[Columns, ...]] = {
    **{(size, 1, inputs): _FROM_FEW for size in (3, 5) for inputs in (1, 2, 6)},
    (3, 1, 3): (Columns(1, 8, 4), Columns(9, 24, 2)),
    (3, 1, 4): _FROM_FEW,
    (5, 1, 3): (Columns(1, 8, 4), Columns(9, 32, 2)),
    (7, 2, 3): (Columns(1, 8, 4), Columns(9, 24, 2)),
}

_FEW = (Widths(1, 16, 17),)
_FROM_COLOUR = (Widths(1, 32, 33), Widths(65, 95, 96))
#: (height and width of the kernel, stride, input channels) -> paddings that pay where columns are not joined, by the
#: same script. Milliseconds forward: 3x3 from 3, 17 filters 110, padded 21; 65 filters 22 and 6.4; 7x7/2 from 3, 32
#: filters 53 and 20; 3x3 from 16, 16 filters 2.8 and 2.3. From 16 channels no other number pays.
PADDED_WIDTHS: dict[tuple[int, int, int], tuple[Widths, ...]] = {
    (3, 1, 1): _FEW,
    (5, 1, 1): _FEW,
    (3, 1, 2): _FEW,
    (5, 1, 2): _FEW,
    (3, 1, 3): _FROM_COLOUR,
    (5, 1, 3): (Widths(1, 32, 33),),
    (7, 2, 3): _FROM_COLOUR,
    (3, 1, 4): _FEW,
    (3, 1, 6): _FEW,
    (5, 1, 6): _FEW,
    (3, 1, 16): (Widths(16, 16, 17),),
}


def joined_columns(kernel: tuple[int, ...], stride: int, columns: tuple[int, int]) -> int:
    """Return how many columns of the output are computed together: 1 where none are joined.

    Args:
        kernel: Its shape (size, size, inputs, filters).
        stride: In both directions.
        columns: Of the input and of the output; only numbers that can be divided can be joined.
    """
    size, _, inputs, filters = kernel
    for way in COLUMNS.get((size, stride, inputs), ()):
        fits = columns[0] % _cell(stride, way.columns) == 0 and columns[1] % way.columns == 0
        if way.least <= filters <= way.most and fits:
            return way.columns
    return 1


def _cell(stride: int, columns: int) -> int:
    """Return how many neighbouring columns of the input become channels."""
    return columns if stride == 1 else stride


def padded_width(kernel: tuple[int, ...], stride: int) -> int:
    """Return how many filters a kernel of this shape (size, size, inputs, filters) is padded to."""
    size, _, inputs, filters = kernel
    for widths in PADDED_WIDTHS.get((size, stride, inputs), ()):
        if widths.least <= filters <= widths.most:
            return widths.padded
    return filters


def plain_convolution(
    x: Array, kernel: Array, stride: int | tuple[int, int], padding: Padding, dilation: int = 1
) -> Array:
    """Convolve (n, H, W, inputs) with a kernel (rows, columns, inputs, filters); two strides are down and across.

    Padding beyond the reach of the kernel is added to the images and not left to the convolution. The gradient of the
    images would otherwise be a convolution with negative padding, for which XLA on a CPU (jaxlib 0.10.2) reads other
    rows, or memory outside of the array: with a 3x3 kernel, padding 3 before and 1 after, in both directions.
    """
    inner: list[tuple[int, int]] = []
    beyond: list[tuple[int, int]] = []
    for (before, after), size in zip(padding, kernel.shape[:2], strict=True):
        reach = (size - 1) * dilation
        inner.append((min(before, reach), min(after, reach)))
        beyond.append((before - inner[-1][0], after - inner[-1][1]))
    if any(map(any, beyond)):
        x = jnp.pad(x, [(0, 0), *beyond, (0, 0)])
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride) if isinstance(stride, int) else stride, inner,
        rhs_dilation=(dilation, dilation), dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def fast_convolution(x: Array, kernel: Array, stride: int, padding: Padding) -> Array:
    """Convolve as ``plain_convolution`` does, in the way that the tables name; the last digits may differ."""
    width, size, filters = x.shape[2], kernel.shape[0], kernel.shape[-1]
    outputs = (width + sum(padding[1]) - size) // stride + 1
    if (columns := joined_columns(kernel.shape, stride, (width, outputs))) > 1:
        return by_columns(x, kernel, stride, padding, columns)
    padded = jnp.pad(kernel, [(0, 0)] * 3 + [(0, padded_width(kernel.shape, stride) - filters)])
    return plain_convolution(x, padded, stride, padding)[..., :filters]


def by_columns(x: Array, kernel: Array, stride: int, padding: Padding, columns: int) -> Array:
    """Convolve with neighbouring columns of the images as channels, and so many columns of the output as filters.

    Args:
        x: Images (n, H, W, inputs).
        kernel: (size, size, inputs, filters).
        stride: In both directions.
        padding: Zeros around the images.
        columns: They divide those of the output, and those of x too, or with a stride, that divides them.

    Returns:
        Outputs (n, rows, columns, filters).
    """
    n, height, width, inputs = x.shape
    size, _, _, filters = kernel.shape
    cell = _cell(stride, columns)
    outputs = (width + sum(padding[1]) - size) // stride + 1
    before, across = padding[1][0], columns * stride // cell
    # The first and the last cell that the first joined outputs see, counted from the first one of the image.
    first, last = -before // cell, (stride * (columns - 1) - before + size - 1) // cell
    seen = (last - first + 1) * cell
    start = -before - first * cell  # of the first output's taps
    places = [
        jnp.pad(kernel, [(0, 0), (start + place, seen - size - start - place), (0, 0), (0, 0)])
        for place in range(0, columns * stride, stride)
    ]
    taps = jnp.stack(places, axis=-2).reshape(size, seen // cell, cell * inputs, columns * filters)
    cells = x.reshape(n, height, width // cell, cell * inputs)
    after = across * (outputs // columns - 1) + last + 1 - width // cell
    y = plain_convolution(cells, taps, (stride, across), (padding[0], (-first, after)))
    return y.reshape(n, -1, outputs, filters)


def _forward(x: Array, kernel: Array, stride: int, padding: Padding) -> tuple[Array, tuple[Array, Array]]:
    return fast_convolution(x, kernel, stride, padding), (x, kernel)


def _backward(stride: int, padding: Padding, residuals: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    _, of_kernel = jax.vjp(lambda kernel: plain_convolution(x, kernel, stride, padding), kernel)
    # The gradient of x is a convolution from the filters to the inputs, which has cliffs as well.
    inputs = kernel.shape[2]
    width = padded_width((*kernel.shape[:2], kernel.shape[3], inputs), stride)
    padded = jnp.pad(kernel, [(0, 0), (0, 0), (0, width - inputs), (0, 0)])
    shape = jax.ShapeDtypeStruct((*x.shape[:-1], width), x.dtype)
    of_x = jax.linear_transpose(lambda x: plain_convolution(x, padded, stride, padding), shape)
    return of_x(gradient)[0][..., :inputs], of_kernel(gradient)[0]


fast_convolution.defvjp(_forward, _backward)
