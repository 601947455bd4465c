"""What HTNet and CausalNet share: a mosaic of fixed face regions, and levels of attention over single tokens."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.layers import Conv, normal, record, uniform
from mexbench_plugins.models._nn.pooling import max_pool

SIDE, _CROP, _PATCH = 28, 14, 7
#: First row and column of the crops: left eye, left lips, right eye, right lips, as the authors name them.
REGIONS = ((2, 4), (14, 3), (3, 14), (13, 14))


def mosaic(x: Array) -> Array:
    """Put four crops of 14x14 of (n, 28, 28, C) side by side: eyes on the left, lips on the right.

    The centres are the constants that both codes fall back on, clipped so that a crop fits: (9, 11), (21, 10), (10, 21)
    and (20, 21), of which the codes use x as the row. 167 of the 784 pixels are never shown, 146 more than once.
    """
    left_eye, left_lips, right_eye, right_lips = (
        x[:, row : row + _CROP, column : column + _CROP] for row, column in REGIONS
    )
    rows = [jnp.concatenate(pair, axis=2) for pair in ((left_eye, left_lips), (right_eye, right_lips))]
    return record("Mosaic of 4 regions", jnp.concatenate(rows, axis=1))


class Linear(nnx.Module):
    """Matrix product over the last axis, with bias; PyTorch's initial weights, and no row of its own in the table."""

    def __init__(self, inputs: int, units: int, *, rng: Generator) -> None:
        limit = inputs**-0.5
        self.kernel = nnx.Param(uniform(rng, (inputs, units), limit))
        self.bias = nnx.Param(uniform(rng, (units,), limit))

    def __call__(self, x: Array) -> Array:
        """Map (..., inputs) to (..., units)."""
        return x @ self.kernel[...] + self.bias[...]


class LayerNorm(nnx.Module):
    """Mean 0 and variance 1 over the last axis, epsilon 1e-5 inside the root; no row of its own in the table."""

    def __init__(self, features: int) -> None:
        self.scale, self.bias = nnx.Param(jnp.ones(features)), nnx.Param(jnp.zeros(features))

    def __call__(self, x: Array) -> Array:
        """Normalise (..., features)."""
        centred = x - x.mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * self.scale[...] + self.bias[...]


class FeedForward(nnx.Module):
    """Four times as many units, exact GELU, and back."""

    def __init__(self, dim: int, *, rng: Generator) -> None:
        self.widen, self.narrow = Linear(dim, 4 * dim, rng=rng), Linear(4 * dim, dim, rng=rng)

    def __call__(self, x: Array) -> Array:
        """Map (..., dim) to (..., dim)."""
        return self.narrow(jax.nn.gelu(self.widen(x), approximate=False))


class OneTokenLayer(nnx.Module):
    """x + Attention(LN(x)), then x + FF(LN(x)), where attention is over one token.

    The softmax over a single token is 1, whatever query and key are: attention returns the value. So queries and keys
    are not computed. They stay parameters, with a gradient of exactly zero, since the published count includes them.
    """

    def __init__(self, dim: int, heads: int, *, rng: Generator) -> None:
        inner, limit = heads * (dim // heads), dim**-0.5
        self.name = f"One-token layer, {heads} heads of {dim // heads}"
        self.norm1, self.norm2 = LayerNorm(dim), LayerNorm(dim)
        self.queries_keys = nnx.Param(uniform(rng, (dim, 2 * inner), limit))
        self.values = nnx.Param(uniform(rng, (dim, inner), limit))
        self.out = Linear(inner, dim, rng=rng)
        self.feed_forward = FeedForward(dim, rng=rng)

    def __call__(self, x: Array) -> Array:
        """Map (n, H, W, dim) to (n, H, W, dim), each place by itself."""
        x += self.out(self.norm1(x) @ self.values[...])
        x += self.feed_forward(self.norm2(x))
        return record(self.name, x, self)


class Position(nnx.Module):
    """One number, added to every value: all that the position embedding of a level is."""

    def __init__(self, *, rng: Generator) -> None:
        self.value = nnx.Param(normal(rng, (), 1.0))

    def __call__(self, x: Array) -> Array:
        """Add it."""
        return record("Position scalar", x + self.value[...], self)


class OneTokenLevel(nnx.Module):
    """A position scalar and layers."""

    def __init__(self, dim: int, heads: int, repeats: int, *, rng: Generator) -> None:
        self.position = Position(rng=rng)
        self.layers = nnx.List([OneTokenLayer(dim, heads, rng=rng) for _ in range(repeats)])

    def __call__(self, x: Array) -> Array:
        """Map (n, H, W, dim) to (n, H, W, dim)."""
        x = self.position(x)
        for layer in self.layers:
            x = layer(x)
        return x


class MergingConv(Conv):
    """Convolution 3x3 with one pixel of padding; on a CPU one matrix product where the map is 2x2.

    There every place sees all places, each by one tap of the kernel, so the convolution is dense. XLA's own takes 20
    times as long from 128 to 256 channels: it computes mostly padding.
    """

    def __init__(self, inputs: int, filters: int, *, rng: Generator) -> None:
        super().__init__(inputs, filters, 3, padding=1, convention="torch", rng=rng)

    def __call__(self, x: Array) -> Array:
        """Map (n, H, W, inputs) to (n, H, W, filters)."""
        if x.shape[1:3] != (2, 2) or jax.default_backend() != "cpu":
            return super().__call__(x)
        y = x.reshape(len(x), -1) @ dense_kernel(self.kernel[...])
        return record(self.name, y.reshape(len(x), 2, 2, -1) + self.bias[...], self)


def dense_kernel(kernel: Array) -> Array:
    """Turn a kernel (3, 3, C, D) into the matrix (4 * C, 4 * D) that it is for a map of 2x2, padded by one pixel."""
    places = [(row, column) for row in range(2) for column in range(2)]
    rows = [
        jnp.concatenate([kernel[seen[0] - place[0] + 1, seen[1] - place[1] + 1] for place in places], axis=1)
        for seen in places
    ]
    return jnp.concatenate(rows)


class Merge(nnx.Module):
    """Conv 3x3 to twice the channels, layer norm, overlapping max-pool to half the side."""

    def __init__(self, dim: int, *, rng: Generator) -> None:
        self.conv = MergingConv(dim, 2 * dim, rng=rng)
        self.norm = LayerNorm(2 * dim)

    def __call__(self, x: Array) -> Array:
        """Map (n, H, W, dim) to (n, H / 2, W / 2, 2 * dim)."""
        x = self.conv(x)
        return max_pool(record("LayerNormalization", self.norm(x), self.norm), 3, 2, padding=1)


class Tower(nnx.Module):
    """Patches and three levels; shapes and values for dim 256, 3 heads and 2, 2 and 10 layers.

    Args:
        dim: Channels of the first level; each next one has twice as many.
        heads: Of the first level; each next one has twice as many.
        repeats: Layers of each level.
        rng: Source of the initial weights.
    """

    def __init__(self, dim: int, heads: int, repeats: tuple[int, int, int], *, rng: Generator) -> None:
        self.embed = Conv(_PATCH * _PATCH * 3, dim, 1, convention="torch", rng=rng)
        self.level1 = OneTokenLevel(dim, heads, repeats[0], rng=rng)
        self.merge1 = Merge(dim, rng=rng)
        self.level2 = OneTokenLevel(2 * dim, 2 * heads, repeats[1], rng=rng)
        self.merge2 = Merge(2 * dim, rng=rng)
        self.level3 = OneTokenLevel(4 * dim, 4 * heads, repeats[2], rng=rng)

    def __call__(self, x: Array) -> Array:
        """Map mosaics (n, 28, 28, 3) to (n, 1, 1, 4 * dim)."""
        side = SIDE // _PATCH
        x = x.reshape(len(x), side, _PATCH, side, _PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
        x = record("Patches 7x7", x.reshape(len(x), side, side, -1))  # 4 x 4 x 147          0
        x = self.embed(x)  #                                          4 x 4 x 256          37,888
        x = self.level1(x)  #                                         4 x 4 x 256       1,575,937
        x = self.merge1(x)  #                                         2 x 2 x 512       1,181,184
        x = self.level2(x)  #                                         2 x 2 x 512       6,293,505
        x = self.merge2(x)  #                                        1 x 1 x 1024       4,721,664
        return self.level3(x)  #                                     1 x 1 x 1024     125,767,681
