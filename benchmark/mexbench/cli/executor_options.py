"""The arguments that say where tasks run."""

from __future__ import annotations

import argparse
import re
from typing import get_args

from mexbench import devices
from mexbench.cli.output import positive
from mexbench.evaluation.executors.choice import ExecutorName, WorkerSettings


def add_jobs_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command that trains has."""
    parser.add_argument("--jobs", type=positive, metavar="N", help="tasks at the same time (default: 1)")
    parser.add_argument(
        "--task-timeout",
        type=_seconds,
        metavar="SECONDS",
        help="stop a task that takes longer, and have it fail (default: no limit)",
    )
    add_memory_argument(parser)
    parser.add_argument(
        "--in-process",
        action="store_true",
        help="run tasks in the process of bench itself, where a task that crashes or hangs ends the run and a plugin "
        "can read the labels of test sides: for debugging",
    )
    parser.add_argument(
        "--device", choices=get_args(devices.Device), help="what networks compute on (default: a GPU where JAX has one)"
    )


def add_memory_argument(parser: argparse.ArgumentParser) -> None:
    """Add the limit of memory."""
    parser.add_argument(
        "--memory",
        type=size_in_bytes,
        metavar="SIZE",
        help="how much all processes may take together, as in 2GB or 512MiB: trainings that need more are refused "
        "before any starts, and fewer of --jobs start (default: as many start as fit into what is free)",
    )


def add_where_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all arguments that say where tasks run."""
    add_jobs_arguments(parser)
    parser.add_argument(
        "--executor",
        choices=get_args(ExecutorName),
        help="where tasks run: one after the other in a process of their own, in several processes of this machine, on "
        "a Dask cluster, of this machine without --scheduler (default: serial, or processes where --jobs is above 1)",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="with --executor dask: of a running cluster, as in tcp://HOST:PORT"
    )


def worker_settings(options: argparse.Namespace) -> WorkerSettings:
    """Return what the arguments ask for."""
    return WorkerSettings(
        executor=getattr(options, "executor", None),
        jobs=options.jobs,
        device=options.device,
        scheduler=getattr(options, "scheduler", None),
        in_process=options.in_process,
        task_timeout=options.task_timeout,
        memory=options.memory,
    )


def size_in_bytes(text: str) -> int:
    """Return the bytes that a text such as ``2GB``, ``1.5 GiB`` or ``800M`` means.

    Raises:
        argparse.ArgumentTypeError: It is not a size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)(B?)\s*", text, re.IGNORECASE | re.ASCII)
    if match is None or not (match[2] or match[4]) or (match[3] and not match[2]):
        raise argparse.ArgumentTypeError(f"expected a size with its unit, as in 2GB, 512MB or 1.5GiB, got {text!r}")
    size = int(float(match[1]) * (1024 if match[3] else 1000) ** " KMGT".index(match[2].upper() or " "))
    if not 0 < size < 2**63:
        raise argparse.ArgumentTypeError(f"expected a size above 0, got {text!r}")
    return size


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text}")
    return value
