from __future__ import annotations

import itertools
from typing import Any

import pytest

from mexbench.errors import ConfigError
from mexbench.reports.forest_plot import constant_score, forest_figure
from mexbench.reports.plots import house_style
from tests.mexbench.reports.test_latex import SCORES

#: 6, 3 and 1 samples of three classes.
CONFUSION = [[6, 0, 0], [0, 3, 0], [1, 0, 0]]


def scores() -> dict[str, Any]:
    return {**SCORES, "rows": [{**row, "uar": row["uar"], "confusion": CONFUSION} for row in SCORES["rows"]]}


def test_a_constant_answer_by_hand() -> None:
    rows = [{"confusion": CONFUSION}]
    assert constant_score(rows, "accuracy") == pytest.approx(0.6)
    assert constant_score(rows, "uar") == pytest.approx(1 / 3)
    assert constant_score(rows, "uf1") == pytest.approx(0.75 / 3)  # F1 of the first class: 2 x .6 / 1.6
    units = [{"n_samples": 10, "units": {"AU1": {"support": 5}, "AU4": {"support": 10}}}]
    assert constant_score(units, "f1") == pytest.approx((2 / 3 + 1) / 2)
    assert constant_score(units, "macro_f1") == pytest.approx((2 / 3 + 1) / 4)
    assert constant_score([], "uf1") is None
    assert constant_score([{"confusion": None}], "uf1") is None


def test_rows_intervals_and_the_chance_line() -> None:
    pytest.importorskip("matplotlib")
    with house_style():
        figure = forest_figure(scores())
        figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "svm_#1", "~^\\{}$%<>|", "leaky\nleak:subject",
    ]  # fmt: skip
    intervals = [list(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]  # type: ignore[arg-type]
    assert intervals[0] == pytest.approx([40, 60])
    assert any(line == pytest.approx([25, 25]) for line in intervals)
    (legend,) = figure.legends
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())
    assert legend.get_texts()[0].get_text() == "always the most frequent class: 25.0"


def test_an_unknown_metric_is_refused() -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ConfigError, match="unknown metric 'f1'"):
        forest_figure(scores(), "f1")


def test_a_leak_is_drawn_below_the_honest_row_of_the_same_model() -> None:
    pytest.importorskip("matplotlib")
    given = scores()
    best, second, leaky, empty = given["rows"]
    honest = {**second, "model": "cnn under loso"}
    leak = {**leaky, "model": "cnn under frames", "protocol": "frames"}
    with house_style():
        figure = forest_figure({**given, "rows": [leak, honest, {**best, "uf1": 0.2}, leaky, empty]})
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "cnn under loso", "cnn under frames\nleak:subject", "svm_#1", "leaky\nleak:subject",
    ]  # fmt: skip
    (arrow,) = axes.texts
    ends = [*arrow.xyann, *arrow.xy]  # pyright: ignore[reportAttributeAccessIssue]
    first, second_place = axes.get_yticks()[:2]
    assert ends == pytest.approx([25, first, 75, second_place])
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert [point.get_markerfacecolor() == "white" for point in points] == [False, True, False, True]


def test_labels_of_many_flagged_rows_do_not_meet() -> None:
    pytest.importorskip("matplotlib")
    given = scores()
    flags = ["leak:clip", "leak:near-duplicate", "leak:duplicate", "leak:subject"]
    rows = [
        {**given["rows"][2], "model": f"a model with a name of its own, number {i}", "flags": flags} for i in range(9)
    ]
    with house_style():
        figure = forest_figure({**given, "rows": rows})
        figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert len(boxes) == 9
    assert not any(above.overlaps(below) for above, below in itertools.pairwise(boxes))
