"""Where tasks run: what a user may ask for, and the executor that it means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mexbench import devices
from mexbench.config.run_config import RunConfig
from mexbench.errors import ConfigError
from mexbench.evaluation.executors.base import Executor, InProcess

ExecutorName = Literal["serial", "processes", "dask"]


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """Where tasks run.

    Args:
        executor: One after the other in a process of their own, in several processes of this machine, or on a Dask
            cluster; None chooses by ``jobs``.
        jobs: Tasks at the same time; None is 1.
        device: What networks compute on; None leaves the choice to JAX.
        scheduler: Address of a Dask cluster that runs already.
        in_process: Run tasks in this process, where one that crashes or hangs ends the run: for debugging, and for
            models that cannot be sent to another process.
        task_timeout: Seconds after which a task is stopped and fails; None for no limit.
        memory: Bytes that all processes of this machine may take together, as far as that is estimated beforehand: a
            training that needs more is refused, fewer workers start, and less is read ahead. With ``scheduler``, that
            each worker may take beside this process. None for what is free when the tasks start.
    """

    executor: ExecutorName | None = None
    jobs: int | None = None
    device: devices.Device | None = None
    scheduler: str | None = None
    in_process: bool = False
    task_timeout: float | None = None
    memory: int | None = None

    def prepare(self) -> None:
        """Check that the settings agree with each other, and choose the device, before anything heavy is loaded.

        Raises:
            ConfigError: Two settings contradict each other.
            ClusterError: Dask is not installed.
            DeviceError: The device was not found.
        """
        if self.scheduler is not None and self.executor != "dask":
            raise ConfigError("--scheduler is for --executor dask alone: give both, or leave --scheduler out")
        if self.scheduler is not None and self.jobs is not None:
            raise ConfigError(
                "--jobs is for workers that are started here, and a cluster with --scheduler has its own: leave one out"
            )
        if self.executor == "serial" and (self.jobs or 1) > 1:
            raise ConfigError(f"--executor serial does one task at a time, not {self.jobs}: leave one of the two out")
        if self.in_process and (self.executor in ("processes", "dask") or (self.jobs or 1) > 1):
            raise ConfigError(
                "--in-process runs one task after the other in this process: leave --jobs and --executor out, or it"
            )
        if self.task_timeout is not None and (self.in_process or self.executor == "dask"):
            raise ConfigError(
                "--task-timeout is for tasks in processes that are started here: leave it out, or --in-process and "
                "--executor dask"
            )
        if self.executor == "dask":
            from mexbench.evaluation.executors.dask.cluster import check_dask

            check_dask()
        devices.choose(self.device)


def local_executor(settings: WorkerSettings, scratch: Path, message: Callable[[str], None]) -> Executor:
    """Return the executor of this machine that settings ask for."""
    if settings.in_process:
        return InProcess()
    from mexbench.evaluation.executors.processes import Processes

    return Processes(settings.jobs or 1, scratch, message, task_timeout=settings.task_timeout, memory=settings.memory)


@contextmanager
def open_executor(
    settings: WorkerSettings, config: RunConfig, folder: Path, message: Callable[[str], None]
) -> Iterator[Executor]:
    """Open the executor that settings ask for; a cluster that cannot be used is refused before any data is read.

    Args:
        settings: What is asked for.
        config: Whose models will be trained.
        folder: The run folder, where the copy of the data for other processes is written.
        message: Called with what a user should know.

    Raises:
        ClusterError: The scheduler cannot be reached, or its workers would compute with something else.
    """
    if settings.executor == "dask":
        from mexbench.evaluation.executors.dask import cluster as dask_cluster
        from mexbench.evaluation.executors.dask import executor as dask_executor
        from mexbench.evaluation.executors.dask.worker import Recipe

        if settings.scheduler is None:
            yield dask_executor.LocalDaskCluster(
                settings.jobs or 1, folder, settings.device, message, memory=settings.memory
            )
            return
        with dask_cluster.connected(settings.scheduler) as link:
            recipes = {model.name: Recipe.of(model.instance) for model in config.models}
            dask_cluster.check_worker_versions(link, recipes, settings.device)
            yield dask_executor.DaskCluster(link, folder, settings.device, message)
    else:
        yield local_executor(settings, folder, message)
