"""The training engine of all networks: padded batches, one compilation per network, one loop."""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench_plugins._compilations import keep_compilations
from mexbench_plugins.models._nn.layers import StepContext, Values
from mexbench_plugins.models._nn.losses import HEADS, HeadName, class_weights
from mexbench_plugins.models._nn.validation_split import validation_part

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.network_model import NetworkModel

#: Axes of randomness: the same seed draws the same initial weights whatever the order of batches does, and so on.
INIT, ORDER, DROPOUT, SPLIT, CROSS = range(5)

#: So few samples are not worth a whole batch when they are scored, as the audit does after every epoch.
FEW = 32

History = list[dict[str, float]]

# What malloc.h calls M_ARENA_MAX and so on.
_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1


class TrainState(NamedTuple):
    """What training changes: weights, running statistics, and what the optimiser remembers."""

    params: Values
    stats: Values
    optimiser: optax.OptState


class Batch(NamedTuple):
    """A batch of fixed size: ``real`` is 0 where a row is padding, ``weight`` is that of its loss, 0 there too."""

    x: NDArray[Any]
    y: NDArray[np.int32]
    real: NDArray[np.float32]
    weight: NDArray[np.float32]


@dataclass(frozen=True)
class TrainProgram:
    """A network's compiled functions.

    Args:
        start: Source of the initial weights -> state before the first step.
        step: State, rows, dropout key, number of the step -> state, summed loss, number of right answers.
        score: Weights, statistics, x (batch, ...) -> log-probabilities (batch, classes).
    """

    start: Callable[[np.random.Generator], TrainState]
    step: Callable[[TrainState, Batch, Array, int], tuple[TrainState, Array, Array]]
    score: Callable[[Values, Values, NDArray[Any]], Array]


def program(model: NetworkModel, shape: tuple[int, ...], n_classes: int, head: HeadName = "softmax") -> TrainProgram:
    """Return the functions of a network, built once per process; each is compiled once per shape, at its first call."""
    return _program(compiled_part(model), shape, n_classes, head)


def compiled_part(model: NetworkModel) -> NetworkModel:
    """Return the model without the options that no compiled function sees, so that sweeps of them compile once."""
    return replace(
        model, epochs=1, batch_size=1, class_weight=None, early_stopping=None, validation_share=0.5, keep="last"
    )


@functools.lru_cache(maxsize=64)
def _program(model: NetworkModel, shape: tuple[int, ...], n_classes: int, head_name: HeadName) -> TrainProgram:
    head = HEADS[head_name]
    keep_compilations()
    keep_memory()
    optimiser = model.transformation()
    graph = nnx.graphdef(model.network(shape, n_classes, np.random.default_rng(0)))
    remember = jax.jit(optimiser.init)

    def start(rng: np.random.Generator) -> TrainState:
        _, params, stats = nnx.split(model.network(shape, n_classes, rng), nnx.Param, ...)
        return TrainState(params, stats, remember(params))

    def step(state: TrainState, rows: Batch, key: Array, number: int) -> tuple[TrainState, Array, Array]:
        batch = StepContext(jnp.asarray(rows.real), jax.random.fold_in(key, number))

        def mean_loss(params: Values) -> tuple[Array, tuple[Array, Array, Values]]:
            network = nnx.merge(graph, params, state.stats, copy=True)  # else the statistics belong outside
            logits = network(floats(rows.x), batch)
            total = head.loss(logits, rows.y, rows.weight)  # pyright: ignore[reportArgumentType] - traced
            right = head.right(logits, rows.y, rows.real)  # pyright: ignore[reportArgumentType]
            _, _, stats = nnx.split(network, nnx.Param, ...)
            return total / jnp.sum(rows.real), (total, right, stats)

        gradient, (total, right, stats) = jax.grad(mean_loss, has_aux=True)(state.params)
        updates, memory = optimiser.update(gradient, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        return TrainState(params, stats, memory), total, right  # pyright: ignore[reportArgumentType] - a pytree

    def score(params: Values, stats: Values, x: NDArray[Any]) -> Array:
        return head.log_probs(nnx.merge(graph, params, stats)(floats(x), None))

    def floats(x: NDArray[Any]) -> Array:
        """Make numbers of bytes here and not before: bytes are a quarter of what must be copied."""
        scale = 1 / 255 if model.pixels == "unit" and x.dtype == np.uint8 else 1
        return jnp.asarray(x, jnp.float32) * scale

    return TrainProgram(start, jax.jit(step), jax.jit(score))


@functools.cache
def keep_memory() -> None:
    """Keep the memory of one step for the next.

    A step asks for one block of 10 to 200 MB and frees it. glibc hands blocks above 32 MB back to the system, which
    clears every page of the next one: that was a third of the processor time of au_cnn's and of cnn's step. Other C
    libraries have no ``mallopt`` and are left alone. It must come before JAX starts its threads.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None) is not None:
        for option, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, 2**30), (_TRIM_THRESHOLD, 2**31 - 1)):
            mallopt(option, value)


@dataclass(frozen=True, eq=False)
class NetworkPredictor:
    """A trained network.

    Args:
        model: The recipe.
        n_classes: Number of classes of the run.
        shape: Of one sample (T, ...).
        params: Weights.
        stats: Running statistics.
        trained: Which classes trained (n_classes,).
        history: Per epoch: epoch, loss, accuracy, and val_loss and val_accuracy where there is a validation part.
        head: What its last layer says.
    """

    model: NetworkModel
    n_classes: int
    shape: tuple[int, ...]
    params: Values
    stats: Values
    trained: NDArray[np.bool_]
    history: History
    head: HeadName = "softmax"

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Return softmax scores (n, n_classes) for x (n, T, ...); 0 for a class that never trained.

        With the sigmoid head, the probability that each unit shows.

        Raises:
            DataError: x has another shape than the training side had.
        """
        if x.shape[1:] != self.shape:
            raise DataError(f"trained on samples {self.shape}, asked about samples {x.shape[1:]}")
        return np.exp(log_probs(self.model, self.n_classes, self.params, self.stats, x, head=self.head)) * self.trained


def train(
    model: NetworkModel,
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    n_classes: int,
    groups: NDArray[np.str_],
    seed: int,
    head: HeadName = "softmax",
) -> NetworkPredictor:
    """Train a network from scratch.

    See ``NetworkModel.fit``, and for the sigmoid head ``ActionUnitModel.fit_action_units``.
    """
    learn, watch = np.arange(len(y)), np.arange(0)
    if model.early_stopping is not None:
        learn, watch = validation_part(groups, model.validation_share, generator(jax.random.key(seed), SPLIT))
    weights = HEADS[head].weights(y[learn], n_classes, model.class_weight)
    history: History = []
    best, best_state, state = np.inf, None, None
    for state, found in epochs(model, x, y, learn, weights, seed=seed, head=head):
        history.append(found)
        if not len(watch):
            continue
        logs = log_probs(model, n_classes, state.params, state.stats, x[watch], head=head)
        found["val_loss"], found["val_accuracy"] = HEADS[head].watched(logs, y[watch])
        if found["val_loss"] < best:
            best, best_state = found["val_loss"], state
        lowest = min(range(len(history)), key=lambda i: history[i]["val_loss"])
        if len(history) - 1 - lowest >= (model.early_stopping or len(history)):
            break
    kept = best_state if model.keep == "best" else state
    assert kept is not None  # noqa: S101 - there is an epoch at least
    trained = HEADS[head].trained(weights)
    return NetworkPredictor(model, n_classes, x.shape[1:], kept.params, kept.stats, trained, history, head)


def epochs(
    model: NetworkModel,
    x: NDArray[Any],
    y: NDArray[Any],
    learn: NDArray[np.intp],
    weights: NDArray[np.float32],
    *,
    seed: int,
    head: HeadName = "softmax",
) -> Iterator[tuple[TrainState, dict[str, float]]]:
    """Train on the samples ``learn`` and yield the state after each epoch, with its number, loss and accuracy.

    Args:
        model: The recipe.
        x: Samples (n, T, ...).
        y: Class indices (n,), or which units show (n, units).
        learn: Positions of those that train.
        weights: Of each class (n_classes,), or of absent and shown units (2, units).
        seed: Source of all randomness.
        head: What the last layer says.
    """
    made = program(model, x.shape[1:], weights.shape[-1], head)
    key = jax.random.key(seed)
    order, dropout_key = generator(key, ORDER), jax.random.fold_in(key, DROPOUT)
    state = made.start(generator(key, INIT))
    number = 0
    for epoch in range(1, model.epochs + 1):
        parts = []
        for rows in batches(model, x, y, order.permutation(learn), weights, head=head):
            state, *sums = made.step(state, rows, dropout_key, number)
            parts.append(sums)  # still on the device: waiting for a number here would stop the next batch's copy
            number += 1
        loss, right = np.asarray(parts, np.float64).sum(0)
        found = {"epoch": epoch, "loss": float(loss) / len(learn), "accuracy": float(right) / len(learn)}
        check_finite_loss(found["loss"], epoch, model.learning_rate)
        yield state, found


def after_each_epoch(
    model: NetworkModel, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, seed: int
) -> Iterator[NetworkPredictor]:
    """Train one fold for all epochs and yield its predictor after each; see ``EpochsModel.fit_epochs``."""
    weights = class_weights(y, n_classes, model.class_weight)
    history: History = []
    for state, found in epochs(model, x, y, np.arange(len(y)), weights, seed=seed):
        history = [*history, found]
        yield NetworkPredictor(model, n_classes, x.shape[1:], state.params, state.stats, weights > 0, history)


def generator(key: Array, axis: int) -> np.random.Generator:
    """Return numpy's randomness for one axis: JAX would compile a permutation anew for every number of samples."""
    return np.random.default_rng(np.asarray(jax.random.key_data(jax.random.fold_in(key, axis))))


def check_finite_loss(loss: float, epoch: int, learning_rate: float) -> None:
    """Stop a training that has lost its way.

    Raises:
        FloatingPointError: The loss is no number any more.
    """
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} in epoch {epoch}: set a learning_rate below {learning_rate:g}, and look for values "
            "in the input that are no numbers or far from 1"
        )


def batches(
    model: NetworkModel,
    x: NDArray[Any],
    y: NDArray[Any],
    order: NDArray[np.intp],
    weights: NDArray[np.float32],
    *,
    head: HeadName = "softmax",
) -> Iterator[Batch]:
    """Yield rows of one epoch; the last batch is padded, so that all folds of a run share one compilation."""
    size = model.batch_size
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        real = (np.arange(size) < len(chosen)).astype(np.float32)
        padded = np.resize(chosen, size)  # samples once more: padding must be numbers that a network can bear
        weight = (HEADS[head].of_rows(weights, y[padded]).T * real).T
        yield Batch(as_input(x[padded], model), y[padded].astype(np.int32), real, weight)


def as_input(x: NDArray[Any], model: NetworkModel) -> NDArray[Any]:
    """Return bytes as they are, whatever else as float32; other whole numbers are pixels as well."""
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind in "iu" and model.pixels == "unit":
        return (x / 255).astype(np.float32)
    return x.astype(np.float32)


def log_probs(
    model: NetworkModel,
    n_classes: int,
    params: Values,
    stats: Values,
    x: NDArray[Any],
    *,
    head: HeadName = "softmax",
) -> NDArray[np.float64]:
    """Return log-probabilities (n, n_classes), computed in padded batches."""
    score = program(model, x.shape[1:], n_classes, head).score
    found = np.zeros((len(x), n_classes))
    size = min(model.batch_size, FEW) if len(x) <= FEW else model.batch_size
    for start in range(0, len(x), size):
        part = x[start : start + size]
        padded = np.resize(np.arange(len(part)), size)
        scores = np.asarray(score(params, stats, as_input(part[padded], model)))  # JAX would compile each length's cut
        found[start : start + len(part)] = scores[: len(part)]
    return found
