"""Tasks on the workers of a Dask cluster: of this machine, or of many that may share no disk."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

from mexbench.devices import Device
from mexbench.errors import ClusterError
from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.executors.dask.cluster import Link, started
from mexbench.evaluation.executors.dask.scheduler import DaskScheduler
from mexbench.evaluation.executors.dask.worker import Recipe
from mexbench.evaluation.executors.memory import fitting
from mexbench.evaluation.executors.shared_arrays import Shared, share
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.runs.task import Outcome, TaskGroup


class DaskCluster(Executor):
    """The workers of a cluster that runs; one that joins later is used, one that goes is done without.

    Args:
        link: To its scheduler.
        scratch: Where the copy of the data lies for as long as tasks run; None for the system's temporary folder.
        device: What networks compute on.
        tell: Called with what a user should know.
        ours: Whether this process started the workers.
    """

    def __init__(
        self, link: Link, scratch: Path | None, device: Device | None, tell: Callable[[str], None], *,
        ours: bool = False,
    ) -> None:  # fmt: skip
        self.link, self.scratch, self.tell, self.ours = link, scratch, tell, ours
        self.device: Device | None = device

    def run(self, units: Sequence[TaskGroup], workloads: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        """Run every task; one that ends its worker twice fails by name.

        Raises:
            ClusterError: The scheduler is gone, or no worker can be used.
        """
        with share(workloads, self.scratch) as shared:
            yield from self.run_shared(units, shared, recipes_of(workloads))

    def run_shared(
        self, units: Sequence[TaskGroup], shared: Shared, recipes: Mapping[str, Recipe]
    ) -> Generator[Outcome]:
        """Run every task of what is shared already."""
        crew = DaskScheduler(self.link, shared, recipes, self.device, self.tell, ours=self.ours)
        try:
            yield from crew.outcomes(units)
        except (OSError, TimeoutError) as error:  # in the middle of a message
            raise ClusterError(f"{crew.gone()} ({type(error).__name__}: {error})") from None
        finally:
            crew.dismiss()


class LocalDaskCluster(Executor):
    """A cluster of this machine, for as long as tasks run.

    Args:
        jobs: How many workers.
        scratch: As in ``DaskCluster``.
        device: As in ``DaskCluster``.
        tell: As in ``DaskCluster``.
    """

    def __init__(self, jobs: int, scratch: Path | None, device: Device | None, tell: Callable[[str], None]) -> None:
        self.jobs, self.scratch, self.tell = jobs, scratch, tell
        self.device: Device | None = device

    def run(self, units: Sequence[TaskGroup], workloads: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        """Run every task; one that ends its worker twice fails by name."""
        jobs = min(fitting(self.jobs, workloads, self.tell), len(units))
        with share(workloads, self.scratch) as shared, started(jobs, shared.folder) as link:
            cluster = DaskCluster(link, None, self.device, self.tell, ours=True)
            yield from cluster.run_shared(units, shared, recipes_of(workloads))


def recipes_of(workloads: Mapping[str, TaskRunner]) -> dict[str, Recipe]:
    """Describe the models that workloads are for."""
    return {name: Recipe.of(workload.models[name]) for name, workload in workloads.items()}
