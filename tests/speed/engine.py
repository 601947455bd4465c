"""What the engine costs: tasks of a millisecond, in this process, in another and through Dask, then the run again.

    python -m tests.speed.engine --tasks 100000

The overhead is what a task takes beside its millisecond: waiting for a processor and for the disk included, so a busy
machine shows in it; processor time, of this process alone, does not know of either.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from mexbench import devices

devices.use_one_thread()

import psutil  # noqa: E402

from mexbench.config.run_config import RunConfig  # noqa: E402
from mexbench.evaluation import plan as planning  # noqa: E402
from mexbench.evaluation import run as engine  # noqa: E402
from mexbench.evaluation.executors.base import Executor, InProcess  # noqa: E402
from mexbench.evaluation.executors.dask.executor import LocalDaskCluster  # noqa: E402
from mexbench.evaluation.executors.processes import Processes  # noqa: E402
from mexbench.registry.catalogue import load_catalogue  # noqa: E402
from mexbench.reports.run_report import collect  # noqa: E402
from mexbench.runs.run_folder import RunFolder  # noqa: E402
from mexbench.runs.task import Outcome  # noqa: E402
from tests.helpers import config_of, entry, with_plugins  # noqa: E402
from tests.speed.fakes import MILLISECOND, SUBJECTS, Millisecond, Points  # noqa: E402

WORKERS = 2


def config(tasks: int) -> RunConfig:
    catalogue = with_plugins(load_catalogue(), entry("dataset", Points), entry("model", Millisecond))
    seeds = list(range(max(1, tasks // SUBJECTS)))
    return config_of(f"dataset: points\nprotocol: loso\nmodels: [millisecond]\nseeds: {seeds}", catalogue)


def resident() -> float:
    """Return this process's memory in MB."""
    return psutil.Process().memory_info().rss / 1e6


def measure(
    name: str, plan: planning.Plan, folder: RunFolder, executor: Executor, *, at_once: int, limit: float
) -> None:
    """Run all tasks and print what they cost.

    Args:
        name: Of the executor.
        plan: What to do.
        folder: Where.
        executor: By what.
        at_once: How many tasks compute at the same time.
        limit: Milliseconds that a task may cost beside its own.
    """
    total, done, sizes = len(plan.tasks), 0, []

    def notify(_: Outcome) -> None:
        nonlocal done
        done += 1
        if done % max(1, total // 10) == 0:
            sizes.append(resident())
            print(f"  {done} of {total}, {sizes[-1]:.0f} MB", flush=True)

    start, cpu = time.perf_counter(), time.process_time()
    failures = engine.run(plan, folder, executor, notify=notify)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    assert not failures
    assert done == total
    overhead = 1e3 * (wall / total - MILLISECOND / at_once)
    own = cpu / total - (MILLISECOND if name == "in-process" else 0)
    print(
        f"{name:<10} {overhead:6.2f} ms a task beside its own (limit {limit:.0f}), {1e3 * own:.2f} ms of them this "
        f"process computing; memory after a tenth {sizes[0]:.0f} MB, in the end {sizes[-1]:.0f} MB",
        flush=True,
    )


def main() -> None:
    """Print the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--executor", choices=("in-process", "serial", "dask"), action="append")
    options = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for name in options.executor or ("in-process", "serial", "dask"):
        with tempfile.TemporaryDirectory() as where:
            plan = planning.plan(config(options.tasks))
            folder = RunFolder(Path(where) / "run")
            folder.path.mkdir()
            if name == "in-process":
                measure(name, plan, folder, InProcess(), at_once=1, limit=5)
            elif name == "serial":
                measure(name, plan, folder, Processes(1, folder.path), at_once=1, limit=5)
            else:
                measure(
                    name, plan, folder, LocalDaskCluster(WORKERS, folder.path, None, print), at_once=WORKERS, limit=10
                )
            cpu, again = -time.process_time(), resume(options.tasks, folder)
            cpu += time.process_time()
            print(
                f"{'again':<10} {again:6.2f} s, {cpu:.2f} s of them computing, for the finished run of "
                f"{len(plan.tasks)} tasks (limit 20 s for 100,000)",
                flush=True,
            )


def resume(tasks: int, folder: RunFolder) -> float:
    """Return the seconds of what a second ``bench run`` does before it scores: plan, look, run nothing, read all."""
    start = time.perf_counter()
    plan = planning.plan(config(tasks))
    waiting = engine.missing(plan, folder)
    engine.run(plan, folder, InProcess(), waiting=waiting)
    assert not waiting
    assert collect(plan, folder).complete
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
