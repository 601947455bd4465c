"""STSTNet for all folds at once: one minibatch, one matrix product, a 0/1 weight per sample and fold.

All folds see the same minibatch; a held-out sample has weight 0 in the loss and in the batch-norm statistics of its
fold, which is the same, to the last gradient, as if it were absent. The filters of all folds are side by side in one
product with im2col patches, which are built once for the data set.

A fold gives what ``fit`` gives on its training side, rounding aside, where entire groups are held out: order and noise
are drawn for each sample by its group and its place among the group's samples, which other groups do not change; and
each fold's batches are cut from its own samples, so that a minibatch joins the folds' batches of one number.
"""

from __future__ import annotations

import functools
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from numpy.typing import NDArray

from mexbench_plugins.models._nn import team_size, trainer
from mexbench_plugins.models._nn.batch_norm_layer import MOMENTUM
from mexbench_plugins.models._nn.fold_parallel_conv import (
    FILTERS,
    POSITIONS,
    TAPS,
    front,
    patches_of,
    rows_at_once,
    sample_moments,
    select_by_fold,
)
from mexbench_plugins.models._nn.layers import Values
from mexbench_plugins.models._nn.losses import class_weights
from mexbench_plugins.models._nn.recipe import Training
from mexbench_plugins.models._nn.train_program import BuildNetwork, TrainState, as_input, train_program

Params = dict[str, Array]

#: Numbers of samples are rounded up to a multiple of this, so that one compilation serves data sets of similar size.
ROUNDED = 64
#: Likewise where a minibatch is larger than the batch size, since folds leave out different samples.
BEYOND = 16


class FoldsState(NamedTuple):
    """The state of K folds: every array has the folds as its first axis."""

    params: Params
    stats: Params
    optimiser: optax.OptState


class FoldsData(NamedTuple):
    """What stays the same over all steps.

    Args:
        patches: The data set (n, positions, taps).
        y: Class indices (n,).
        mark: Source of each sample's dropout noise (n,).
        class_weight: (K, classes).
    """

    patches: Array
    y: Array
    mark: Array
    class_weight: Array


#: Builds the predictors of a team of folds, as they were after one epoch.
BuildPredictors = Callable[[], list[trainer.NetworkPredictor]]


def train(
    recipe: Training,
    build: BuildNetwork,
    x: NDArray[Any],
    y: NDArray[np.intp],
    train_masks: NDArray[np.bool_],
    *,
    dropout: float,
    n_classes: int,
    groups: NDArray[np.str_],
    seed: int,
) -> list[trainer.NetworkPredictor]:
    """Train every fold; see ``FoldsModel.fit_folds``.

    Args:
        recipe: How to train.
        build: Builds the network of a predictor.
        x: Images (n, T=1, 28, 28, 3), channels in the order in which the filters read them.
        y: Class indices (n,).
        train_masks: Which samples train in which fold (K, n).
        dropout: Share of the values that dropout sets to zero.
        n_classes: Number of classes.
        groups: Subject of each sample (n,).
        seed: Source of all randomness.

    Raises:
        FloatingPointError: The loss of a fold became NaN or infinite.
        ValueError: A fold has no training side, or the recipe has early stopping.
    """
    if recipe.early_stopping is not None:
        raise ValueError("folds trained together stop together: set early_stopping: null, or train them one by one")
    teams = _teams(recipe, build, x, y, train_masks, dropout=dropout, n_classes=n_classes, groups=groups, seed=seed)
    return [predictor for team in teams for predictor in deque(team, maxlen=1)[0]()]


def after_each_epoch(
    recipe: Training,
    build: BuildNetwork,
    x: NDArray[Any],
    y: NDArray[np.intp],
    train_masks: NDArray[np.bool_],
    *,
    dropout: float,
    n_classes: int,
    groups: NDArray[np.str_],
    seed: int,
) -> Iterator[list[trainer.NetworkPredictor]]:
    """Train every fold as ``train`` and yield all predictors after each epoch; see ``EpochsModel.fit_epochs``."""
    teams = _teams(recipe, build, x, y, train_masks, dropout=dropout, n_classes=n_classes, groups=groups, seed=seed)
    for epoch in zip(*teams, strict=True):
        yield [predictor for build_predictors in epoch for predictor in build_predictors()]


def _teams(
    recipe: Training,
    build: BuildNetwork,
    x: NDArray[Any],
    y: NDArray[np.intp],
    train_masks: NDArray[np.bool_],
    *,
    dropout: float,
    n_classes: int,
    groups: NDArray[np.str_],
    seed: int,
) -> list[Iterator[BuildPredictors]]:
    """Divide the folds into teams that are trained together; each yields after each epoch."""
    if not train_masks.any(axis=1).all():
        raise ValueError(f"fold {int(np.argmin(train_masks.any(axis=1)))} has no training sample")
    marks = _marks(groups)
    used = np.flatnonzero(train_masks.any(axis=0))  # a sample that never trains would only cost time
    x, y, marks, train_masks = x[used], y[used], marks[used], train_masks[:, used]
    images = as_input(x, recipe)[:, 0]
    scale = 1 / 255 if recipe.pixels == "unit" and images.dtype == np.uint8 else 1
    patches = patches_of(np.asarray(images, np.float32) * np.float32(scale))
    spare = -len(y) % ROUNDED  # rows that no batch names
    patches = jnp.asarray(np.concatenate([patches, np.zeros((spare, *patches.shape[1:]), np.float32)]))
    teams = np.array_split(np.arange(len(train_masks)), -(-len(train_masks) // team_size.at_once()))
    widest = max(map(len, teams))
    return [
        _epochs_of_team(
            recipe,
            build,
            patches,
            y,
            marks,
            masks=train_masks[np.resize(team, widest)],  # a fold twice, so that all teams share one compilation
            folds=len(team),
            dropout=dropout,
            n_classes=n_classes,
            seed=seed,
        )
        for team in teams
    ]


def _epochs_of_team(
    recipe: Training,
    build: BuildNetwork,
    patches: Array,
    y: NDArray[np.intp],
    marks: NDArray[np.uint32],
    *,
    masks: NDArray[np.bool_],
    folds: int,
    dropout: float,
    n_classes: int,
    seed: int,
) -> Iterator[BuildPredictors]:
    key = jax.random.key(seed)
    weights = np.stack([class_weights(y[mask], n_classes, recipe.class_weight) for mask in masks])
    padding = (0, len(patches) - len(y))
    data = FoldsData(
        patches,
        jnp.asarray(np.pad(y, padding), jnp.int32),
        jnp.asarray(np.pad(marks, padding)),
        jnp.asarray(weights),
    )
    first = train_program(recipe, build).init(trainer.generator(key, trainer.INIT))
    state = stacked(recipe, first, len(masks))
    order, dropout_key = trainer.generator(key, trainer.ORDER), jax.random.fold_in(key, trainer.DROPOUT)
    ranks = _ranks(marks, int(order.integers(2**32)), recipe.epochs)
    train_step, curves = compiled_step(recipe.compiled_part(), dropout), []

    def predictors(state: FoldsState, epochs: int) -> list[trainer.NetworkPredictor]:
        if recipe.batch_norm_statistics == "exact":
            state = state._replace(stats=exact_statistics(patches, state.params["conv"], masks))
        return [
            trainer.NetworkPredictor(
                recipe,
                build,
                n_classes,
                (1, 28, 28, 3),
                *unstacked(first, state, fold),
                trained=weights[fold] > 0,
                history=[
                    {"epoch": epoch, "loss": float(loss[fold]), "accuracy": float(accuracy[fold])}
                    for epoch, (loss, accuracy) in enumerate(curves[:epochs], 1)
                ],
            )
            for fold in range(folds)
        ]

    for epoch in range(1, recipe.epochs + 1):
        parts = []
        for chosen, mask in minibatches(np.argsort(ranks[epoch - 1], kind="stable"), masks, recipe.batch_size):
            state, sums = train_step(state, data, *_rounded(chosen, mask, recipe.batch_size), dropout_key, epoch)
            parts.append(sums)
        loss, accuracy = np.asarray(parts, np.float64).sum(0) / masks.sum(1)
        trainer.check_finite_loss(float(loss[np.argmin(np.isfinite(loss))]), epoch, recipe.learning_rate)
        curves.append((loss, accuracy))
        yield functools.partial(predictors, state, epoch)


@functools.lru_cache(maxsize=16)
def compiled_step(recipe: Training, dropout: float) -> Any:  # noqa: ANN401 - a jitted function has no better type
    """Return the compiled step.

    It takes the state, the data, the chosen rows (n,), 1 where a row trains in a fold and else 0 (n, K), the key of
    dropout and the number of the epoch; it returns the new state, and summed loss and number of correct answers (2, K).
    """
    optimiser = recipe.transformation()

    def train_step(  # noqa: PLR0917 - called once, above
        state: FoldsState, data: FoldsData, chosen: Array, mask: Array, key: Array, epoch: int
    ) -> tuple[FoldsState, Array]:
        y = data.y[chosen]
        weight = jnp.take(data.class_weight, y, axis=1).T * mask
        present = mask.sum(0)

        def losses_of(params: Params) -> tuple[Array, tuple[Array, Params]]:
            pooled, mean, var = front(data.patches, chosen, params["conv"], params["scale"], params["shift"], mask)
            if dropout:  # the folds share the noise, which would cost as much as everything else
                keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(key, epoch), data.mark[chosen])
                shape = (*pooled.shape[1:3], 1, FILTERS)
                keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - dropout, shape))(keys)
                pooled = jnp.where(keep, pooled / (1 - dropout), 0)
            kernel = params["dense"].reshape(mask.shape[1], -1, FILTERS, data.class_weight.shape[1])
            logits = jnp.einsum("bpkc,kpcn->bkn", pooled.mean(1), kernel) + params["bias"]
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.broadcast_to(y[:, None], mask.shape))
            totals = jnp.sum(losses * weight, 0)
            n_correct = jnp.sum((logits.argmax(2) == y[:, None]) * mask, 0)
            means = totals / jnp.maximum(present, 1)
            return means.sum(), (jnp.stack([totals, n_correct]), {"mean": mean, "var": var})

        gradient, (sums, batch_stats) = jax.grad(losses_of, has_aux=True)(state.params)
        updates, memory = jax.vmap(optimiser.update)(gradient, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        count = present[:, None] * POSITIONS
        # PyTorch's running variance is unbiased.
        batch_stats["var"] = batch_stats["var"] * count / jnp.maximum(count - 1, 1)
        momentum = MOMENTUM["torch"]
        stats = {name: momentum * state.stats[name] + (1 - momentum) * batch_stats[name] for name in batch_stats}
        stepped = FoldsState(params, stats, memory)  # pyright: ignore[reportArgumentType] - the same pytree
        # A fold that has no sample in this batch makes no step, as if the batch had not been.
        return jax.tree.map(functools.partial(select_by_fold, present > 0), stepped, state), sums

    return jax.jit(train_step)


def exact_statistics(patches: Array, conv: Array, masks: NDArray[np.bool_]) -> Params:
    """Return each fold's statistics over its own training side (K, 16), defined as in ``batch_norm``.

    Mean and variance of every sample come from one pass; they are joined in float64, and a sample outside a fold's mask
    is not read for it.

    Args:
        patches: The data set (N, positions, taps), N at least n.
        conv: Filters and biases of K folds (K, 28, 16).
        masks: Which samples train in which fold (K, n).
    """
    means, variances = (np.asarray(part, np.float64) for part in sample_moments(patches, conv))
    stats: dict[str, list[NDArray[np.float64]]] = {"mean": [], "var": []}
    for fold, mask in enumerate(masks):
        mean, var = means[: len(mask)][mask, fold], variances[: len(mask)][mask, fold]
        stats["mean"].append(mean.mean(0))
        stats["var"].append((var + (mean - mean.mean(0)) ** 2).mean(0))
    return {name: jnp.asarray(np.stack(parts), jnp.float32) for name, parts in stats.items()}


def stacked(recipe: Training, first: TrainState, folds: int) -> FoldsState:
    """Give every fold the same initial state."""
    params, stats = nnx.to_pure_dict(first.params), nnx.to_pure_dict(first.stats)
    conv = jnp.concatenate([params["conv"]["kernel"].reshape(TAPS - 1, FILTERS), params["conv"]["bias"][None]])
    flat = {"conv": conv, "scale": params["norm"]["scale"], "shift": params["norm"]["bias"]}
    flat |= {"dense": params["dense"]["kernel"], "bias": params["dense"]["bias"]}
    repeated = _repeated(flat, folds)
    return FoldsState(repeated, _repeated(stats["norm"], folds), jax.vmap(recipe.transformation().init)(repeated))


def unstacked(first: TrainState, state: FoldsState, fold: int) -> tuple[Values, Values]:
    """Return the weights and statistics of one fold as the network keeps them."""
    one: Params = {name: value[fold] for name, value in state.params.items()}
    params, stats = jax.tree.map(lambda leaf: leaf, (first.params, first.stats))  # copies, to be filled
    conv = {"kernel": one["conv"][:-1].reshape(3, 3, 3, FILTERS), "bias": one["conv"][-1]}
    norm, dense = {"scale": one["scale"], "bias": one["shift"]}, {"kernel": one["dense"], "bias": one["bias"]}
    nnx.replace_by_pure_dict(params, {"conv": conv, "norm": norm, "dense": dense})
    nnx.replace_by_pure_dict(stats, {"norm": {name: value[fold] for name, value in state.stats.items()}})
    return params, stats


def _repeated(tree: Params, folds: int) -> Params:
    return jax.tree.map(lambda leaf: jnp.repeat(leaf[None], folds, axis=0), tree)


def _marks(groups: NDArray[np.str_]) -> NDArray[np.uint32]:
    """Return a number for each sample that does not change when entire other groups are removed."""
    places: Counter[str] = Counter()
    marks = np.empty(len(groups), np.uint32)
    for index, group in enumerate(map(str, groups)):
        marks[index] = zlib.crc32(f"{group} {places[group]}".encode())
        places[group] += 1
    return marks


def _ranks(marks: NDArray[np.uint32], seed: int, epochs: int) -> NDArray[np.float32]:
    """Draw the numbers that samples are sorted by in each epoch (epochs, n), each sample's from its mark alone."""
    drawn = [np.random.default_rng([seed, mark]).random(epochs, np.float32) for mark in marks]
    return np.stack(drawn, axis=1)


def minibatches(
    order: NDArray[np.intp], masks: NDArray[np.bool_], batch_size: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Cut each fold's samples, in their order, into its own batches; join those of one number.

    Args:
        order: Positions of all samples, in the order of the epoch (n,).
        masks: Which samples train in which fold (K, n).
        batch_size: Of a fold's batch; its last may be smaller, and it may have fewer than another fold.

    Yields:
        Samples of the minibatch (m,), and which of them are in which fold's batch (m, K).
    """
    present = masks[:, order]
    number = np.where(present, (present.cumsum(axis=1) - 1) // batch_size, -1)
    for turn in range(number.max() + 1):
        mask = np.equal(number.T, turn)
        used = mask.any(axis=1)
        yield order[used], mask[used]


def _rounded(
    chosen: NDArray[np.intp], mask: NDArray[np.bool_], batch_size: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Lengthen a minibatch to a rounded number of samples, with repeated ones that train in no fold."""
    count, piece = len(chosen), rows_at_once(batch_size)
    most = -(-batch_size // piece) * piece
    length = min(-(-count // ROUNDED) * ROUNDED, most) if count <= most else -(-count // BEYOND) * BEYOND
    padded = np.zeros((length, mask.shape[1]), np.float32)
    padded[:count] = mask
    return np.resize(chosen, length).astype(np.int32), padded
