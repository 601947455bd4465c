"""Runs that are killed: a model that notes what it trains, and a process that ends itself at a given event."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from mexbench import cli
from mexbench.interfaces import Clip, Model, Predictor, Sample
from mexbench.registry.catalogue import Catalogue, load_catalogue
from tests.helpers import Toy, entry, with_plugins

CONFIG = """\
dataset: {plugin: slowtoy, subjects: 4}
protocol: loso
models: [{plugin: noting, name: a}, {plugin: noting, name: b, power: 2}]
seeds: [0, 1]
"""
TASKS = 4 * 2 * 2
#: Names the process of the run, which its workers inherit.
RUN = "MEXBENCH_TESTED_RUN"


def pause(name: str) -> None:
    """Where a named pipe ``name`` lies in the working folder: tell its reader that we are here, wait for a writer."""
    if Path(name).exists():
        Path(name).write_text(str(os.getpid()))
        Path(name).read_text()


class SlowToy(Toy):
    """Pause at the last sample but one."""

    def load(self, sample: Sample) -> Clip:
        if sample.sample_id == "toy/p3/c2":
            pause("load")
        return super().load(sample)


@dataclass(frozen=True, kw_only=True)
class Noting(Model):
    """Say by name, seed, held-out subject, process and run what is trained, in a file; score by noise of the seed.

    Args:
        power: Of the noise.
    """

    power: int = 1

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        held_out = ({f"toy/p{index}" for index in range(4)} - set(groups)).pop()
        with Path("notes.txt").open("a", encoding="utf-8") as notes:
            notes.write(f"{'ab'[self.power - 1]} {seed} {held_out} {os.getpid()} {os.environ.get(RUN, '-')}\n")
        sys.audit("tests.survival.fit", "run/")
        pause(f"{'ab'[self.power - 1]}{seed}-{held_out[4:]}")
        return lambda test: np.random.default_rng([seed, len(x)]).random((len(test), n_classes)) ** self.power


def catalogue() -> Catalogue:
    return with_plugins(load_catalogue(), entry("dataset", SlowToy), entry("model", Noting))


def bench(folder: Path, arguments: tuple[str, ...], kill_at: int | None) -> None:
    """Run the command in a folder and end this process with its exit code.

    What is written to standard streams goes to ``output.txt``; the number of events in the run folder goes to
    ``events.txt``.
    An event is what Python's audit hooks tell of a file in it: opened, renamed, removed, and a training.

    Args:
        folder: The working folder.
        arguments: Of ``bench``.
        kill_at: The event before which this process ends itself with SIGKILL; None for not at all.
    """
    os.chdir(folder)
    os.environ["MEXBENCH_CACHE"] = str(folder / "cache")
    os.environ[RUN] = str(os.getpid())
    events = 0
    inside = ("run/", f"{folder}/run/")  # a checkout may lie in a folder whose name ends in "run"

    def count(event: str, found: tuple[object, ...]) -> None:
        nonlocal events
        if any(os.fsdecode(name).startswith(inside) for name in found if isinstance(name, (str, bytes, os.PathLike))):
            events += 1
            if events == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    with (
        Path("said.txt").open("w", encoding="utf-8", buffering=1) as output,
        mock.patch("mexbench.cli.output.load_catalogue", catalogue),
        redirect_stdout(output),
        redirect_stderr(output),
    ):
        code = cli.main(arguments)
    Path("events.txt").write_text(str(events), encoding="utf-8")
    sys.exit(code)


class Server:
    """Starts processes that have everything imported already: a run of ``bench`` costs what the run costs."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["tests.survival"])

    def start(self, folder: Path, *arguments: str, kill_at: int | None = None) -> Any:  # noqa: ANN401
        process = self.context.Process(target=bench, args=(folder, ("run", "c.yaml", *arguments), kill_at))
        process.start()
        return process

    def run(self, folder: Path, *arguments: str, kill_at: int | None = None) -> int:
        """Return the exit code: minus the signal that ended it."""
        process = self.start(folder, *arguments, kill_at=kill_at)
        process.join()
        return int(process.exitcode)
