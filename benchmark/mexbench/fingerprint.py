"""Digests: of values, of arrays, of files, and of the code that a plugin is made of."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench import devices

_BLOCK = 2**20
_BYTES = 16  # 128 bits: a collision by chance is out of the question, and hex stays readable

#: Distributions whose version can change a number in a result.
NUMERIC = (
    "numpy", "scipy", "scikit-learn", "opencv-python-headless", "opencv-contrib-python-headless", "jax", "jaxlib",
    "flax", "optax",
)  # fmt: skip


def digest(value: object) -> str:
    """Digest a JSON value; the order of keys does not matter.

    Raises:
        TypeError: The value is not JSON.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return digest_bytes(text.encode())


def digest_bytes(content: bytes) -> str:
    """Digest bytes."""
    return hashlib.blake2b(content, digest_size=_BYTES).hexdigest()


def digest_array(array: NDArray[Any]) -> str:
    """Digest an array: its type, its shape and its values."""
    state = hashlib.blake2b(f"{array.dtype.str}{array.shape}".encode(), digest_size=_BYTES)
    state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()


def digest_files(paths: Iterable[Path]) -> str:
    """Digest the bytes of files, in their order, without their paths."""
    state = hashlib.blake2b(digest_size=_BYTES)
    for path in paths:
        with path.open("rb") as stream:
            state.update(path.stat().st_size.to_bytes(8, "big"))
            while block := stream.read(_BLOCK):  # a film may be larger than the memory
                state.update(block)
    return state.hexdigest()


@functools.cache
def digest_code(cls: type) -> str:
    """Digest the source of a class's module and of every module of the same package that it imports.

    A contributor who edits a model and runs again must not get the old numbers.
    """
    state = hashlib.blake2b(digest_size=_BYTES)
    for name, source in sorted(_sources(cls.__module__)):
        state.update(f"{name}\0{len(source)}\0".encode())
        state.update(source)
    return state.hexdigest()


def _sources(module: str) -> Iterator[tuple[str, bytes]]:
    package = module.partition(".")[0]
    waiting, seen = [module], {module}
    while waiting:
        name = waiting.pop()
        origin = _origin(name)
        if origin is None:
            continue
        source = origin.read_bytes()
        yield name, source
        for imported in _imports(name, source, is_package=origin.name == "__init__.py"):
            if imported.partition(".")[0] == package and imported not in seen:
                seen.add(imported)
                waiting.append(imported)


def _origin(module: str) -> Path | None:
    loaded = sys.modules.get(module)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
    else:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):  # "from package import name" where name is not a module
            return None
        file = spec.origin if spec else None
    path = Path(file) if file else None
    return path if path is not None and path.suffix == ".py" and path.is_file() else None


def _imports(module: str, source: bytes, *, is_package: bool) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parts, *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of everything numeric, where installed."""
    versions = {"python": platform.python_version()}
    for name in NUMERIC:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def environment() -> dict[str, str]:
    """Return what else than data, parameters and code decides a number: versions, and the kinds of processor and GPU.

    Of Python only the minor version: what computes is in the numeric packages, whose versions are here in full, and a
    patch release of Python changes no figure of theirs. Else it would cost days of training.

    Raises:
        DeviceError: JAX_PLATFORMS names a platform that is not available.
    """
    backend = devices.backend()
    accelerator = {} if backend == "cpu" else {"backend": backend}
    minor = ".".join(versions()["python"].split(".")[:2])
    return {**versions(), "python": minor, "machine": platform.machine(), **accelerator}
