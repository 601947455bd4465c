"""Zero filters that make convolutions of few input channels fast on a CPU.

XLA's convolution on a CPU has cliffs: from three channels it takes seven times as long for 17 filters as for 33. So a
kernel is padded with zero filters, and their outputs are cut off again. Only in the forward pass: the gradient has its
cliffs elsewhere, and is computed with the kernel as it is.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

Padding = str | tuple[tuple[int, int], tuple[int, int]]


class Widths(NamedTuple):
    """Numbers of filters, ``least`` to ``most``, that are padded to ``padded``."""

    least: int
    most: int
    padded: int


_FEW = (Widths(1, 16, 17),)
_FROM_COLOUR = (Widths(1, 32, 33), Widths(65, 95, 96))
#: (height and width of the kernel, stride, input channels) -> paddings that pay, by ``python -m tests.speed.filters``.
#: Milliseconds forward, without a padding and with it: 5x5 from 1 channel, 6 filters 10.1 and 2.3; 3x3 from 1, 16
#: filters 3.8 and 1.3; 3x3 from 2, 16 filters 3.4 and 1.3; 3x3 from 3, 16 filters 37 and 21, 17 filters 110 and 21, 65
#: filters 22 and 6.4; 7x7/2 from 3, 32 filters 53 and 20; 5x5 from 6, 16 filters 5.1 and 2.9. From 16 nothing pays.
PADDED_WIDTHS: dict[tuple[int, int, int], tuple[Widths, ...]] = {
    (3, 1, 1): _FEW,
    (5, 1, 1): _FEW,
    (3, 1, 2): _FEW,
    (3, 1, 3): _FROM_COLOUR,
    (7, 2, 3): _FROM_COLOUR,
    (3, 1, 6): _FEW,
    (5, 1, 6): _FEW,
}


def padded_width(kernel: tuple[int, ...], stride: int) -> int:
    """Return how many filters a kernel of this shape (size, size, inputs, filters) is padded to on a CPU."""
    size, _, inputs, filters = kernel
    for widths in PADDED_WIDTHS.get((size, stride, inputs), ()):
        if widths.least <= filters <= widths.most:
            return widths.padded
    return filters


def plain_convolution(x: Array, kernel: Array, stride: int, padding: Padding, dilation: int = 1) -> Array:
    """Convolve (n, H, W, inputs) with a kernel (size, size, inputs, filters)."""
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), padding,
        rhs_dilation=(dilation, dilation), dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def padded_convolution(x: Array, kernel: Array, stride: int, padding: Padding, width: int) -> Array:
    """Convolve as ``plain_convolution`` does, with zero filters up to a width in the forward pass."""
    filters = kernel.shape[-1]
    padded = jnp.pad(kernel, [(0, 0), (0, 0), (0, 0), (0, width - filters)])
    return plain_convolution(x, padded, stride, padding)[..., :filters]


def _forward(x: Array, kernel: Array, stride: int, padding: Padding, width: int) -> tuple[Array, tuple[Array, Array]]:
    return padded_convolution(x, kernel, stride, padding, width), (x, kernel)


def _backward(
    stride: int, padding: Padding, width: int, residuals: tuple[Array, Array], gradient: Array
) -> tuple[Array, Array]:
    del width
    _, backward = jax.vjp(lambda x, kernel: plain_convolution(x, kernel, stride, padding), *residuals)
    return backward(gradient)


padded_convolution.defvjp(_forward, _backward)
