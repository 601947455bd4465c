"""Poolings and their gradients, alone, behind an activation and in folds that train together."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from mexbench_plugins.models._nn.layers import stored
from mexbench_plugins.models._nn.pooling import max_pool
from tests.mexbench_plugins.models._nn.test_layers import images, value_and_gradient


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1)])
def test_relu_after_the_pooling_is_relu_before_it(size: int, stride: int, padding: int) -> None:
    x = images(2, 9, 8, 3)
    after = value_and_gradient(lambda x: jax.nn.relu(max_pool(x, size, stride, padding=padding)), x)
    before = value_and_gradient(lambda x: max_pool(jax.nn.relu(x), size, stride, padding=padding), x)
    for one, other in zip(after, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_several_maxima_share_the_gradient() -> None:
    x = jnp.asarray([[1.0, 1.0, 5.0, 2.0], [0.0, 1.0, 5.0, 5.0]])[None, :, :, None]
    _, backward = jax.vjp(lambda x: max_pool(x, 2, 2), x)
    (gradient,) = backward(jnp.asarray([3.0, 6.0])[None, None, :, None])
    np.testing.assert_array_equal(gradient[0, ..., 0], [[1, 1, 2, 0], [0, 1, 2, 2]])


def test_folds_together_compute_what_each_computes() -> None:
    """One with a value that is not a number leaves the others alone."""
    x = images(3, 2, 9, 8, 3).at[1, 0, 0, 0, 0].set(jnp.nan)

    def layers(x: Array) -> Array:
        return stored(max_pool(x, 3, 2)) * 2

    together = jax.vmap(lambda x: jnp.stack([part.sum() for part in value_and_gradient(layers, x)]))(x)
    alone = jnp.stack([jnp.stack([part.sum() for part in value_and_gradient(layers, one)]) for one in x])
    np.testing.assert_allclose(together[jnp.asarray([0, 2])], alone[jnp.asarray([0, 2])], rtol=1e-6)
    assert np.isnan(together[1, 0])
