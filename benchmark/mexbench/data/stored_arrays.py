"""Arrays that are written to the disk row by row and then mapped, so that no process holds all samples in memory.

**Why files of numpy, and neither zarr nor Arrow.** Training reads single samples in a random order, again and again,
and several processes read the same ones. In a mapped file that is a copy out of the operating system's cache, which all
processes share. Processor time to read an image of 128x128x3 in batches of 32 (20,000 of them, 983 MB, one core): numpy
.012 ms, with its pages handed back now and then; zarr 3 without compression 1.4 ms in chunks of one image, .9 in
chunks of 32; Arrow .010 ms, each row looked up by hand. Compression, chunks and remote stores, which zarr and
Arrow are made for, have no use here: the file lives as long as the run, on a local disk, and its rows have one length.

The files lie in the cache folder (``$MEXBENCH_CACHE``), each process's in a folder of its own with a lock that the
operating system drops with the process. What a killed process left there is removed by the next one.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mexbench.data.cache import default_root
from mexbench.errors import DataError
from mexbench.interfaces.rows import read_rows

if TYPE_CHECKING:
    from filelock import FileLock

#: Bytes before the first row: a page, so that rows begin where pages do, and room for a header of any shape.
_HEADER = 4096
_MAGIC = b"\x93NUMPY\x01\x00"
#: Rows that are copied at once, in bytes.
_AT_ONCE = 2**25


def arrays_root() -> Path:
    """Return the folder of this and other processes' arrays: in the cache, or where that cannot be written, elsewhere.

    Raises:
        OSError: Neither folder can be written.
    """
    root = default_root() / "arrays"
    try:
        root.mkdir(parents=True, exist_ok=True)
        if os.access(root, os.W_OK | os.X_OK):
            return root
    except OSError:
        pass
    root = Path(tempfile.gettempdir()) / f"mexbench-{os.getuid() if hasattr(os, 'getuid') else 'user'}" / "arrays"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return root


class ArrayFolder:
    """A folder of files that go with this process, and each with the array that was mapped from it.

    Args:
        root: Where it is made. What processes that have ended left there is removed.
    """

    def __init__(self, root: Path) -> None:
        remove_abandoned(root)
        self.path = Path(tempfile.mkdtemp(prefix="process-", dir=root)).absolute()
        self.process = os.getpid()
        lock = _lock(self.path)
        lock.acquire(blocking=False)
        self._count = 0
        weakref.finalize(self, _remove, self.path, lock, self.process)

    def new_file(self) -> Path:
        """Return the path of a file that does not exist yet."""
        self._count += 1
        return self.path / f"{self._count}.npy"


def _lock(folder: Path) -> FileLock:
    from filelock import FileLock  # loads much, and "bench --help" has no use for it

    return FileLock(folder / ".lock")


def _remove(folder: Path, lock: FileLock, process: int) -> None:
    if os.getpid() == process:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def _unlink(path: Path, process: int) -> None:
    if os.getpid() == process:
        with suppress(OSError):
            path.unlink()


def remove_abandoned(root: Path) -> None:
    """Remove the folders of processes that have ended without removing them, such as killed ones."""
    from filelock import Timeout

    for folder in root.glob("process-*"):
        if folder.is_symlink() or not (folder / ".lock").is_file():  # one that another process makes just now
            continue
        lock = _lock(folder)
        with suppress(OSError, Timeout, NotImplementedError):
            lock.acquire(blocking=False)
            _remove(folder, lock, os.getpid())


class ArrayWriter:
    """Writes rows of one shape and type into a file, which is then mapped.

    Args:
        expected: Number of rows, as far as it is known: whether the disk has room is seen before the first is written.
    """

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._folder: ArrayFolder | None = None
        self._stream: IO[bytes] | None = None
        self._path = Path()
        self._shape: tuple[int, ...] = ()
        self._dtype = np.dtype(np.uint8)
        self._rows = 0

    def takes(self, rows: NDArray[Any]) -> bool:
        """Whether rows (k, ...) have the shape and type of those before."""
        return self._stream is None or (rows.shape[1:] == self._shape and rows.dtype.newbyteorder("=") == self._dtype)

    def append(self, rows: NDArray[Any]) -> None:
        """Write rows (k, ...) behind those before.

        Raises:
            DataError: The disk is full or cannot be written; nothing of the file is left.
            ValueError: They differ in shape or type.
        """
        if not self.takes(rows):
            raise ValueError(f"expected rows {self._shape} {self._dtype}, got {rows.shape[1:]} {rows.dtype}")
        try:
            if self._stream is None:
                self._open(rows)
            assert self._stream is not None  # noqa: S101 - opened above
            self._stream.write(np.ascontiguousarray(rows, self._dtype).reshape(-1).view(np.uint8).data)
            self._rows += len(rows)
        except OSError as error:
            self.discard()
            raise DataError(self._trouble(error)) from None

    def finish(self) -> np.memmap[Any, Any]:
        """Map what was written; the file goes with the array.

        Raises:
            DataError: The disk is full; nothing of the file is left.
        """
        assert self._stream is not None  # noqa: S101 - a row at least was written
        try:
            self._stream.seek(0)
            self._stream.write(_header(self._dtype, (self._rows, *self._shape)))
            self._stream.flush()
            if not self._path.is_file():  # somebody removed the cache meanwhile; what is open can still be read
                self._write_anew(self._stream)
            self._stream.close()
            array = np.load(self._path, mmap_mode="r", allow_pickle=False)
        except OSError as error:
            self.discard()
            raise DataError(self._trouble(error)) from None
        self._stream = None
        weakref.finalize(array, _unlink, self._path, os.getpid())
        vars(array)["_folder"] = self._folder  # which is removed with the last of its arrays
        return array

    def discard(self) -> None:
        """Remove what was written."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
            _unlink(self._path, os.getpid())
        self._stream = None

    def _open(self, rows: NDArray[Any]) -> None:
        self._shape, self._dtype = rows.shape[1:], rows.dtype.newbyteorder("=")
        self._folder = _own_folder()
        self._path = self._folder.new_file()
        each = self._dtype.itemsize * int(np.prod(self._shape, dtype=np.int64))
        needed, free = self._expected * each, shutil.disk_usage(self._path.parent).free
        if needed + _HEADER > free:
            raise OSError(
                errno.ENOSPC,
                f"{self._expected} samples of {each / 1e6:.3g} MB need {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB "
                "are free",
            )
        self._stream = self._path.open("x+b")
        self._stream.write(_header(self._dtype, (0, *self._shape)))

    def _write_anew(self, removed: IO[bytes]) -> None:
        """Copy a file that has no name any more into a new folder."""
        removed.seek(0)
        self._folder = _own_folder()
        self._path = self._folder.new_file()
        with self._path.open("xb") as stream:
            shutil.copyfileobj(removed, stream)

    def _trouble(self, error: OSError) -> str:
        where = self._path.parent if self._path.name else default_root()
        return (
            f"{where}: pre-processed samples cannot be written: {error.strerror or error}; free disk space there, or "
            "set MEXBENCH_CACHE to a folder with more, then run again"
        )


def _own_folder() -> ArrayFolder:
    """Return this process's folder: one, for as long as the cache is in one place; a fork gets its own."""
    root, current = arrays_root(), _current[-1] if _current else None
    gone = current is None or not current.path.is_dir()
    if current is None or gone or current.process != os.getpid() or current.path.parent != root.absolute():
        _current[:] = [ArrayFolder(root)]
    return _current[-1]


_current: list[ArrayFolder] = []


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return the header of a .npy file, of a fixed length: the number of rows is known last."""
    about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    text = repr(about).encode("ascii").ljust(_HEADER - len(_MAGIC) - 3) + b"\n"
    return _MAGIC + len(text).to_bytes(2, "little") + text


def file_of(array: NDArray[Any]) -> Path | None:
    """Return the .npy file that holds an array, all of it and nothing else; None where there is none."""
    if not isinstance(array, np.memmap) or array.filename is None:
        return None
    path = Path(array.filename)
    try:
        size = path.stat().st_size
    except OSError:
        return None
    return path if path.suffix == ".npy" and size == array.offset + array.nbytes else None


def stored_rows(array: NDArray[Any], positions: Sequence[int]) -> np.memmap[Any, Any]:
    """Write some rows of an array into a file of their own, some at a time.

    Raises:
        DataError: The disk is full or cannot be written.
    """
    writer = ArrayWriter(len(positions))
    _copy_rows(writer, array, np.asarray(positions, np.intp))
    return writer.finish()


def stored_together(arrays: Sequence[NDArray[Any]]) -> np.memmap[Any, Any]:
    """Write the rows of arrays (n, T, ...) of one shape and type into a file, one array after the other.

    Args:
        arrays: At least one with a row. Some rows at a time are in memory.

    Raises:
        DataError: The disk is full or cannot be written.
        ValueError: They differ in shape or type.
    """
    writer = ArrayWriter(sum(len(array) for array in arrays))
    for array in arrays:
        _copy_rows(writer, array, np.arange(len(array)))
    return writer.finish()


def _copy_rows(writer: ArrayWriter, array: NDArray[Any], positions: NDArray[np.intp]) -> None:
    step = max(1, _AT_ONCE // max(1, array[:1].nbytes))
    for start in range(0, len(positions), step):
        writer.append(read_rows(array, positions[start : start + step]))
