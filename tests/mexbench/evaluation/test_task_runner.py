from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mexbench.data.stored_arrays import file_of, stored_rows
from mexbench.evaluation.executors.base import Executor, InProcess
from mexbench.evaluation.executors.processes import Processes
from mexbench.evaluation.executors.shared_arrays import share
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.interfaces import FoldsModel, Model, Predictor, Rows
from mexbench.runs.task import Failure, Success, Task


@dataclass(frozen=True, kw_only=True)
class Spy(Model):
    """Do as told on the fold called by the same name; else give what was seen.

    Args:
        how: What to do.
    """

    how: str = "fine"

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        if self.how == "raise":
            raise RuntimeError("a reason\nof two lines")
        if self.how == "exit":
            sys.exit("no")
        if self.how == "warn":
            for _ in range(3):
                warnings.warn("not converged", UserWarning, stacklevel=1)
        if self.how == "mutate":
            x[:] = 0
            y[:] = 0
        seen = (len(x), float(x.sum()), int(y.sum()), len(set(groups)), seed)

        def predict(test: Any) -> Any:  # noqa: ANN401
            created = {
                "shape": np.zeros((len(test), n_classes + 1)),
                "nan": np.full((len(test), n_classes), np.nan),
                "text": np.full((len(test), n_classes), "a"),
            }
            return created.get(self.how, np.array([[*seen, *np.zeros(n_classes)][:n_classes] for _ in test]))

        return predict


def workload(how: str = "fine", copies: Any = None) -> TaskRunner:  # noqa: ANN401
    return TaskRunner(
        x=np.arange(12.0).reshape(6, 1, 2),
        copies=copies,
        y=np.array([0, 1, 0, 1, 0, 1]),
        groups=np.array(["a", "a", "b", "b", "c", "c"]),
        folds={name: (np.flatnonzero(g), np.flatnonzero(~g)) for name, g in
               {"1": np.arange(6) > 1, "2": np.arange(6) < 4}.items()},
        models={"spy": Spy(how=how), "fine": Spy()},
        n_classes=5,
    )  # fmt: skip


def every(load: TaskRunner) -> dict[str, TaskRunner]:
    return dict.fromkeys(load.models, load)


TASKS = [Task("spy", 7, "1", "x"), Task("spy", 8, "2", "y")]
UNITS = [(task,) for task in TASKS]


def scores(outcomes: list[Any]) -> dict[str, list[Any]]:
    return {o.task.fold: o.scores.tolist() for o in outcomes if isinstance(o, Success)}


def test_a_model_sees_the_training_side_alone() -> None:
    result = scores(list(InProcess().run(UNITS, every(workload()))))
    assert result["1"] == [[4, sum(range(4, 12)), 2, 2, 7]] * 2
    assert result["2"] == [[4, sum(range(8)), 2, 2, 8]] * 2


def test_copies_join_the_training_side_alone() -> None:
    copies = np.full((6, 2, 1, 2), 100.0)
    result = scores(list(InProcess().run(UNITS, every(workload(copies=copies)))))
    assert result["1"] == [[12, sum(range(4, 12)) + 4 * 2 * 200, 6, 2, 7]] * 2


def test_a_model_that_writes_into_its_input_harms_no_other_task() -> None:
    load = workload("mutate")
    list(InProcess().run(UNITS, every(load)))
    assert load.x.sum() == sum(range(12))
    assert load.y.tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("raise", "RuntimeError: a reason of two lines"),
        ("shape", "ValueError: predictor gave float64 (2, 6), expected numbers (2, 5)"),
        ("text", "ValueError: predictor gave <U1 (2, 5), expected numbers (2, 5)"),
        ("nan", "ValueError: predictor gave scores that are not finite"),
        ("exit", "SystemExit: no"),
    ],
)
def test_a_task_that_fails_is_named_and_the_others_go_on(how: str, error: str) -> None:
    outcomes = list(InProcess().run([UNITS[0], (Task("fine", 0, "1", "z"),)], every(workload(how))))
    assert isinstance(outcomes[0], Failure)
    assert outcomes[0].error == error
    assert "Traceback" in outcomes[0].trace
    assert isinstance(outcomes[1], Success)


def test_warnings_are_kept_each_once() -> None:
    (outcome,) = InProcess().run(UNITS[:1], every(workload("warn")))
    assert isinstance(outcome, Success)
    assert outcome.warnings == ("UserWarning: not converged",)


def test_a_task_is_named_as_messages_do() -> None:
    assert str(TASKS[0]) == "spy, seed 7, fold 1"


@dataclass(frozen=True, kw_only=True)
class Moody(Spy):
    """Fail a number of times, then do as a ``Spy``.

    Args:
        times: How often.
    """

    times: int = 1
    tries: ClassVar[list[int]] = []

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        self.tries.append(seed)
        if len(self.tries) <= self.times:
            raise OSError(f"failure {len(self.tries)}")
        return super().fit(x, y, n_classes=n_classes, groups=groups, seed=seed)


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_task_that_fails_is_tried_once_more_and_says_so(times: int) -> None:
    Moody.tries.clear()
    (outcome,) = InProcess().run(UNITS[:1], every(replace(workload(), models={"spy": Moody(how="warn", times=times)})))
    assert len(Moody.tries) == min(times, 1) + 1
    if times == 2:
        assert isinstance(outcome, Failure)
        assert outcome.error == "OSError: failure 2"
        return
    assert isinstance(outcome, Success)
    messages = ["the first try failed: OSError: failure 1"] * times
    assert outcome.warnings == (*messages, "UserWarning: not converged")
    assert outcome.scores[0].tolist() == [4, sum(range(4, 12)), 2, 2, 7]


@dataclass(frozen=True, kw_only=True)
class Pair(FoldsModel):
    """Say how many trained, and whether alone.

    Args:
        broken: Whether training together fails.
    """

    broken: bool = False

    def folds_at_once(self) -> int:
        return 2

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        return lambda test: np.tile([len(x), 1.0, seed, 0, 0], (len(test), 1))

    def fit_folds(
        self, x: Any, y: Any, train_masks: Any, *, n_classes: int, groups: Any, seed: int  # noqa: ANN401
    ) -> list[Predictor]:  # fmt: skip
        if self.broken:
            raise RuntimeError("both")
        counts = [(x[mask].sum(), len(train_masks)) for mask in train_masks]
        return [lambda test, found=found: np.tile([*found, seed, 0, 0], (len(test), 1)) for found in counts]


TOGETHER = [(Task("pair", 7, "1", "x"), Task("pair", 7, "2", "y"))]


def test_folds_of_a_unit_are_trained_together() -> None:
    load = replace(workload(), models={"pair": Pair()})
    expected = {"1": [[sum(range(4, 12)), 2, 7, 0, 0]] * 2, "2": [[sum(range(8)), 2, 7, 0, 0]] * 2}
    assert scores(list(InProcess().run(TOGETHER, every(load)))) == expected
    alone = scores(list(InProcess().run([(task,) for task in TOGETHER[0]], every(load))))
    assert alone == {"1": [[4, 1, 7, 0, 0]] * 2, "2": [[4, 1, 7, 0, 0]] * 2}


def test_a_unit_fails_as_a_whole_each_fold_by_name() -> None:
    outcomes = list(InProcess().run(TOGETHER, every(replace(workload(), models={"pair": Pair(broken=True)}))))
    assert [(o.task.fold, o.error) for o in outcomes if isinstance(o, Failure)] == [
        ("1", "RuntimeError: both"), ("2", "RuntimeError: both"),
    ]  # fmt: skip


def test_what_trains_in_none_of_the_folds_never_reaches_the_model() -> None:
    """Sample 5 is tested in both folds: were it handed over, its label could be used."""
    seen: list[tuple[list[float], list[int], list[str]]] = []

    class Watching(Pair):
        def fit_folds(self, x: Any, y: Any, train_masks: Any, **rest: Any) -> list[Predictor]:  # noqa: ANN401
            seen.append((x[:, 0, 0].tolist(), y.tolist(), rest["groups"].tolist()))
            x[:] = 0  # and what it is given is its own
            return super().fit_folds(x, y, train_masks, **rest)

    folds = {"1": (np.array([0, 1, 2]), np.array([5])), "2": (np.array([2, 3, 4]), np.array([5]))}
    load = replace(workload(), models={"pair": Watching()}, folds=folds)
    assert all(isinstance(outcome, Success) for outcome in InProcess().run(TOGETHER, every(load)))
    assert seen == [([0, 2, 4, 6, 8], [0, 1, 0, 1, 0], ["a", "a", "b", "b", "c"])]
    assert load.x.sum() == sum(range(12))


@dataclass(frozen=True, kw_only=True)
class Streaming(Model):
    """Give how many samples trained, their sum, and the sum of the sample asked about, read one by one."""

    reads_rows = True

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        assert isinstance(x, Rows)
        total = sum(float(x[index].sum()) for index in range(len(x)))

        def predict(test: Any) -> Any:  # noqa: ANN401
            assert isinstance(test, Rows)
            return np.array([[len(x), total, float(row.sum()), len(y), seed] for row in test])

        return predict


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("copies", [None, np.full((6, 2, 1, 2), 100.0)], ids=["plain", "copies"])
@pytest.mark.parametrize("executor", [InProcess(), Processes(2)], ids=["in process", "processes"])
def test_a_model_that_reads_rows_is_given_no_copy(on_disk: bool, copies: Any, executor: Executor) -> None:  # noqa: ANN401
    load = replace(workload(copies=copies), models={"stream": Streaming()})
    if on_disk:
        load = replace(
            load, x=stored_rows(load.x, range(6)), copies=None if copies is None else stored_rows(copies, range(6))
        )
    tasks = [(Task("stream", 7, "1", "x"),), (Task("stream", 8, "2", "y"),)]
    result = scores(list(executor.run(tasks, {"stream": load})))
    each, extra = (1, 0) if copies is None else (3, 4 * 2 * 200)
    assert result["1"] == [[4 * each, sum(range(4, 12)) + extra, sum(pair), 4 * each, 7] for pair in ((0, 1), (2, 3))]
    assert result["2"] == [[4 * each, sum(range(8)) + extra, sum(pair), 4 * each, 8] for pair in ((8, 9), (10, 11))]


def test_what_is_shared_is_the_file_itself(tmp_path: Path) -> None:
    load = workload()
    load = replace(load, x=stored_rows(load.x, range(6)), copies=np.zeros((6, 1, 1, 2)))
    with share(every(load), tmp_path) as shared:
        files = shared.arrays()
        assert files["0/x.npy"] == file_of(load.x)
        assert files["0/copies.npy"].is_relative_to(tmp_path)
        trainer = shared.trainer("spy")
        assert np.array_equal(trainer.x, load.x)
        assert shared.moved(tmp_path / "own").arrays()["0/x.npy"] == tmp_path / "own" / "0" / "x.npy"
    assert list(tmp_path.iterdir()) == []
    assert file_of(load.x) is not None
