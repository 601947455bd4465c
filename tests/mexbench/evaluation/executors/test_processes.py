from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from mexbench.errors import PluginError
from mexbench.evaluation.executors import child_process
from mexbench.evaluation.executors.base import InProcess
from mexbench.evaluation.executors.processes import Processes
from mexbench.interfaces import Model, Predictor
from mexbench.runs.task import Failure, Success, Task
from tests.helpers import SEARCH_PATH
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
    groups = [(Task("m", seed, "1", "x"),) for seed in range(count)]
    outcomes = sorted(Processes(jobs).run(groups, every(load)), key=lambda outcome: outcome.task.seed)
    assert [outcome.task.seed for outcome in outcomes] == list(range(count))
    names = [path.name.split("-") for path in tmp_path.iterdir()]
    return outcomes, {seed: sum(int(name[0]) == seed for name in names) for seed in range(count)}


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "executors.child" in " ".join(p.cmdline())]


@pytest.mark.parametrize("jobs", [1, 2])
def test_processes_give_what_one_process_gives(jobs: int) -> None:
    for load in (workload(), workload(copies=np.full((6, 2, 1, 2), 100.0))):
        assert scores(list(Processes(jobs).run(UNITS, every(load)))) == scores(
            list(InProcess().run(UNITS, every(load)))
        )
    load = replace(workload(), models={"pair": Pair()})
    assert scores(list(Processes(jobs).run(TOGETHER, every(load)))) == scores(
        list(InProcess().run(TOGETHER, every(load)))
    )
    assert children() == []


def files_below(folder: Path, processes: list[psutil.Process]) -> list[str]:
    """The files in a folder that processes read, removed ones too."""
    mapped = [map_.path for process in processes for map_ in process.memory_maps()]
    opened = [str(link.readlink()) for process in processes for link in Path(f"/proc/{process.pid}/fd").iterdir()]
    return [path for path in (*mapped, *opened) if path.startswith(str(folder))]


@pytest.mark.parametrize("jobs", [1, 2])
def test_processes_are_reused_by_the_next_run_without_the_files_of_the_last_one(jobs: int, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    noted = replace(workload(), models={"m": Mortal(notes=str(tmp_path / "notes"))})
    groups = [(Task("m", seed, "1", "x"),) for seed in range(8)]
    with Processes(jobs, tmp_path) as executor:
        for load in (workload(), workload(copies=np.full((6, 2, 1, 2), 100.0))):
            assert scores(list(executor.run(UNITS, every(load)))) == scores(list(InProcess().run(UNITS, every(load))))
            spare = children()
            assert len(spare) == jobs
            assert [path.name for path in tmp_path.iterdir()] == ["notes"]
            if sys.platform == "linux":
                assert files_below(tmp_path, spare) == []
        assert all(isinstance(outcome, Success) for outcome in executor.run(groups, every(noted)))
        assert children() == spare
    assert children() == []
    used = {int(path.name.split("-")[2]) for path in (tmp_path / "notes").iterdir()}
    assert used <= {process.pid for process in spare}


def test_a_spare_process_that_ended_or_has_another_search_path_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = replace(workload(), models={"m": Mortal(notes=str(tmp_path), fatal=(2,), once=True)})

    def pids(executor: Processes, seed: int) -> list[int]:
        (outcome,) = executor.run([(Task("m", seed, "1", "x"),)], every(load))
        assert isinstance(outcome, Success)
        return sorted(int(path.name.split("-")[2]) for path in tmp_path.glob(f"{seed}-*"))

    with Processes() as executor:
        assert pids(executor, 0) == pids(executor, 1)
        (spare,) = children()
        spare.kill()
        psutil.wait_procs([spare])
        (new,) = pids(executor, 3)
        assert new != spare.pid
        assert len(set(pids(executor, 2))) == 2, "a process of the last run that dies is one that dies"
        (before,) = children()
        monkeypatch.syspath_prepend(str(tmp_path))
        (after,) = pids(executor, 4)
        assert after != before.pid
    assert children() == []


def test_one_process_runs_many_tasks(tmp_path: Path) -> None:
    run(tmp_path, count=5)
    processes = {path.name.split("-")[2] for path in tmp_path.iterdir()}
    assert len(processes) == 1
    assert processes != {str(os.getpid())}


def test_a_process_that_dies_takes_its_own_task_alone(tmp_path: Path) -> None:
    outcomes, begun = run(tmp_path, fatal=(1, 5))
    for outcome in outcomes:
        if outcome.task.seed in (1, 5):
            assert isinstance(outcome, Failure)
            assert outcome.error == "its process died (SIGKILL), and again when it ran alone (out of memory?)"
        else:
            assert isinstance(outcome, Success)
            assert set(outcome.scores.ravel()) == {outcome.task.seed}
    assert begun == {seed: 2 if seed in (1, 5) else 1 for seed in range(8)}


def test_a_task_whose_process_died_once_gets_another_try(tmp_path: Path) -> None:
    outcomes, begun = run(tmp_path, jobs=2, count=4, fatal=(0,), once=True)
    assert all(isinstance(outcome, Success) for outcome in outcomes)
    assert begun == {0: 2, 1: 1, 2: 1, 3: 1}


class Unprintable(Exception):  # noqa: N818 - an error of a test
    def __str__(self) -> str:
        raise RuntimeError


def never_end() -> None:
    threading.Event().wait()


def crash() -> None:
    ctypes.string_at(0)


def close_everything() -> None:
    os.closerange(0, 100)
    never_end()


def write_to_every_pipe() -> None:
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"\xff" * 64)
        except OSError:
            continue
    never_end()


def leave_a_child_behind() -> None:
    if os.fork() == 0:
        os.setsid()
        signal.alarm(5)
        never_end()  # holds the pipes of its parent, whose end must be noticed all the same
    os._exit(3)


def raises(error: BaseException) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do


DEEDS: dict[str, tuple[Callable[[], object], str]] = {
    "exit 0": (lambda: os._exit(0), "its process ended with exit code 0, and again when it ran alone"),
    "crash": (crash, "its process died (SIGSEGV), and again when it ran alone"),
    "abort": (os.abort, "its process died (SIGABRT), and again when it ran alone"),
    "alarm": (
        lambda: (signal.setitimer(signal.ITIMER_REAL, 0.01), never_end()),
        "its process died (SIGALRM), and again when it ran alone",
    ),
    "hang": (never_end, "stopped: not done after 2 s, the limit of a task"),
    "hang in C": (lambda: ctypes.PyDLL(None).pause(), "stopped: not done after 2 s, the limit of a task"),
    "close": (close_everything, "its process sent what is not an answer, and again when it ran alone"),
    "write": (write_to_every_pipe, "its process sent what is not an answer, and again when it ran alone"),
    "orphan": (leave_a_child_behind, "its process ended with exit code 3, and again when it ran alone"),
    "sys.exit": (lambda: sys.exit(0), "SystemExit: 0"),
    "interrupt": (raises(KeyboardInterrupt("no")), "KeyboardInterrupt: no"),
    "generator exit": (raises(GeneratorExit("no")), "GeneratorExit: no"),
    "base": (raises(BaseException("no")), "BaseException: no"),
    "unprintable": (raises(Unprintable()), "Unprintable: <its text raises RuntimeError>"),
    "surrogate": (raises(ValueError("a\ud800b")), "ValueError: a\\ud800b"),
    "long": (raises(ValueError("x" * 10_000)), f"ValueError: {'x' * 1988} [...] {'x' * 2000}"),
}


@dataclass(frozen=True, kw_only=True)
class Hostile(Model):
    """Do a deed where the seed is 1.

    Args:
        deed: Which.
        where: ``fit`` or ``predict``.
    """

    deed: str
    where: str = "fit"

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        def predict(test: Any) -> Any:  # noqa: ANN401
            self.act(seed, "predict")
            return np.full((len(test), n_classes), seed)

        self.act(seed, "fit")
        return predict

    def act(self, seed: int, where: str) -> None:
        if seed == 1 and self.where == where:
            DEEDS[self.deed][0]()


def run_hostile(model: Model, task_timeout: float = 60) -> list[Any]:
    load = replace(workload(), models={"m": model})
    groups = [(Task("m", seed, "1", "x"),) for seed in range(3)]
    outcomes = list(Processes(1, task_timeout=task_timeout).run(groups, every(load)))
    assert children() == []
    assert [outcome.task.seed for outcome in sorted(outcomes, key=lambda o: o.task.seed)] == [0, 1, 2]
    return sorted(outcomes, key=lambda outcome: outcome.task.seed)


@pytest.mark.parametrize("deed", DEEDS)
def test_whatever_a_task_does_is_the_failure_of_that_task(deed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if deed in ("close", "write", "orphan"):  # waiting long for the end of what never ends shows nothing more
        monkeypatch.setattr(child_process, "_ENDING_S", 0.5)
    first, second, third = run_hostile(Hostile(deed=deed), 2 if "hang" in deed else 60)
    assert isinstance(first, Success)
    assert isinstance(second, Failure)
    if deed == "close":  # which of its closed files the process misses first depends on the moment
        assert second.error.startswith("its process ")
    else:
        assert second.error == DEEDS[deed][1]
    assert isinstance(third, Success)
    second.trace.encode()
    if deed == "crash":
        assert "in crash" in second.trace  # where it was


def test_a_prediction_that_ends_its_process_fails_like_a_training() -> None:
    outcomes = run_hostile(Hostile(deed="exit 0", where="predict"))
    assert [type(outcome) for outcome in outcomes] == [Success, Failure, Success]


@dataclass(frozen=True, kw_only=True)
class Lingering(Model):
    """Leave a thread that keeps its process from ending, and a warning whose text cannot be written as it is."""

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        threading.Thread(target=never_end).start()
        warnings.warn("half \ud83d", UserWarning, stacklevel=1)
        print("a line of a plugin")  # noqa: T201 - as plugins do
        sys.stdout = None
        return lambda test: np.zeros((len(test), n_classes))


def test_a_thread_that_lingers_keeps_nothing_from_ending(capfd: pytest.CaptureFixture[str]) -> None:
    first, *_ = run_hostile(Lingering())
    assert isinstance(first, Success)
    assert first.warnings == ("UserWarning: half \\ud83d",)
    captured = capfd.readouterr()
    assert captured.out == ""  # which is for the results of a command
    assert captured.err == "a line of a plugin\n"


def test_what_a_plugin_reads_from_standard_input_is_empty() -> None:
    load = replace(workload(), models={"m": Reading()})
    (outcome,) = Processes(1, task_timeout=60).run([(Task("m", 0, "1", "x"),)], every(load))
    assert isinstance(outcome, Success)
    assert set(outcome.scores.ravel()) == {0}


@dataclass(frozen=True, kw_only=True)
class Reading(Model):
    """Score by the number of characters of standard input."""

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        count = len(sys.stdin.read())
        return lambda test: np.full((len(test), n_classes), count)


@dataclass(frozen=True, kw_only=True)
class Snooping(Model):
    """Score by what labels and subjects the process holds, as far as Python's garbage collector knows."""

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        def predict(test: Any) -> Any:  # noqa: ANN401
            seen: set[int] = set()
            frame: Any = sys._getframe()
            while frame is not None:
                pending = [frame.f_locals]
                while pending:
                    value = pending.pop()
                    if isinstance(value, dict):
                        pending += value.values()
                    elif isinstance(value, (list, tuple)):
                        pending += value
                    elif isinstance(value, np.ndarray) and value.dtype.kind in "iU" and value.ndim:
                        seen |= {int(v) for v in value.ravel() if str(v).isdigit() and int(v) >= 1000}
                    elif type(value).__module__.startswith("mexbench.") and hasattr(value, "__dict__"):
                        pending.append(vars(value))
                frame = frame.f_back
            return np.tile([[len(seen), *sorted(seen)][:n_classes] + [0] * (n_classes - 1 - len(seen))], (len(test), 1))

        return predict


@pytest.mark.parametrize("executor", [Processes(1), InProcess()])
def test_a_model_that_inspects_its_callers_finds_no_label_of_a_test_side(executor: Processes | InProcess) -> None:
    """In this process it would: that is what the other one is for, and shows that the model looks well."""
    load = replace(
        workload(),
        models={"m": Snooping()},
        y=np.array([1000, 1001, 1002, 1003, 1004, 1005]),
        n_classes=12,
    )
    (outcome,) = executor.run([(Task("m", 0, "2", "x"),)], every(load))  # 0 to 3 train, 4 and 5 test
    assert isinstance(outcome, Success)
    count, *labels = outcome.scores[0].astype(int)
    expected = [1000, 1001, 1002, 1003] if isinstance(executor, Processes) else list(range(1000, 1006))
    assert labels[:count] == expected


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
        "not started: processes die before they begin anything"
    }


@dataclass(frozen=True, kw_only=True)
class Unloadable(Mortal):
    """A model that raises where it is received."""

    def __setstate__(self, state: object) -> None:
        raise ValueError("not\nhere")


def test_a_model_that_cannot_be_received_fails_with_its_reason(tmp_path: Path) -> None:
    load = replace(workload(), models={"m": Unloadable(notes=str(tmp_path))})
    (outcome,) = Processes().run([(Task("m", 0, "1", "x"),)], every(load))
    assert isinstance(outcome, Failure)
    assert outcome.error == "not started: a worker process cannot use what it is sent: ValueError: not here"


def test_a_model_that_cannot_be_sent_is_refused() -> None:
    class Local(Pair):
        pass

    load = replace(workload(), models={"mine": Local()})
    with pytest.raises(PluginError, match=r"^model 'mine' cannot be sent to another process: .*Local.*--in-process"):
        list(Processes().run([(Task("mine", 0, "1", "x"),)], every(load)))


@pytest.mark.parametrize("guard", [True, False])
def test_a_script_is_not_run_again(tmp_path: Path, guard: bool) -> None:
    """A script without a main guard; a model that it defines is refused, one of a module runs."""
    body = textwrap.dedent("""
        from tests.mexbench.evaluation.test_task_runner import UNITS, Spy, every, workload
        from mexbench.evaluation.executors.processes import Processes
        from mexbench.errors import PluginError
        from dataclasses import replace

        class Mine(Spy):
            pass

        print("once")
        print(len(list(Processes(2).run(UNITS, every(workload())))))
        try:
            list(Processes().run(UNITS, every(replace(workload(), models={"spy": Mine()}))))
        except PluginError as error:
            print(error)
    """)
    script = tmp_path / "script.py"
    if guard:
        body = "def main():\n" + textwrap.indent(body, "    ") + "\nif __name__ == '__main__':\n    main()\n"
        body = body.replace("class Mine", "global Mine\n    class Mine")
    script.write_text(body)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": SEARCH_PATH},
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines()[:2] == ["once", "2"]
    assert done.stdout.splitlines()[2].startswith(
        "model 'spy' cannot be sent to another process: it is defined in a script or a notebook; define it in a module"
    )


@pytest.mark.parametrize("how", ["closed", "interrupted"])
def test_stopping_early_leaves_no_process_and_no_file(tmp_path: Path, how: str) -> None:
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
    assert children() == []
    assert list(scratch.iterdir()) == []
    assert len(list(notes.iterdir())) < 99
