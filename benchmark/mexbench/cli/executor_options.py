"""The arguments that say where tasks run."""

from __future__ import annotations

import argparse
from typing import get_args

from mexbench import devices
from mexbench.cli.output import positive
from mexbench.evaluation.executors.choice import ExecutorName, WorkerSettings


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
        choices=get_args(ExecutorName),
        help="where tasks run: in this process, in processes of this machine, on a Dask cluster, of this machine "
        "without --scheduler (default: serial, or processes where --jobs is above 1)",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="with --executor dask: of a running cluster, as in tcp://HOST:PORT"
    )


def worker_settings(options: argparse.Namespace) -> WorkerSettings:
    """Return what the arguments ask for."""
    return WorkerSettings(
        executor=options.executor, jobs=options.jobs, device=options.device, scheduler=options.scheduler
    )
