"""Two objects share a description only if they train the same way."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mexbench.config.local_code import describe


def pipeline(**scaler: bool) -> Any:  # noqa: ANN401
    return make_pipeline(StandardScaler(**scaler), LogisticRegression())


def make(width: int) -> Any:  # noqa: ANN401
    return lambda: width


def in_session(text: str) -> Any:  # noqa: ANN401
    """Define a function as a notebook does: in __main__, without a file."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, "<cell>", "exec"), space)  # noqa: S102
    return space["made"]


CALL = "\ndef made(): return used()"
CLASS = "class made:\n    def fit(self): "


class Holder:
    def __init__(self, value: object) -> None:
        self.value = value


def recursive() -> Holder:
    holder = Holder(None)
    holder.value = holder
    return holder


@pytest.mark.parametrize(
    "build",
    [
        lambda: make_pipeline(StandardScaler(), LogisticRegression(C=2)),
        lambda: make(3),
        lambda: functools.partial(make, 4),
        lambda: Holder(np.arange(3)),
        lambda: in_session("def made():\n    return [len, 1.5, 'a']"),
        lambda: in_session("class made:\n    depth = 2\n    def fit(self): return 1"),
        recursive,
        lambda: Holder({"a": (1, b"x", None), 2: {3, 4}}),
    ],
)
def test_equal_objects_have_equal_descriptions(build: Any) -> None:  # noqa: ANN401
    assert describe(build()) == describe(build())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LogisticRegression(C=2), LogisticRegression(C=3)),
        (pipeline(), pipeline(with_mean=False)),
        (make(3), make(4)),
        (functools.partial(make, 3), functools.partial(make, 4)),
        (Holder(np.arange(3)), Holder(np.arange(3.0))),
        (in_session("def made():\n    return 1"), in_session("def made():\n    return 2")),
        (in_session("def made():\n    return abs(1)"), in_session("def made():\n    return hash(1)")),
        (in_session(f"def used(): return 1{CALL}"), in_session(f"def used(): return 2{CALL}")),
        (in_session("class made:\n    depth = 2"), in_session("class made:\n    depth = 3")),
        (in_session(f"{CLASS}return 1"), in_session(f"{CLASS}return 2")),
        (Holder(1), Holder(1.0)),
    ],
)  # fmt: skip
def test_objects_that_train_otherwise_differ(one: object, other: object) -> None:
    assert describe(one) != describe(other)


def test_fitting_an_estimator_changes_nothing() -> None:
    estimator = LogisticRegression()
    before = describe(estimator)
    estimator.fit([[0], [1]], [0, 1])
    assert describe(estimator) == before


def test_weights_of_a_module_count() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(2, 2)
    before = describe(module)
    with torch.no_grad():
        module.weight += 1
    assert describe(module) != before


def test_what_cannot_be_described_is_never_the_same() -> None:
    assert describe(Holder(object())) != describe(Holder(object()))
