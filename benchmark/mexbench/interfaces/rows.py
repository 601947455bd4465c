"""Rows of an array on the disk: what a model that trains in batches is given in place of a copy of its training side.

Only ``x[...]`` reads, and it returns a new array. What was read does not stay in this process's memory: the operating
system keeps it among its cached files, where all processes share it and where it gives way to whoever needs memory.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Bytes that are read from a mapped file before its pages are handed back to the operating system.
_READ_AT_ONCE = 2**25

Positions = slice | list[int] | NDArray[np.intp] | NDArray[np.bool_]


class Rows:
    """Some samples of a data set, in an order; they are read when they are asked for.

    ``x[2]`` is one sample; ``x[4:8]``, ``x[[0, 5]]``, ``x[mask]`` and ``x[:]`` are new arrays (m, T, ...).
    ``np.asarray(x)`` reads all.

    Args:
        samples: (n, T, ...), in memory or a file that is mapped.
        positions: Which of them, in which order (m,).
        copies: Altered copies (n, copies, T, ...): each sample is then followed by its copies. None for none.
    """

    __slots__ = ("_copies", "_each", "_positions", "_samples")

    def __init__(
        self, samples: NDArray[Any], positions: NDArray[np.intp], copies: NDArray[Any] | None = None, *,
        _each: bool = True,
    ) -> None:  # fmt: skip
        self._samples, self._copies = samples, copies
        # With copies a position counts versions: that of a sample times their number, and which version it is.
        self._each = 1 if copies is None else 1 + copies.shape[1]
        positions = np.asarray(positions, dtype=np.intp)
        if _each and self._each > 1:
            positions = (positions[:, None] * self._each + np.arange(self._each)).ravel()
        self._positions = positions

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, T, ...)."""
        return (len(self._positions), *self._samples.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._samples.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self._samples.dtype

    @property
    def nbytes(self) -> int:
        """Bytes that all of them would take in memory."""
        return len(self) * self._samples.dtype.itemsize * int(np.prod(self._samples.shape[1:], dtype=np.int64))

    def __len__(self) -> int:
        return len(self._positions)

    def select(self, positions: Positions) -> Rows:
        """Return some of these rows, in this order; nothing is read."""
        return Rows(self._samples, self._positions[positions], self._copies, _each=False)

    def __getitem__(self, key: int | np.integer[Any] | Positions) -> NDArray[Any]:
        if isinstance(key, tuple):
            raise TypeError("rows are read first and cut afterwards: x[rows][..., 0], not x[rows, ..., 0]")
        if isinstance(key, (int, np.integer)):
            return self._read(self._positions[[int(key)]])[0]
        return self._read(self._positions[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: ANN401, FBT001 - numpy's
        if copy is False:
            raise ValueError("rows cannot be seen as an array without reading them")
        array = self._read(self._positions)
        return array if dtype is None else array.astype(dtype, copy=False)

    def _read(self, positions: NDArray[np.intp]) -> NDArray[Any]:
        if self._copies is None:
            return read_rows(self._samples, positions)
        which, version = np.divmod(positions, self._each)
        result = np.empty((len(positions), *self._samples.shape[1:]), self._samples.dtype)
        result[version == 0] = read_rows(self._samples, which[version == 0])
        for copy in range(1, self._each):
            result[version == copy] = read_rows(self._copies, which[version == copy], copy - 1)
        return result


def select_rows(x: NDArray[Any] | Rows, positions: Positions) -> Any:  # noqa: ANN401 - the same kind as x
    """Return some samples in this order: of ``Rows`` without reading them, of an array a new one, as ``x[positions]``.

    Args:
        x: Samples (n, T, ...).
        positions: Which of them; or a mask (n,).
    """
    return x.select(positions) if isinstance(x, Rows) else x[positions]


def read_rows(array: NDArray[Any], positions: NDArray[np.intp], second: int | None = None) -> NDArray[Any]:
    """Return ``array[positions]``, or ``array[positions, second]``, as a new array.

    Of a mapped file no more than some pages stay in this process's memory.
    """
    index = positions if second is None else (positions, second)
    if not isinstance(array.base, mmap.mmap):
        return np.asarray(array[index])
    shape = array.shape[1:] if second is None else array.shape[2:]
    result = np.empty((len(positions), *shape), array.dtype)
    step = max(1, _READ_AT_ONCE // max(1, result[:1].nbytes))
    for start in range(0, len(positions), step):
        part = positions[start : start + step]
        result[start : start + step] = array[part] if second is None else array[part, second]
        drop_pages(array, result[start : start + step].nbytes)
    return result


def drop_pages(array: NDArray[Any], read: int | None = None) -> None:
    """Hand the pages of a mapped file back to the operating system, which still has them and gives them again.

    Args:
        array: A file that is mapped; for any other array nothing is done.
        read: Bytes that were read just now: only after some million of them something is done. None does it at once.
    """
    mapped = array.base
    if not isinstance(mapped, mmap.mmap) or array.flags.writeable or not hasattr(mmap, "MADV_DONTNEED"):
        return
    attributes = vars(array) if isinstance(array, np.memmap) else {}
    total = attributes.get("_bytes_read", 0) + (read or 0)
    if read is None or total >= _READ_AT_ONCE:
        mapped.madvise(mmap.MADV_DONTNEED)  # of a file that is mapped for reading: nothing is lost
        total = 0
    attributes["_bytes_read"] = total
