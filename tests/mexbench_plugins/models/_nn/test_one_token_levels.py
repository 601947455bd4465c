"""The convolution between two levels: one matrix product on a map of 2x2, an ordinary convolution elsewhere."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mexbench_plugins.models._nn.layers import Conv
from mexbench_plugins.models._nn.one_token_levels import MergingConv, dense_kernel


def examples(side: int) -> tuple[MergingConv, jax.Array]:
    rng = np.random.default_rng(side)
    layer = MergingConv(3, 5, rng=rng)
    layer.bias[...] = jnp.asarray(rng.standard_normal(5, np.float32))
    return layer, jnp.asarray(rng.standard_normal((4, side, side, 3), np.float32))


@pytest.mark.parametrize("side", [2, 4])
def test_it_equals_the_padded_convolution_with_its_gradients(side: int) -> None:
    layer, x = examples(side)
    weights = jnp.asarray(np.random.default_rng(0).standard_normal((4, side, side, 5), np.float32))

    graph, state = nnx.split(layer)

    def ours(state: Any, x: jax.Array) -> jax.Array:  # noqa: ANN401
        return (nnx.merge(graph, state)(x) * weights).sum()

    def plain(kernel: jax.Array, x: jax.Array) -> jax.Array:
        y = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return ((y + layer.bias[...]) * weights).sum()

    kernel = layer.kernel[...]
    np.testing.assert_allclose(layer(x), Conv.__call__(layer, x), atol=1e-6)
    of_state, of_x = jax.grad(ours, argnums=(0, 1))(state, x)
    expected_of_kernel, expected_of_x = jax.grad(plain, argnums=(0, 1))(kernel, x)
    np.testing.assert_allclose(of_state["kernel"][...], expected_of_kernel, atol=1e-5)
    np.testing.assert_allclose(of_x, expected_of_x, atol=1e-5)


def test_each_place_of_the_matrix_is_the_tap_between_two_places() -> None:
    """Numbered taps of one channel: from a place to itself is tap 4, to its right neighbour tap 3, ... by hand."""
    taps = jnp.arange(9.0).reshape(3, 3, 1, 1)
    assert dense_kernel(taps).tolist() == [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]


def test_other_backends_convolve(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = examples(2)

    def program() -> str:
        def new(x: jax.Array) -> jax.Array:  # for what was traced before, JAX answers from its cache
            return layer(x)

        return str(jax.make_jaxpr(new)(x))

    assert "conv_general_dilated" not in program()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "conv_general_dilated" in program()
