"""Convolutions with zero filters against those without: equal to rounding, by the table, on a CPU alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.extend.core import jaxprs_in_params

from mexbench_plugins.models._nn import layers
from mexbench_plugins.models._nn.filter_padding import PADDED_WIDTHS
from mexbench_plugins.models._nn.layers import Conv
from mexbench_plugins.models.ststnet import STSTNet

SHAPES = sorted(PADDED_WIDTHS)


def conv(shape: tuple[int, int, int], filters: int, **options: Any) -> Conv:  # noqa: ANN401 - those of Conv
    size, stride, inputs = shape
    options = {"padding": size // 2, **options}
    return Conv(inputs, filters, size, stride=stride, rng=np.random.default_rng(0), **options)


def widths_computed(layer: Conv, inputs: int) -> list[int]:
    """Return the number of filters of each convolution in the program of a forward pass."""
    program = jax.make_jaxpr(lambda x: layer(x))(jnp.zeros((1, 12, 12, inputs)))  # noqa: PLW0108 - the layer has state
    return list(convolutions(program.jaxpr))


def convolutions(jaxpr: Any) -> Iterator[int]:  # noqa: ANN401 - JAX has no public type of an equation
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            yield equation.outvars[0].aval.shape[-1]
        for inner in jaxprs_in_params(equation.params):
            yield from convolutions(inner)


@pytest.mark.parametrize("options", [{}, {"padding": "SAME"}, {"padding": 0, "padding_value": 0.5}], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_and_both_gradients_are_those_of_the_plain_convolution(
    shape: tuple[int, int, int], options: dict[str, Any]
) -> None:
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(3, 15, 12, shape[2])), jnp.float32)
    results = []
    for pad_filters in (True, False):
        graph, params = nnx.split(conv(shape, 6, pad_filters=pad_filters, **options))
        y, backward = jax.vjp(lambda x, params, graph=graph: nnx.merge(graph, params)(x), x, params)
        gradient = jnp.asarray(np.random.default_rng(2).normal(size=y.shape), jnp.float32)
        results.append(jax.tree.leaves((y, backward(gradient))))
    assert len(results[0]) == 4  # outputs; gradients of the input, the bias and the kernel
    for ours, plain in zip(*results, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-5 * float(np.abs(plain).max()))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_width_is_padded_as_the_table_says(shape: tuple[int, int, int]) -> None:
    """The cliffs of few input channels: up to 16 filters; from three channels 17 to 32, and 65 to 95."""
    inputs = shape[2]
    for filters in range(1, 98):
        expected = filters
        if inputs == 3 and filters <= 32:
            expected = 33
        elif inputs == 3 and 65 <= filters <= 95:
            expected = 96
        elif inputs != 3 and filters <= 16:
            expected = 17
        assert widths_computed(conv(shape, filters), inputs) == [expected], filters


def test_nothing_is_padded_on_another_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert [widths_computed(conv(shape, 6), shape[2]) for shape in SHAPES] == [[6]] * len(SHAPES)


def test_convolutions_outside_the_table_are_not_padded() -> None:
    assert widths_computed(conv((3, 1, 16), 16), 16) == [16]
    assert widths_computed(conv((5, 1, 3), 64), 3) == [64]  # rcn_a's
    assert widths_computed(conv((3, 2, 3), 16), 3) == [16]
    assert widths_computed(conv((3, 1, 3), 16, dilation=2), 3) == [16]


def test_ststnet_keeps_the_arithmetic_of_its_published_rows() -> None:
    network: Any = STSTNet().network((1, 28, 28, 3), 3, layers.ShapesOnly())
    assert widths_computed(network.conv, 3) == [16]
