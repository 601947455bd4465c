"""Layers of the networks: Flax NNX with exact statistics over padded batches, and a record of shapes and values.

Images are (n, H, W, C). Every layer is called with its input alone; those that behave differently in training also take
the ``StepContext``, which is None in evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.interfaces import LayerRow
from mexbench_plugins.models._nn.cpu_convolution import fast_convolution, plain_convolution

Convention = Literal["keras", "torch"]
#: Weights or running statistics of a network, as NNX keeps them.
Values = nnx.State[Any, Any]


class StepContext(NamedTuple):
    """What a training step knows besides the pixels.

    Args:
        mask: 1 for a sample, 0 for padding (n,).
        key: Source of dropout noise.
    """

    mask: Array
    key: Array


class StatisticsContext(NamedTuple):
    """What a pass that measures batch statistics knows; all else is as in evaluation.

    Args:
        mask: 1 for a sample, 0 for padding (n,).
    """

    mask: Array


#: None in evaluation.
Context = StepContext | StatisticsContext | None


class Network(nnx.Module):
    """Layers from pixels to class scores."""

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T, ...), float; ``context`` is None in evaluation."""
        raise NotImplementedError


_rows: ContextVar[list[LayerRow] | None] = ContextVar("rows", default=None)


@contextmanager
def recording() -> Iterator[list[LayerRow]]:
    """Collect a row for every layer that is called inside the block."""
    rows: list[LayerRow] = []
    token = _rows.set(rows)
    try:
        yield rows
    finally:
        _rows.reset(token)


@contextmanager
def unrecorded() -> Iterator[None]:
    """Collect no rows inside the block: of a layer that is applied once more with the same weights."""
    token = _rows.set(None)
    try:
        yield
    finally:
        _rows.reset(token)


def record(name: str, y: Array, layer: nnx.Module | None = None) -> Array:
    """Add a row where rows are collected, and hand the output on."""
    if (rows := _rows.get()) is not None:
        values = 0 if layer is None else count_values(layer)
        rows.append(LayerRow(name, tuple(y.shape[1:]), values))
    return y


def record_padding(x: Array, pixels: int) -> None:
    """Add a row for the padding that the next convolution does by itself."""
    if _rows.get() is not None:
        record(f"Padding {pixels}", jnp.pad(x, [(0, 0), (pixels, pixels), (pixels, pixels), (0, 0)]))


def count_values(module: nnx.Module, kind: type[nnx.Variable[Any]] = nnx.Variable) -> int:
    """Count the values of a module, or of one kind of its variables: ``nnx.Param`` for the trainable ones."""
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(module, kind)))


class ShapesOnly(Generator):
    """Takes the place of a source of weights where only their shapes count: inside ``jax.eval_shape``.

    ``uniform`` and ``normal`` below take no memory and no time with it.
    """

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def count(self, shape: tuple[int, ...]) -> None:
        """Take note of weights that are asked for."""

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:  # noqa: ANN401, ARG002 - as numpy's
        """Return zeros."""
        return self._zeros(size)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:  # noqa: ANN401, ARG002 - as numpy's
        """Return zeros."""
        return self._zeros(size)

    def _zeros(self, size: int | tuple[int, ...] | None) -> NDArray[np.float64]:
        shape = (size,) if isinstance(size, int) else size or ()
        self.count(shape)
        return np.zeros(shape)


def uniform(rng: Generator, shape: tuple[int, ...], limit: float) -> Array:
    """Draw weights between -limit and limit, in numpy: JAX takes seconds to compile the draws of a whole network."""
    if isinstance(rng, ShapesOnly):
        rng.count(shape)
        return jnp.zeros(shape)
    return jnp.asarray(rng.uniform(-limit, limit, shape), jnp.float32)


def normal(rng: Generator, shape: tuple[int, ...], deviation: float) -> Array:
    """Draw normal weights of mean zero."""
    if isinstance(rng, ShapesOnly):
        rng.count(shape)
        return jnp.zeros(shape)
    return jnp.asarray(rng.normal(0, deviation, shape), jnp.float32)


def glorot(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Draw a kernel (..., inputs, outputs) as Keras does."""
    window = np.prod(shape[:-2])
    return uniform(rng, shape, float(np.sqrt(6 / (window * (shape[-2] + shape[-1])))))


def _kernel_and_bias(rng: Generator, shape: tuple[int, ...], convention: Convention) -> tuple[Array, Array]:
    """Draw both: Keras has zero biases, PyTorch draws kernel and bias within 1 / sqrt(fan in)."""
    if convention == "keras":
        return glorot(rng, shape), jnp.zeros(shape[-1])
    limit = float(np.prod(shape[:-1])) ** -0.5
    return uniform(rng, shape, limit), uniform(rng, shape[-1:], limit)


class Conv(nnx.Module):
    """Convolution with bias; no padding by default.

    Args:
        inputs: Input channels.
        filters: Output channels.
        size: Height and width of the kernel.
        stride: In both directions.
        dilation: Pixels from one tap of the kernel to the next, in both directions.
        padding: Pixels on each side, or ``"SAME"``.
        padding_value: What they hold.
        convention: Whose initial weights.
        product: Whether to compute it as one matrix product on a CPU, which is the only fast way inside ``each``; it
            pads nothing.
        fast_on_cpu: Whether it may be computed in another way on a CPU, which can change the last digits.
        rng: Source of the initial weights.
    """

    def __init__(
        self,
        inputs: int,
        filters: int,
        size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: int | Literal["SAME"] = 0,
        padding_value: float = 0.0,
        convention: Convention = "keras",
        product: bool = False,
        fast_on_cpu: bool = True,
        rng: Generator,
    ) -> None:
        self.fast_on_cpu = fast_on_cpu
        self.stride, self.product, self.padding_value = stride, product, padding_value
        self.dilation = dilation
        self.padding = padding if isinstance(padding, str) else ((padding, padding), (padding, padding))
        self.name = f"Conv2D {size}x{size}{f'/{stride}' * (stride > 1)}, {filters} filters"
        kernel, bias = _kernel_and_bias(rng, (size, size, inputs, filters), convention)
        self.kernel, self.bias = nnx.Param(kernel), nnx.Param(bias)

    def __call__(self, x: Array) -> Array:
        """Convolve (n, H, W, C)."""
        return self.without_bias(x) + self.bias[...]

    def without_bias(self, x: Array) -> Array:
        """Convolve (n, H, W, C) and leave the bias to what follows; the row counts it."""
        kernel = self.kernel[...]
        if self.product and on_cpu():
            y = _as_product(x, kernel, self.stride)
        else:
            # The padding of x minus a constant is zeros, which the convolution adds by itself: with a padded input,
            # hybrid_micronet's step takes 1.7 times as long.
            y = self.convolve(x - self.padding_value, kernel)
            if self.padding_value:
                y += self.padding_value * kernel.sum((0, 1, 2))
        return record(self.name, y, self)

    def convolve(self, x: Array, kernel: Array) -> Array:
        """Convolve (n, H, W, C) with a kernel in place of the layer's own, and without bias."""
        padding = self.padding
        if isinstance(padding, str):
            sides = jax.lax.padtype_to_pads(
                x.shape[1:3],
                [self.dilation * (size - 1) + 1 for size in kernel.shape[:2]],
                [self.stride] * 2,
                padding,
            )
            padding = (sides[0], sides[1])
        if self.fast_on_cpu and self.dilation == 1 and on_cpu():
            return fast_convolution(x, kernel, self.stride, padding)
        return plain_convolution(x, kernel, self.stride, padding, self.dilation)


def each(layers: Callable[[Array], Array], x: Array) -> Array:
    """Apply layers without batch statistics to (n, H, W, C), on a CPU image by image.

    The feature maps of one image stay in the processor's cache, and backwards they are computed once more: that costs
    less than to write and to read those of a batch. Convolutions must be products: in a loop XLA has no other fast one.
    """
    if not on_cpu():
        return layers(x)
    return jax.lax.map(jax.checkpoint(lambda image: layers(image[None])[0]), x)


def in_parts(layers: Callable[[Array], Array], x: Array) -> Array:
    """Apply layers without batch statistics to (n, H, W, C), on a CPU to a few images at a time.

    Their feature maps stay in the processor's cache: with large images a step takes a tenth less. Every part is
    compiled, so there are four at most.
    """
    size = max(8, -(-len(x) // 4))
    if not on_cpu() or len(x) <= size:
        return layers(x)
    first = layers(x[:size])
    with unrecorded():
        return jnp.concatenate([first, *(layers(x[start : start + size]) for start in range(size, len(x), size))])


def on_cpu() -> bool:
    """Return whether programs are compiled for a CPU."""
    return jax.default_backend() == "cpu"


def computed_once(
    function: Callable[..., Array], *arrays: Array, otherwise: Callable[..., Array] | None = None
) -> Array:
    """Return what a function makes of arrays, computed once and kept; it is not differentiated.

    Left to itself, XLA computes cheap values again wherever they are read. For the gradient of a kernel it reads them
    in the order of another layout, channel by channel: that took a fifth of au_cnn's step on a CPU. It does not look
    into the branches of a condition, and what they read is in memory. Under ``vmap`` a condition would become a
    selection, so the function stays as it is there.

    Args:
        function: From the arrays to one array.
        arrays: The condition reads the middle value of the first: were that known when the program is compiled, as in
            the padding at an edge, XLA would take the condition away.
        otherwise: In place of the function where nothing ensures that arrays are in memory: under ``vmap``, and on a
            GPU.
    """
    elsewhere = otherwise or function
    if not on_cpu():
        return elsewhere(*arrays)

    @jax.custom_batching.custom_vmap
    def once(*arrays: Array) -> Array:
        middle = arrays[0][tuple(side // 2 for side in arrays[0].shape)]
        result = jax.eval_shape(function, *arrays)
        return jax.lax.cond(
            jnp.isnan(middle), lambda *_: jnp.full(result.shape, jnp.nan, result.dtype), function, *arrays
        )

    @once.def_vmap
    def _(axis_size: int, batched: Sequence[bool], *arrays: Array) -> tuple[Array, bool]:
        del axis_size
        return jax.vmap(elsewhere, in_axes=tuple(0 if one else None for one in batched))(*arrays), True

    return once(*arrays)


@jax.custom_vjp
def stored(x: Array) -> Array:
    """Return x, whose values are computed before anything that is computed from them."""
    return computed_once(lambda x: x, x)


stored.defvjp(lambda x: (stored(x), None), lambda _, gradient: (gradient,))


def _as_product(x: Array, kernel: Array, stride: int) -> Array:
    """Convolve without padding, by one product of what each filter sees with the filters."""
    patches = jnp.concatenate(window_places(x, len(kernel), stride), axis=-1)
    return patches @ kernel.reshape(-1, kernel.shape[-1])


def window_places(x: Array, size: int, stride: int) -> list[Array]:
    """Return what all windows have at each of their places: size * size arrays (n, rows, columns, C)."""
    rows, columns = (stride * ((side - size) // stride) + 1 for side in x.shape[1:3])
    return [x[:, i : i + rows : stride, j : j + columns : stride] for i in range(size) for j in range(size)]


class Dense(nnx.Module):
    """Fully connected layer.

    Args:
        inputs: Input features.
        units: Output features.
        convention: Whose initial weights.
        rng: Source of the initial weights.
    """

    def __init__(self, inputs: int, units: int, *, convention: Convention = "keras", rng: Generator) -> None:
        self.name = f"Dense {units}"
        kernel, bias = _kernel_and_bias(rng, (inputs, units), convention)
        self.kernel, self.bias = nnx.Param(kernel), nnx.Param(bias)

    def __call__(self, x: Array) -> Array:
        """Multiply (n, D)."""
        return record(self.name, x @ self.kernel[...] + self.bias[...], self)


def dropout(x: Array, rate: float, context: Context, number: int = 0) -> Array:
    """Set a share of the values to zero in training and scale up the others; leave x alone in evaluation.

    Layers of one network that drop values of the same shape need different numbers, or they drop the same places.
    """
    if not isinstance(context, StepContext) or rate == 0:
        return x
    key = jax.random.fold_in(context.key, number) if number else context.key
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)
