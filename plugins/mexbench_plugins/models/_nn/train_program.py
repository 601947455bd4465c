"""A network's compiled functions and the padded batches that they take: one compilation per network and batch size."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from numpy.typing import NDArray

from mexbench.interfaces import Rows
from mexbench_plugins._compilations import keep_compilations
from mexbench_plugins.models._nn.layers import Network, ShapesOnly, StatisticsContext, StepContext, Values
from mexbench_plugins.models._nn.losses import HEADS, HeadName
from mexbench_plugins.models._nn.recipe import Training

#: Builds a network from a source of initial weights. Equal ones (``==`` and ``hash``) share one compilation.
BuildNetwork = Callable[[np.random.Generator], Network]

#: A batch that is larger than the data is cut down to a multiple of this: folds of different sizes stay one shape.
_ROWS = 64


class TrainState(NamedTuple):
    """What training changes: weights, running statistics of batch normalisation, and the optimiser's state."""

    params: Values
    stats: Values
    optimiser: optax.OptState


class Batch(NamedTuple):
    """A batch of fixed size: ``mask`` is 0 where a row is padding; ``weight`` is that of its loss, 0 there too."""

    x: NDArray[Any]
    y: NDArray[np.int32]
    mask: NDArray[np.float32]
    weight: NDArray[np.float32]


@dataclass(frozen=True)
class TrainProgram:
    """A network's compiled functions.

    Args:
        init: Source of the initial weights -> state before the first step.
        train_step: State, batch, dropout key, number of the step, and where the recipe decays, a factor of the step
            size -> state, summed loss, number of correct answers.
        log_probs: Weights, statistics, x (batch, ...) -> log-probabilities (batch, classes).
        measure: Weights, statistics, x (batch, ...), mask (batch,) -> the batch's own statistics, in their place.
    """

    init: Callable[[np.random.Generator], TrainState]
    train_step: Callable[..., tuple[TrainState, Array, Array]]
    log_probs: Callable[[Values, Values, NDArray[Any]], Array]
    measure: Callable[[Values, Values, NDArray[Any], NDArray[np.float32]], Values]


def train_program(recipe: Training, build: BuildNetwork, head: HeadName = "softmax") -> TrainProgram:
    """Return the functions of a network, built once per process; each is compiled once per shape, at its first call."""
    return _train_program(recipe.compiled_part(), build, head)


@functools.lru_cache(maxsize=64)
def _train_program(recipe: Training, build: BuildNetwork, head_name: HeadName) -> TrainProgram:
    head = HEADS[head_name]
    keep_compilations()
    optimiser = recipe.transformation()
    graph = nnx.graphdef(nnx.eval_shape(lambda: build(ShapesOnly())))
    init_optimiser = jax.jit(optimiser.init)

    def init(rng: np.random.Generator) -> TrainState:
        _, params, stats = nnx.split(build(rng), nnx.Param, ...)
        return TrainState(params, stats, init_optimiser(params))

    def train_step(
        state: TrainState, batch: Batch, key: Array, number: int, factor: Array | None = None
    ) -> tuple[TrainState, Array, Array]:
        context = StepContext(jnp.asarray(batch.mask), jax.random.fold_in(key, number))

        def mean_loss(params: Values) -> tuple[Array, tuple[Array, Array, Values]]:
            network = nnx.merge(graph, params, state.stats, copy=True)  # else the statistics belong outside
            logits = network(as_floats(batch.x), context)
            total = head.loss(logits, batch.y, batch.weight)  # pyright: ignore[reportArgumentType] - traced
            n_correct = head.n_correct(logits, batch.y, batch.mask)  # pyright: ignore[reportArgumentType]
            _, _, stats = nnx.split(network, nnx.Param, ...)
            return total / jnp.sum(batch.mask), (total, n_correct, stats)

        gradient, (total, n_correct, stats) = jax.grad(mean_loss, has_aux=True)(state.params)
        updates, memory = optimiser.update(gradient, state.optimiser, state.params)
        if factor is not None:
            updates = jax.tree.map(lambda update: update * factor, updates)
        params = optax.apply_updates(state.params, updates)
        return TrainState(params, stats, memory), total, n_correct  # pyright: ignore[reportArgumentType] - a pytree

    def log_probs(params: Values, stats: Values, x: NDArray[Any]) -> Array:
        return head.log_probs(nnx.merge(graph, params, stats)(as_floats(x), None))

    def measure(params: Values, stats: Values, x: NDArray[Any], mask: NDArray[np.float32]) -> Values:
        network = nnx.merge(graph, params, stats, copy=True)
        network(as_floats(x), StatisticsContext(jnp.asarray(mask)))
        _, _, measured = nnx.split(network, nnx.Param, ...)
        return measured

    def as_floats(x: NDArray[Any]) -> Array:
        """Make floats of bytes here and not earlier: bytes are a quarter of what must be copied."""
        scale = 1 / 255 if recipe.pixels == "unit" and x.dtype == np.uint8 else 1
        return jnp.asarray(x, jnp.float32) * scale

    return TrainProgram(init, _compiled(train_step), _compiled(log_probs), _compiled(measure))


def _compiled(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - a jitted function has no better type
    """Compile a function whose products are float32 on every device; see ``precision``."""
    if jax.default_backend() == "cpu":  # has no other
        return jax.jit(function)
    stated = precision()

    @functools.wraps(function)
    def precise(*args: Any) -> Any:  # noqa: ANN401
        with jax.default_matmul_precision(stated):
            return function(*args)

    return jax.jit(precise)


def precision() -> str:
    """Return the precision of products and convolutions: that of ``JAX_DEFAULT_MATMUL_PRECISION``, or the highest.

    Left to itself, a GPU rounds the factors of float32 products to the 10 bits of TF32: faster, and another result than
    a CPU's. Rows of those who ask for that have a flag.
    """
    return str(getattr(jax.config, "jax_default_matmul_precision", None) or "highest")


def batches(
    recipe: Training,
    x: NDArray[Any] | Rows,
    y: NDArray[Any],
    order: NDArray[np.intp],
    weights: NDArray[np.float32],
    *,
    head: HeadName = "softmax",
) -> Iterator[Batch]:
    """Yield the batches of one epoch; the last one is padded, so that all folds of a run share one compilation.

    Args:
        recipe: Names the batch size.
        x: Samples (n, T, ...).
        y: Class indices (n,), or present units (n, units).
        order: Positions of the samples that train, in their order.
        weights: Of each class (n_classes,), or of absent and present units (2, units).
        head: Meaning of the last layer.
    """
    size = rows_per_step(recipe, len(order))
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        mask = (np.arange(size) < len(chosen)).astype(np.float32)
        padded = np.resize(chosen, size)  # samples repeated: padding must be values that a network can handle
        weight = (HEADS[head].row_weights(weights, y[padded]).T * mask).T
        yield Batch(as_input(x[padded], recipe), y[padded].astype(np.int32), mask, weight)


def rows_per_step(recipe: Training, n: int) -> int:
    """Return the rows of a padded batch of n samples: the batch size, or for recipes that cut it, not far above n."""
    return min(recipe.batch_size, -(-n // _ROWS) * _ROWS) if recipe.cuts_batches else recipe.batch_size


def as_input(x: NDArray[Any], recipe: Training) -> NDArray[Any]:
    """Return bytes unchanged, anything else as float32; other whole numbers are pixels as well."""
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind in "iu" and recipe.pixels == "unit":
        return (x / 255).astype(np.float32)
    return x.astype(np.float32)
