"""PyTorch itself: imported late, seeded, and with one thread, so that the same seed gives the same weights."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from mexbench.errors import PluginError

# PyTorch is an optional extra: a type checker must pass where it is absent, so its types have names here alone.
TorchModule: TypeAlias = Any  # torch.nn.Module
TorchTensor: TypeAlias = Any  # torch.Tensor
TorchOptimizer: TypeAlias = Any  # torch.optim.Optimizer


def import_torch() -> Any:  # noqa: ANN401 - the module
    """Import PyTorch.

    Raises:
        PluginError: It is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise PluginError("a PyTorch module needs torch, which is not installed: pip install torch")
    return importlib.import_module("torch")


def device_name(wanted: str) -> str:
    """Return the device to train on, ``cpu`` or ``cuda``.

    Raises:
        ValueError: A GPU is asked for and PyTorch finds none.
    """
    torch = import_torch()
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda: PyTorch finds no GPU here; choose device cpu or auto")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed PyTorch's generators inside the block, and leave those of the session as they were."""
    torch = import_torch()
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    with torch.random.fork_rng(), torch.enable_grad(), one_thread():
        torch.manual_seed(seed)
        cudnn.deterministic, cudnn.benchmark = True, False
        try:
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: the number of threads changes the order of sums, and so the last digits."""
    torch = import_torch()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
