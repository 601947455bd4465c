"""Dask clusters: one that runs already, or one of this machine's own; and workers that must not join in."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import multiprocessing
import urllib.parse
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mexbench.devices import Device, one_thread_in_children
from mexbench.errors import ClusterError, listed, missing_extra
from mexbench.evaluation.executors.child_process import ignore_sigint
from mexbench.evaluation.executors.dask import worker as dask_worker
from mexbench.evaluation.executors.dask.worker import Recipe

#: Seconds until a scheduler that does not answer is given up, twice: a connection, then a first answer.
_TIMEOUT_S = 4

#: What a cluster of our own does without: moving tasks, which are assigned to one worker, and a log of what it did.
_MINIMAL = {
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.low-level-log-length": 10,
    "distributed.admin.log-length": 10,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
#: Dask serves pages whether asked to or not: empty ones, to this machine alone.
_NO_PAGES = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


class Link:
    """A connection to a scheduler: the few calls that a run makes.

    Args:
        client: Dask's; its types leave open whether a call answers at once, and here every one does.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401
        self.client = client
        self.address: str = client.scheduler.address

    @property
    def alive(self) -> bool:
        """Whether the scheduler is there, as far as is known."""
        return self.client.status == "running"

    def workers(self) -> list[str]:
        """Return the addresses of the workers that are there.

        Raises:
            OSError: The scheduler is gone.
        """
        return list(self.client.nthreads())

    def ask(
        self, function: Callable[..., Any], *arguments: object, workers: list[str] | None = None, **named: object
    ) -> dict[str, Any]:
        """Call a function on workers; return what each gave or raised, with nothing of those that never were.

        Raises:
            OSError: The scheduler is gone.
        """
        return self.client.run(function, *arguments, workers=workers, on_error="return", **named)

    def submit(
        self, worker: str, function: Callable[..., Any], *arguments: object, key: str, then: Callable[[Any, Any], None]
    ) -> Any:  # noqa: ANN401
        """Have a worker, and no other, do a task.

        Args:
            worker: Its address.
            function: What to do.
            arguments: Of the function.
            key: Name of the task.
            then: Called with the future, and with what the function gave or raised; in another thread.
        """
        future = self.client.submit(
            function, *arguments, key=key, workers=[worker], allow_other_workers=False, pure=False
        )

        async def watch() -> None:
            try:
                result = await future
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the caller looks at it
                result = error
            then(future, result)

        self.client.loop.add_callback(watch)
        return future

    def cancel(self, futures: Sequence[Any]) -> None:
        """Take back tasks that have not begun.

        Raises:
            OSError: The scheduler is gone.
        """
        self.client.cancel(list(futures))

    def close(self) -> None:
        """Take leave."""
        with suppress(Exception):  # the scheduler may be gone
            self.client.close(timeout=_TIMEOUT_S)


def check_dask() -> None:
    """Say, before anything is read, that Dask is not installed.

    Raises:
        ClusterError: With the command that installs it.
    """
    if importlib.util.find_spec("distributed") is None or importlib.util.find_spec("cryptography") is None:
        raise ClusterError(missing_extra("--executor dask", "Dask", "dask"))


@contextmanager
def connected(address: str) -> Iterator[Link]:
    """Connect to a scheduler that runs.

    Args:
        address: ``tcp://HOST:PORT``, or ``tls://HOST:PORT`` with the certificates that Dask's own configuration names.

    Raises:
        ClusterError: The address is invalid, or no Dask scheduler answers there.
    """
    _check_address(address)
    distributed = _dask()
    from distributed.comm.core import connect

    async def probe() -> None:  # Client would wait without end for a port that accepts and stays silent
        arguments = distributed.Security().get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, timeout=_TIMEOUT_S, **arguments), _TIMEOUT_S)
        await comm.close()

    try:
        asyncio.run(probe())
        with warnings.catch_warnings():  # versions are compared below, and named
            warnings.simplefilter("ignore")
            client = distributed.Client(address, timeout=_TIMEOUT_S, set_as_default=False)
    except Exception as error:  # noqa: BLE001 - what is not Dask may answer anything
        reason = " ".join(str(error).split()) or "no answer"
        raise ClusterError(
            f"--scheduler {address}: no Dask scheduler can be reached there ({type(error).__name__}: {reason}); "
            "start one with 'dask scheduler', or leave --scheduler out for a cluster on this machine"
        ) from None
    link = Link(client)
    try:
        yield link
    finally:
        link.close()


def _check_address(address: str) -> None:
    try:
        parts = urllib.parse.urlsplit(address)
        valid = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port and not parts.path.strip("/")
    except ValueError:  # such as a port that is not a number
        valid = False
    if not valid:
        raise ClusterError(f"--scheduler {address}: expected tcp://HOST:PORT or tls://HOST:PORT")


@contextmanager
def started(workers: int, scratch: Path) -> Iterator[Link]:
    """Start a cluster on this machine, which ends with the block.

    Its ports are open to this machine alone, and to nobody without a certificate that is made for it: other users of
    the machine cannot send it code.

    Args:
        workers: How many processes.
        scratch: Where they keep what they need a disk for.
    """
    import dask.config

    distributed = _dask()
    others = set(multiprocessing.active_children())
    with dask.config.set(_MINIMAL), one_thread_in_children(), ignore_sigint():
        cluster = distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, host="127.0.0.1", memory_limit=0, scheduler_kwargs=_NO_PAGES,
            security=True, local_directory=str(scratch), silence_logs=logging.CRITICAL,
        )  # fmt: skip
    link = None
    try:
        with dask.config.set(_MINIMAL):
            link = Link(distributed.Client(cluster, set_as_default=False))
        yield link
    finally:
        if link is not None:
            link.close()
        for process in set(multiprocessing.active_children()) - others:  # a training may take hours
            process.kill()
        cluster.close()


def _dask() -> Any:  # noqa: ANN401 - a module
    """Import Dask, whose logs would repeat what is printed here."""
    import distributed

    for name in [logger for logger in logging.root.manager.loggerDict if logger.partition(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return distributed


def mismatched_workers(
    link: Link, recipes: Mapping[str, Recipe], device: Device | None, workers: list[str], *, ours: bool = False
) -> dict[str, str]:
    """Compare workers with this process: what they would compute with must be the same.

    Returns:
        Worker's address -> how it differs; nothing for those that do not.

    Raises:
        OSError: The scheduler is gone.
    """
    expected = dask_worker.describe(recipes, device)
    descriptions = link.ask(dask_worker.describe, recipes, device, ours=ours, workers=workers)
    mismatched = {}
    for worker in workers:
        description = descriptions.get(worker)
        if isinstance(description, dict):
            if differences := list(_differences(expected, description)):
                mismatched[worker] = "; ".join(differences)
        elif description is not None and not isinstance(description, OSError):  # which is one that went away
            mismatched[worker] = " ".join(f"{type(description).__name__}: {description}".split())
    return mismatched


def _differences(here: Mapping[str, str], there: Mapping[str, str]) -> Iterator[str]:
    for key in dict.fromkeys([*here, *there]):
        ours, theirs = here.get(key), there.get(key)
        if ours != theirs:
            digests = key.startswith("code of")
            yield f"{key} differs" if digests else f"{key} is {theirs or 'missing'}, here {ours or 'missing'}"


def mismatched_text(mismatched: Mapping[str, str]) -> str:
    """Name workers that differ, those with the same differences together."""
    by_difference = defaultdict(list)
    for worker, difference in mismatched.items():
        by_difference[difference].append(worker)
    return "".join(f"\n  {listed(workers, limit=3)}: {difference}" for difference, workers in by_difference.items())


def check_worker_versions(link: Link, recipes: Mapping[str, Recipe], device: Device | None) -> None:
    """Compare all workers that are there, before anything is run.

    Raises:
        ClusterError: Names those that differ, and how.
    """
    address = link.address
    try:
        mismatched = mismatched_workers(link, recipes, device, link.workers())
    except (OSError, TimeoutError) as error:
        raise ClusterError(f"--scheduler {address}: is gone ({error})") from None
    if mismatched:
        raise ClusterError(
            f"--scheduler {address}: workers would compute with something else than this process:"
            f"{mismatched_text(mismatched)}\n  "
            "install the same versions there as here, restart these workers, and run again"
        )
