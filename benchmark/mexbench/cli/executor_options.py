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
from mexbench.evaluation.executors.base import Executor, InProcess


def add_jobs_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command that trains has."""
    parser.add_argument("--jobs", type=positive, metavar="N", help="tasks at the same time (default: 1)")
    parser.add_argument(
        "--task-timeout",
        type=_seconds,
        metavar="SECONDS",
        help="stop a task that takes longer, and have it fail (default: no limit)",
    )
    parser.add_argument(
        "--in-process",
        action="store_true",
        help="run tasks in the process of bench itself, where a task that crashes or hangs ends the run and a plugin "
        "can read the labels of test sides: for debugging",
    )
    parser.add_argument(
        "--device", choices=get_args(devices.Device), help="what networks compute on (default: a GPU where JAX has one)"
    )


def add_where_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all arguments that say where tasks run."""
    add_jobs_arguments(parser)
    parser.add_argument(
        "--executor",
        choices=("serial", "processes", "dask"),
        help="where tasks run: one after the other in a process of their own, in several processes of this machine, on "
        "a Dask cluster, of this machine without --scheduler (default: serial, or processes where --jobs is above 1)",
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
    if options.in_process and (options.executor in ("processes", "dask") or (options.jobs or 1) > 1):
        raise ConfigError(
            "--in-process runs one task after the other in this process: leave --jobs and --executor out, or it"
        )
    if options.task_timeout is not None and (options.in_process or options.executor == "dask"):
        raise ConfigError(
            "--task-timeout is for tasks in processes that are started here: leave it out, or --in-process and "
            "--executor dask"
        )
    if options.executor == "dask":
        from mexbench.evaluation.executors.dask.cluster import check_dask

        check_dask()


def local_executor(options: argparse.Namespace, scratch: Path) -> Executor:
    """Return the executor of this machine that arguments ask for."""
    if options.in_process:
        return InProcess()
    from mexbench.evaluation.executors.processes import Processes

    return Processes(options.jobs or 1, scratch, say, task_timeout=options.task_timeout)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text}")
    return value


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
    else:
        yield local_executor(options, folder)
