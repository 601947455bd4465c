"""The gradient of batch normalisation against differentiation of its formula, and against PyTorch's layer."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from mexbench_plugins.models._nn.batch_norm_layer import EPSILON, BatchNorm, moments, normalised_by_batch
from mexbench_plugins.models._nn.layers import Convention, StepContext


def formula(x: jax.Array, mask: jax.Array, scale: jax.Array, bias: jax.Array) -> tuple[jax.Array, ...]:
    """Batch normalisation as it is written down, over the rows with mask 1."""
    weight = mask.reshape(-1, *[1] * (x.ndim - 1)) / (mask.sum() * np.prod(x.shape[1:-1]))
    axes = tuple(range(x.ndim - 1))
    mean = (weight * x).sum(axes)
    var = (weight * (x - mean) ** 2).sum(axes)
    return (x - mean) / jnp.sqrt(var + EPSILON["keras"]) * scale + bias, mean, var


@settings(deadline=None, max_examples=10)
@given(shape=st.sampled_from([(5, 3), (4, 6, 3), (4, 3, 5, 3)]), seed=st.integers(0, 99), present=st.integers(2, 4))
def test_outputs_and_gradients_are_those_of_the_formula(shape: tuple[int, ...], seed: int, present: int) -> None:
    """Negative scales and zero among them, and gradients of the statistics and towards padding as well."""
    rng = np.random.default_rng(seed)
    x, bias = (jnp.asarray(rng.normal(3, 2, size), jnp.float32) for size in (shape, 3))
    mask = jnp.asarray(rng.permutation(np.arange(len(x)) < present), jnp.float32)
    scale = jnp.asarray([1.5, -0.7, 0.0])
    y, backward = jax.vjp(lambda *values: normalised_by_batch(values[0], mask, *values[1:], EPSILON["keras"]), x, scale,
                          bias)  # fmt: skip
    expected, differentiated = jax.vjp(lambda *values: formula(values[0], mask, *values[1:]), x, scale, bias)
    gradient = tuple(jnp.asarray(rng.normal(size=part.shape), jnp.float32) for part in expected)
    for ours, reference in zip((*y, *backward(gradient)), (*expected, *differentiated(gradient)), strict=True):
        np.testing.assert_allclose(ours, reference, rtol=2e-4, atol=2e-4 * float(np.abs(reference).max()))


def test_gradients_of_several_masks_at_once_are_those_of_each() -> None:
    """Folds that train together share the batch; each has its own mask and weights."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(6, 4, 4, 2)), jnp.float32)
    masks = jnp.asarray(rng.integers(0, 2, (3, 6)) | (np.arange(6) < 2), jnp.float32)
    scales = jnp.asarray(rng.normal(size=(3, 2)), jnp.float32)

    def gradients(mask: jax.Array, scale: jax.Array) -> Any:  # noqa: ANN401
        weight = jnp.asarray(np.random.default_rng(1).normal(size=x.shape), jnp.float32)

        def loss(x: jax.Array, scale: jax.Array) -> jax.Array:
            return jnp.sum(weight * normalised_by_batch(x, mask, scale, jnp.zeros(2), 1e-3)[0])

        return jax.grad(loss, (0, 1))(x, scale)

    together = jax.vmap(gradients)(masks, scales)
    for fold in range(3):
        for ours, alone in zip(together, gradients(masks[fold], scales[fold]), strict=True):
            np.testing.assert_allclose(ours[fold], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("convention", ["keras", "torch"])
def test_a_step_is_that_of_pytorch(convention: Convention) -> None:
    """Outputs, running statistics and gradients; PyTorch's variance is unbiased, Keras's is not."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, weight = (rng.normal(2, 3, (4, 5, 6, 3)).astype(np.float32) for _ in range(2))
    ours, scale = BatchNorm(3, convention=convention), np.asarray([0.5, -2, 1], np.float32)
    ours.scale[...] = jnp.asarray(scale)
    keep = 0.99 if convention == "keras" else 0.9
    peer = torch.nn.BatchNorm2d(3, eps=EPSILON[convention], momentum=1 - keep)
    with torch.no_grad():
        peer.weight.copy_(torch.tensor(scale))
    pixels = torch.tensor(x).permute(0, 3, 1, 2).requires_grad_()
    expected = peer(pixels)
    (expected * torch.tensor(weight).permute(0, 3, 1, 2)).sum().backward()

    graph, params, stats = nnx.split(ours, nnx.Param, ...)

    def loss(x: jax.Array, params: Any) -> tuple[jax.Array, Any]:  # noqa: ANN401
        norm = nnx.merge(graph, params, stats, copy=True)
        y = norm(x, StepContext(jnp.ones(4), jax.random.key(0)))
        return jnp.sum(y * weight), (y, norm)

    (of_x, of_params), (y, after) = jax.grad(loss, (0, 1), has_aux=True)(jnp.asarray(x), params)
    np.testing.assert_allclose(y, expected.detach().permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_x, pixels.grad.permute(0, 2, 3, 1), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(of_params["scale"][...], peer.weight.grad, rtol=1e-4)
    np.testing.assert_allclose(of_params["bias"][...], peer.bias.grad, rtol=1e-4)
    unbiased = 1 if convention == "torch" else 119 / 120
    np.testing.assert_allclose(after.mean[...], peer.running_mean, rtol=1e-5)
    np.testing.assert_allclose(after.var[...] - keep, (peer.running_var - keep) * unbiased, rtol=1e-3)


def test_padding_changes_neither_statistics_nor_the_gradient_of_others() -> None:
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(4, 3, 2)), jnp.float32)
    mask = jnp.asarray([1.0, 1, 0, 1])
    present = np.asarray([0, 1, 3])
    for padded, alone in zip(moments(x, mask), moments(x[present], jnp.ones(3)), strict=True):
        np.testing.assert_allclose(padded, alone, rtol=1e-6)

    def gradient(x: jax.Array, mask: jax.Array) -> jax.Array:
        def loss(x: jax.Array) -> jax.Array:
            y, *_ = normalised_by_batch(x, mask, jnp.ones(2), jnp.zeros(2), 1e-3)
            return jnp.sum(mask[:, None, None] * y**3)

        return jax.grad(loss)(x)

    np.testing.assert_allclose(gradient(x, mask)[present], gradient(x[present], jnp.ones(3)), rtol=1e-4, atol=1e-6)
    assert not gradient(x, mask)[2].any()
