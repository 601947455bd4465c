"""The weights of VGG-16's convolutions: drawn, read from a file, or fetched; each with the pixels that it expects."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError, missing_extra
from mexbench_plugins.preprocessors.normalise import IMAGENET_MEAN, IMAGENET_STD

#: Filters of each convolution; a 2x2 maximum ends each block.
BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))

REPOSITORY, REVISION, FILE = "timm/vgg16.tv_in1k", "3394518cba29aee1ea82a49d971be90d2dd1dab7", "model.safetensors"

#: Keras subtracts this from pixels of 0 to 255, blue, green, red, as the network's authors did, and scales nothing.
KERAS_MEAN = np.array([103.939, 116.779, 123.68], dtype=np.float32)

_HDF5 = b"\x89HDF\r\n\x1a\n"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONVERT = (
    'a .pth file is a pickle, which can run code, and is not read; to convert one: python -c "import torch; from '
    "safetensors.torch import save_file; save_file(torch.load('vgg16.pth', weights_only=True), 'vgg16.safetensors')\""
)


@dataclass(frozen=True)
class Place:
    """One convolution: its number in torchvision's ``features``, its name in Keras, its input channels and filters."""

    number: int
    name: str
    inputs: int
    filters: int


@dataclass(frozen=True, eq=False)
class Weights:
    """Thirteen convolutions and what goes into the first.

    Args:
        kernels: Each (3, 3, input channels, filters), float32.
        biases: Each (filters,), float32.
        blue_first: Whether pixels are turned from RGB to BGR.
        mean: Taken off pixels of 0 to 255, in the order of the channels (3,).
        deviation: What they are then divided by (3,).
    """

    kernels: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    blue_first: bool
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]


def places() -> Iterator[Place]:
    """Yield the convolutions in their order."""
    number, inputs = 0, 3
    for block, sizes in enumerate(BLOCKS, start=1):
        for layer, filters in enumerate(sizes, start=1):
            yield Place(number, f"block{block}_conv{layer}", inputs, filters)
            number, inputs = number + 2, filters  # a ReLU has a number too
        number += 1  # and so has the maximum


def _for_unit_rgb(kernels: list[NDArray[Any]], biases: list[NDArray[Any]]) -> Weights:
    return Weights(_floats(kernels), _floats(biases), False, IMAGENET_MEAN * 255, IMAGENET_STD * 255)  # noqa: FBT003


def _floats(arrays: list[NDArray[Any]]) -> tuple[NDArray[np.float32], ...]:
    return tuple(np.ascontiguousarray(array, np.float32) for array in arrays)


@functools.lru_cache(maxsize=1)
def drawn(seed: int) -> Weights:
    """Draw weights: normal with deviation sqrt(2 / inputs of a unit), no bias.

    Source: He et al., Delving deep into rectifiers, ICCV 2015, equation 10.
    """
    rng = np.random.default_rng(seed)
    kernels = [
        rng.standard_normal((3, 3, place.inputs, place.filters), np.float32) * np.sqrt(2 / (9 * place.inputs))
        for place in places()
    ]
    return _for_unit_rgb(kernels, [np.zeros(place.filters) for place in places()])


def read(path: Path) -> Weights:
    """Read a file: safetensors in torchvision's and timm's naming, or Keras's HDF5.

    Raises:
        DataError: It is neither, or holds no VGG-16.
    """
    return _read(path, _state(path))


@functools.lru_cache(maxsize=1)
def _read(path: Path, _state: tuple[int, int]) -> Weights:
    with path.open("rb") as stream:
        start = stream.read(9)
    if start.startswith(_HDF5):
        return _keras(path)
    if start[8:] == b"{":  # the length of a JSON header, then the header
        return _safetensors(path)
    raise DataError(f"vgg16: weights {path}: is neither safetensors nor Keras's HDF5 (.h5); {_CONVERT}")


def sha256(path: Path) -> str:
    """Return a file's SHA-256.

    Raises:
        DataError: The file does not exist, or cannot be read.
    """
    return _sha256(path, _state(path))


@functools.lru_cache(maxsize=8)
def _sha256(path: Path, _state: tuple[int, int]) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _state(path: Path) -> tuple[int, int]:
    """Return what changes when a file is written anew: half a gigabyte is not read for every clip."""
    try:
        with path.open("rb"):  # a folder, or no permission
            status = path.stat()
    except OSError as error:
        raise DataError(
            f"vgg16: weights {path}: {error.strerror}; name a file of VGG-16's weights, or 'hub' to fetch "
            "ImageNet's, or 'auto' for random ones, which flags every row"
        ) from None
    return status.st_mtime_ns, status.st_size


def _safetensors(path: Path) -> Weights:
    from safetensors import SafetensorError, safe_open

    with _damage(path, SafetensorError), safe_open(path, framework="numpy") as tensors:
        there = set(tensors.keys())

        def get(name: str) -> NDArray[Any] | None:
            return tensors.get_tensor(name) if name in there else None

        kernels, biases = _checked(
            path,
            "torchvision's or timm's naming",
            lambda place: (f"features.{place.number}.weight", get(f"features.{place.number}.weight")),
            lambda place: (f"features.{place.number}.bias", get(f"features.{place.number}.bias")),
            lambda place: (place.filters, place.inputs, 3, 3),
        )
    return _for_unit_rgb([kernel.transpose(2, 3, 1, 0) for kernel in kernels], biases)


def _keras(path: Path) -> Weights:
    try:
        import h5py
    except ImportError:
        raise DataError(missing_extra(f"vgg16: weights {path}: reading Keras's HDF5", "h5py", "keras")) from None
    with _damage(path, KeyError), h5py.File(path) as file:
        groups: Any = file.get("model_weights", file)  # where Keras saved a whole model

        def get(place: Place, axes: int) -> NDArray[Any] | None:
            # Keras has called them block1_conv1_W_1:0, then block1_conv1/kernel:0; a kernel has four axes, a bias one.
            items: list[Any] = []
            if place.name in groups:
                groups[place.name].visititems(lambda _, item: items.append(item))
            arrays = [item[()] for item in items if isinstance(item, h5py.Dataset) and item.ndim == axes]
            return arrays[0] if len(arrays) == 1 else None

        kernels, biases = _checked(
            path,
            "Keras's naming",
            lambda place: (f"{place.name}'s kernel", get(place, 4)),
            lambda place: (f"{place.name}'s bias", get(place, 1)),
            lambda place: (3, 3, place.inputs, place.filters),
        )
    return Weights(_floats(kernels), _floats(biases), True, KERAS_MEAN, np.ones(3, np.float32))  # noqa: FBT003


@contextmanager
def _damage(path: Path, *kinds: type[Exception]) -> Iterator[None]:
    """Name the file in what a library says about it."""
    try:
        yield
    except (OSError, ValueError, TypeError, *kinds) as error:
        raise DataError(f"vgg16: weights {path}: cannot be read, is it complete? {error}") from None


_Named = tuple[str, NDArray[Any] | None]


def _checked(
    path: Path,
    naming: str,
    kernel: Callable[[Place], _Named],
    bias: Callable[[Place], _Named],
    kernel_shape: Callable[[Place], tuple[int, ...]],
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Return all kernels and biases, as the file has them, or report every problem with them."""
    arrays_read: list[NDArray[Any]] = []
    problems: list[str] = []
    for place in places():
        for (name, array), shape in ((kernel(place), kernel_shape(place)), (bias(place), (place.filters,))):
            if array is None:
                problems.append(f"{name} is missing")
            elif array.shape != shape:
                problems.append(f"{name} is {array.shape}, expected {shape}")
            elif array.dtype.kind != "f" or not np.isfinite(array).all():
                problems.append(f"{name} holds values that are not finite numbers")
            else:
                arrays_read.append(array)
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise DataError(f"vgg16: weights {path}: not a VGG-16 in {naming}: {'; '.join(problems[:3])}{more}")
    return arrays_read[::2], arrays_read[1::2]


@functools.cache
def fetched() -> Path:
    """Return the file that the hub has under ``REVISION``, fetched once, compared with the SHA-256 the hub states.

    Raises:
        DataError: It cannot be fetched, or what came is another file.
    """
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise DataError(
            f"{missing_extra('vgg16: weights: hub', 'huggingface_hub', 'hub')}; or name a file that you have"
        ) from None
    where = f"{REPOSITORY}/{FILE} at {REVISION}"
    try:
        path = Path(hf_hub_download(REPOSITORY, FILE, revision=REVISION))
        stated = _stated(path)
    except Exception as error:  # noqa: BLE001 - whatever a network does
        raise DataError(
            f"vgg16: weights: hub: {where} cannot be fetched: {error}; name a file that you have instead"
        ) from None
    if not _SHA256.fullmatch(stated):
        raise DataError(f"vgg16: weights: hub: the hub states no SHA-256 for {where}, but {stated!r}")
    if (actual := sha256(path)) != stated:
        raise DataError(
            f"vgg16: weights: hub: {where} is damaged: its SHA-256 is {actual}, the hub states {stated}; remove "
            f"{path.resolve()} and run again"
        )
    return path


def _stated(path: Path) -> str:
    """Return the SHA-256 that the hub stated: the name under which its client keeps a large file, or ask again."""
    if path.is_symlink():
        return path.readlink().name
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    return get_hf_file_metadata(hf_hub_url(REPOSITORY, FILE, revision=REVISION)).etag or ""
