from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.evaluation.executors.base import Serial
from mexbench.evaluation.executors.processes import Processes
from mexbench.interfaces import Model, Predictor
from mexbench.runs.task import Failure, Success, Task
from tests.mexbench.evaluation.test_task_runner import TOGETHER, UNITS, Pair, every, scores, workload


@dataclass(frozen=True, kw_only=True)
class Mortal(Model):
    """Note each training as an empty file, and end the process when told to.

    Args:
        notes: Folder for notes.
        fatal: Seeds that end the process.
        once: Whether they do it the first time alone.
    """

    notes: str
    fatal: tuple[int, ...] = ()
    once: bool = False

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        tries = len(list(Path(self.notes).glob(f"{seed}-*")))
        (Path(self.notes) / f"{seed}-{tries}-{os.getpid()}").touch()
        if seed in self.fatal and not (self.once and tries):
            os.kill(os.getpid(), signal.SIGKILL)
        return lambda test: np.full((len(test), n_classes), seed)


def run(tmp_path: Path, *, jobs: int = 1, count: int = 8, **options: Any) -> tuple[list[Any], dict[int, int]]:  # noqa: ANN401
    """Run tasks with seeds from 0; return the outcomes by seed, and how often each was begun."""
    load = replace(workload(), models={"m": Mortal(notes=str(tmp_path), **options)})
    units = [(Task("m", seed, "1", "x"),) for seed in range(count)]
    outcomes = sorted(Processes(jobs).run(units, every(load)), key=lambda outcome: outcome.task.seed)
    assert [outcome.task.seed for outcome in outcomes] == list(range(count))
    names = [path.name.split("-") for path in tmp_path.iterdir()]
    return outcomes, {seed: sum(int(name[0]) == seed for name in names) for seed in range(count)}


def test_processes_give_what_one_process_gives() -> None:
    for load in (workload(), workload(copies=np.full((6, 2, 1, 2), 100.0))):
        assert scores(list(Processes(2).run(UNITS, every(load)))) == scores(list(Serial().run(UNITS, every(load))))
    load = replace(workload(), models={"pair": Pair()})
    assert scores(list(Processes(2).run(TOGETHER, every(load)))) == scores(list(Serial().run(TOGETHER, every(load))))


def test_a_process_that_dies_takes_its_own_task_alone(tmp_path: Path) -> None:
    outcomes, begun = run(tmp_path, fatal=(1, 5))
    for outcome in outcomes:
        if outcome.task.seed in (1, 5):
            assert isinstance(outcome, Failure)
            assert outcome.error == "its process died, and again when it ran alone (out of memory?)"
        else:
            assert isinstance(outcome, Success)
            assert set(outcome.scores.ravel()) == {outcome.task.seed}
    assert begun == {seed: 2 if seed in (1, 5) else 1 for seed in range(8)}


def test_what_died_once_gets_another_chance(tmp_path: Path) -> None:
    outcomes, begun = run(tmp_path, jobs=2, count=4, fatal=(0,), once=True)
    assert all(isinstance(outcome, Success) for outcome in outcomes)
    assert begun[0] == 2
    assert sum(begun.values()) <= 6  # beside it, what ran in the other process was begun again


@dataclass(frozen=True, kw_only=True)
class Stillborn(Mortal):
    """A model that ends any process that it is sent to."""

    def __setstate__(self, state: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def test_processes_that_cannot_start_are_given_up(tmp_path: Path) -> None:
    load = replace(workload(), models={"m": Stillborn(notes=str(tmp_path))})
    outcomes = list(Processes(2).run([(Task("m", seed, "1", "x"),) for seed in range(3)], every(load)))
    assert [type(outcome) for outcome in outcomes] == [Failure] * 3
    assert {o.error for o in outcomes if isinstance(o, Failure)} == {
        "not started: worker processes die before they begin anything"
    }


@pytest.mark.parametrize("how", ["closed", "interrupted"])
def test_whoever_stops_early_leaves_no_process_and_no_file(tmp_path: Path, how: str) -> None:
    notes, scratch = tmp_path / "notes", tmp_path / "scratch"
    notes.mkdir()
    scratch.mkdir()
    load = replace(workload(), models={"m": Mortal(notes=str(notes))})
    outcomes: Generator[Any] = Processes(2, scratch).run([(Task("m", s, "1", "x"),) for s in range(99)], every(load))
    next(outcomes)
    assert len(list(scratch.iterdir())) == 1
    if how == "closed":
        outcomes.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            outcomes.throw(KeyboardInterrupt())
    assert multiprocessing.active_children() == []
    assert list(scratch.iterdir()) == []
    assert len(list(notes.iterdir())) < 99
