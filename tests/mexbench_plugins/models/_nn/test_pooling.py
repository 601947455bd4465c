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


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1), (5, 3)])
def test_every_window_hands_its_gradient_on_whatever_is_computed_again(size: int, stride: int) -> None:
    """Folds together, behind layers that a compiler may compute once more with other last digits."""
    rng = np.random.default_rng(0)
    x, scale = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((3, 4, 17, 17, 5), (3, 5)))

    def total(x: Array, scale: Array) -> Array:
        mean = x.mean((0, 1, 2))
        return max_pool((x - mean) * (scale / 3 + 1) + scale * mean, size, stride).sum() / 7

    gradient = jax.jit(jax.vmap(jax.grad(total, 1)))(x, scale)
    for fold in range(3):
        np.testing.assert_allclose(gradient[fold], jax.jit(jax.grad(total, 1))(x[fold], scale[fold]), rtol=1e-4)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1), (5, 3)])
def test_the_gradient_of_a_sum_is_the_number_of_windows(size: int, stride: int, padding: int) -> None:
    """Where the gradient, and at an edge the input, are known when the program is compiled."""
    x = images(3, 4, 17, 17, 5)
    windows = ((17 + 2 * padding - size) // stride + 1) ** 2 * 4 * 5
    gradient = jax.grad(lambda x: max_pool(x, size, stride, padding=padding).sum())
    together = jax.jit(jax.vmap(gradient))(jnp.sin(x) * 3)
    np.testing.assert_allclose(together.sum((1, 2, 3, 4)), [windows] * 3, rtol=1e-6)
    alone = jax.jit(lambda x: gradient(jnp.sin(x) * 3 + jnp.cos(x)))(x[0])
    np.testing.assert_allclose(alone.sum(), windows, rtol=1e-6)


def test_folds_together_compute_what_each_computes() -> None:
    """One with a value that is not a number leaves the others alone."""
    x = images(3, 2, 9, 8, 3).at[1, 0, 0, 0, 0].set(jnp.nan)

    def layers(x: Array) -> Array:
        return stored(max_pool(x, 3, 2)) * 2

    together = jax.vmap(lambda x: jnp.stack([part.sum() for part in value_and_gradient(layers, x)]))(x)
    alone = jnp.stack([jnp.stack([part.sum() for part in value_and_gradient(layers, one)]) for one in x])
    np.testing.assert_allclose(together[jnp.asarray([0, 2])], alone[jnp.asarray([0, 2])], rtol=1e-6)
    assert np.isnan(together[1, 0])


def test_a_window_of_more_pixels_than_bits_is_refused_in_folds_together() -> None:
    x = images(2, 1, 12, 12, 2)
    assert max_pool(x[0], 6, 6).shape == (1, 2, 2, 2)
    with pytest.raises(ValueError, match="a pooling window is 6 pixels wide, the most are 5"):
        jax.vmap(jax.grad(lambda x: max_pool(x, 6, 6).sum()))(x)
