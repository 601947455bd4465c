"""Tasks on the workers of a Dask cluster: of this machine, or of many that may share no disk."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

from mexbench.devices import Device
from mexbench.errors import ClusterError
from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.executors.crash_policy import CrashPolicy
from mexbench.evaluation.executors.dask.cluster import Link, started
from mexbench.evaluation.executors.dask.scheduler import DaskScheduler
from mexbench.evaluation.executors.memory import fitting
from mexbench.evaluation.executors.shared_arrays import SharedTrainers, share
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.runs.task import Outcome, TaskGroup


class DaskCluster(Executor):
    """The workers of a cluster that runs; one that joins later is used, one that goes is done without.

    Args:
        link: To its scheduler.
        scratch: Where the copy of the data lies for as long as tasks run; None for the system's temporary folder.
        device: What networks compute on.
        notify_user: Called with what a user should know.
        ours: Whether this process started the workers.
    """

    def __init__(
        self, link: Link, scratch: Path | None, device: Device | None, notify_user: Callable[[str], None], *,
        ours: bool = False,
    ) -> None:  # fmt: skip
        self.link, self.scratch, self.notify_user, self.ours = link, scratch, notify_user, ours
        self.device: Device | None = device

    def run(self, groups: Sequence[TaskGroup], runners: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        """Run every task; one that ends its worker twice fails by name.

        Raises:
            ClusterError: The scheduler is gone, or no worker can be used.
        """
        with share(runners, self.scratch) as shared:
            yield from self.run_shared(groups, shared, runners)

    def run_shared(
        self, groups: Sequence[TaskGroup], shared: SharedTrainers, runners: Mapping[str, TaskRunner]
    ) -> Generator[Outcome]:
        """Run every task of what is shared already."""
        scheduler = DaskScheduler(
            self.link, shared, runners, CrashPolicy(groups, "worker"),
            device=self.device, notify_user=self.notify_user, ours=self.ours,
        )  # fmt: skip
        try:
            yield from scheduler.outcomes()
        except (OSError, TimeoutError) as error:  # in the middle of a message
            raise ClusterError(f"{scheduler.gone()} ({type(error).__name__}: {error})") from None
        finally:
            scheduler.close()


class LocalDaskCluster(Executor):
    """A cluster of this machine, for as long as tasks run.

    Args:
        jobs: How many workers.
        scratch: As in ``DaskCluster``.
        device: As in ``DaskCluster``.
        notify_user: As in ``DaskCluster``.
        memory: Bytes that all processes together may take; None for what is free.
    """

    def __init__(
        self, jobs: int, scratch: Path | None, device: Device | None, notify_user: Callable[[str], None], *,
        memory: int | None = None,
    ) -> None:  # fmt: skip
        self.memory = memory
        self.jobs, self.scratch, self.notify_user = jobs, scratch, notify_user
        self.device: Device | None = device

    def run(self, groups: Sequence[TaskGroup], runners: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        """Run every task; one that ends its worker twice fails by name."""
        jobs = min(fitting(self.jobs, runners, self.notify_user, self.memory), len(groups))
        with share(runners, self.scratch) as shared, started(jobs, shared.folder) as link:
            cluster = DaskCluster(link, None, self.device, self.notify_user, ours=True)
            yield from cluster.run_shared(groups, shared, runners)
