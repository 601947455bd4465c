"""STSTNet for all folds at once: one minibatch, one matrix product, a 0/1 weight per sample and fold.

All folds see the same minibatch; a held-out sample has weight 0 in the loss and in the batch-norm statistics of its
fold, which is the same, to the last gradient, as if it were not there. The filters of all folds stand side by side in
one product with im2col patches, which are built once for the data set.

A fold is what ``fit`` makes of its training side, rounding aside, where whole groups are held out: order and noise are
drawn for each sample by its group and its place among the group's samples, which stay when other groups go; and each
fold's batches are cut from its own samples, so that a minibatch joins the folds' batches of one number.
"""

from __future__ import annotations

import functools
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from numpy.typing import NDArray

from mexbench_plugins.models._nn import trainer as _training
from mexbench_plugins.models._nn.fold_parallel_conv import FILTERS, POSITIONS, TAPS, chosen_by_fold

from mexbench_plugins.models._nn.fold_parallel_conv import front, patches_of, rows_at_once  # isort: skip
from mexbench_plugins.models._nn.layers import MOMENTUM, Values

if TYPE_CHECKING:
    from mexbench_plugins.models.ststnet import STSTNet

Params = dict[str, Array]

#: Folds of one product on a CPU: more overflow its caches, fewer leave its vector units idle.
AT_ONCE = 4
#: More than any protocol of the field has subjects; small networks are bound by kernel launches there.
ON_GPU = 1_000
#: Numbers of samples are rounded up to a multiple of this, so that one compilation serves data sets of similar size.
ROUNDED = 64
#: Likewise where a minibatch is larger than the batch size, since folds leave out different samples.
BEYOND = 32


def at_once() -> int:
    """Return how many folds to train together here."""
    return AT_ONCE if jax.default_backend() == "cpu" else ON_GPU


class Together(NamedTuple):
    """The state of K folds: every array has the folds as its first axis."""

    params: Params
    stats: Params
    optimiser: optax.OptState


class Data(NamedTuple):
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
Built = Callable[[], list[_training.NetworkPredictor]]


def train(
    model: STSTNet,
    x: NDArray[Any],
    y: NDArray[np.intp],
    train_masks: NDArray[np.bool_],
    *,
    n_classes: int,
    groups: NDArray[np.str_],
    seed: int,
) -> list[_training.NetworkPredictor]:
    """Train every fold; see ``FoldsModel.fit_folds``.

    Raises:
        FloatingPointError: The loss of a fold is no number any more.
        ValueError: A fold has no training side, or early stopping is asked for.
    """
    if model.early_stopping is not None:
        raise ValueError("folds trained together stop together: set early_stopping: null, or train them one by one")
    teams = _teams(model, x, y, train_masks, n_classes=n_classes, groups=groups, seed=seed)
    return [predictor for team in teams for predictor in deque(team, maxlen=1)[0]()]


def after_each_epoch(
    model: STSTNet,
    x: NDArray[Any],
    y: NDArray[np.intp],
    train_masks: NDArray[np.bool_],
    *,
    n_classes: int,
    groups: NDArray[np.str_],
    seed: int,
) -> Iterator[list[_training.NetworkPredictor]]:
    """Train every fold and yield the predictors of all after each epoch; see ``EpochsModel.fit_epochs``."""
    teams = _teams(model, x, y, train_masks, n_classes=n_classes, groups=groups, seed=seed)
    for built in zip(*teams, strict=True):
        yield [predictor for team in built for predictor in team()]


def _teams(
    model: STSTNet,
    x: NDArray[Any],
    y: NDArray[np.intp],
    train_masks: NDArray[np.bool_],
    *,
    n_classes: int,
    groups: NDArray[np.str_],
    seed: int,
) -> list[Iterator[Built]]:
    """Divide the folds into teams that are trained together; each yields after each epoch."""
    if not train_masks.any(axis=1).all():
        raise ValueError(f"fold {int(np.argmin(train_masks.any(axis=1)))} has no training sample")
    marks = _marks(groups)
    used = np.flatnonzero(train_masks.any(axis=0))  # a sample that never trains would only cost time
    x, y, marks, train_masks = x[used], y[used], marks[used], train_masks[:, used]
    image = _training.as_input(x, model)[:, 0]
    scale = 1 / 255 if model.pixels == "unit" and image.dtype == np.uint8 else 1
    image = np.asarray(image, np.float32) * np.float32(scale)
    spare = -len(y) % ROUNDED  # rows that no batch names
    patches = patches_of(image[..., ::-1] if model.channels == "reversed" else image)
    patches = jnp.asarray(np.concatenate([patches, np.zeros((spare, *patches.shape[1:]), np.float32)]))
    teams = np.array_split(np.arange(len(train_masks)), -(-len(train_masks) // at_once()))
    widest = max(map(len, teams))
    return [
        _epochs_of_team(
            model,
            patches,
            y,
            marks,
            train_masks[np.resize(team, widest)],  # a fold twice, so that all teams share one compilation
            folds=len(team),
            n_classes=n_classes,
            seed=seed,
        )
        for team in teams
    ]


def _epochs_of_team(
    model: STSTNet,
    patches: Array,
    y: NDArray[np.intp],
    marks: NDArray[np.uint32],
    masks: NDArray[np.bool_],
    *,
    folds: int,
    n_classes: int,
    seed: int,
) -> Iterator[Built]:
    key = jax.random.key(seed)
    weights = np.stack([_training.class_weights(y[mask], n_classes, model.class_weight) for mask in masks])
    by_patch = (0, len(patches) - len(y))
    data = Data(
        patches,
        jnp.asarray(np.pad(y, by_patch), jnp.int32),
        jnp.asarray(np.pad(marks, by_patch)),
        jnp.asarray(weights),
    )
    made = _training.program(model, (1, 28, 28, 3), n_classes)
    first = made.start(_training.generator(key, _training.INIT))
    state = stacked(model, first, len(masks))
    order, dropout_key = _training.generator(key, _training.ORDER), jax.random.fold_in(key, _training.DROPOUT)
    ranks = _ranks(marks, int(order.integers(2**32)), model.epochs)
    advance, curves = compiled_step(_training.compiled_part(model)), []

    def built(state: Together, epochs: int) -> list[_training.NetworkPredictor]:
        return [
            _training.NetworkPredictor(
                model,
                n_classes,
                (1, 28, 28, 3),
                *unstacked(first, state, fold),
                trained=weights[fold] > 0,
                history=[
                    {"epoch": epoch, "loss": float(loss[fold]), "accuracy": float(right[fold])}
                    for epoch, (loss, right) in enumerate(curves[:epochs], 1)
                ],
            )
            for fold in range(folds)
        ]

    for epoch in range(1, model.epochs + 1):
        parts = []
        for chosen, real in minibatches(np.argsort(ranks[epoch - 1], kind="stable"), masks, model.batch_size):
            state, sums = advance(state, data, *_rounded(chosen, real, model.batch_size), dropout_key, epoch)
            parts.append(sums)
        loss, right = np.asarray(parts, np.float64).sum(0) / masks.sum(1)
        _training.check_finite_loss(float(loss[np.argmin(np.isfinite(loss))]), epoch, model.learning_rate)
        curves.append((loss, right))
        yield functools.partial(built, state, epoch)


@functools.lru_cache(maxsize=16)
def compiled_step(model: STSTNet) -> Any:  # noqa: ANN401 - a jitted function has no better type
    """Return the compiled step.

    It takes the state, the data, the chosen rows (n,), 1 where a row trains in a fold and else 0 (n, K), the key of
    dropout and the number of the epoch, and returns the new state, and summed loss and number of right answers (2, K).
    """
    optimiser = model.transformation()

    def advance(  # noqa: PLR0917 - called once, above
        state: Together, data: Data, chosen: Array, real: Array, key: Array, epoch: int
    ) -> tuple[Together, Array]:
        y = data.y[chosen]
        weight = jnp.take(data.class_weight, y, axis=1).T * real
        present = real.sum(0)

        def losses_of(params: Params) -> tuple[Array, tuple[Array, Params]]:
            pooled, mean, var = front(data.patches, chosen, params["conv"], params["scale"], params["shift"], real)
            if model.dropout:  # the folds share the noise, which would cost as much as everything else
                keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(key, epoch), data.mark[chosen])
                shape = (*pooled.shape[1:3], 1, FILTERS)
                kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - model.dropout, shape))(keys)
                pooled = jnp.where(kept, pooled / (1 - model.dropout), 0)
            kernel = params["dense"].reshape(real.shape[1], -1, FILTERS, data.class_weight.shape[1])
            logits = jnp.einsum("bpkc,kpcn->bkn", pooled.mean(1), kernel) + params["bias"]
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.broadcast_to(y[:, None], real.shape))
            totals = jnp.sum(losses * weight, 0)
            right = jnp.sum((logits.argmax(2) == y[:, None]) * real, 0)
            means = totals / jnp.maximum(present, 1)
            return means.sum(), (jnp.stack([totals, right]), {"mean": mean, "var": var})

        gradient, (sums, found) = jax.grad(losses_of, has_aux=True)(state.params)
        updates, memory = jax.vmap(optimiser.update)(gradient, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        count = present[:, None] * POSITIONS
        found["var"] = found["var"] * count / jnp.maximum(count - 1, 1)  # PyTorch's running variance is unbiased
        keep = MOMENTUM["torch"]
        stats = {name: keep * state.stats[name] + (1 - keep) * found[name] for name in found}
        fresh = Together(params, stats, memory)  # pyright: ignore[reportArgumentType] - the same pytree
        # A fold that has nothing in this batch makes no step, as if the batch had not been.
        keep_or_step = functools.partial(chosen_by_fold, present > 0)
        return jax.tree.map(keep_or_step, fresh, state), sums

    return jax.jit(advance)


def stacked(model: STSTNet, first: _training.TrainState, folds: int) -> Together:
    """Give every fold the same initial state."""
    params, stats = nnx.to_pure_dict(first.params), nnx.to_pure_dict(first.stats)
    conv = jnp.concatenate([params["conv"]["kernel"].reshape(TAPS - 1, FILTERS), params["conv"]["bias"][None]])
    flat = {"conv": conv, "scale": params["norm"]["scale"], "shift": params["norm"]["bias"]}
    flat |= {"dense": params["dense"]["kernel"], "bias": params["dense"]["bias"]}
    many = _repeated(flat, folds)
    return Together(many, _repeated(stats["norm"], folds), jax.vmap(model.transformation().init)(many))


def unstacked(first: _training.TrainState, state: Together, fold: int) -> tuple[Values, Values]:
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
    """Return a number for each sample that stays the same when whole other groups go."""
    places: Counter[str] = Counter()
    found = np.empty(len(groups), np.uint32)
    for index, group in enumerate(map(str, groups)):
        found[index] = zlib.crc32(f"{group} {places[group]}".encode())
        places[group] += 1
    return found


def _ranks(marks: NDArray[np.uint32], seed: int, epochs: int) -> NDArray[np.float32]:
    """Draw by which numbers samples stand in line in each epoch (epochs, n), each sample's from its mark alone."""
    drawn = [np.random.default_rng([seed, mark]).random(epochs, np.float32) for mark in marks]
    return np.stack(drawn, axis=1)


def minibatches(
    order: NDArray[np.intp], masks: NDArray[np.bool_], batch_size: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Cut each fold's samples, as they stand in line, into its own batches; join those of one number.

    Args:
        order: All samples, as they stand in line (n,).
        masks: Which samples train in which fold (K, n).
        batch_size: Of a fold's batch; its last may be smaller, and it may have fewer than another fold.

    Yields:
        Samples of the minibatch (m,), and which of them are in which fold's batch (m, K).
    """
    present = masks[:, order]
    number = np.where(present, (present.cumsum(axis=1) - 1) // batch_size, -1)
    for turn in range(number.max() + 1):
        real = np.equal(number.T, turn)
        used = real.any(axis=1)
        yield order[used], real[used]


def _rounded(
    chosen: NDArray[np.intp], real: NDArray[np.bool_], batch_size: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Lengthen a minibatch to a rounded number of samples, with some once more that train nowhere."""
    count, piece = len(chosen), rows_at_once(batch_size)
    most = -(-batch_size // piece) * piece
    length = min(-(-count // ROUNDED) * ROUNDED, most) if count <= most else -(-count // BEYOND) * BEYOND
    padded = np.zeros((length, real.shape[1]), np.float32)
    padded[:count] = real
    return np.resize(chosen, length).astype(np.int32), padded
