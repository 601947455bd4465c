"""Where tasks run: the arguments that say so, and the executor that they mean."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from mexbench import devices
from mexbench.cli.output import positive, say
from mexbench.config.run_config import RunConfig
from mexbench.errors import ConfigError
from mexbench.evaluation.executors.base import Executor, Serial


def add_jobs_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command that trains has."""
    parser.add_argument("--jobs", type=positive, metavar="N", help="tasks at the same time (default: 1)")
    parser.add_argument(
        "--device", choices=get_args(devices.Device), help="what networks compute on (default: a GPU where JAX has one)"
    )


def add_where_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all arguments that say where tasks run."""
    add_jobs_arguments(parser)
    parser.add_argument(
        "--executor",
        choices=("serial", "processes", "dask"),
        help="where tasks run: in this process, in processes of this machine, on a Dask cluster, of this machine "
        "without --scheduler (default: serial, or processes where --jobs is above 1)",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="with --executor dask: of a cluster that runs, as in tcp://HOST:PORT"
    )


def check_contradictions(options: argparse.Namespace) -> None:
    """Refuse arguments that cannot all be meant, and Dask where it is not installed.

    Raises:
        ConfigError: Names both.
        ClusterError: Dask is not installed.
    """
    if options.scheduler is not None and options.executor != "dask":
        raise ConfigError("--scheduler is for --executor dask alone: give both, or leave --scheduler out")
    if options.scheduler is not None and options.jobs is not None:
        raise ConfigError(
            "--jobs is for workers that are started here, and a cluster with --scheduler has its own: leave one out"
        )
    if options.executor == "serial" and (options.jobs or 1) > 1:
        raise ConfigError(f"--executor serial does one task at a time, not {options.jobs}: leave one of the two out")
    if options.executor == "dask":
        from mexbench.evaluation.executors.dask.cluster import check_dask

        check_dask()


def local_executor(jobs: int | None, scratch: Path) -> Executor:
    """Choose by the number of jobs."""
    if jobs in (None, 1):
        return Serial()
    from mexbench.evaluation.executors.processes import Processes

    return Processes(jobs, scratch, say)


@contextmanager
def executor_of(options: argparse.Namespace, config: RunConfig, folder: Path) -> Iterator[Executor]:
    """Open the executor that arguments mean; a cluster that cannot be used is refused before anything is read.

    Args:
        options: The arguments.
        config: Whose models will be trained.
        folder: The run folder, where the copy of the data for other processes lies.

    Raises:
        ClusterError: The scheduler cannot be reached, or its workers would compute with something else.
    """
    if options.executor == "dask":
        from mexbench.evaluation.executors.dask import cluster as dask_cluster
        from mexbench.evaluation.executors.dask import executor as dask_executor
        from mexbench.evaluation.executors.dask.worker import Recipe

        if options.scheduler is None:
            yield dask_executor.LocalDaskCluster(options.jobs or 1, folder, options.device, say)
            return
        with dask_cluster.connected(options.scheduler) as link:
            recipes = {model.name: Recipe.of(model.instance) for model in config.models}
            dask_cluster.check_worker_versions(link, recipes, options.device)
            yield dask_executor.DaskCluster(link, folder, options.device, say)
    elif options.executor == "processes":
        from mexbench.evaluation.executors.processes import Processes

        yield Processes(options.jobs or 1, folder, say)
    else:
        yield local_executor(options.jobs, folder)
