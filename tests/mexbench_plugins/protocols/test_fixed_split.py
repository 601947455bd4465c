from __future__ import annotations

from typing import Any

import pytest

from mexbench.errors import ProtocolError
from mexbench_plugins.protocols.fixed_split import FixedSplit
from tests.helpers import sample

PARTS = {"a": "training", "b": "training", "c": "testA", "d": "testB"}
SAMPLES = [
    sample(f"toy/{person}/c{clip}", part=part, label=clip) for person, part in PARTS.items() for clip in range(2)
]
DFME: dict[str, Any] = {"train": ("training",), "test": ("testA", "testB")}


def test_each_test_part_is_a_fold() -> None:
    folds = FixedSplit(**DFME).folds(SAMPLES)
    assert [(fold.name, fold.test) for fold in folds] == [
        ("training to testA", ("toy/c/c0", "toy/c/c1")),
        ("training to testB", ("toy/d/c0", "toy/d/c1")),
    ]
    assert {fold.train for fold in folds} == {("toy/a/c0", "toy/a/c1", "toy/b/c0", "toy/b/c1")}


def test_several_parts_train_and_unnamed_parts_are_not_used() -> None:
    (fold,) = FixedSplit(train=("training", "testA"), test=("testB",)).folds(SAMPLES)
    assert (fold.name, len(fold.train), fold.test) == ("training+testA to testB", 6, ("toy/d/c0", "toy/d/c1"))
    (fold,) = FixedSplit(train=("training",), test=("testB",)).folds(SAMPLES)
    assert "toy/c/c0" not in {*fold.train, *fold.test}


def test_a_shared_subject_is_refused_by_name_or_flagged() -> None:
    samples = [*SAMPLES, sample("toy/a/c9", part="testA", label=0)]
    with pytest.raises(ProtocolError) as error:
        FixedSplit(**DFME).folds(samples)
    assert str(error.value).startswith(
        "part 'testA': 1 subject, with 1 of its 3 samples, also in training: toy/a (in training); correct"
    )
    flagged = FixedSplit(**DFME, shared_subjects="flag")
    assert not flagged.subject_independent
    assert "toy/a/c9" in flagged.folds(samples)[0].test


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([sample("toy/a/c0", label=0)], "no sample names a part of a published split"),
        (SAMPLES[:6], "unknown part 'testB' (did you mean 'testA'?); choose from: testA, training"),
        ([*SAMPLES[:6], sample("toy/e/c0", part="testb", label=0)], "did you mean 'testb'?"),
    ],
)
def test_missing_parts_are_refused(samples: list[Any], message: str) -> None:
    with pytest.raises(ProtocolError) as error:
        FixedSplit(**DFME).folds(samples)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train": ("a",), "test": ("a",)}, "a cannot both train and test"),
        ({"train": ("a", "a"), "test": ("b",)}, "named twice"),
    ],
)
def test_contradicting_fields_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FixedSplit(**given)
