"""Drawings without a library: places by hand, no name is cut, no label covers another, the same in words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.reports import svg
from mexbench.reports.confusion_svg import confusion_svg
from mexbench.reports.forest_svg import ForestRow, constant_score, forest_svg

LONG = "a model with a name that goes on for more than one line of any drawing, seed 3"


def texts(drawing: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314


def test_a_forest_plot_has_every_row_its_rank_and_its_whole_name() -> None:
    rows = [ForestRow("a", "1-2", 0.5, (0.25, 0.75), "50.00 [25.00, 75.00]"),
            ForestRow(LONG, "-", 0.25, None, "25.00", ranked=False)]  # fmt: skip
    drawing = forest_svg("UF1", rows, 0.2)
    shown = texts(drawing)
    assert LONG in " ".join(line for line in shown if line in LONG and line != "a")
    assert {"1-2", "50.00 [25.00, 75.00]", "dashed: always the most frequent class, 20.00"} <= set(shown)
    ticks = {one.text: float(one.get("x", "")) for one in ET.fromstring(drawing).iter() if one.text in ("0", "100")}  # noqa: S314
    (whisker,) = re.findall(r'<line x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)" y2="[\d.]+" stroke="#0072B2"', drawing)
    first = ticks["0"] + 0.25 * (ticks["100"] - ticks["0"])
    last = ticks["0"] + 0.75 * (ticks["100"] - ticks["0"])
    assert [float(end) for end in whisker] == pytest.approx([first, last], abs=0.11)
    assert re.findall(r"<circle[^>]* fill=\"(#\w+)\"", drawing) == ["#0072B2", "#ffffff"]  # the second has no rank
    (said,) = re.findall("<desc>(.*?)</desc>", drawing)
    assert said == f"a 50.00 [25.00, 75.00]; {LONG} 25.00; always the most frequent class 20.00"


def test_a_constant_answer_by_hand() -> None:
    assert constant_score([250, 109, 83], "accuracy") == pytest.approx(250 / 442)
    assert constant_score([250, 109, 83], "uar") == pytest.approx(1 / 3)
    assert constant_score([250, 109, 83], "uf1") == pytest.approx(0.2408, abs=5e-5)  # as the board prints it
    assert constant_score([3, 1, 0], "uf1") == pytest.approx(2 * 0.75 / 1.75 / 2)  # an absent class does not count


def test_confusion_matrices_have_counts_shares_and_shades() -> None:
    drawing = confusion_svg({"m": [[3, 1], [0, 4]]}, ["no", "a long name of a class"])
    assert texts(drawing)[1:] == [
        "m", "no", "a long name of a class", "no", "3", "75 %", "1", "25 %",
        "a long name of a class", "0", "0 %", "4", "100 %",
    ]  # fmt: skip
    assert re.findall(r'fill-opacity="([\d.]+)"', drawing) == ["0.600", "0.200", "0.000", "0.800"]
    assert "m, right by class: no 3 of 4, a long name of a class 4 of 4" in drawing


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=20), st.floats(1, 20))
def test_spread_labels_keep_their_order_and_their_distance(places: list[float], gap: float) -> None:
    moved = svg.spread_labels(places, gap, 1000)
    assert max(moved) <= 1000 + 1e-9
    ordered = sorted(moved)
    assert all(after - before >= gap - 1e-6 for before, after in pairwise(ordered))
    by_place = [moved[index] for index in sorted(range(len(places)), key=places.__getitem__)]
    assert by_place == ordered
