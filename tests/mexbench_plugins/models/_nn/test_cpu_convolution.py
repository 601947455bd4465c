"""Convolutions in the ways that are fast on a CPU against the plain one: equal, by the tables, and there alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.extend.core import jaxprs_in_params

from mexbench_plugins.models._nn import layers
from mexbench_plugins.models._nn.cpu_convolution import (
    COLUMNS,
    PADDED_WIDTHS,
    fast_convolution,
    joined_columns,
    padded_width,
    plain_convolution,
)
from mexbench_plugins.models._nn.layers import Conv
from mexbench_plugins.models.ststnet import STSTNet

SHAPES = sorted(PADDED_WIDTHS)


def conv(shape: tuple[int, int, int], filters: int, **options: Any) -> Conv:  # noqa: ANN401 - those of Conv
    size, stride, inputs = shape
    options = {"padding": size // 2, **options}
    return Conv(inputs, filters, size, stride=stride, rng=np.random.default_rng(0), **options)


def widths_computed(layer: Conv, inputs: int, side: int) -> list[int]:
    """Return the number of filters of each convolution in the program of a forward pass."""
    program = jax.make_jaxpr(lambda x: layer(x))(jnp.zeros((1, side, side, inputs)))  # noqa: PLW0108 - it has state
    return list(convolutions(program.jaxpr))


def convolutions(jaxpr: Any) -> Iterator[int]:  # noqa: ANN401 - JAX has no public type of an equation
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            yield equation.outvars[0].aval.shape[-1]
        for inner in jaxprs_in_params(equation.params):
            yield from convolutions(inner)


@settings(deadline=None, max_examples=12)
@given(data=st.data())
def test_outputs_and_gradients_of_any_shape_are_those_of_the_plain_convolution(data: st.DataObject) -> None:
    size, stride, inputs = data.draw(st.sampled_from([*SHAPES, *sorted(COLUMNS)]))
    filters = data.draw(st.integers(1, 40))
    height, width = (data.draw(st.integers(size, 21)) for _ in range(2))
    above, below, left, right = (data.draw(st.integers(0, 3)) for _ in range(4))
    padding = ((above, below), (left, right))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    x, kernel = (
        jnp.asarray(rng.integers(-4, 5, shape), jnp.float32)
        for shape in ((2, height, width, inputs), (size, size, inputs, filters))
    )
    results = []
    both: list[Any] = [fast_convolution, plain_convolution]
    for convolve in both:
        y, backward = jax.vjp(lambda x, kernel, f=convolve: f(x, kernel, stride, padding), x, kernel)
        results.append([y, *backward(jnp.asarray(np.random.default_rng(2).integers(-4, 5, y.shape), jnp.float32))])
    for ours, plain in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, plain)  # whole numbers: no sum rounds


@pytest.mark.parametrize("convolve", [fast_convolution, plain_convolution])
@pytest.mark.parametrize("filters", [4, 15])
@pytest.mark.parametrize("shape", [(3, 1, 4), (3, 1, 6), (1, 3, 1)], ids=str)
@pytest.mark.parametrize("padding", [((3, 1), (3, 1)), ((3, 1), (3, 3)), ((1, 0), (1, 0)), ((4, 4), (0, 5))], ids=str)
def test_padding_beyond_the_kernel_gives_the_gradient_of_the_images(
    padding: tuple[tuple[int, int], tuple[int, int]],
    shape: tuple[int, int, int],
    filters: int,
    convolve: Callable[..., Any],
) -> None:
    """Taps are summed one by one in numpy; XLA's negative padding on a CPU read other rows, or memory beyond them."""
    size, stride, inputs = shape
    rng = np.random.default_rng(3)
    kernel = rng.integers(-4, 5, (size, size, inputs, filters)).astype(np.float32)
    y, backward = jax.vjp(
        lambda x: convolve(x, jnp.asarray(kernel), stride, padding), jnp.zeros((2, 8, 12, inputs), jnp.float32)
    )
    gradient = rng.integers(-4, 5, y.shape).astype(np.float32)
    expected = np.zeros((2, 8 + sum(padding[0]), 12 + sum(padding[1]), inputs), np.float32)
    for row, column in np.ndindex(size, size):
        rows, columns = (
            slice(at, at + stride * (count - 1) + 1, stride)
            for at, count in zip((row, column), y.shape[1:3], strict=True)
        )
        expected[:, rows, columns] += gradient @ kernel[row, column].T
    top, left = padding[0][0], padding[1][0]
    np.testing.assert_array_equal(backward(jnp.asarray(gradient))[0], expected[:, top : top + 8, left : left + 12])


@pytest.mark.parametrize("options", [{}, {"padding": "SAME"}, {"padding": 0, "padding_value": 0.5}], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_and_both_gradients_are_those_of_the_plain_convolution(
    shape: tuple[int, int, int], options: dict[str, Any]
) -> None:
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(3, 15, 12, shape[2])), jnp.float32)
    results = []
    for fast_on_cpu in (True, False):
        graph, params = nnx.split(conv(shape, 6, fast_on_cpu=fast_on_cpu, **options))
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
        elif inputs == 3 and shape[0] != 5 and 65 <= filters <= 95:
            expected = 96
        elif filters <= 16 and (inputs not in (3, 16) or filters == inputs):
            expected = 17
        assert widths_computed(conv(shape, filters), inputs, side=13) == [expected], filters  # 13: no columns joined


@pytest.mark.parametrize("shape", sorted(COLUMNS), ids=str)
def test_columns_are_joined_before_the_cliff(shape: tuple[int, int, int]) -> None:
    """So many that their filters, which count once for each, are beyond the cliff, and no more than that."""
    size, stride, inputs = shape
    for filters in range(1, 40):
        kernel = (size, size, inputs, filters)
        columns = joined_columns(kernel, stride, (28, 28 // stride))
        assert columns in (1, 2, 4)[: 3 if 28 // stride % 4 == 0 else 2]
        if columns > 1:
            assert widths_computed(conv(shape, filters), inputs, side=28) == [columns * filters]
            assert columns * filters > 16 or inputs == 3
            assert columns == 2 or filters <= 8
        assert joined_columns(kernel, stride, (27, 27)) == 1
        assert joined_columns(kernel, stride, (28, 26)) in (1, 2)
        assert joined_columns(kernel, 3 - stride, (28, 28)) == 1


@pytest.mark.parametrize(("filters", "joined"), [(1, 4), (8, 4), (9, 2), (24, 2), (25, 1)])
def test_columns_of_a_strided_convolution(filters: int, joined: int) -> None:
    """What is joined are columns of the output, here 16; of the input two at a time become channels."""
    assert joined_columns((7, 7, 3, filters), 2, (32, 16)) == joined
    assert joined_columns((7, 7, 3, filters), 2, (31, 16)) == 1


def test_the_networks_of_the_papers_have_no_convolution_before_a_cliff() -> None:
    for shape, filters, side, ours in (
        ((5, 1, 1), 6, 28, 24), ((5, 1, 6), 16, 14, 32), ((3, 1, 3), 16, 128, 32), ((7, 2, 3), 16, 128, 32),
        ((7, 2, 3), 8, 112, 32),
    ):  # fmt: skip
        assert widths_computed(conv(shape, filters), shape[2], side) == [ours]
    assert padded_width((3, 3, 16, 16), 1) == 17


def test_nothing_is_changed_on_another_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert [widths_computed(conv(shape, 6), shape[2], 12) for shape in SHAPES] == [[6]] * len(SHAPES)


def test_convolutions_outside_the_tables_are_the_plain_ones() -> None:
    assert widths_computed(conv((3, 1, 16), 32), 16, 12) == [32]
    assert widths_computed(conv((5, 1, 3), 64), 3, 12) == [64]  # rcn_a's
    assert widths_computed(conv((3, 2, 3), 16), 3, 12) == [16]
    assert widths_computed(conv((3, 1, 3), 16, dilation=2), 3, 12) == [16]


def test_ststnet_keeps_the_arithmetic_of_its_published_rows() -> None:
    network: Any = STSTNet().network((1, 28, 28, 3), 3, layers.ShapesOnly())
    assert widths_computed(network.conv, 3, 28) == [16]
