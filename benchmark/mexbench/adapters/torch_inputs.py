"""The samples of a training side as a PyTorch module takes them: all at once where they are few, else by batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.adapters.torch_engine import TorchTensor
from mexbench.interfaces import Rows

#: Bytes of a training side, at 4 for each number, that is made ready once and kept; a larger one is read in batches.
MOST_KEPT = 2**25

Prepare = Callable[[NDArray[Any]], TorchTensor]


class BatchReader:
    """Samples that are read from the disk and made ready whenever some are asked for, as in a tensor: ``x[indices]``.

    Args:
        rows: The samples.
        prepare: Turns some of them (n, T, ...) into what the module takes, each by itself.
    """

    def __init__(self, rows: Rows, prepare: Prepare) -> None:
        self._rows, self._prepare = rows, prepare

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: slice | NDArray[np.intp] | TorchTensor) -> TorchTensor:
        return self._prepare(self._rows[key if isinstance(key, slice) else np.asarray(key)])


class Batches:
    """Batches on a device, which may be gone through several times; one of them is there at a time.

    Args:
        inputs: Samples: a tensor, or a reader.
        indices: Which of them, in which order.
        size: Of a batch.
        device: Where a batch goes.
    """

    def __init__(
        self, inputs: TorchTensor | BatchReader, indices: NDArray[np.intp], size: int, device: Any  # noqa: ANN401
    ) -> None:  # fmt: skip
        self._inputs, self._indices, self._size, self._device = inputs, indices, size, device

    def __iter__(self) -> Iterator[TorchTensor]:
        for start in range(0, len(self._indices), self._size):
            yield self._inputs[self._indices[start : start + self._size]].to(self._device)


def inputs_of(x: NDArray[Any] | Rows, prepare: Prepare) -> TorchTensor | BatchReader:
    """Make a training side ready, or a reader of it where that would take much memory."""
    if not isinstance(x, Rows):
        return prepare(x)
    if 4 * x.nbytes // x.dtype.itemsize <= MOST_KEPT:
        return prepare(x[:])
    return BatchReader(x, prepare)
