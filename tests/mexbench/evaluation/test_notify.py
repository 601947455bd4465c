"""Who watches a run is told what happened, and cannot change it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mexbench import hookimpl
from mexbench.cli import run as run_command
from mexbench.config import loader as config_reader
from mexbench.errors import PluginError
from mexbench.evaluation import notify as observing
from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation.executors.base import InProcess
from mexbench.interfaces import hookspecs
from mexbench.interfaces.observer import Observer, RunDone, RunStarted, TaskDone
from mexbench.registry.catalogue import EVENTS, Catalogue, load_catalogue
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.task import Success
from mexbench.testing import assert_conforms
from tests.helpers import Ran, config_of, entry, with_plugins

CONFIG = "dataset: {plugin: synthetic, subjects: 3, clips: 6}\nprotocol: loso\nmodels: [majority, svm]\nseeds: [0, 1]\n"
MODULE = """
from mexbench import hookimpl
TOLD = []

@hookimpl
def bench_run_started(run):
    print("hello")
    TOLD.append(run)

@hookimpl
def bench_task_done(task):
    TOLD.append(task)

@hookimpl
def bench_run_done(run):
    TOLD.append(run)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Install a distribution with one module; returns it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(source: str) -> Any:  # noqa: ANN401
        (tmp_path / "watcher.py").write_text(source)
        info = tmp_path / "watcher-3.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: watcher\nVersion: 3.0\n")
        (info / "entry_points.txt").write_text("[mexbench]\nit = watcher\n")
        monkeypatch.delitem(sys.modules, "watcher", raising=False)
        assert load_catalogue().problems == ()
        return sys.modules["watcher"]

    return install


def rows_without_times(folder: Path) -> list[dict[str, Any]]:
    rows = json.loads((folder / "scores.json").read_text())["rows"]
    return [
        {k: v for k, v in row.items() if k not in ("fit_s", "predict_ms_per_sample", "processor_s")} for row in rows
    ]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_installed_module_is_told_of_every_run(
    config: Path, watcher: Callable[[str], Any], tmp_path: Path, bench: Callable[..., Ran], jobs: str
) -> None:
    messages = watcher(MODULE).TOLD
    ran = bench("run", config, "--out", tmp_path / "run", "--jobs", jobs)
    assert (ran.code, "hello" in ran.out, "hello" in ran.err) == (0, False, True)  # stdout is for results
    started, *tasks, done = messages
    assert isinstance(started, RunStarted)
    assert (started.name, started.folder, started.tasks, started.waiting) == ("c", tmp_path / "run", 12, 12)
    assert (started.dataset, started.flags, list(started.rows)) == ("synthetic", ("synthetic",), ["majority", "svm"])
    assert started.rows["svm"]["C"] == started.config["models"][1]["C"] == 1.0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (started.fingerprint, started.config) == (manifest["config_fingerprint"], manifest["config"])
    assert started.versions["mexbench"] == manifest["versions"]["mexbench"]

    assert {type(task) for task in tasks} == {TaskDone}
    result = {(task.row, task.number): task for task in tasks}
    assert sorted(result) == [(row, number) for row in ("majority", "svm") for number in range(6)]
    assert [(result["svm", n].seed, result["svm", n].fold) for n in range(6)] == [
        (seed, f"synthetic/s{subject:02}") for seed in (0, 1) for subject in (1, 2, 3)
    ]
    assert all(task.error is None and task.fit_s is not None and task.fit_s >= 0 for task in tasks)

    assert isinstance(done, RunDone)
    assert (done.complete, done.interrupted, done.folder) == (True, False, tmp_path / "run")
    assert done.reports == ("leaderboard.md", "scores.json", "predictions.csv", "manifest.json")
    assert done.scores == json.loads((tmp_path / "run" / "scores.json").read_text())
    # What is told task by task is what the reports say: every fold has six samples.
    for row in done.scores["rows"]:
        accuracies = [result[row["model"], number].accuracy for number in range(6)]
        assert [result[row["model"], number].samples for number in range(6)] == [6] * 6
        assert sum(accuracies) / 6 == pytest.approx(row["accuracy"])

    messages.clear()  # again: nothing is left to do
    assert bench("run", config, "--out", tmp_path / "run", "--dry-run").code == 0
    assert messages == []
    assert bench("run", config, "--out", tmp_path / "run").code == 0
    started, done = messages
    assert (started.waiting, done.complete) == (0, True)


def test_another_fault_of_its_distribution_ends_no_run(
    config: Path, watcher: Callable[[str], Any], tmp_path: Path, bench: Callable[..., Ran]
) -> None:
    broken = f"{MODULE}\n@hookimpl\ndef bench_modles(): return {{}}\n"
    with pytest.raises(AssertionError):
        watcher(broken)  # it is a problem of the catalogue
    messages = sys.modules["watcher"].TOLD
    ran = bench("run", config, "--out", tmp_path / "run")
    assert (ran.code, len(messages)) == (0, 14)
    assert (
        "error: plugin distribution watcher 3.0: entry point 'it' = 'watcher': unknown hook 'bench_modles'" in ran.err
    )


class Named(Observer):
    """Watch what is asked for."""

    source = "tests"
    told: ClassVar[list[Any]] = []

    def __init__(self) -> None:
        self.prepared = False

    def prepare(self) -> None:
        self.prepared = True

    @hookimpl
    def bench_task_done(self, task: TaskDone) -> None:
        self.told.append((self.prepared, task))


class Unprepared(Named):
    """Needs what is not there."""

    def prepare(self) -> None:
        raise PluginError("observer 'unprepared' needs a crystal ball: buy one")


class Vandal(Named):
    """Alter all that it is given."""

    @hookimpl
    def bench_run_started(self, run: RunStarted) -> None:
        assert isinstance(run.config, dict)
        run.config["models"].clear()
        run.config["seeds"].clear()

    @hookimpl
    def bench_run_done(self, run: RunDone) -> None:
        for row in run.scores["rows"]:
            row["uf1"] = 1.0
        with pytest.raises(dataclasses.FrozenInstanceError):
            run.complete = False  # type: ignore[misc]


class Leaver(Named):
    """Try to end the program, and say a secret on the way."""

    @hookimpl
    def bench_run_started(self, run: RunStarted) -> None:
        sys.exit(f"no\nmore of {run.name}")


class Failing(Named):
    """Fail at each task, and say so in the count of its calls."""

    calls: ClassVar[list[str]] = []

    @hookimpl
    def bench_task_done(self, task: TaskDone) -> None:
        self.calls.append(task.fold)
        raise ConnectionError("the server\nis gone")

    @hookimpl
    def bench_run_done(self, run: RunDone) -> None:
        self.calls.append("done")


class Deaf(Observer):
    """Have no hook."""

    source = "tests"


class Misspelt(Observer):
    """Have a hook that is none."""

    source = "tests"

    @hookimpl
    def bench_task_down(self, task: TaskDone) -> None: ...


class Greedy(Observer):
    """Ask for what a hook does not give."""

    source = "tests"

    @hookimpl
    def bench_task_done(self, task: TaskDone, labels: object) -> None: ...


@pytest.fixture
def watched(builtin: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """A catalogue with the observers above, which the command sees as well."""
    classes = (Named, Unprepared, Vandal, Leaver, Failing, Deaf, Misspelt, Greedy)
    catalogue = with_plugins(builtin, *(entry("observer", cls) for cls in classes))
    monkeypatch.setattr(run_command, "open_catalogue", lambda: catalogue)
    Named.told.clear()
    Failing.calls.clear()
    return catalogue


def test_a_named_observer_is_told_of_the_run_that_names_it(
    config: Path, watched: Catalogue, tmp_path: Path, bench: Callable[..., Ran]
) -> None:
    assert bench("run", config, "--out", tmp_path / "a").code == 0
    assert Named.told == []
    assert bench("run", config, "--out", tmp_path / "b", "--observe", "named", "--observe", "named").code == 0
    assert [prepared for prepared, _ in Named.told] == [True] * 12
    assert rows_without_times(tmp_path / "a") == rows_without_times(tmp_path / "b")
    # It is not part of the run: the folder of a run that was not watched goes on being that run's.
    assert bench("run", config, "--out", tmp_path / "a", "--observe", "named").code == 0


def test_a_failing_observer_is_named_once_and_changes_nothing(
    config: Path, watched: Catalogue, tmp_path: Path, bench: Callable[..., Ran]
) -> None:
    assert bench("run", config, "--out", tmp_path / "plain").code == 0
    ran = bench(
        "run", config, "--out", tmp_path / "run",
        "--observe", "failing", "--observe", "vandal", "--observe", "leaver", "--observe", "named",
    )  # fmt: skip
    assert ran.code == 0
    assert [line for line in ran.err.splitlines() if line.startswith("warning: ")] == [
        "warning: observer 'leaver' failed in bench_run_started and is told nothing more of this run: "
        "SystemExit: no more of c",
        "warning: observer 'failing' failed in bench_task_done and is told nothing more of this run: "
        "ConnectionError: the server is gone",
    ]
    assert Failing.calls == ["synthetic/s01"]
    assert len(Named.told) == 12 + 12  # Vandal's are counted there too
    assert rows_without_times(tmp_path / "run") == rows_without_times(tmp_path / "plain")
    predictions = [(tmp_path / name / "predictions.csv").read_bytes() for name in ("plain", "run")]
    assert predictions[0] == predictions[1]


@pytest.mark.parametrize(
    "case",
    [
        (
            "mlfow",
            "unknown observer 'mlfow' (did you mean 'mlflow'?); choose from: deaf, failing, greedy, leaver, ",
        ),
        ("svm", "unknown observer 'svm'; choose from"),
        ("unprepared", "observer 'unprepared' needs a crystal ball: buy one"),
        ("deaf", "observer 'deaf': has no hook that tells of a run"),
        ("misspelt", "observer 'misspelt': unknown hook 'bench_task_down' (did you mean 'bench_task_done'?)"),
        ("greedy", "observer 'greedy': Plugin "),
    ],
)
def test_an_observer_that_cannot_be_used_ends_the_command_before_anything_runs(
    case: tuple[str, str], config: Path, watched: Catalogue, tmp_path: Path, bench: Callable[..., Ran]
) -> None:
    name, message = case
    ran = bench("run", config, "--out", tmp_path / "run", "--observe", name)
    assert (ran.code, (tmp_path / "run").exists()) == (2, False)
    assert ran.err.startswith(f"error: {message}")


def test_a_task_that_fails_and_a_run_that_is_stopped(
    config: Path, watched: Catalogue, tmp_path: Path, bench: Callable[..., Ran], watcher: Callable[[str], Any]
) -> None:
    from mexbench_plugins.models.majority import Majority

    messages = watcher(MODULE).TOLD
    fit = Majority.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_command, "open_catalogue", load_catalogue)

        def failing(self: Majority, x: Any, y: Any, **rest: Any) -> Any:  # noqa: ANN401
            if rest["seed"] == 1 and "synthetic/s02" not in rest["groups"]:
                raise ValueError("no\nway")
            return fit(self, x, y, **rest)

        patch.setattr(Majority, "fit", failing)
        assert bench("run", config, "--out", tmp_path / "run", "--in-process").code == 1
    (failed,) = [task for task in messages if isinstance(task, TaskDone) and task.error]
    assert failed == TaskDone(row="majority", seed=1, fold="synthetic/s02", number=4, error="ValueError: no way")
    assert (messages[-1].complete, messages[-1].interrupted) == (False, False)

    messages.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_command, "open_catalogue", load_catalogue)
        run = InProcess.run

        def stopped(self: InProcess, *arguments: Any) -> Any:  # noqa: ANN401
            yield next(run(self, *arguments))
            raise KeyboardInterrupt

        patch.setattr(InProcess, "run", stopped)
        assert bench("run", config, "--out", tmp_path / "other", "--in-process").code == 130
    assert [type(one) for one in messages] == [RunStarted, TaskDone, RunDone]
    assert (messages[-1].complete, messages[-1].interrupted) == (False, True)


def test_what_is_told_of_a_task_is_right(builtin: Catalogue, tmp_path: Path) -> None:
    """Against predictions that are joined by sample id."""
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG.replace("[majority, svm]", "[svm]").replace("[0, 1]", "[0]"))
    plan = planning.plan(config_reader.load(path, builtin))
    folder = RunFolder(tmp_path / "run")
    outcomes: list[Any] = []
    engine.run(plan, folder, InProcess(), notify=outcomes.append)
    messages: list[TaskDone] = []

    class Listener:
        @hookimpl
        def bench_task_done(self, task: TaskDone) -> None:
            messages.append(task)

    reporter = observing.Reporter(observing.Observers([("listener", Listener())], pytest.fail), plan, folder.path)
    label = {sample.sample_id: sample.label for sample in plan.parts[0].data.samples}
    for outcome in outcomes:
        assert isinstance(outcome, Success)
        reporter.task(outcome)
        stored = folder.read_result(outcome.task)
        assert stored is not None
        right = sum(max(range(len(s)), key=s.__getitem__) == label[name] for name, s in stored.scores.items())
        assert (messages[-1].accuracy, messages[-1].samples) == (pytest.approx(right / 6), 6)
    assert len({task.accuracy for task in messages}) > 1


def test_records_hold_no_sample_and_no_label(
    config: Path, watcher: Callable[[str], Any], tmp_path: Path, bench: Callable[..., Ran]
) -> None:
    """What is told while a run goes on could be learned from."""
    messages = watcher(MODULE).TOLD
    assert bench("run", config, "--out", tmp_path / "run").code == 0
    ids = [line.split(",")[3] for line in (tmp_path / "run" / "predictions.csv").read_text().splitlines()[1:]]
    assert len(set(ids)) == 18
    text = repr(messages)
    assert not [name for name in ids if name in text]
    assert {field.name for field in dataclasses.fields(TaskDone)} == {
        "row", "seed", "fold", "number", "samples", "accuracy", "fit_s", "predict_s", "error", "warnings", "history",
    }  # fmt: skip


@pytest.mark.parametrize("event", EVENTS)
def test_the_example_of_each_hook_works(
    event: str, config: Path, watcher: Callable[[str], Any], tmp_path: Path, bench: Callable[..., Ran]
) -> None:
    text = inspect.cleandoc(getattr(hookspecs, event).__doc__)  # 3.13 keeps docstrings without their indentation
    example = [line.removeprefix("    ") for line in text.splitlines() if line.startswith("    ")]
    assert len(example) == 3
    assert text.startswith("Fire ")
    assert "\nGets " in text
    watcher("\n".join(["import mexbench", *example]))
    ran = bench("run", config, "--out", tmp_path / "run")
    lines = [line.split(",") for line in (tmp_path / "run" / "predictions.csv").read_text().splitlines()]
    right = [line[7] == line[8] for line in lines[1:7]]  # majority, seed 0, the first subject: truth and prediction
    rows = json.loads((tmp_path / "run" / "scores.json").read_text())["rows"]
    shown = {
        "bench_run_started": "c: 12 of 12 tasks to do\n",
        "bench_task_done": f"\nmajority synthetic/s01 {sum(right) / 6:.0%}\n",
        "bench_run_done": f"{ ({row['model']: row['uf1'] for row in rows}) }\n",
    }
    assert (ran.code, shown[event] in ran.err) == (0, True), ran.err


def test_the_kit_finds_what_is_wrong() -> None:
    assert_conforms(Named())
    with pytest.raises(AssertionError, match="has none of bench_run_started"):
        assert_conforms(Deaf())
    with pytest.raises(AssertionError, match="unknown hook 'bench_task_down'"):
        assert_conforms(Misspelt())
    with pytest.raises(AssertionError, match="PluginValidationError"):
        assert_conforms(Greedy())


class Listener:
    """Keep what is told of tasks."""

    def __init__(self) -> None:
        self.told: list[TaskDone] = []

    @hookimpl
    def bench_task_done(self, task: TaskDone) -> None:
        self.told.append(task)


def told_of(plan: planning.Plan, folder: Path) -> list[TaskDone]:
    listener = Listener()
    reporter = observing.Reporter(observing.Observers([("listener", listener)], pytest.fail), plan, folder)
    assert engine.run(plan, RunFolder(folder), InProcess(), notify=reporter.task) == []
    return listener.told


def test_a_run_whose_target_is_action_units_has_no_single_answer(builtin: Catalogue, tmp_path: Path) -> None:
    from tests.mexbench.test_units_run import Faces

    text = "target: action_units\ndataset: {plugin: faces, subjects: 3}\nprotocol: loso\nmodels: [always_present]\n"
    plan = planning.plan(config_of(text, with_plugins(builtin, entry("dataset", Faces))))
    messages = told_of(plan, tmp_path / "run")
    assert [(task.accuracy, task.error) for task in messages] == [(None, None)] * 3
    assert sum(task.samples for task in messages) == len(plan.parts[0].data.samples)
