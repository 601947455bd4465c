"""How a trained PyTorch module is saved: its state as safetensors, the rest as JSON. No pickle is written or read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.adapters.torch_engine import TorchModule, import_torch, reproducible
from mexbench.adapters.torch_training import materialize
from mexbench.errors import counted
from mexbench.files import read_arrays, read_json, write_arrays, write_json

_WEIGHTS, _NETWORK = "weights.safetensors", "network.json"
#: What a file may say of a sample and of a run: axes and values of the one, outputs of the other.
_MOST_AXES, _MOST_VALUES, _MOST_OUTPUTS = 8, 2**26, 10_000


@dataclass(frozen=True, kw_only=True)
class StoredNetwork:
    """``network.json``.

    Args:
        shape: Of one sample as the module takes it.
        n_outputs: Logits.
        units: Whether action units are the target.
        history: Learning curves.
        health: What is known of the training side.
    """

    shape: tuple[int, ...]
    n_outputs: int
    units: bool
    history: tuple[Mapping[str, float], ...]
    health: Mapping[str, float]


def write(module: TorchModule, about: StoredNetwork, folder: Path) -> None:
    """Write a module's parameters and buffers, by their names in ``state_dict``.

    Raises:
        ValueError: A value is NaN or infinite, or of a type that numpy does not have, such as bfloat16.
    """
    arrays = {}
    for name, tensor in module.state_dict().items():
        try:
            arrays[name] = tensor.detach().cpu().numpy()
        except (TypeError, AttributeError, RuntimeError) as error:
            raise ValueError(f"{name} cannot be saved as numbers: {error}") from None
    write_arrays(folder / _WEIGHTS, arrays)
    write_json(
        folder / _NETWORK,
        {
            "shape": list(about.shape),
            "n_outputs": about.n_outputs,
            "units": about.units,
            "history": [dict(row) for row in about.history],
            "health": dict(about.health),
        },
    )


def read(factory: Callable[[tuple[int, ...], int], TorchModule], folder: Path) -> tuple[TorchModule, StoredNetwork]:
    """Read what ``write`` wrote into a new module.

    Args:
        factory: From the shape of a sample and a number of outputs to a module.
        folder: Where the files are.

    Raises:
        ValueError: The weights are not those of this module, or are not finite.
    """
    torch = import_torch()
    about, arrays = _about(read_json(folder / _NETWORK)), read_arrays(folder / _WEIGHTS)
    with reproducible(0):
        _check_without_memory(factory, about, arrays)
        module = factory(about.shape, about.n_outputs)
        materialize(module, torch.zeros((1, *about.shape)))
        _check(module, arrays)
        module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    return module.eval(), about


def _check_without_memory(
    factory: Callable[[tuple[int, ...], int], TorchModule], about: StoredNetwork, arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Compare shapes before anything is allocated: a file may name a shape whose weights would fill the memory."""
    torch = import_torch()
    try:
        with torch.device("meta"):
            module = factory(about.shape, about.n_outputs)
    except Exception:  # noqa: BLE001 - a factory that computes with its weights cannot be built without them
        return
    if not any(torch.nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
        _check(module, arrays)


def _check(module: TorchModule, arrays: Mapping[str, NDArray[Any]]) -> None:
    expected = {
        name: f"{str(one.dtype).removeprefix('torch.')} {tuple(one.shape)}" for name, one in module.state_dict().items()
    }
    actual = {name: f"{array.dtype} {array.shape}" for name, array in arrays.items()}
    if wrong := sorted(name for name in {*expected, *actual} if expected.get(name) != actual.get(name)):
        name = wrong[0]
        raise ValueError(
            f"{_WEIGHTS} is of another network: {counted(len(wrong), 'array differs', 'arrays differ')}; {name} should "
            f"be {expected.get(name, 'absent')}, is {actual.get(name, 'absent')}"
        )


def _about(document: Mapping[str, Any]) -> StoredNetwork:
    shape, n_outputs = document["shape"], document["n_outputs"]
    sizes = [*shape, n_outputs] if isinstance(shape, list) else [None]
    if not all(isinstance(one, int) and one >= 1 for one in sizes) or len(sizes) > _MOST_AXES + 1:
        raise ValueError(f"{_NETWORK}: expected sizes from 1, got the shape {shape!r} and {n_outputs!r} outputs")
    if n_outputs > _MOST_OUTPUTS or math.prod(shape) > _MOST_VALUES:
        raise ValueError(f"{_NETWORK}: a sample of shape {tuple(shape)} and {n_outputs} outputs are too many values")
    return StoredNetwork(
        shape=tuple(shape),
        n_outputs=n_outputs,
        units=bool(document["units"]),
        history=tuple(document["history"]),
        health=dict(document["health"]),
    )
