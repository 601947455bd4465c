"""The first block that pools before it normalises, against convolution, batch norm, activation and pooling in turn."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy.typing import NDArray

from mexbench_plugins.models._nn import first_block, layers, pooling
from mexbench_plugins.models._nn.batch_norm_layer import BatchNorm
from mexbench_plugins.models._nn.layers import Context, Conv, Convention, StatisticsContext, StepContext
from mexbench_plugins.models._nn.residual_block import ACTIVATIONS

MASK = jnp.asarray([1.0, 1, 0, 1])


def block(convention: Convention = "keras") -> tuple[Any, Any, Any]:
    """A block with scales of both signs, biases, and running statistics that are not 0 and 1."""
    rng = np.random.default_rng(0)
    conv = Conv(3, 6, 7, stride=2, padding=3, convention="torch", rng=rng)
    norm = BatchNorm(6, convention=convention)
    norm.scale[...] = jnp.asarray([1.5, -0.7, 0.3, -1.2, 0.0, -0.1])
    norm.bias[...], norm.mean[...] = (jnp.asarray(rng.normal(size=6), jnp.float32) for _ in range(2))
    norm.var[...] = jnp.asarray(rng.uniform(0.5, 2, 6), jnp.float32)
    graph, params, stats = nnx.split((conv, norm), nnx.Param, ...)
    return graph, params, stats


def images(n: int = 4) -> Any:  # noqa: ANN401 - an array
    return jnp.asarray(np.random.default_rng(1).uniform(size=(n, 20, 16, 3)), jnp.float32)


def outputs(
    parts: tuple[Any, Any, Any], context: Context, activation: str, *, in_turn: bool
) -> tuple[list[NDArray[Any]], list[NDArray[Any]], list[NDArray[Any]]]:
    """Return outputs, gradients of conv's bias and kernel and of norm's bias and scale, and running statistics."""
    graph, params, stats = parts
    x, activate = images(), ACTIVATIONS[activation]

    def loss(params: Any) -> tuple[jax.Array, tuple[jax.Array, Any]]:  # noqa: ANN401
        conv, norm = nnx.merge(graph, params, stats, copy=True)
        if in_turn:
            y = pooling.max_pool(activate(norm.after(conv, x, context)), 3, 2)
        else:
            y = activate(first_block.normalised_maxima(conv, norm, x, context))
        weight = jnp.asarray(np.random.default_rng(2).normal(size=y.shape), jnp.float32) * MASK[:, None, None, None]
        return jnp.sum(weight * y), (y, nnx.split((conv, norm), nnx.Param, ...)[2])

    gradient, (y, after) = jax.jit(jax.grad(loss, has_aux=True))(params)
    gradients, statistics = ([np.asarray(leaf) for leaf in jax.tree.leaves(tree)] for tree in (gradient, after))
    return [np.asarray(y)], gradients, statistics


@pytest.mark.parametrize(
    ("context", "convention", "activation", "backend"),
    [
        (None, "keras", "relu", "cpu"),
        (StepContext(MASK, jax.random.key(0)), "keras", "relu", "cpu"),
        (StepContext(MASK, jax.random.key(0)), "torch", "tanh", "gpu"),
        (StatisticsContext(MASK), "torch", "elu", "cpu"),
    ],
    ids=["evaluation", "training as Keras", "training as PyTorch on a GPU", "measuring"],
)
def test_block_equals_its_layers_in_turn(
    context: Context, convention: Convention, activation: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = block(convention)
    expected = outputs(parts, context, activation, in_turn=True)
    monkeypatch.setattr(layers, "on_cpu", lambda: backend == "cpu")
    ours = outputs(parts, context, activation, in_turn=False)
    kernel_rank = [leaf.ndim for leaf in ours[1]]
    assert kernel_rank == [1, 4, 1, 1]
    if isinstance(context, StepContext):
        assert not ours[1][0].any()  # the bias before batch normalisation stays still
    # Where the scale is zero, all places of a window tie after normalisation and share the gradient; before it, one of
    # them is the maximum. Either is a subgradient towards the scale, and that towards the filter is zero.
    scales = np.asarray([0, 1, 2, 3, 5])
    ours[1][3], expected[1][3] = ours[1][3][scales], expected[1][3][scales]
    for mine, theirs in zip(ours, expected, strict=True):
        for array, reference in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(array, reference, rtol=1e-4, atol=1e-5 * max(1, float(np.abs(reference).max())))


def test_moments_far_from_zero_keep_their_digits() -> None:
    """One pass over squares in float32 would lose a variance of 1 beside a mean of 10,000."""
    x = np.random.default_rng(0).normal(10_000, 1, (4, 8, 8, 2)).astype(np.float32)
    _, mean, var = first_block.maxima_and_moments(jnp.asarray(x), MASK)
    chosen = x[np.asarray(MASK, bool)].astype(np.float64)
    np.testing.assert_allclose(mean, chosen.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(var, chosen.var((0, 1, 2)), rtol=1e-3)
