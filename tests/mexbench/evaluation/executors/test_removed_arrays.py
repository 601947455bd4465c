"""A cache folder that somebody removes while tasks run: nothing is lost, and what is wrong is said once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mexbench.data.stored_arrays import arrays_root, file_of, stored_rows
from mexbench.errors import DataError
from mexbench.evaluation.executors.base import Executor, InProcess
from mexbench.evaluation.executors.choice import WorkerSettings
from mexbench.evaluation.executors.dask.executor import LocalDaskCluster
from mexbench.evaluation.executors.processes import Processes
from mexbench.evaluation.executors.shared_arrays import share
from mexbench.evaluation.experiment import ExperimentSettings, run_experiment
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.registry.catalogue import Catalogue
from mexbench.runs.task import Outcome, Success, Task, TaskGroup
from tests.helpers import config_of
from tests.mexbench.evaluation.test_experiment import CONFIG, CountReports, Log
from tests.mexbench.evaluation.test_task_runner import every, workload

#: Two models, so that the second begins after the files were removed.
GROUPS = [(Task("spy", 7, "1", "x"),), (Task("fine", 8, "2", "y"),)]


def stored_workload() -> TaskRunner:
    load = workload()
    return replace(load, x=stored_rows(load.x, range(6)))


def by_model(outcomes: Sequence[Outcome]) -> dict[str, list[Any]]:
    assert all(isinstance(outcome, Success) for outcome in outcomes), outcomes
    return {one.task.model: one.scores.tolist() for one in outcomes if isinstance(one, Success)}


@pytest.mark.parametrize(
    "executor",
    [lambda tell: Processes(1, None, tell), lambda tell: LocalDaskCluster(1, None, None, tell)],
    ids=["processes", "dask"],
)
def test_removed_arrays_are_written_again(executor: Callable[[Callable[[str], None]], Executor]) -> None:
    messages: list[str] = []
    load = stored_workload()
    path = file_of(load.x)
    assert path is not None
    outcomes: list[Outcome] = []
    for outcome in executor(messages.append).run(GROUPS, every(load)):
        if not outcomes:
            shutil.rmtree(arrays_root().parent)
        outcomes.append(outcome)
    assert by_model(outcomes) == by_model(list(InProcess().run(GROUPS, every(workload()))))
    expected = (
        f"warning: {path.parent} was removed, or files in it, while the run goes on: the pre-processed samples are "
        "written there again"
    )
    assert messages in ([expected], [])  # Dask may have been given the second group before
    del load
    assert not list(arrays_root().rglob("*.npy"))


def test_arrays_that_cannot_be_written_again_are_one_error(tmp_path: Path) -> None:
    load = stored_workload()
    path = file_of(load.x)
    assert path is not None
    with share(every(load), tmp_path) as shared:
        assert shared.restore("spy", load) == ()
        shutil.rmtree(arrays_root())
        with pytest.raises(DataError, match=r"1\.npy: pre-processed samples were removed while the run goes on; leave"):
            shared.trainer("spy")  # what a worker says that is quicker than the check
        assert shared.restore("spy", load) == (path,)
        assert shared.trainer("spy").x.tolist() == load.x.tolist()
        shutil.rmtree(path.parents[1])
        path.parents[1].write_text("in the way")
        with pytest.raises(DataError, match=r"1\.npy: .*removed while the run goes on, and cannot be written again: "):
            shared.restore("spy", load)
        path.parents[1].unlink()


class RemovesTheCache(Executor):
    """Removes the arrays after the first outcome and puts a file in their place."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def run(self, groups: Sequence[TaskGroup], runners: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        root = arrays_root()
        for count, outcome in enumerate(self.executor.run(groups, runners)):
            yield outcome
            if count == 0:
                shutil.rmtree(root)
                root.write_text("in the way")


def test_a_run_keeps_its_results_and_goes_on(toys: Catalogue, tmp_path: Path) -> None:
    def carry_out(wrap: Callable[[Executor], Executor]) -> tuple[Any, list[str]]:
        log = Log()
        settings = ExperimentSettings(out=tmp_path / "run", workers=WorkerSettings(jobs=1), wrap=wrap)
        result = run_experiment(config_of(CONFIG, toys), toys, settings, reports=CountReports(), monitor=log)
        return result, log.events

    root = arrays_root()
    with pytest.raises(DataError) as raised:
        carry_out(RemovesTheCache)
    text = str(raised.value)
    assert f"{root}/process-" in text
    assert "pre-processed samples were removed while the run goes on, and cannot be written again: " in text
    assert text.endswith(f"1 of 6 tasks are done and kept in {tmp_path / 'run'}; the same command goes on from here")
    root.unlink()
    result, events = carry_out(lambda executor: executor)
    assert "plan 5 of 6 in run" in events
    assert result.succeeded
