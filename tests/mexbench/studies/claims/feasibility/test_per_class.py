"""Figures by class against figures of the row: never a false alarm, and hand-computed cases."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mexbench.metrics import classification as metrics
from mexbench.studies.claims.feasibility.per_class import PerClass, RecallRange
from mexbench.studies.claims.feasibility.printed_figures import printed
from tests.mexbench.studies.claims.feasibility.matrices import SEEDS, figures_of, random_matrix


def recalls(**texts: str) -> PerClass:
    figures = {name: printed("uar", text, percent=True) for name, text in texts.items()}
    return PerClass({name: RecallRange(figure.text, figure.interval) for name, figure in figures.items()}, {})


@given(seed=SEEDS, classes=st.integers(2, 6), decimals=st.integers(0, 3), percent=st.booleans())
def test_what_a_matrix_prints_is_never_called_impossible(seed: int, classes: int, decimals: int, percent: bool) -> None:
    cells = random_matrix(np.random.default_rng(seed), classes, most=40)
    values = {kind: float(value) for kind, value in metrics.scores(cells).items()}
    row = figures_of(values, ("accuracy", "uar", "weighted_recall"), decimals + (0 if percent else 2), percent=percent)
    supports, hits = cells.sum(axis=1), cells.diagonal()
    by_count = PerClass({}, {str(k): (int(hits[k]), int(supports[k])) for k in range(classes)})
    by_recall = recalls(**{f"c{k}": f"{100 * hits[k] / supports[k]:.{decimals}f}" for k in range(classes)})
    assert by_count.contradicts(row) is None
    assert by_recall.contradicts(row) is None


def test_accuracy_lies_between_the_recalls() -> None:
    classes = recalls(a="92", b="94", c="82")
    assert classes.contradicts([printed("accuracy", "94.50", percent=True)]) is None
    assert "at most the largest of them: 94 % (b), at most 94.50 %" in (
        classes.contradicts([printed("accuracy", "94.51", percent=True)]) or ""
    )
    assert classes.contradicts([printed("weighted_recall", "81.50", percent=True)]) is None
    assert "at least the smallest of them: 82 % (c), at least 81.50 %" in (
        classes.contradicts([printed("weighted_recall", "81.49", percent=True)]) or ""
    )


def test_the_mean_of_the_recalls_is_the_macro_recall() -> None:
    classes = recalls(a="92", b="94", c="82")  # 268 / 3 = 89.33, each half a point either way
    assert classes.contradicts([printed("uar", "89.83", percent=True)]) is None
    reason = classes.contradicts([printed("uar", "89.84", percent=True)])
    assert reason == "the mean of the 3 classes' recalls is 88.83 % to 89.83 %; macro recall (UAR) 89.84 % is printed"
    exact = PerClass({}, {"a": (1, 2), "b": (3, 4)})
    assert exact.contradicts([printed("uar", ".6250")]) is None
    assert exact.contradicts([printed("uar", ".6251")]) == (
        "the mean of the 2 classes' recalls is .6250; macro recall (UAR) .6251 is printed"
    )


def test_counts_give_the_accuracy() -> None:
    counts = PerClass({}, {"a": (1, 2), "b": (3, 4)})  # 4 of 6
    assert counts.contradicts([printed("accuracy", "66.67", percent=True)]) is None
    assert counts.contradicts([printed("accuracy", "66.66", percent=True)]) == (
        "the classes' counts 1/2 + 3/4 add up to 4 correct of 6, an accuracy of 66.67 %; accuracy 66.66 % is printed"
    )
