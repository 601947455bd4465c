"""The costly part of STSTNet for K folds at once: convolution, ReLU, batch norm and max-pooling, with its gradient.

The gradient is written by hand, for two reasons. Batch norm rises or falls with its input, channel by channel, so the
pooling can come first and nine times fewer values be normalised; and the transpose of nine slices, which is what
automatic differentiation makes of a pooling, writes the whole array nine times.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from mexbench_plugins.models._nn.batch_norm_layer import EPSILON

SIDE = 30  # of the feature map: 28 pixels and a padding of 2, less the 3x3 filter's own size
CHUNK = 4  # samples that go through at a time on a CPU: their feature maps for 8 folds are 1.8 MB
POSITIONS = SIDE * SIDE
FILTERS = 16
TAPS = 3 * 3 * 3 + 1  # height, width, channels, and a constant 1 that carries the bias through the product


def _layout() -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Order the positions by (place in the pooling window 9, place in the averaging window 4, averaging window 25).

    Pooling windows cover rows -1 to 28. Row -1 is padding, so its place holds row 29, which counts in the statistics
    and is never pooled; columns alike.

    Returns:
        Index of each position, row by row (900,), and what is added before pooling (9, 100, 1): 0, or -inf.
    """
    place, inner, window = np.meshgrid(np.arange(9), np.arange(4), np.arange(25), indexing="ij")
    row = 3 * (2 * (window // 5) + inner // 2) + place // 3 - 1
    column = 3 * (2 * (window % 5) + inner % 2) + place % 3 - 1
    padding = (row < 0) | (column < 0)
    index = (row % SIDE) * SIDE + column % SIDE
    return index.ravel(), np.where(padding, -np.inf, 0).astype(np.float32).reshape(9, 100, 1)


_INDEX, _PADDING = _layout()


def patches_of(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what each filter sees at each position, and a constant 1: (n, 900, 28) for images (n, 28, 28, 3)."""
    padded = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))  # (n, 30, 30, 3, 3, 3)
    taps = windows.transpose(0, 1, 2, 4, 5, 3).reshape(len(images), POSITIONS, TAPS - 1)[:, _INDEX]
    return np.concatenate([taps, np.ones((*taps.shape[:2], 1), np.float32)], axis=2)


@jax.custom_vjp
def front(  # noqa: PLR0917 - a function with its own gradient has no keywords
    patches: Array, chosen: Array, conv: Array, scale: Array, shift: Array, mask: Array
) -> tuple[Array, Array, Array]:
    """Return normalised maxima (n, 4, 25, K, 16), and the mean and biased variance per fold and filter (K, 16).

    Only the first has a gradient, and only towards ``conv``, ``scale`` and ``shift``.

    Args:
        patches: Of the data set, from ``patches_of`` (N, 900, 28).
        chosen: Rows of the minibatch (n,), a multiple of ``rows_at_once``.
        conv: Filters and biases of K folds (K, 28, 16).
        scale: Of batch norm (K, 16).
        shift: Of batch norm (K, 16).
        mask: 1 where a sample trains in a fold, else 0 (n, K).
    """
    return _forward(patches, chosen, conv, scale, shift, mask)[0]


@jax.jit
def sample_moments(patches: Array, conv: Array) -> tuple[Array, Array]:
    """Return mean and biased variance of each sample's feature maps, the input of batch norm (N, K, 16) each.

    Args:
        patches: Of the data set, from ``patches_of`` (N, 900, 28), N a multiple of ``rows_at_once``.
        conv: Filters and biases of K folds (K, 28, 16).
    """
    filters = _side_by_side(conv)

    def piece(rows: Array) -> tuple[Array, Array]:
        h = jax.nn.relu(_convolved(patches, rows, filters))
        return h.mean((1, 2)), h.var((1, 2))

    parts = jax.lax.map(piece, _pieces(jnp.arange(len(patches))))
    mean, var = (_merged(part).reshape(len(patches), -1, FILTERS) for part in parts)
    return mean, var


def rows_at_once(n: int) -> int:
    """Return how many samples go through at a time: on a CPU as many as its caches hold, on a GPU all."""
    return min(n, CHUNK) if jax.default_backend() == "cpu" else n


def _forward(  # noqa: PLR0917 - as above
    patches: Array, chosen: Array, conv: Array, scale: Array, shift: Array, mask: Array
) -> tuple[tuple[Array, Array, Array], tuple[Array, ...]]:
    n, folds = mask.shape
    filters = _side_by_side(conv)
    sign = jnp.where(scale >= 0, 1.0, -1.0).reshape(-1)  # a falling batch norm makes the least value the greatest

    def piece(rows: Array) -> tuple[Array, Array, Array]:
        h = jax.nn.relu(_convolved(patches, rows, filters))
        return _maxima(h, sign), h.sum((1, 2)), (h * h).sum((1, 2))

    best, total, squares = (_merged(part) for part in jax.lax.map(piece, _pieces(chosen)))
    count = jnp.maximum(mask.sum(0), 1)[:, None] * POSITIONS
    mean = _over_samples(total, mask) / count
    var = jnp.maximum(_over_samples(squares, mask) / count - mean**2, 0)
    inverse = jax.lax.rsqrt(var + EPSILON["torch"])
    pooled = (best * sign).reshape(n, 4, 25, folds, FILTERS)
    out = (pooled - mean) * (scale * inverse) + shift
    return (out, mean, var), (patches, chosen, filters, best, sign, mean, inverse, scale, mask, count)


def _backward(residuals: tuple[Array, ...], gradients: tuple[Array, Array, Array]) -> tuple[Array | None, ...]:
    patches, chosen, filters, best, sign, mean, inverse, scale, mask, count = residuals
    gradient = gradients[0]
    n, folds = mask.shape
    pooled = (best * sign).reshape(gradient.shape)
    d_shift = gradient.sum((0, 1, 2))
    d_scale = (gradient * (pooled - mean)).sum((0, 1, 2)) * inverse
    # Through the statistics, every position of every sample that trains: a constant, and a part along its value.
    along = -d_scale * scale * inverse**2 / count
    constant = -d_shift * scale * inverse / count - along * mean
    constant, along = ((mask[:, :, None] * part).reshape(n, 1, 1, -1) for part in (constant, along))
    # Through the pooling: to the maximum, in equal parts where there are several.
    pooling = (gradient * (scale * inverse)).reshape(best.shape)

    def piece(d_filters: Array, part: tuple[Array, ...]) -> tuple[Array, None]:
        rows, best, pooling, constant, along = part
        # Once more: writing and reading the feature maps of a whole batch costs more than the product that gives them.
        before = _convolved(patches, rows, filters)
        h = jax.nn.relu(before)
        if jax.default_backend() != "cpu":  # where two calls of one product may differ in the last digits
            best = _maxima(h, sign)
        ties = sum(jnp.where(h[:, place] * sign + _PADDING[place] == best, 1.0, 0.0) for place in range(9))
        share = (pooling / ties)[:, None]
        hit = h * sign + _PADDING == best[:, None]
        d_before = jnp.where(before > 0, jnp.where(hit, share, 0) + constant + along * h, 0)
        taps = patches[rows].reshape(-1, TAPS)
        return d_filters + taps.T @ d_before.reshape(-1, folds * FILTERS), None

    parts = tuple(map(_pieces, (chosen, best, pooling, constant, along)))
    d_filters, _ = jax.lax.scan(piece, jnp.zeros_like(filters), parts)
    return None, None, d_filters.reshape(TAPS, folds, FILTERS).transpose(1, 0, 2), d_scale, d_shift, None


front.defvjp(_forward, _backward)


def _maxima(h: Array, sign: Array) -> Array:
    """Take the maximum of each pooling window (m, 100, C) over the places of h (m, 9, 100, C)."""
    return functools.reduce(jnp.maximum, [h[:, place] * sign + _PADDING[place] for place in range(9)])


def _convolved(patches: Array, rows: Array, filters: Array) -> Array:
    return (patches[rows].reshape(-1, TAPS) @ filters).reshape(len(rows), 9, 100, -1)


def _pieces(x: Array) -> Array:
    return x.reshape(-1, rows_at_once(len(x)), *x.shape[1:])


def _merged(x: Array) -> Array:
    return x.reshape(-1, *x.shape[2:])


def _side_by_side(conv: Array) -> Array:
    return conv.transpose(1, 0, 2).reshape(TAPS, -1)


def _over_samples(sums: Array, mask: Array) -> Array:
    """Add what each sample has (n, K * 16) where it trains: (K, 16)."""
    return jnp.einsum("nkc,nk->kc", sums.reshape(len(sums), -1, FILTERS), mask)


def select_by_fold(taken: Array, new: Array, old: Array) -> Array:
    """Take a leaf (K, ...) of the new state for the folds of ``taken`` (K,), of the old one for the others."""
    return jnp.where(taken.reshape(-1, *[1] * (new.ndim - 1)), new, old)
