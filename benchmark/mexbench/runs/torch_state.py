"""Weights that PyTorch saved, read without running anything: the zip format of state dictionaries, and no other.

A state dictionary is a pickle that names a few functions and points to files of numbers. Here the instructions are
read one by one, and only those that such a file needs are known: everything else is refused, and nothing is called.

Nothing in such a file costs more than its size: numbers are stored as they are, never compressed, each storage is read
once, and what tensors take together is bounded.
"""

from __future__ import annotations

import io
import math
import pickletools
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.files import read_plain

_MOST_BYTES, _MOST_PICKLE, _MOST_TENSORS, _MOST_AXES = 2**30, 2**20, 10_000, 8
#: Begins each entry of an archive's directory; by chance it is in numbers now and then.
_ENTRY, _MOST_ENTRIES = b"PK\x01\x02", 2 * _MOST_TENSORS
_STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ByteStorage": "|u1",
}  # fmt: skip
_REBUILD, _ORDERED = "torch._utils _rebuild_tensor_v2", "collections OrderedDict"
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = frozenset({"BININT", "BININT1", "BININT2", "BINUNICODE", "SHORT_BINUNICODE", "LONG1"})
_PUTS, _GETS = frozenset({"BINPUT", "LONG_BINPUT"}), frozenset({"BINGET", "LONG_BINGET"})


class _Name(NamedTuple):
    """A function or class that the pickle names; it is never looked up."""

    name: str


class _Storage(NamedTuple):
    dtype: str
    key: str
    length: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


_MARK = _Name("mark")


def read_state(path: Path) -> dict[str, NDArray[Any]]:
    """Read a state dictionary, in the zip format of PyTorch 1.6 and later.

    Raises:
        DataError: It is another file, holds anything but tensors of plain storages, or is damaged.
    """
    try:
        content = read_plain(path, most=_MOST_BYTES)
    except ValueError as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    try:
        if not content.startswith(b"PK"):
            raise ValueError(
                "is not in the zip format: PyTorch's older formats are not read; load it with PyTorch and save it again"
            )
        if content.count(_ENTRY) > _MOST_ENTRIES:
            raise ValueError(f"has more entries than the {_MOST_ENTRIES} that are read")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read_archive(archive)
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: is cut short or damaged ({error}); copy it again") from None
    except Exception as error:  # noqa: BLE001 - whatever a damaged archive makes zipfile raise
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise DataError(f"{path}: is not a state dictionary that can be read safely: {text}") from None


def _read_archive(archive: zipfile.ZipFile) -> dict[str, NDArray[Any]]:
    infos = {info.filename: info for info in archive.infolist()}
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos.values()):
        raise ValueError("has compressed entries, which PyTorch never writes: a small file could unpack to any size")
    pickles = [name for name in infos if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1 or sum(info.file_size for info in infos.values()) > _MOST_BYTES:
        raise ValueError("expected one data.pkl, and 1 GiB at most")
    if infos[pickles[0]].file_size > _MOST_PICKLE:
        raise ValueError("data.pkl is larger than a state dictionary's")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in infos and archive.read(f"{root}byteorder") != b"little":
        raise ValueError("numbers are not little-endian")
    tensors = _tensors(archive.read(pickles[0]))
    # Many tensors may share one storage, so their sizes are not bounded by the file's.
    if (
        sum(math.prod(tensor.shape) * np.dtype(tensor.storage.dtype).itemsize for tensor in tensors.values())
        > _MOST_BYTES
    ):
        raise ValueError("its tensors take more than 1 GiB together")
    storages = {
        storage: _read_storage(archive, infos.get(f"{root}data/{storage.key}"), storage)
        for storage in dict.fromkeys(tensor.storage for tensor in tensors.values())
    }
    return {name: _array(storages[tensor.storage], tensor) for name, tensor in tensors.items()}


def _tensors(content: bytes) -> dict[str, _Tensor]:  # noqa: C901 - one branch for each kind of instruction
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    argument: Any
    for code, argument, _ in pickletools.genops(content):
        name = code.name
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _VALUES:
            stack.append(argument)
        elif name in _PUTS:
            memo[argument] = stack[-1]
        elif name in _GETS:
            stack.append(memo[argument])
        elif name == "STOP":
            break
        elif name != "PROTO":
            _step(name, argument, stack)
    (state,) = stack
    if not isinstance(state, dict) or not 0 < len(state) <= _MOST_TENSORS:
        raise ValueError("holds no dictionary of tensors")
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, _Tensor):
            raise ValueError(f"{key!r} is not a tensor")  # noqa: TRY004 - of a file, not of a caller
    return state


def _step(name: str, argument: Any, stack: list[Any]) -> None:  # noqa: ANN401, C901 - of any instruction
    """Follow an instruction that makes or joins containers."""
    if name == "GLOBAL":
        stack.append(_Name(str(argument)))
    elif name == "MARK":
        stack.append(_MARK)
    elif name in {"EMPTY_TUPLE", "EMPTY_DICT"}:
        stack.append(() if name == "EMPTY_TUPLE" else {})
    elif name == "TUPLE":
        stack.append(tuple(_since_mark(stack)))
    elif name in {"TUPLE1", "TUPLE2", "TUPLE3"}:
        count = int(name[-1])
        parts = tuple(stack[-count:])
        del stack[-count:]
        stack.append(parts)
    elif name == "BINPERSID":
        stack.append(_storage(stack.pop()))
    elif name == "REDUCE":
        arguments = stack.pop()
        stack.append(_reduced(stack.pop(), arguments))
    elif name in {"SETITEM", "SETITEMS"}:
        items = _since_mark(stack) if name == "SETITEMS" else [stack.pop() for _ in range(2)][::-1]
        if not isinstance(stack[-1], dict) or not all(isinstance(key, str) for key in items[::2]):
            raise ValueError("a key is not text")
        stack[-1].update(zip(items[::2], items[1::2], strict=True))
    elif name == "BUILD":  # the versions of modules, which PyTorch hangs on the dictionary
        stack.pop()
    else:
        raise ValueError(f"has the instruction {name}, which no state dictionary needs")


def _since_mark(stack: list[Any]) -> list[Any]:
    at = max(index for index, value in enumerate(stack) if value is _MARK)
    parts = stack[at + 1 :]
    del stack[at:]
    return parts


def _storage(identity: Any) -> _Storage:  # noqa: ANN401 - of an unknown file
    kind, cls, key, _, count = identity
    dtype = _STORAGES.get(cls.name.removeprefix("torch ")) if isinstance(cls, _Name) else None
    if kind != "storage" or dtype is None or not (isinstance(key, str) and key.isdecimal() and _whole(count)):
        kind_text = cls.name if isinstance(cls, _Name) else type(cls).__name__  # nested tuples may be endless as text
        raise ValueError(f"has a storage of an unknown kind: {kind_text[:100]}")
    return _Storage(dtype, key, count)


def _reduced(function: Any, arguments: Any) -> Any:  # noqa: ANN401 - of an unknown file
    name = function.name[:100] if isinstance(function, _Name) else type(function).__name__
    if name == _ORDERED and arguments == ():
        return {}
    if name != _REBUILD:
        raise ValueError(f"names {name!r}, which is not part of a state dictionary; nothing was run")
    storage, offset, shape, strides = arguments[:4]
    if not (isinstance(storage, _Storage) and isinstance(shape, tuple) and isinstance(strides, tuple)):
        raise ValueError("has a tensor without a storage or a shape")  # noqa: TRY004 - of a file, not of a caller
    if max(len(shape), len(strides)) > _MOST_AXES or not all(map(_whole, (offset, *shape, *strides))):
        raise ValueError(f"has a tensor with more than {_MOST_AXES} axes, or sizes that are not whole numbers")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40


def _read_storage(archive: zipfile.ZipFile, info: zipfile.ZipInfo | None, storage: _Storage) -> NDArray[Any]:
    dtype = np.dtype(storage.dtype)
    if info is None or info.file_size != storage.length * dtype.itemsize:
        raise ValueError(f"the numbers of storage {storage.key} are missing or of another size")
    values = np.frombuffer(archive.read(info), dtype)
    if dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("holds numbers that are NaN or infinite")
    return values


def _array(values: NDArray[Any], tensor: _Tensor) -> NDArray[Any]:
    shape = tensor.shape
    contiguous = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
    size = math.prod(shape)
    if tensor.strides != contiguous or tensor.offset + size > len(values):
        raise ValueError("a tensor is not contiguous, or reaches beyond its storage")
    return values[tensor.offset : tensor.offset + size].reshape(shape)
