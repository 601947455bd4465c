"""Where things are drawn, computed by hand, and that each drawing says the same in words."""

from __future__ import annotations

import re
from dataclasses import replace

from mexbench.reports.site import charts
from mexbench.reports.site.audits import Effect, Range, Score

EFFECT = Effect(
    model="m", leak="a leak", kind="k", what="w", against="a", touches=("uf1", "uar"), status="measured",
    inflation={"uf1": 0.3, "uar": 0.0}, ci={"uf1": (0.2, 0.4), "uar": (0.0, 0.0)},
    null={"uf1": (0.35, 0.3, 0.4), "uar": (0.3, 0.2, 0.4)},
)  # fmt: skip
NULL: dict[Score, Range] = {"uf1": (0.25, 0.2, 0.3), "uar": (0.3, 0.2, 0.4)}


def described(drawing: str) -> str:
    (text,) = re.findall(r"<desc[^>]*>(.*?)</desc>", drawing)
    return text


def test_interval_mark_positions_are_percentages() -> None:
    drawing = charts.interval_mark(0.5, [0.25, 0.8])
    assert 'd="M25.0 6H80.0"' in drawing
    assert 'cx="50.0"' in drawing
    assert 'aria-hidden="true"' in drawing  # the cell has the figures
    assert "whisker" not in charts.interval_mark(0.5, None)


def test_class_bars_have_widths_proportional_to_shares() -> None:
    drawing = charts.class_bars({"<b>": {"recall": 0.5, "precision": 1.0}, "rare": {"recall": None, "precision": 0.0}})
    assert re.findall(r'class="(recall|precision)" x="74" y="(\d+)" width="([\d.]+)"', drawing) == [
        ("recall", "20", "105.0"), ("precision", "38", "210.0"), ("recall", "82", "0.0"), ("precision", "100", "0.0"),
    ]  # fmt: skip
    assert described(drawing) == "&lt;b&gt;: recall 50.00, precision 100.00; rare: recall -, precision 0.00"
    assert "<b>" not in drawing
    assert 'role="img" aria-labelledby="classes-title classes-text"' in drawing


def test_subject_columns_are_sorted_by_share() -> None:
    drawing = charts.subject_columns({"a": 0.0, "b": 1.0, "c": 0.5, "d": 0.5}, "subject")
    assert re.findall(r"M([\d.]+) 110v-([\d.]+)h([\d.]+)", drawing) == [
        ("40.00", "100.0", "63.20"), ("119.00", "50.0", "63.20"), ("198.00", "50.0", "63.20"),
        ("277.00", "0.0", "63.20"),
    ]  # fmt: skip
    assert described(drawing) == (
        "4 subjects: the median has 50.00 % right, 1 have all right, 1 have none right. The best is b, the last a."
    )


def test_a_curve_spans_the_drawing() -> None:
    drawing = charts.curve("loss", ((1, 2.0, 1.0, 3.0), (2, 1.5, 1.0, 2.0), (3, 1.0, 1.0, 1.0)), 0)
    assert 'class="curve" d="M48.0 77.5L201.0 108.8L354.0 140.0"' in drawing
    assert 'class="band" d="M48.0 15.0L201.0 77.5L354.0 140.0L354.0 140.0L201.0 140.0L48.0 140.0z"' in drawing
    assert described(drawing) == "From 2 at epoch 1 to 1 at epoch 3; lowest 1 at epoch 3, highest 2 at epoch 1."
    flat = charts.curve("loss", ((5, 1.0, 1.0, 1.0),), 1)  # one epoch, one value: nothing to divide by
    assert 'd="M48.0 140.0"' in flat
    assert "nan" not in flat.lower()


def test_inflation_bars_start_at_zero() -> None:
    drawing = charts.inflation([EFFECT, replace(EFFECT, leak="other", touches=("uar",), ci=None)], NULL)
    # From 0 to 40 points on 180 units; the bar ends at 30, the random predictor gains 10.
    assert 'x="160.0" y="10" width="135.0"' in drawing
    assert 'class="whisker" d="M250.0 16H340.0"' in drawing
    assert 'class="random" d="M205.0 12l4 4l-4 4l-4 -4z"' in drawing
    assert drawing.count("whisker") == 1
    assert described(drawing) == (
        "a leak: +30.00, a random predictor +10.00; other (UAR): +0.00, a random predictor +0.00"
    )
