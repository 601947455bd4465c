from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from mexbench.runs.learning_curves import curves_of, histories_csv
from mexbench.runs.run_folder import StoredResult
from mexbench.runs.task import Task, history_of


@dataclass
class Told:
    history: Any

    def __call__(self, x: Any, /) -> Any:  # noqa: ANN401
        return x


def result(model: str, fold: str, history: Any) -> StoredResult:  # noqa: ANN401
    return StoredResult(Task(model, 0, fold, "x"), {}, 0, 0, (), tuple(history))


def test_history_values_become_python_numbers_with_epochs() -> None:
    outcome = history_of(Told([{"loss": np.float32(0.5), "right": np.int64(3)}, {"epoch": 7, "loss": 0}]))
    assert outcome == ({"epoch": 1, "loss": 0.5, "right": 3}, {"epoch": 7, "loss": 0})
    assert {type(value) for row in outcome for value in row.values()} == {int, float}


def test_a_predictor_without_history_is_accepted() -> None:
    assert history_of(lambda x: x) == ()
    assert history_of(Told(None)) == ()


@pytest.mark.parametrize(
    ("history", "text"),
    [
        ([{"loss": float("nan")}], "expected finite numbers, got loss = nan"),
        ([{"loss": "low"}], "got loss = 'low'"),
        ([{"loss": True}], "got loss = True"),
        ([[1, 2]], "expected a mapping of names to numbers per epoch"),
        ([{1: 2}], "expected a mapping of names"),
        (5, "'int' object is not iterable"),
    ],
)
def test_an_invalid_history_is_dropped_with_a_warning(history: object, text: str) -> None:
    with pytest.warns(UserWarning, match="history is dropped") as caught:
        assert history_of(Told(history)) == ()
    assert text in str(caught[0].message)


def test_histories_csv_has_every_value_that_any_model_reports() -> None:
    results = [
        result("a", "s1", [{"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": 1.0}]),
        result("majority", "s1", []),
        result("b", "s, 2", [{"epoch": 1, "loss": 2.5, "val_loss": 3.0}]),
    ]
    assert histories_csv(results) == (
        "model,seed,fold,epoch,loss,val_loss\n"
        "a,0,s1,1,0.30000000000000004,\n"
        "a,0,s1,2,1.0,\n"
        'b,0,"s, 2",1,2.5,3.0\n'
    )  # fmt: skip
    assert histories_csv([results[1]]) is None
    assert curves_of(results, "a", "loss") == [[(1, 0.1 + 0.2), (2, 1.0)]]
    assert curves_of(results, "a", "val_loss") == []
