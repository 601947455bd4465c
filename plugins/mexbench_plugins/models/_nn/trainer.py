"""The training engine of all networks: one loop over padded batches, and the predictor that it returns."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from mexbench.adapters.validation_split import validation_part
from mexbench.errors import DataError
from mexbench.interfaces import Rows, select_rows
from mexbench.interfaces.health import UNDERTRAINED
from mexbench_plugins.models._health import answer_health
from mexbench_plugins.models._nn.batch_norm import final_statistics
from mexbench_plugins.models._nn.layers import Values
from mexbench_plugins.models._nn.losses import HEADS, HeadName, class_weights
from mexbench_plugins.models._nn.recipe import Training
from mexbench_plugins.models._nn.train_program import (
    BuildNetwork,
    TrainState,
    as_input,
    batches,
    rows_per_step,
    train_program,
)

#: Axes of randomness: the same seed draws the same initial weights whatever the order of batches does, and so on.
INIT, ORDER, DROPOUT, SPLIT, CROSS = range(5)

#: So few samples are not worth a full batch when they are scored, as the audit does after every epoch.
FEW = 32

History = list[dict[str, float]]


@dataclass(frozen=True, eq=False)
class NetworkPredictor:
    """A trained network.

    Args:
        recipe: How it was trained.
        build: Builds the network.
        n_classes: Number of classes of the run.
        shape: Of one sample (T, ...).
        params: Weights.
        stats: Statistics of batch normalisation, by the recipe's ``batch_norm_statistics``.
        trained: Which classes trained (n_classes,).
        history: Per epoch: epoch, loss, accuracy, and val_loss and val_accuracy where there is a validation part.
        head: Meaning of the last layer.
        health: What is known of its training; see ``interfaces.Predictor``. Empty after an epoch that need not be the
            last one.
    """

    recipe: Training
    build: BuildNetwork
    n_classes: int
    shape: tuple[int, ...]
    params: Values
    stats: Values
    trained: NDArray[np.bool_]
    history: History
    head: HeadName = "softmax"
    health: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, x: NDArray[Any] | Rows, /) -> NDArray[np.float64]:
        """Return softmax scores (n, n_classes) for x (n, T, ...); 0 for a class that never trained.

        With the sigmoid head, the probability that each unit is present.

        Raises:
            DataError: x has another shape than the training side had.
        """
        if x.shape[1:] != self.shape:
            raise DataError(f"trained on samples {self.shape}, asked about samples {x.shape[1:]}")
        log_scores = log_probs(
            self.recipe, self.build, self.params, self.stats, x, n_classes=self.n_classes, head=self.head
        )
        return np.exp(log_scores) * self.trained


def train(
    recipe: Training,
    build: BuildNetwork,
    x: NDArray[Any] | Rows,
    y: NDArray[Any],
    *,
    n_classes: int,
    groups: NDArray[np.str_],
    seed: int,
    head: HeadName = "softmax",
) -> NetworkPredictor:
    """Train a network from scratch.

    See ``NetworkModel.fit``, and for the sigmoid head ``ActionUnitModel.fit_action_units``.

    Args:
        recipe: How to train it.
        build: Builds the network for samples of this shape and for ``n_classes``.
        x: Samples (n, T, ...).
        y: Class indices (n,), or present units (n, units).
        n_classes: Number of classes or units.
        groups: Subject of each sample (n,).
        seed: Source of all randomness.
        head: Meaning of the last layer.
    """
    train_idx, val_idx = np.arange(len(y)), np.arange(0)
    if recipe.early_stopping is not None:
        train_idx, val_idx = validation_part(groups, recipe.validation_share, generator(jax.random.key(seed), SPLIT))
    weights = HEADS[head].weights(y[train_idx], n_classes, recipe.class_weight)
    history: History = []
    best_loss, best_state, state = np.inf, None, None
    for trained_state, row in epochs(recipe, build, x, y, train_idx, weights=weights, seed=seed, head=head):
        state = trained_state
        history.append(row)
        if not len(val_idx):
            continue
        # What is watched is the network as it would be tested, so its statistics are those that it would have.
        state = state._replace(stats=final_statistics(recipe, build, state, x, train_idx, head=head))
        val_x = select_rows(x, val_idx)
        val_scores = log_probs(recipe, build, state.params, state.stats, val_x, n_classes=n_classes, head=head)
        row["val_loss"], row["val_accuracy"] = HEADS[head].val_metrics(val_scores, y[val_idx])
        if row["val_loss"] < best_loss:
            best_loss, best_state = row["val_loss"], state
        best_epoch = min(range(len(history)), key=lambda i: history[i]["val_loss"])
        if len(history) - 1 - best_epoch >= (recipe.early_stopping or len(history)):
            break
    final = best_state if recipe.keep == "best" else state
    assert final is not None  # noqa: S101 - there is an epoch at least
    stats = final.stats if len(val_idx) else final_statistics(recipe, build, final, x, train_idx, head=head)
    trained = HEADS[head].trained(weights)
    predictor = NetworkPredictor(recipe, build, n_classes, x.shape[1:], final.params, stats, trained, history, head)
    predictor = with_health(predictor, select_rows(x, train_idx), y[train_idx])
    if len(history) < recipe.epochs:
        _warn_if_nothing_learned(predictor.health, len(history))
    return predictor


def with_health(predictor: NetworkPredictor, x: NDArray[Any] | Rows, y: NDArray[Any]) -> NetworkPredictor:
    """Return the predictor with its ``health`` on the training side (n, T, ...), without a validation part."""
    recipe, head, history = predictor.recipe, HEADS[predictor.head], predictor.history
    row = min(history, key=lambda row: row["val_loss"]) if recipe.keep == "best" else history[-1]
    weights = head.weights(y, predictor.n_classes, recipe.class_weight)
    health = {
        "train_accuracy": row["accuracy"],
        "train_loss": row["loss"],
        "guess_loss": head.guess_loss(y, weights),
        **answer_health(head.answers(predictor(x)), y),
    }
    return replace(predictor, health=health)


def _warn_if_nothing_learned(health: Mapping[str, float], n_epochs: int) -> None:
    if health["train_loss"] >= UNDERTRAINED * health["guess_loss"]:
        warnings.warn(
            f"early stopping ended the training after {n_epochs} epochs, before anything was learned: the training "
            f"loss is {health['train_loss']:.3f}, that of guessing class frequencies {health['guess_loss']:.3f}; raise "
            "early_stopping or the learning_rate",
            stacklevel=2,
        )


def epochs(
    recipe: Training,
    build: BuildNetwork,
    x: NDArray[Any] | Rows,
    y: NDArray[Any],
    train_idx: NDArray[np.intp],
    *,
    weights: NDArray[np.float32],
    seed: int,
    head: HeadName = "softmax",
) -> Iterator[tuple[TrainState, dict[str, float]]]:
    """Train on the samples of ``train_idx`` and yield the state after each epoch, with its number, loss and accuracy.

    Args:
        recipe: How to train.
        build: Builds the network.
        x: Samples (n, T, ...).
        y: Class indices (n,), or present units (n, units).
        train_idx: Positions of those that train.
        weights: Of each class (n_classes,), or of absent and present units (2, units).
        seed: Source of all randomness.
        head: Meaning of the last layer.
    """
    program = train_program(recipe, build, head)
    key = jax.random.key(seed)
    order, dropout_key = generator(key, ORDER), jax.random.fold_in(key, DROPOUT)
    state = program.init(generator(key, INIT))
    number = 0
    for epoch in range(1, recipe.epochs + 1):
        parts = []
        factor = (np.float32(recipe.rate_factor(epoch)),) if recipe.decays else ()
        for batch in batches(recipe, x, y, recipe.epoch_order(train_idx, y, order), weights, head=head):
            state, *sums = program.train_step(state, batch, dropout_key, number, *factor)
            parts.append(sums)  # still on the device: waiting for a number here would stop the next batch's copy
            number += 1
        loss, n_correct = np.asarray(parts, np.float64).sum(0)
        row = {"epoch": epoch, "loss": float(loss) / len(train_idx), "accuracy": float(n_correct) / len(train_idx)}
        check_finite_loss(row["loss"], epoch, recipe.learning_rate)
        yield state, row


def after_each_epoch(
    recipe: Training, build: BuildNetwork, x: NDArray[Any] | Rows, y: NDArray[np.intp], *, n_classes: int, seed: int
) -> Iterator[NetworkPredictor]:
    """Train one fold for all epochs and yield its predictor after each; see ``EpochsModel.fit_epochs``."""
    weights, train_idx = class_weights(y, n_classes, recipe.class_weight), np.arange(len(y))
    history: History = []
    for state, row in epochs(recipe, build, x, y, train_idx, weights=weights, seed=seed):
        history = [*history, row]
        stats = final_statistics(recipe, build, state, x, train_idx)
        predictor = NetworkPredictor(recipe, build, n_classes, x.shape[1:], state.params, stats, weights > 0, history)
        last = recipe.trains_all_epochs() and row["epoch"] == recipe.epochs
        yield with_health(predictor, x, y) if last else predictor


def generator(key: Array, axis: int) -> np.random.Generator:
    """Return numpy's randomness for one axis: JAX would compile a permutation anew for every number of samples."""
    return np.random.default_rng(np.asarray(jax.random.key_data(jax.random.fold_in(key, axis))))


def check_finite_loss(loss: float, epoch: int, learning_rate: float) -> None:
    """Stop a training that diverged.

    Raises:
        FloatingPointError: The loss is NaN or infinite.
    """
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} in epoch {epoch}: set a learning_rate below {learning_rate:g}, and look for values "
            "in the input that are NaN, infinite or far from 1"
        )


def log_probs(
    recipe: Training,
    build: BuildNetwork,
    params: Values,
    stats: Values,
    x: NDArray[Any] | Rows,
    *,
    n_classes: int,
    head: HeadName = "softmax",
) -> NDArray[np.float64]:
    """Return log-probabilities (n, n_classes), computed in padded batches."""
    program = train_program(recipe, build, head)
    scores = np.zeros((len(x), n_classes))
    size = min(recipe.batch_size, FEW) if len(x) <= FEW else rows_per_step(recipe, len(x))
    for start in range(0, len(x), size):
        part = x[start : start + size]
        padded = np.resize(np.arange(len(part)), size)
        padded_scores = np.asarray(program.log_probs(params, stats, as_input(part[padded], recipe)))
        scores[start : start + len(part)] = padded_scores[: len(part)]  # in numpy: JAX would compile each length's cut
    return scores
