"""Recurrent layers over (n, T, D), with Keras's initial weights."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.layers import glorot, record

# Steps that the compiler lays out one after the other: fewer turns of the loop, more to compile.
_UNROLLED = 8


class LSTM(nnx.Module):
    """Long short-term memory; returns every step. Gates are in the order input, forget, cell, output.

    Args:
        inputs: Input features.
        units: Size of the state.
        rng: Source of the initial weights.
    """

    def __init__(self, inputs: int, units: int, *, rng: Generator) -> None:
        self.units = units
        self.kernel = nnx.Param(glorot(rng, (inputs, 4 * units)))
        self.recurrent = nnx.Param(_orthogonal(rng, units, 4 * units))
        # Keras starts with an open forget gate.
        self.bias = nnx.Param(jnp.zeros(4 * units).at[units : 2 * units].set(1))

    def __call__(self, x: Array) -> Array:
        """Return the state after every step (n, T, units)."""
        recurrent = self.recurrent[...]

        def step(carry: tuple[Array, Array], pushed: Array) -> tuple[tuple[Array, Array], Array]:
            cell, state = carry
            entry, forget, candidate, output = jnp.split(pushed + state @ recurrent, 4, axis=-1)
            cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(entry) * jnp.tanh(candidate)
            state = jax.nn.sigmoid(output) * jnp.tanh(cell)
            return (cell, state), state

        # What the input pushes into the gates is one product for all steps.
        pushed = jnp.swapaxes(x @ self.kernel[...] + self.bias[...], 0, 1)
        zeros = jnp.zeros((len(x), self.units))
        _, states = jax.lax.scan(step, (zeros, zeros), pushed, unroll=_UNROLLED)
        return record(f"LSTM {self.units}", jnp.swapaxes(states, 0, 1), self)


class SimpleRNN(nnx.Module):
    """The plain recurrent layer with tanh; returns the last step.

    Args:
        inputs: Input features.
        units: Size of the state.
        rng: Source of the initial weights.
    """

    def __init__(self, inputs: int, units: int, *, rng: Generator) -> None:
        self.units = units
        self.kernel = nnx.Param(glorot(rng, (inputs, units)))
        self.recurrent = nnx.Param(_orthogonal(rng, units, units))
        self.bias = nnx.Param(jnp.zeros(units))

    def __call__(self, x: Array) -> Array:
        """Return the state after the last step (n, units)."""
        recurrent = self.recurrent[...]

        def step(state: Array, pushed: Array) -> tuple[Array, None]:
            return jnp.tanh(pushed + state @ recurrent), None

        pushed = jnp.swapaxes(x @ self.kernel[...] + self.bias[...], 0, 1)
        last, _ = jax.lax.scan(step, jnp.zeros((len(x), self.units)), pushed, unroll=_UNROLLED)
        return record(f"SimpleRNN {self.units}", last, self)


def _orthogonal(rng: Generator, rows: int, columns: int) -> Array:
    """Draw rows that are orthogonal to each other, uniformly: Keras's recurrent kernel."""
    q, r = np.linalg.qr(rng.normal(size=(columns, rows)))
    return jnp.asarray((q * np.sign(np.diag(r))).T, jnp.float32)
