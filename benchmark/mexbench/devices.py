"""What numbers are computed on, and with how many threads: decided before numeric libraries are loaded."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from mexbench.errors import DeviceError

Device = Literal["cpu", "gpu"]


#: A library's own threads change the order of additions, and so the last digits, with the number of cores. One thread a
#: task gives the same numbers under any --jobs and on any number of cores, and --jobs is what uses the cores.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",  # JAX on a processor
    "PJRT_NPROC": "1",  # JAX starts a thread for each core all the same, which spends up to half as much time again
}


def use_one_thread() -> None:
    """Ask libraries that are loaded from now on, here and in child processes, for one thread each.

    A variable that the user has set stays as it is.
    """
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)


def thread_settings() -> str:
    """Return how many threads a task has: ``one``, or the user's own settings, such as ``PJRT_NPROC=8``."""
    own = [name for name, value in ONE_THREAD.items() if os.environ.get(name, value) != value]
    return ", ".join(f"{name}={os.environ[name]}" for name in own) or "one"


@contextmanager
def one_thread_in_children() -> Iterator[None]:
    """Ask the same of processes that start inside the block, and of nothing else."""
    added = [name for name in ONE_THREAD if name not in os.environ]
    use_one_thread()
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def choose(device: Device | None) -> None:
    """Tell JAX, in this process and in those that it starts, what to compute on.

    Several processes share a GPU: those that train, and this one, which asks what there is. JAX would take three
    quarters of its memory in the first of them, so each takes what it needs instead. A variable that the user has set
    stays as it is.

    Args:
        device: None leaves the choice to JAX, which takes a GPU where there is one that it can use.

    Raises:
        DeviceError: The device was not found.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    elif device == "gpu":
        asked = os.environ.get("JAX_PLATFORMS")
        platform = backend()
        if platform != "gpu":
            reason = f"JAX_PLATFORMS is {asked!r}" if asked else _why_not()
            raise DeviceError(f"--device gpu: JAX finds no GPU, only {platform}: {reason}; or choose --device cpu")
        import jax

        # By its name, so that a process that cannot get the GPU fails instead of computing elsewhere in silence.
        rocm = "rocm" in jax.devices()[0].client.platform_version.lower()
        os.environ["JAX_PLATFORMS"] = "rocm,cpu" if rocm else "cuda,cpu"


def backend() -> str:
    """Return JAX's word for what it computes on by default: ``cpu``, ``gpu`` or ``tpu``.

    JAX, which takes a second to load, is not loaded where it could find a processor alone.

    Raises:
        DeviceError: JAX_PLATFORMS names what is not there.
    """
    if "jax" not in sys.modules and (os.environ.get("JAX_PLATFORMS") == "cpu" or not _has_drivers()):
        return "cpu"
    import jax

    try:
        return str(jax.default_backend())
    except (RuntimeError, AssertionError) as error:  # AssertionError: a GPU's driver and no GPU
        asked = os.environ.get("JAX_PLATFORMS")
        raise DeviceError(f"JAX cannot start with JAX_PLATFORMS={asked!r}: {error or 'no such device'}") from None


def used() -> str:
    """Return what a task of this process was computed on: ``cpu``, or JAX's device where a model has loaded JAX."""
    jax = sys.modules.get("jax")
    if jax is None:
        return "cpu"
    first = jax.devices()[0]
    return "cpu" if first.platform == "cpu" else f"{first.platform}:{first.id} {first.device_kind}"


def _has_drivers() -> bool:
    return any(importlib.util.find_spec(name) is not None for name in ("jax_plugins", "libtpu"))


def _why_not() -> str:
    if not _has_drivers():
        return "its GPU support is not installed (pip install 'jax[cuda13]')"
    return "see whether nvidia-smi shows one"
