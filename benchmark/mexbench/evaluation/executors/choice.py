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
from mexbench.evaluation.executors.base import Executor, Serial

ExecutorName = Literal["serial", "processes", "dask"]


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """Where tasks run.

    Args:
        executor: In this process, in processes of this machine or on a Dask cluster; None chooses by ``jobs``.
        jobs: Tasks at the same time; None is 1.
        device: What networks compute on; None leaves the choice to JAX.
        scheduler: Address of a Dask cluster that runs already.
    """

    executor: ExecutorName | None = None
    jobs: int | None = None
    device: devices.Device | None = None
    scheduler: str | None = None

    def prepare(self) -> None:
        """Check that the settings agree with each other, and choose the device, before anything heavy is loaded.

        Raises:
            ConfigError: Two settings contradict each other.
            ClusterError: Dask is not installed.
            DeviceError: There is no such device.
        """
        if self.scheduler is not None and self.executor != "dask":
            raise ConfigError("--scheduler is for --executor dask alone: give both, or leave --scheduler out")
        if self.scheduler is not None and self.jobs is not None:
            raise ConfigError(
                "--jobs is for workers that are started here, and a cluster with --scheduler has its own: leave one out"
            )
        if self.executor == "serial" and (self.jobs or 1) > 1:
            raise ConfigError(f"--executor serial does one task at a time, not {self.jobs}: leave one of the two out")
        if self.executor == "dask":
            from mexbench.evaluation.executors.dask.cluster import check_dask

            check_dask()
        devices.choose(self.device, self.jobs or 1)


def local_executor(jobs: int | None, scratch: Path, message: Callable[[str], None]) -> Executor:
    """Choose by the number of jobs: this process, or several processes of this machine."""
    if jobs in (None, 1):
        return Serial()
    from mexbench.evaluation.executors.processes import Processes

    return Processes(jobs, scratch, message)


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
            yield dask_executor.LocalDaskCluster(settings.jobs or 1, folder, settings.device, message)
            return
        with dask_cluster.connected(settings.scheduler) as link:
            recipes = {model.name: Recipe.of(model.instance) for model in config.models}
            dask_cluster.check_worker_versions(link, recipes, settings.device)
            yield dask_executor.DaskCluster(link, folder, settings.device, message)
    elif settings.executor == "processes":
        from mexbench.evaluation.executors.processes import Processes

        yield Processes(settings.jobs or 1, folder, message)
    else:
        yield local_executor(settings.jobs, folder, message)
