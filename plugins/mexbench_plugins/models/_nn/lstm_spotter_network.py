"""The layers of the recurrent spotter and its training step."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.metrics.spotting import KINDS

Weights = dict[str, Array]


def initial(rng: Generator, inputs: int, hidden: int) -> Weights:
    """Draw the weights of both directions and of the output; forget gates begin open."""

    def drawn(*shape: int) -> Array:
        limit = float(np.sqrt(6 / sum(shape)))
        return jnp.asarray(rng.uniform(-limit, limit, shape), jnp.float32)

    weights: Weights = {}
    for name in ("forward", "backward"):
        weights[f"{name}_in"] = drawn(inputs, 4 * hidden)
        weights[f"{name}_state"] = drawn(hidden, 4 * hidden)
        weights[f"{name}_bias"] = jnp.concatenate([jnp.zeros(hidden), jnp.ones(hidden), jnp.zeros(2 * hidden)])
    return {**weights, "output": drawn(2 * hidden, len(KINDS)), "output_bias": jnp.full(len(KINDS), -2.0)}


def of_arrays(arrays: Mapping[str, NDArray[np.float32]]) -> Weights:
    """Return weights that were stored."""
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def _direction(weights: Weights, name: str, x: Array) -> Array:
    """Run one direction over (T, n, D): the states (T, n, hidden)."""
    hidden = weights[f"{name}_state"].shape[0]
    inputs = x @ weights[f"{name}_in"] + weights[f"{name}_bias"]

    def step(carry: tuple[Array, Array], given: Array) -> tuple[tuple[Array, Array], Array]:
        state, cell = carry
        i, f, g, o = jnp.split(given + state @ weights[f"{name}_state"], 4, axis=-1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        state = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (state, cell), state

    zeros = jnp.zeros((x.shape[1], hidden))
    return jax.lax.scan(step, (zeros, zeros), inputs)[1]


def _logits(weights: Weights, x: Array) -> Array:
    """Return logits (n, T, types) for features (n, T, D)."""
    x = x.swapaxes(0, 1)
    forward = _direction(weights, "forward", x)
    backward = _direction(weights, "backward", x[::-1])[::-1]
    states = jnp.concatenate([forward, backward], axis=-1)
    return (states @ weights["output"] + weights["output_bias"]).swapaxes(0, 1)


def adam_state(weights: Weights, learning_rate: float) -> optax.OptState:
    """Return Adam's state before its first step."""
    return optax.adam(learning_rate).init(weights)


@jax.jit
def probabilities(weights: Weights, x: Array) -> Array:
    """Return the probability of each type (n, T, types) for features (n, T, D)."""
    return jax.nn.sigmoid(_logits(weights, x))


@partial(jax.jit, static_argnames="learning_rate")
def train_step(
    weights: Weights, state: optax.OptState, x: Array, y: Array, rare: Array, *, learning_rate: float
) -> tuple[Weights, optax.OptState]:
    """Return weights and Adam's state after one step on features (n, T, D) and labels (n, T, types)."""

    def loss(current: Weights) -> Array:
        cost = optax.sigmoid_binary_cross_entropy(_logits(current, x), y)
        return jnp.mean(cost * jnp.where(y > 0, rare, 1.0))

    updates, state = optax.adam(learning_rate).update(jax.grad(loss)(weights), state, weights)
    return cast("Weights", optax.apply_updates(weights, updates)), state
