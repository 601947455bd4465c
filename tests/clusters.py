"""Dask schedulers and workers of their own processes, as somebody would start them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.helpers import SEARCH_PATH


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as result:
        return int(result.getsockname()[1])


class ClusterProcesses:
    """A scheduler and its workers.

    Args:
        folder: Where workers run, and where logs go.
        host: The scheduler's address.
        behind: What a command is put behind, such as ``ip netns exec one``.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1", behind: Sequence[str] = ()) -> None:
        self.folder, self.processes = folder, contextlib.ExitStack()
        self.address = f"tcp://{host}:{free_port()}"
        port = self.address.rpartition(":")[2]
        self.scheduler = self.start(
            "scheduler",
            ["--host", host, "--port", port, "--no-dashboard", "--dashboard-address", "127.0.0.1:0"],
            "Scheduler at:",
            behind=behind,
        )

    def worker(
        self, *, behind: Sequence[str] = (), extra: Sequence[str] = (), **environment: str
    ) -> subprocess.Popen[str]:
        arguments = [self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", *extra]
        return self.start("worker", arguments, "Registered to:", behind=behind, environment=environment)

    def start(
        self, what: str, arguments: Sequence[str], ready: str, *, behind: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:  # fmt: skip
        """Start one and wait until it says that it is ready."""
        path = os.pathsep.join([(environment or {}).get("PYTHONPATH", ""), SEARCH_PATH])
        module = f"distributed.cli.dask_{what}"
        process = subprocess.Popen(
            [*behind, sys.executable, "-m", module, *arguments],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {}), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self.processes.callback(self.end, process)
        output = []
        assert process.stderr is not None
        for line in process.stderr:
            output.append(line)
            if ready in line:
                return process
        raise AssertionError("".join(output))

    @staticmethod
    def end(process: subprocess.Popen[str]) -> None:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[ClusterProcesses]:
    """A cluster on loopback."""
    cluster = ClusterProcesses(folder)
    with cluster.processes:
        for _ in range(workers):
            cluster.worker()
        yield cluster
