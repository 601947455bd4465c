from __future__ import annotations

from typing import Any

import pytest

from mexbench.errors import ProtocolError
from mexbench.interfaces import CaseStudySpec, Sample
from mexbench_plugins.protocols.case_study import CaseStudy
from tests.helpers import sample

SAMPLES = [
    *(sample(f"lab/p{p}/c{c}", dataset="lab", label=c, emotion=("sad", "glad")[c]) for p in range(2) for c in range(2)),
    sample("other/p9/c0", dataset="other", label=0, emotion="sad"),
    sample("wild/p1/c0", dataset="wild", label=None, emotion=None),
    sample("wild/p1/c1", dataset="wild", label=1, emotion="glad"),
    sample("wild/p2/c0", dataset="wild", label=None, emotion="bored"),
]


def folds(samples: list[Sample] = SAMPLES, **fields: Any) -> Any:  # noqa: ANN401
    return CaseStudy(**{"train": ("lab",), "apply": "wild", **fields}).folds(samples)


def test_one_fold_trains_on_the_labelled_and_tests_every_clip_of_the_other() -> None:
    (fold,) = folds()
    assert fold.name == "lab to wild"
    assert fold.train == ("lab/p0/c0", "lab/p0/c1", "lab/p1/c0", "lab/p1/c1")
    assert fold.test == ("wild/p1/c0", "wild/p1/c1", "wild/p2/c0")
    assert folds(train=("lab", "other"))[0].train[-1] == "other/p9/c0"


def test_case_study_names_its_target() -> None:
    protocol = CaseStudy(train=("lab",), apply="wild")
    assert protocol.case_study == CaseStudySpec(dataset="wild")
    assert protocol.subject_independent
    assert protocol.label_map({"a": "b"}) == {"a": "b"}
    assert CaseStudy(train=("lab",), apply="wild", classes={"a": "x", "b": "y"}).label_map({}) == {
        "a": "x",
        "b": "y",
    }


def test_contradictory_fields_are_rejected() -> None:
    with pytest.raises(ValueError, match="'wild' cannot both train and be applied to"):
        CaseStudy(train=("lab", "wild"), apply="wild")
    with pytest.raises(ValueError, match="at least two classes"):
        CaseStudy(train=("lab",), apply="wild", classes={"a": "x", "b": "x"})


def test_unknown_members_and_unlearnable_labels_are_rejected() -> None:
    with pytest.raises(ProtocolError, match=r"unknown member 'lob'.*did you mean 'lab'"):
        folds(train=("lob",))
    with pytest.raises(ProtocolError, match="unknown member 'mild'"):
        folds(apply="mild")
    strange = sample("wild/p3/c0", dataset="wild", label=2, emotion="proud")
    with pytest.raises(ProtocolError, match=r"no training member \(lab\) has the class of proud, which wild has"):
        folds([*SAMPLES, strange])
