from __future__ import annotations

from typing import Any

import pytest

from mexbench.errors import ProtocolError
from mexbench.interfaces import Sample
from mexbench_plugins.protocols.cross_dataset import MEGC3, CrossDataset
from tests.helpers import sample

SAMPLES = [
    sample(f"{member}/p{p}/c{c}", dataset=member, label=c, emotion=("disgust", "surprise")[c])
    for member in ("one", "two", "three")
    for p in range(2)
    for c in range(2)
]


def sides(protocol: CrossDataset, samples: list[Sample] = SAMPLES) -> list[tuple[str, set[str], set[str]]]:
    member = {s.sample_id: s.dataset for s in samples}
    return [(f.name, {member[n] for n in f.train}, {member[n] for n in f.test}) for f in protocol.folds(samples)]


def test_each_member_is_left_out_in_turn() -> None:
    assert sides(CrossDataset()) == [
        ("three+two to one", {"three", "two"}, {"one"}),
        ("one+two to three", {"one", "two"}, {"three"}),
        ("one+three to two", {"one", "three"}, {"two"}),
    ]


def test_one_way_and_both() -> None:
    there = ("one to two+three", {"one"}, {"two", "three"})
    back = ("two+three to one", {"two", "three"}, {"one"})
    given: dict[str, Any] = {"train": ("one",), "test": ("two", "three")}
    assert sides(CrossDataset(mode="one_way", **given)) == [there]
    assert sides(CrossDataset(mode="both_ways", **given)) == [there, back]
    assert len(CrossDataset(mode="one_way", train=("one",), test=("two",)).folds(SAMPLES)[0].train) == 4


def test_the_map_of_common_classes() -> None:
    own = {"disgust": "disgust"}
    assert CrossDataset().label_map(own) is own
    assert CrossDataset(classes="megc3").label_map(own) == MEGC3
    assert list(dict.fromkeys(MEGC3.values())) == ["negative", "positive", "surprise"]
    assert "others" not in MEGC3
    assert CrossDataset(classes={"disgust": "bad", "joy": "good"}).label_map(own) == {"disgust": "bad", "joy": "good"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"train": ("one",)}, "leave out 'train' and 'test'"),
        ({"mode": "one_way", "train": ("one",)}, "needs the members that 'train' and those that 'test'"),
        ({"mode": "both_ways", "train": ("one", "two"), "test": ("two",)}, "two cannot both train and test"),
        ({"classes": {"joy": "good", "glee": "good"}}, "at least two classes"),
    ],
)
def test_contradictory_fields_are_rejected(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CrossDataset(**fields)


def test_impossible_splits_are_rejected() -> None:
    with pytest.raises(
        ProtocolError, match=r"unknown member 'tow' \(did you mean 'two'\?\); choose from: one, three, two"
    ):
        CrossDataset(mode="one_way", train=("one",), test=("tow",)).folds(SAMPLES)
    with pytest.raises(ProtocolError, match="needs at least two data sets, the samples are all of 'one'"):
        CrossDataset().folds(SAMPLES[:4])
    strange = [*SAMPLES, sample("one/p1/c9", dataset="one", label=2, emotion="contempt")]
    with pytest.raises(
        ProtocolError, match=r"no training member .* has the class of contempt, which one tests: .*megc3"
    ):
        CrossDataset().folds(strange)
