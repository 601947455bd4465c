from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.config.tuning import Tuning
from mexbench.errors import ProtocolError
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.evaluation.tuning import TrainingSide, inner_folds, tune
from mexbench.interfaces import ActionUnitModel, EpochsModel, FoldsModel, Model, Predictor, Rows
from mexbench.runs.task import Failure, Success, Task


@dataclass(frozen=True, kw_only=True)
class Threshold(ActionUnitModel):
    """Predict class 1 where the value is above ``at``; record every sample that is read.

    Args:
        at: The threshold.
    """

    at: float = 0.0
    seen: ClassVar[list[tuple[str, float, list[float]]]] = []

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        assert len(x) == len(y) == len(groups)
        if self.at == 99:
            raise FloatingPointError("diverged")
        self.seen.append(("train", self.at, x.ravel().tolist()))

        def predict(test: Any) -> Any:  # noqa: ANN401
            self.seen.append(("predict", self.at, test.ravel().tolist()))
            return np.eye(n_classes)[(test.ravel() > self.at).astype(int)]

        return predict

    def fit_action_units(self, x: Any, y: Any, *, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        del x, groups, seed
        return lambda test: np.repeat((test.reshape(-1, 1) > self.at).astype(float), y.shape[1], axis=1)


@dataclass(frozen=True, kw_only=True)
class Steps(EpochsModel, FoldsModel):
    """After epoch e, a sample is of class 1 where its value is above e.

    Args:
        epochs: How many.
        together: Folds that are trained at once.
    """

    epochs: int = 6
    together: int = 1
    calls: ClassVar[list[int]] = []

    def folds_at_once(self) -> int:
        return self.together

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        del x, y, groups, seed
        return lambda test: np.eye(n_classes)[(test.ravel() > self.epochs).astype(int)]

    def fit_folds(self, x: Any, y: Any, train_masks: Any, **rest: Any) -> Sequence[Predictor]:  # noqa: ANN401
        return [self.fit(x, y, **rest) for _ in train_masks]

    def fit_epochs(self, x: Any, y: Any, train_masks: Any, **rest: Any) -> Iterator[Sequence[Predictor]]:  # noqa: ANN401
        self.calls.append(len(train_masks))
        assert train_masks.shape[1] == len(x) == len(y)
        for epoch in range(1, self.epochs + 1):
            yield [replace(self, epochs=epoch).fit(x, y, **rest) for _ in train_masks]


def runner(model: Model, tuning: Tuning, **changes: Any) -> TaskRunner:  # noqa: ANN401
    """Twelve samples of six subjects, of which the last one tests; classes are parted at 3.5."""
    x = np.arange(12.0) % 6 + np.arange(12) / 100
    defaults: dict[str, Any] = {
        "x": x.reshape(12, 1, 1), "copies": None, "y": (x > 3.5).astype(np.intp), "n_classes": 2,
        "groups": np.repeat(list("abcdef"), 2), "folds": {"f": (np.arange(10), np.arange(10, 12))},
        "models": {"m": model}, "tunings": {"m": tuning},
    }  # fmt: skip
    return TaskRunner(**{**defaults, **changes})


def outcome(load: TaskRunner, seed: int = 0) -> Success:
    (result,) = load.run_group((Task("m", seed, "f", "x"),))
    assert isinstance(result, Success), result
    return result


def plan(**values: Any) -> Tuning:  # noqa: ANN401
    return Tuning(**{"metric": "uf1", "epochs": "fixed", "inner": 5, **values})


def test_the_best_value_over_the_inner_folds_is_trained_on_the_whole_training_side() -> None:
    Threshold.seen.clear()
    result = outcome(runner(Threshold(), plan(values={"at": [0.5, 3.5, 4.5]})))
    assert result.tuning is not None
    assert result.tuning.chosen == {"at": 3.5}
    assert result.tuning.score == 1.0
    assert result.tuning.fits == 15
    assert result.tuning.candidates[0].score == pytest.approx(uf1_at(0.5))
    final = [event for event in Threshold.seen if event[0] == "train"][-1]
    assert final[1] == 3.5
    assert len(final[2]) == 10
    assert result.scores.argmax(1).tolist() == [1, 1]


def uf1_at(at: float) -> float:
    from sklearn.metrics import f1_score

    x = (np.arange(12.0) % 6 + np.arange(12) / 100)[:10]
    return float(f1_score(x > 3.5, x > at, average="macro"))


def test_inner_selection_never_reads_a_test_sample() -> None:
    Threshold.seen.clear()
    load = runner(Threshold(), plan(values={"at": [0.5, 3.5]}))
    outcome(load)
    tested = set(load.x[10:].ravel().tolist())
    events = list(Threshold.seen)
    assert events.pop() == ("predict", 3.5, load.x[10:].ravel().tolist())  # the final predictor, once
    assert all(tested.isdisjoint(values) for _, _, values in events)
    for (_, _, train), (_, _, validate) in zip(events[0:20:2], events[1:20:2], strict=True):
        assert set(train).isdisjoint(validate)
        assert len(train) + len(validate) == 10


def test_changing_the_test_side_changes_no_choice() -> None:
    load = runner(Threshold(), plan(values={"at": [0.5, 3.5, 4.5]}))
    other = replace(load, x=load.x.copy(), y=load.y.copy())
    other.x[10:] = -50
    other.y[10:] = 0
    assert drop_seconds(outcome(load)) == drop_seconds(outcome(other))


def drop_seconds(result: Success) -> dict[str, Any]:
    assert result.tuning is not None
    return {**result.tuning.model_dump(), "seconds": None}


def test_a_candidate_that_fails_is_recorded_and_not_chosen() -> None:
    result = outcome(runner(Threshold(), plan(values={"at": [99.0, 3.5]})))
    assert result.tuning is not None
    assert result.tuning.chosen == {"at": 3.5}
    first = result.tuning.candidates[0]
    assert (first.score, first.error) == (None, "FloatingPointError: diverged")


def test_a_task_fails_where_every_candidate_does() -> None:
    (result,) = runner(Threshold(), plan(values={"at": [99.0]})).run_group((Task("m", 0, "f", "x"),))
    assert isinstance(result, Failure)
    assert result.error == "RuntimeError: none of 1 candidate could be scored: FloatingPointError: diverged"


def test_the_first_of_equal_candidates_is_chosen() -> None:
    assert drop_seconds(outcome(runner(Threshold(), plan(values={"at": [3.6, 3.5]}))))["chosen"] == {"at": 3.6}


@pytest.mark.parametrize(("together", "calls"), [(1, [1] * 5), (3, [3, 2]), (8, [5])])
def test_epochs_are_chosen_by_the_learning_curve_of_the_inner_folds(together: int, calls: list[int]) -> None:
    Steps.calls.clear()
    result = outcome(runner(Steps(together=together), plan(values={}, epochs="curve")))
    assert result.tuning is not None
    assert result.tuning.chosen == {"epochs": 4}  # parted at 3, 3.03 and 3.09 are wrong
    assert [epoch for epoch, _ in result.tuning.curve] == [1, 2, 3, 4, 5, 6]
    assert [score for _, score in result.tuning.curve] == pytest.approx([uf1_at(epoch) for epoch in range(1, 7)])
    assert result.tuning.fits == 5
    assert Steps.calls == calls


def test_every_second_epoch_is_scored_and_the_last_one() -> None:
    result = outcome(runner(Steps(epochs=5), plan(values={}, epochs="curve", every=2)))
    assert result.tuning is not None
    assert [epoch for epoch, _ in result.tuning.curve] == [2, 4, 5]
    assert result.tuning.chosen["epochs"] == 4


def test_copies_train_and_never_validate() -> None:
    Threshold.seen.clear()
    copies = np.full((12, 2, 1, 1), 77.0)
    outcome(runner(Threshold(), plan(values={"at": [0.5, 3.5]}), copies=copies))
    assert all(77.0 not in values for what, _, values in Threshold.seen if what == "predict")
    assert all(2 * values.count(77.0) == 4 * len([v for v in values if v != 77.0])
               for what, _, values in Threshold.seen if what == "train")  # fmt: skip


def test_action_units_are_tuned_by_their_macro_f1() -> None:
    x = np.arange(12.0)
    load = runner(
        Threshold(), plan(values={"at": [1.5, 6.5]}, metric="macro_f1"), x=x.reshape(12, 1, 1),
        y=np.stack([x > 6.5, x > 6.5], axis=1),
    )  # fmt: skip
    assert drop_seconds(outcome(load))["chosen"] == {"at": 6.5}


def test_the_same_seed_makes_the_same_choice() -> None:
    load = runner(Steps(), plan(values={}, epochs="curve", inner=3))
    assert drop_seconds(outcome(load, seed=4)) == drop_seconds(outcome(load, seed=4))


def test_the_record_survives_the_way_from_a_worker() -> None:
    from mexbench.evaluation.executors.messages import dump_outcomes, load_outcomes

    load = runner(Threshold(), plan(values={"at": [99.0, 3.5]}))
    data = load.group_data((Task("m", 0, "f", "x"),))
    (result,) = load.trainer().run_group(data)
    (back,) = load_outcomes(dump_outcomes([result]), data, 2)
    assert isinstance(back, Success)
    assert isinstance(result, Success)
    assert back.tuning == result.tuning
    assert back.processor_s == result.processor_s
    assert back.processor_s is not None


def test_fewer_subjects_than_inner_folds_are_refused() -> None:
    y, groups = np.array([0, 1, 0]), np.array(["a", "b", "b"])
    with pytest.raises(ProtocolError, match="2 subjects cannot make 3 inner folds"):
        inner_folds(y, groups, 3, 0)
    side = TrainingSide(Rows(np.zeros((3, 1)), np.arange(3)), y, groups, 2, 0)
    with pytest.raises(ProtocolError):
        tune(Threshold(), plan(values={"at": [1.0]}, inner=3), side)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=20, max_size=80), st.integers(2, 5))
def test_inner_folds_share_no_subject_and_none_is_empty(rows: list[tuple[int, int]], inner: int) -> None:
    groups, y = np.array([f"s{subject}" for subject, _ in rows]), np.array([label for _, label in rows])
    if len(set(groups)) < inner:
        return
    parts = inner_folds(y, groups, inner, seed=1)
    assert set(parts.tolist()) == set(range(inner))
    assert all(len(set(parts[groups == name].tolist())) == 1 for name in set(groups))


def test_inner_folds_are_balanced_where_they_can_be() -> None:
    y, groups = np.tile([0, 0, 1], 20), np.repeat([f"s{i}" for i in range(20)], 3)
    parts = inner_folds(y, groups, 5, seed=0)
    assert [np.bincount(y[parts == part]).tolist() for part in range(5)] == [[8, 4]] * 5


def test_rows_of_a_training_side_are_read_when_they_are_needed() -> None:
    """Copies train and do not validate; what reads rows is given those, and what does not an array of its own."""

    class Reads(Threshold):
        reads_rows = True

    x, copies = np.arange(3.0)[:, None], np.arange(3.0)[:, None, None] + np.array([[10.0], [20.0]])
    side = TrainingSide(Rows(x, np.arange(3), copies), np.array([0, 1, 0]), np.array(["a", "b", "c"]), 2, 0, copies=2)
    mask = np.array([True, False, True])
    for model in (Threshold(), Reads()):
        trained, y, groups = side.training(model, mask)
        tested = side.originals(model, ~mask)
        assert isinstance(trained, Rows) == isinstance(tested, Rows) == model.reads_rows
        assert trained[:].ravel().tolist() == [0, 10, 20, 2, 12, 22]
        assert (y.tolist(), groups.tolist()) == ([0, 0, 0, 0, 0, 0], ["a"] * 3 + ["c"] * 3)
        assert tested[:].ravel().tolist() == [1]
