from __future__ import annotations

import json

import numpy as np
import pytest

from mexbench.evaluation.executors.messages import dump_outcomes, load_outcomes
from mexbench.evaluation.task_runner import GroupData
from mexbench.interfaces import ScoredInterval
from mexbench.runs.task import Success, Task

TASK = Task("spotter", 0, "s1", "x")
INTERVALS = (
    (ScoredInterval(onset=3, offset=9, kind="micro", score=0.25, apex=5, emotion="disgust"),),
    (),
    (ScoredInterval(onset=0, offset=0, kind="macro"), ScoredInterval(onset=2, offset=4, kind="micro", score=2.0)),
)


def group(annotated: bool = True) -> GroupData:
    """A task that tests three videos."""
    y = np.empty(2, dtype=object) if annotated else np.zeros(2, dtype=np.intp)
    rows = np.arange(2)
    return GroupData(
        tasks=(TASK,), rows=rows, y=y, groups=np.array(["a", "b"]), train_masks=np.ones((1, 2), bool),
        test_rows=(np.arange(2, 5),),
    )  # fmt: skip


def message() -> bytes:
    return dump_outcomes([Success(TASK, np.empty((3, 0)), 1.0, 0.5, intervals=INTERVALS)])


def test_intervals_come_back_as_they_were_sent() -> None:
    (outcome,) = load_outcomes(message(), group(), 2)
    assert isinstance(outcome, Success)
    assert outcome.intervals == INTERVALS
    assert outcome.scores.shape == (3, 0)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda value: value.pop(), "intervals of 2 videos, expected 3"),
        (lambda value: value[0][0].update(onset=3.5), "expected an interval of whole frames"),
        (lambda value: value[0][0].update(kind="mini"), "expected an interval of whole frames"),
        (lambda value: value[0][0].update(onset=10), "10"),
        (lambda value: value[0][0].update(score="high"), "expected a finite number"),
        (lambda value: value[0][0].pop("offset"), "KeyError"),
    ],
)
def test_what_is_not_a_list_of_intervals_is_rejected(change: object, text: str) -> None:
    assert callable(change)
    content = json.loads(message())
    change(content["outcomes"][0]["intervals"])
    with pytest.raises(ValueError, match=text):
        load_outcomes(json.dumps(content).encode(), group(), 2)


def test_a_classifier_cannot_answer_with_intervals_instead_of_scores() -> None:
    with pytest.raises(ValueError, match="reshape"):
        load_outcomes(message(), group(annotated=False), 2)
