"""The batches of many folds that are trained together: which rows every step reads, and for which fold each counts.

Each fold's batches are cut from its own training side, as many and as large as where it is trained alone. There are two
layouts, which differ in what is read and not in what is learned:

* **own rows**: every fold reads its own batch, in the very order that training it alone has. A held-out sample is not
  read for the fold that holds it out. For data that are on the device, where reading costs nothing.
* **one minibatch**: the folds share one order, and a step reads the union of their batches once, with 1 where a row
  trains in a fold and else 0. For data that do not fit on the device, and for a first convolution that the folds share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.models._nn.losses import Head
from mexbench_plugins.models._nn.recipe import Training
from mexbench_plugins.models._nn.train_program import rows_per_step

#: The union of the folds' batches is padded to a multiple of this.
_ROWS = 8


class Step(NamedTuple):
    """One step of K folds, or S steps with S as another first axis.

    Args:
        rows: Positions that are read: (K, B) of own rows, (M,) of one minibatch.
        mask: 1 where a row trains in a fold, else 0 (K, B) or (K, M).
        weight: Of its loss, 0 where the mask is: as the mask, or with units as one more axis.
        number: Of the step, from which dropout noise is drawn: (K,) of own rows, () of one minibatch.
    """

    rows: NDArray[np.int32]
    mask: NDArray[np.float32]
    weight: NDArray[np.float32]
    number: NDArray[np.int32]


class FoldBatches:
    """Cuts the training sides of K folds into steps, epoch by epoch.

    Args:
        recipe: Names the batch size and draws the order.
        y: Class indices (n,), or present units (n, units).
        masks: Which samples train in which fold (K, n).
        weights: Of each class, one array for each fold, by ``Head.weights``.
        head: Meaning of the last layer.
        shared: Whether a step is one minibatch, or each fold's own rows.
        orders: Sources of the order: one for each fold, all alike; of one minibatch a single one.
        everyone: Which samples train in which fold, of all teams' folds (F, n). All teams have steps of one shape, and
            read the same minibatches, so that noise does not depend on who is in a team.
    """

    def __init__(
        self,
        recipe: Training,
        y: NDArray[Any],
        masks: NDArray[np.bool_],
        weights: Sequence[NDArray[np.float32]],
        *,
        head: Head,
        shared: bool,
        orders: Sequence[np.random.Generator],
        everyone: NDArray[np.bool_],
    ) -> None:
        self.recipe, self.y, self.masks, self.weights, self.head, self.orders = recipe, y, masks, weights, head, orders
        self.shared, self.everyone = shared, everyone
        counts = everyone.sum(axis=1)
        self.size = max(rows_per_step(recipe, int(count)) for count in counts)
        self.n_steps = -(-int(counts.max()) // self.size)
        # A fold's batch may begin as many rows later in the shared order as the fold holds out.
        most = self.size + masks.shape[1] - int(counts.min())
        self.union = min(-(-most // _ROWS) * _ROWS, -(-masks.shape[1] // _ROWS) * _ROWS)

    def epoch(self, number: int) -> Iterator[Step]:
        """Yield ``n_steps`` steps of an epoch, from 1 on; the order of each epoch is drawn once, in turn."""
        return self._minibatches(number) if self.shared else self._own_rows(number)

    def _own_rows(self, epoch: int) -> Iterator[Step]:
        orders = [
            self.recipe.epoch_order(np.flatnonzero(mask), self.y, rng)
            for mask, rng in zip(self.masks, self.orders, strict=True)
        ]
        steps_of = [-(-len(order) // self.size) for order in orders]
        for turn in range(self.n_steps):
            start = turn * self.size
            chosen = [order[start : start + self.size] for order in orders]
            mask = np.stack([np.arange(self.size) < len(part) for part in chosen])
            # Rows of the fold itself take the place of absent ones: padding must be values that a network can handle.
            rows = np.stack([
                np.resize(part if len(part) else order[:1], self.size)
                for part, order in zip(chosen, orders, strict=True)
            ])  # fmt: skip
            number = np.array([(epoch - 1) * steps + turn for steps in steps_of], np.int32)
            yield self._step(rows, mask, number)

    def _minibatches(self, epoch: int) -> Iterator[Step]:
        order = self.recipe.epoch_order(np.arange(self.masks.shape[1]), self.y, self.orders[0])
        batch_of, batch_of_any = (self._batch_numbers(masks[:, order]) for masks in (self.masks, self.everyone))
        for turn in range(self.n_steps):
            member, used = batch_of == turn, (batch_of_any == turn).any(axis=0)
            mask = np.zeros((len(self.masks), self.union), bool)
            mask[:, : int(used.sum())] = member[:, used]
            rows = np.resize(order[used], self.union)
            yield self._step(rows, mask, np.int32((epoch - 1) * self.n_steps + turn))

    def _batch_numbers(self, present: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return which of a fold's batches each sample is in, -1 in none, of samples in the order of the epoch."""
        return np.where(present, (present.cumsum(axis=1) - 1) // self.size, -1)

    def _step(self, rows: NDArray[np.intp], mask: NDArray[np.bool_], number: Any) -> Step:  # noqa: ANN401
        weight = []
        for fold, (weights, real) in enumerate(zip(self.weights, mask, strict=True)):
            y = self.y[rows if self.shared else rows[fold]]
            weight.append((self.head.row_weights(weights, y).T * real).T)
        return Step(rows.astype(np.int32), mask.astype(np.float32), np.stack(weight).astype(np.float32), number)
