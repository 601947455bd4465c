"""How many threads numeric libraries use: decided before they are loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

#: A library's own threads change the order of additions, and so the last digits, with the number of cores. One thread a
#: task gives the same numbers under any --jobs, and --jobs is what uses the cores.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",  # JAX on a processor
}


def use_one() -> None:
    """Ask libraries that are loaded from now on, here and in child processes, for one thread each.

    A variable that the user has set stays as it is.
    """
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)


@contextmanager
def one_in_children() -> Iterator[None]:
    """Ask the same of processes that start inside the block, and of nothing else."""
    added = [name for name in ONE_THREAD if name not in os.environ]
    use_one()
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
