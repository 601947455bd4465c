"""The layers of CausalNet."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._input_shapes import CAUSALNET_HEADS, CAUSALNET_MAPS, CAUSALNET_TOKENS
from mexbench_plugins.models._nn.layers import Context, Dense, Network, record
from mexbench_plugins.models._nn.one_token_levels import FeedForward, LayerNorm, Linear, Tower, mosaic

#: Pairs of tokens whose logit is masked, and the multiple of gamma that takes its place.
_MASKED = {(0, 3): -4, (1, 2): -3, (2, 1): -2, (3, 0): -1}


class Attention(nnx.Module):
    """Attention of 8 heads over four tokens, with biases; masked as the authors mask.

    The logits of the masked pairs are replaced by multiples of gamma before the softmax, and their weights by zero
    after it, without normalising again.
    """

    def __init__(self, dim: int, gamma: float, *, rng: Generator) -> None:
        self.query, self.key, self.value, self.out = (Linear(dim, dim, rng=rng) for _ in range(4))
        self.gamma = gamma

    def masked(self, x: Array, context: Array, scale: float) -> Array:
        """Let tokens x (n, 4, dim) attend to ``context`` (n, 4, dim)."""
        mask, offset = _mask_and_offset(self.gamma)
        query, key, value = _heads(self.query(x)), _heads(self.key(context)), _heads(self.value(context))
        weights = jax.nn.softmax(jnp.einsum("nqhd,nkhd->nhqk", query, key) * scale * mask + offset)
        return self.out(_joined(jnp.einsum("nhqk,nkhd->nqhd", weights * mask, value)))

    def over_pair(self, x: Array, pair: tuple[Array, Array], scale: float) -> Array:
        """Let each token of x attend to the same token of a pair alone."""
        query = _heads(self.query(x))
        keys, values = (jnp.stack([_heads(layer(one)) for one in pair]) for layer in (self.key, self.value))
        weights = jax.nn.softmax(jnp.einsum("nthd,pnthd->pnth", query, keys) * scale, axis=0)
        return self.out(_joined(jnp.einsum("pnth,pnthd->nthd", weights, values)))

    def relation(self, one: Array, other: Array, scale: float) -> Array:
        """Let ``one`` ask and ``other`` answer about the sum of both, without a mask; both are added to the result."""
        query, key, value = _heads(self.query(one)), _heads(self.key(other)), _heads(self.value(one + other))
        weights = jax.nn.softmax(jnp.einsum("nqhd,nkhd->nhqk", query, key) * scale)
        return self.out(_joined(jnp.einsum("nhqk,nkhd->nqhd", weights, value)) + one + other)


def _mask_and_offset(gamma: float) -> tuple[Array, Array]:
    mask, offset = (
        np.ones((CAUSALNET_TOKENS, CAUSALNET_TOKENS), np.float32),
        np.zeros((CAUSALNET_TOKENS, CAUSALNET_TOKENS), np.float32),
    )
    for pair, multiple in _MASKED.items():
        mask[pair], offset[pair] = 0, multiple * gamma
    return jnp.asarray(mask), jnp.asarray(offset)


def _heads(x: Array) -> Array:
    return x.reshape(*x.shape[:-1], CAUSALNET_HEADS, -1)


def _joined(x: Array) -> Array:
    return x.reshape(*x.shape[:-2], -1)


class CrossLayer(nnx.Module):
    """Each direction map attends to the other one, by the same weights, and then goes through a feed-forward part."""

    def __init__(self, dim: int, gamma: float, *, rng: Generator) -> None:
        self.norm, self.attention = LayerNorm(dim), Attention(dim, gamma, rng=rng)
        self.feed_forward = FeedForward(dim, rng=rng)
        self.scale = dim**-0.5

    def __call__(self, one: Array, other: Array) -> tuple[Array, Array]:
        """Map both (n, 4, dim); the second one attends to what the first has become."""
        one += self.attention.masked(self.norm(one), other, self.scale)
        other += self.attention.masked(self.norm(other), one, self.scale)
        one, other = one + self.feed_forward(one), other + self.feed_forward(other)
        return one, record("Cross layer", other, self)


class CausalBlock(nnx.Module):
    """Spatial attention, then the later flow asks the earlier one; forwards, backwards, and the relation of both."""

    def __init__(self, dim: int, gamma: float, *, rng: Generator) -> None:
        self.norm = LayerNorm(dim)
        self.spatial, self.temporal = Attention(dim, gamma, rng=rng), Attention(dim, gamma, rng=rng)
        self.feed_forward = FeedForward(dim, rng=rng)
        self.relation = Attention(dim, gamma, rng=rng)
        self.scale = (dim // CAUSALNET_HEADS) ** -0.5

    def __call__(self, one: Array, other: Array) -> Array:
        """Map two flows (n, 4, dim) to (n, 12, dim): relation, earlier one forwards, later one backwards."""
        forward_a, forward_b = self._pass(one, other)
        backward_a, backward_b = self._pass(other, one)
        relation = self.relation.relation(forward_b, backward_b, self.scale)
        return record("Causal block", jnp.concatenate([relation, forward_a, backward_a], axis=1), self)

    def _pass(self, a: Array, b: Array) -> tuple[Array, Array]:
        a, b = (self.spatial.masked(y, y, self.scale) + y for y in (self.norm(a), self.norm(b)))
        b = self.temporal.over_pair(b, (a, b), self.scale) + b
        return a + self.feed_forward(a), b + self.feed_forward(b)


class CausalNetLayers(Network):
    """Output shapes and values for the published size and 3 classes: 276,590,089 in all."""

    def __init__(
        self,
        n_classes: int,
        rng: Generator,
        *,
        dim: int,
        channels: str,
        heads: int,
        repeats: tuple[int, int, int],
        gamma: float,
    ) -> None:
        self.reversed = channels == "reversed"
        self.flow_tower = Tower(dim, heads, repeats, rng=rng)
        self.direction_tower = Tower(dim, heads, repeats, rng=rng)
        self.cross = nnx.List([CrossLayer(dim, gamma, rng=rng) for _ in range(repeats[2])])
        self.causal = CausalBlock(dim, gamma, rng=rng)
        self.dense1 = Dense(3 * CAUSALNET_TOKENS * dim, 8 * dim, convention="torch", rng=rng)
        self.dense2 = Dense(8 * dim, n_classes, convention="torch", rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=4, 28, 28, 3)."""
        del context
        n = len(x)
        x = x[..., ::-1] if self.reversed else x
        x = mosaic(x.swapaxes(0, 1).reshape(CAUSALNET_MAPS * n, *x.shape[2:]))  # each map by itself
        flows = _tokens(self.flow_tower(x[: 2 * n]))  #                     2 of 4 x 256      130,935,811
        directions = _tokens(self.direction_tower(x[2 * n :]))  #           2 of 4 x 256      130,935,811
        onset, offset = directions[:n], directions[n:]
        for layer in self.cross:
            onset, offset = layer(onset, offset)  #                         2 of 4 x 256        7,103,232
        x = self.causal(flows[:n] + onset, flows[n:] + offset)  #               12 x 256        1,315,584
        x = record("Flatten", x.reshape(n, -1))  #                                 3,072                0
        x = self.dense1(x)  # no activation follows                                2,048        6,293,504
        return self.dense2(x)  #                                                       3            6,147


def _tokens(x: Array) -> Array:
    """Turn vectors (n, 1, 1, 4 * dim) into tokens (n, 4, dim): entry 4c + p is channel c of token p."""
    return record("Tokens", x.reshape(len(x), -1, CAUSALNET_TOKENS).swapaxes(1, 2))
