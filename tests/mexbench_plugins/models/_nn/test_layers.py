"""What layers compute in another order, or once, than as they are written: the same values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from mexbench_plugins.models._nn.layers import Conv, computed_once, in_parts, recording, stored


def images(*shape: int) -> Array:
    """Whole numbers, so that windows have several maxima, at zero among them."""
    return jnp.asarray(np.random.default_rng(0).integers(-3, 4, shape), jnp.float32)


def value_and_gradient(function: Callable[[Array], Array], x: Array) -> tuple[Array, Array]:
    y, backward = jax.vjp(function, x)
    return y, backward(jnp.asarray(np.random.default_rng(1).normal(size=y.shape), jnp.float32))[0]


def test_what_is_stored_is_unchanged_and_so_is_its_gradient() -> None:
    x = images(2, 3)
    y, gradient = value_and_gradient(lambda x: stored(x) * 2, x)
    np.testing.assert_array_equal(y, 2 * x)
    np.testing.assert_array_equal(gradient, 2 * np.random.default_rng(1).normal(size=(2, 3)).astype(np.float32))


@pytest.mark.parametrize("place", [(0, 0), (1, 2)])
def test_nan_stays_nan(place: tuple[int, int]) -> None:
    """A loss that is not finite must stop the training, wherever it began."""
    result = computed_once(lambda x: x.sum(1), images(2, 3).at[place].set(jnp.nan))
    assert np.isnan(result[place[0]])


def test_infinity_is_computed_as_any_value() -> None:
    np.testing.assert_array_equal(computed_once(lambda x: -x, jnp.asarray([jnp.inf, 1.0])), [-jnp.inf, -1])


@pytest.mark.parametrize("n", [3, 8, 9, 32, 50])
def test_parts_give_what_all_images_give(n: int) -> None:
    conv = Conv(1, 4, 3, rng=np.random.default_rng(0))
    x = images(n, 6, 6, 1)
    sizes = []

    def layers(x: Array) -> Array:
        sizes.append(len(x))
        return conv(x)

    with recording() as rows:
        y, gradient = value_and_gradient(lambda x: in_parts(layers, x), x)
    assert len(rows) == 1
    assert sum(sizes) == n
    assert len(sizes) <= 4
    whole_y, whole_gradient = value_and_gradient(conv, x)
    np.testing.assert_allclose(y, whole_y, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradient, whole_gradient, rtol=1e-5, atol=1e-5)


def test_an_accelerator_takes_all_images_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    sizes: list[int] = []
    in_parts(lambda x: sizes.append(len(x)) or x, images(50, 2, 2, 1))
    assert sizes == [50]
