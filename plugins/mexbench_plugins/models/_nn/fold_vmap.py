"""Any network for many folds at once: the ordinary training step, mapped over folds by ``vmap``.

Every array of the state, the optimiser's too, has the folds as its first axis. A row that does not train in a fold has
weight 0 in its loss and in its batch-norm statistics, as padding has where a fold is trained alone: that is the same
as physically removing it. A fold with nothing in a step makes none: weights, statistics, moments of the optimiser and
its count of steps stay what they were to the last bit. After training each fold has the exact statistics of its own
training side, by the function that gives them where it is trained alone.

With own rows (see ``fold_batches``) a fold is what ``fit`` gives on its training side, rounding aside: the same initial
weights, order, batches and noise. With one minibatch the folds share an order and the noise of dropout, which is
drawn for a place in the minibatch; then a fold is one that ``fit`` could give.

On a GPU the data are on the device, an epoch is one program (``scan`` over its steps) whose state is donated, and the
host waits once an epoch, for the losses. Arithmetic is float32 throughout; see ``train_program.precision``. On a CPU
this does not pay, since mapped convolutions are grouped ones, which are slow there; so they are inside ``scan``, and
a CPU that is asked for it nevertheless runs each step as a program of its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from mexbench.interfaces import Rows, select_rows
from mexbench_plugins.models._nn import trainer
from mexbench_plugins.models._nn.batch_norm import final_statistics
from mexbench_plugins.models._nn.fold_batches import FoldBatches, Step
from mexbench_plugins.models._nn.losses import HEADS, HeadName
from mexbench_plugins.models._nn.recipe import Training
from mexbench_plugins.models._nn.train_program import Batch, BuildNetwork, TrainState, as_input, train_program

#: Folds of one program on a CPU, for those who ask for it there.
ON_CPU = 4
#: Share of the free memory that the data may take on the device; the folds share what is left of _USED.
_DATA, _USED = 0.4, 0.8
#: Bytes of samples that are copied to the device in one piece.
_COPIED_AT_ONCE = 2**26


@dataclass(frozen=True)
class Execution:
    """How folds are computed together: what it costs, and rounding; with ``shared`` also which order they have.

    Args:
        resident: Whether all samples are on the device, or those of one step at a time.
        shared: Whether the folds read one minibatch, or each its own rows.
        scan: Whether an epoch is one program; needs resident.
        free: Bytes of the device that the folds may share; None sets no limit but ``ON_CPU``.
    """

    resident: bool
    shared: bool
    scan: bool
    free: int | None = None

    @classmethod
    def choose(cls, recipe: Training, nbytes: int, *, platform: str, free: int | None) -> Execution:
        """Return what suits the device.

        Args:
            recipe: A minibatch is not shared where its order depends on labels, since the labels that one fold holds
                out would choose what lies beside its rows.
            nbytes: Of all samples on the device.
            platform: JAX's word for the device.
            free: Bytes that are free on it; None where it does not say.
        """
        resident = free is None or nbytes <= _DATA * free
        left = None if free is None else int(_USED * free) - (nbytes if resident else 0)
        return cls(resident, not resident and not recipe.orders_by_label(), resident and platform != "cpu", left)


class Pool(NamedTuple):
    """What a step's rows are positions in: all samples (n, T, ...) or those of the step, and their classes or units."""

    x: Array
    y: Array


@dataclass(frozen=True, eq=False)
class Folds:
    """What is to be trained.

    Args:
        recipe: How to train.
        build: Builds the network.
        x: Samples (n, T, ...).
        y: Class indices (n,), or present units (n, units).
        masks: Which samples train in which fold (K, n).
        n_classes: Number of classes or units.
        seed: Source of all randomness.
        head: Meaning of the last layer.
        execution: How to compute it; None chooses by the device.
    """

    recipe: Training
    build: BuildNetwork
    x: NDArray[Any] | Rows
    y: NDArray[Any]
    masks: NDArray[np.bool_]
    n_classes: int
    seed: int
    head: HeadName = "softmax"
    execution: Execution | None = None

    def teams(self) -> Iterator[Team]:
        """Divide the folds into teams as large as memory allows; all have one size, and so one compilation.

        Raises:
            ValueError: A fold has no training side.
        """
        recipe, build, n_folds = self.recipe, self.build, len(self.masks)
        if not self.masks.any(axis=1).all():
            raise ValueError(f"fold {int(np.argmin(self.masks.any(axis=1)))} has no training sample")
        used = np.flatnonzero(self.masks.any(axis=0))  # a sample that never trains is not even read
        x, y, masks = select_rows(self.x, used), self.y[used], self.masks[:, used]
        nbytes = math.prod(x.shape) * (1 if x.dtype == np.uint8 else 4)  # as ``as_input`` makes them
        execution = self.execution or Execution.choose(
            recipe, nbytes, platform=jax.default_backend(), free=free_bytes()
        )
        folds = replace(self, x=x, y=y, masks=masks, execution=execution)
        pool = _pool(recipe, x, y) if execution.resident else None
        first = train_program(recipe, build, self.head).init(trainer.generator(jax.random.key(self.seed), trainer.INIT))
        most = ON_CPU
        if execution.free is not None:
            pair = np.resize(np.arange(n_folds), 2)
            most = max(1, execution.free // Team(folds, execution, first, pool, members=pair).bytes_per_fold())
        parts = np.array_split(np.arange(n_folds), -(-n_folds // most))
        for part in parts:
            yield Team(folds, execution, first, pool, members=np.resize(part, len(parts[0])), n_folds=len(part))

    def with_health(self, predictors: Sequence[trainer.NetworkPredictor]) -> list[trainer.NetworkPredictor]:
        """Return the predictors of all folds with what is known of their trainings."""
        return [
            trainer.with_health(predictor, select_rows(self.x, np.flatnonzero(mask)), self.y[mask])
            for predictor, mask in zip(predictors, self.masks, strict=True)
        ]


def free_bytes() -> int | None:
    """Return what is free on JAX's first device; None for a CPU, whose memory the operating system shares out."""
    stats = jax.devices()[0].memory_stats()
    return None if not stats else int(stats["bytes_limit"] - stats["bytes_in_use"])


def train(folds: Folds) -> list[trainer.NetworkPredictor]:
    """Train every fold; see ``FoldsModel.fit_folds``.

    Raises:
        FloatingPointError: The loss of a fold became NaN or infinite.
        ValueError: A fold has no training side, or the recipe has early stopping.
    """
    if folds.recipe.early_stopping is not None:
        raise ValueError("folds trained together stop together: set early_stopping: null, or train them one by one")
    predictors = []
    for team in folds.teams():
        for epoch in range(1, folds.recipe.epochs + 1):
            team.train_epoch(epoch)
        predictors += team.predictors()
    return folds.with_health(predictors)


def after_each_epoch(folds: Folds) -> Iterator[list[trainer.NetworkPredictor]]:
    """Train every fold as ``train`` and yield all predictors after each epoch; see ``EpochsModel.fit_epochs``."""
    recipe, teams = folds.recipe, list(folds.teams())
    for epoch in range(1, recipe.epochs + 1):
        for team in teams:
            team.train_epoch(epoch)
        predictors = [predictor for team in teams for predictor in team.predictors()]
        last = epoch == recipe.epochs and recipe.trains_all_epochs()
        yield folds.with_health(predictors) if last else predictors


def _pool(recipe: Training, x: NDArray[Any] | Rows, y: NDArray[Any]) -> Pool:
    """Copy samples to the device, in parts where they are many: no process holds all of them in its own memory."""
    step = max(1, _COPIED_AT_ONCE // max(1, x.nbytes // max(1, len(x))))
    parts = [jnp.asarray(as_input(x[start : start + step], recipe)) for start in range(0, len(x), step)]
    return Pool(parts[0] if len(parts) == 1 else jnp.concatenate(parts), jnp.asarray(y.astype(np.int32)))


class Team:
    """Folds that one program trains together.

    Args:
        folds: All folds; each of their samples trains in one of them.
        execution: How to compute it.
        first: State before the first step, which all folds begin with.
        pool: All samples on the device; None where each step brings its own.
        members: Which folds.
        n_folds: The first so many members count; those behind them are repetitions. None counts all.
    """

    def __init__(
        self,
        folds: Folds,
        execution: Execution,
        first: TrainState,
        pool: Pool | None,
        *,
        members: NDArray[np.intp],
        n_folds: int | None = None,
    ) -> None:
        self.folds, self.execution, self.pool = folds, execution, pool
        self.masks, self.n_folds = folds.masks[members], len(members) if n_folds is None else n_folds
        recipe, head, key = folds.recipe, HEADS[folds.head], jax.random.key(folds.seed)
        self.dropout_key = jax.random.fold_in(key, trainer.DROPOUT)
        self.weights = [head.weights(folds.y[mask], folds.n_classes, recipe.class_weight) for mask in self.masks]
        sources = 1 if execution.shared else len(members)
        self.batches = FoldBatches(
            recipe, folds.y, self.masks, self.weights, head=head, shared=execution.shared, everyone=folds.masks,
            orders=[trainer.generator(key, trainer.ORDER) for _ in range(sources)],
        )  # fmt: skip
        self.state = jax.tree.map(lambda leaf: jnp.repeat(jnp.asarray(leaf)[None], len(members), axis=0), first)
        self.histories: list[trainer.History] = [[] for _ in members]
        self.program = compiled_steps(
            recipe.compiled_part(), folds.build, folds.head, shared=execution.shared, scan=execution.scan
        )

    def train_epoch(self, epoch: int) -> None:
        """Train all folds for one more epoch.

        Raises:
            FloatingPointError: The loss of a fold became NaN or infinite.
        """
        factor = (np.float32(self.folds.recipe.rate_factor(epoch)),) if self.folds.recipe.decays else ()
        if self.execution.scan:
            assert self.pool is not None  # noqa: S101 - an execution that scans is resident
            steps = Step(*map(np.stack, zip(*self.batches.epoch(epoch), strict=True)))
            self.state, parts = self.program(self.state, self.pool, steps, self.dropout_key, factor)
        else:
            parts = []
            for step in self.batches.epoch(epoch):
                pool, local = (self.pool, step) if self.pool is not None else self._read(step)
                self.state, sums = self.program(self.state, pool, local, self.dropout_key, factor)
                parts.append(sums)  # still on the device: waiting for a number here would stop the next step
        totals = np.asarray(parts, np.float64).sum(0)
        for history, mask, (loss, n_correct) in zip(self.histories, self.masks, totals.T, strict=True):
            count = int(mask.sum())
            trainer.check_finite_loss(loss / count, epoch, self.folds.recipe.learning_rate)
            history.append({"epoch": epoch, "loss": float(loss) / count, "accuracy": float(n_correct) / count})

    def predictors(self) -> list[trainer.NetworkPredictor]:
        """Return the folds' predictors as they are now."""
        # Cut on the host, since JAX would compile the cut of each fold; a copy, since the next step reuses the memory.
        state = jax.tree.map(np.array, self.state._replace(optimiser=()))
        return [self._predictor(state, fold) for fold in range(self.n_folds)]

    def _predictor(self, states: TrainState, fold: int) -> trainer.NetworkPredictor:
        state = jax.tree.map(lambda leaf: jnp.asarray(leaf[fold]), states)
        recipe, build, head = self.folds.recipe, self.folds.build, self.folds.head
        x = self.folds.x if self.pool is None else self.pool.x
        train_idx = np.flatnonzero(self.masks[fold])
        stats = final_statistics(recipe, build, state, x, train_idx, head=head)  # pyright: ignore[reportArgumentType]
        trained, history = HEADS[head].trained(self.weights[fold]), list(self.histories[fold])
        return trainer.NetworkPredictor(
            recipe, build, self.folds.n_classes, x.shape[1:], state.params, stats, trained, history, head
        )

    def _read(self, step: Step) -> tuple[Pool, Step]:
        """Read the samples of a step, each once for all folds, and count its rows among them."""
        chosen, rows = np.unique(step.rows, return_inverse=True)
        padded = np.resize(chosen, min(step.rows.size, len(self.folds.y))).astype(np.intp)  # one shape, one compilation
        return _pool(self.folds.recipe, self.folds.x[padded], self.folds.y[padded]), step._replace(
            rows=rows.reshape(step.rows.shape).astype(np.int32)
        )

    def bytes_per_fold(self) -> int:
        """Return what each fold adds on the device: its state, and what the compiled step holds in between."""
        step = next(self.batches.epoch(1))
        program = compiled_steps(
            self.folds.recipe.compiled_part(), self.folds.build, self.folds.head,
            shared=self.execution.shared, scan=False,
        )  # fmt: skip
        pool, step = (self.pool, step) if self.pool is not None else self._read(step)
        factor = (np.float32(1),) if self.folds.recipe.decays else ()
        compiled = program.lower(self.state, pool, step, self.dropout_key, factor).compile()
        state = sum(leaf.nbytes for leaf in jax.tree.leaves(self.state))
        analysis = compiled.memory_analysis()  # None where a device does not say
        between = 0 if analysis is None else analysis.temp_size_in_bytes
        # Twice the state: that of a step before its donation, and that after it.
        return max(1, (between + 2 * state) // len(self.masks))


@functools.lru_cache(maxsize=32)
def compiled_steps(recipe: Training, build: BuildNetwork, head: HeadName, *, shared: bool, scan: bool) -> Any:  # noqa: ANN401
    """Return the compiled step of K folds, or with ``scan`` the steps of an epoch; the state is donated.

    It takes the state, the pool, the step or steps, the key of dropout, and () or a factor of the step size; it returns
    the new state, and summed loss and number of correct answers of every fold (2, K), with ``scan`` (S, 2, K).
    """
    train_step = train_program(recipe, build, head).train_step
    axis = None if shared else 0

    def step_folds(state: TrainState, pool: Pool, step: Step, key: Array, factor: tuple[Array, ...]) -> Any:  # noqa: ANN401
        def one(state: TrainState, batch: Batch, number: int) -> tuple[TrainState, Array, Array]:
            return train_step(state, batch, key, number, *factor)

        batch = Batch(pool.x[step.rows], pool.y[step.rows], step.mask, step.weight)  # pyright: ignore[reportArgumentType]
        stepped, total, n_correct = jax.vmap(one, (0, Batch(axis, axis, 0, 0), axis))(state, batch, step.number)  # pyright: ignore[reportArgumentType]
        present = jnp.sum(step.mask, 1) > 0
        sums = jnp.where(present, jnp.stack([total, n_correct]), 0)
        # A fold that has no sample in this step makes none, as if the step had not been.
        return jax.tree.map(functools.partial(_choose, present), stepped, state), sums

    def step_epoch(state: TrainState, pool: Pool, steps: Step, key: Array, factor: tuple[Array, ...]) -> Any:  # noqa: ANN401
        return jax.lax.scan(lambda state, step: step_folds(state, pool, step, key, factor), state, steps)

    return jax.jit(step_epoch if scan else step_folds, donate_argnums=0)


def _choose(present: Array, new: Array, old: Array) -> Array:
    return jnp.where(present.reshape(-1, *[1] * (new.ndim - 1)), new, old)
