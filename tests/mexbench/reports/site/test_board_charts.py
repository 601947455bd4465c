"""The drawings of a board's page: their figures by hand, and that they stand alone."""

from __future__ import annotations

import re
import urllib.parse
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mexbench.registry.catalogue import load_catalogue
from mexbench.reports.leaderboards.rows import BoardRows
from mexbench.reports.site import audits
from mexbench.reports.site.board_charts import board_charts, inlined
from mexbench.reports.site.leak_chart import leak_drawing, leak_table, measured_effects
from mexbench.reports.site.links import linked
from mexbench.reports.site.plugins import named, plugins_about
from mexbench.reports.site.recalls import recalls_by_member
from mexbench.reports.site.strip import shares_right, subject_strip
from mexbench.runs import plot_style
from tests.mexbench.reports.site.test_charts import EFFECT
from tests.mexbench.reports.site.test_pages import STYLE


@pytest.fixture
def with_leaks(rich: Path) -> list[audits.AuditSummary]:
    return [audits.read(rich / "audits" / "toy.json")]


def test_each_drawing_is_a_file_of_its_own(board: BoardRows, with_leaks: list[audits.AuditSummary]) -> None:
    charts = board_charts(board, with_leaks)
    assert [chart.name for chart in charts] == ["forest", "differences", "cost", "leaks", "strip"]
    for chart in charts:
        (file,) = [one for one in chart.downloads if one.label == "SVG"]
        text = urllib.parse.unquote(file.address.partition(",")[2])
        assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own
        assert inlined(text) == chart.drawing
        assert "style=" not in text


def test_every_colour_of_a_drawing_has_one_on_the_page(board: BoardRows, with_leaks: list[audits.AuditSummary]) -> None:
    style = STYLE.read_text()
    used = {
        pair for one in board_charts(board, with_leaks) for pair in re.findall(r'(fill|stroke)="(#\w+)"', one.drawing)
    }
    assert ("fill", plot_style.BLUE) in used
    assert [pair for pair in used if f'.drawn [{pair[0]}="{pair[1]}"]' not in style] == []


def test_subjects_are_drawn_by_data_set_and_share(board: BoardRows) -> None:
    (row,) = (one for one in board.rows if one.name == "svm-linear")
    shares = shares_right(row)
    counts = row.counts.matrices.sum(axis=0)
    assert shares.tolist() == [np.trace(matrix) / matrix.sum() for matrix in counts]
    drawing = subject_strip(board, [row])
    members = {group.partition("/")[0] for group in board.groups}
    assert all(f">{member} (" in drawing for member in members)
    all_right, none_right = int((shares == 1).sum()), int((shares == 0).sum())
    assert f"svm-linear: all right for {all_right}, none for {none_right} of 5" in drawing
    cells = re.findall(r"M[\d.]+ [\d.]+h", "".join(re.findall(r'<path d="(.*?)"', drawing)))
    assert len(cells) == len(board.groups)


def test_leaks_of_all_rows_in_one_drawing(board: BoardRows, with_leaks: list[audits.AuditSummary]) -> None:
    pairs = measured_effects(board, with_leaks)
    assert leak_table(pairs).rows == [
        ["clip-split", "svm-linear", "UF1", "+25.00", "+12.50 to +50.00", "+12.50"],
        ["precision-as-recall", "svm-linear", "UAR", "-12.50", "-", "+5.00"],
    ]
    drawing = leak_drawing(pairs)
    assert "clip-split, svm-linear: +25.0, a random predictor +12.5" in drawing
    widths = [
        float(width) for width in re.findall(r'width="([\d.]+)" height="12" fill="#0072B2" fill-opacity', drawing)
    ]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)  # 25 points and 12.5
    assert measured_effects(board, [replace(with_leaks[0], dataset="other")]) == []
    assert "a leak, m" in leak_drawing([(EFFECT, 0.0)])


def test_recall_by_data_set_adds_up(board: BoardRows) -> None:
    (row,) = (one for one in board.rows if one.name == "svm-linear")
    lines = dict(recalls_by_member(board, row))
    confusion = row.entry.figures["confusion"]
    assert list(lines) == ["casme2", "samm", "smic", "all"]
    assert lines["all"] == [(counts[i], sum(counts)) for i, counts in enumerate(confusion)]
    for index in range(3):
        parts = [lines[member][index] for member in ("casme2", "samm", "smic")]
        assert tuple(map(sum, zip(*parts, strict=True))) == lines["all"][index]


def test_addresses_become_links() -> None:
    text = str(linked("See <b>, doi 10.1109/TAFFC.2016.2573832; arXiv 2006.09674, https://example.org/a?b=1."))
    assert re.findall(r'href="(.*?)" rel="external noreferrer">(.*?)</a>', text) == [
        ("https://doi.org/10.1109/TAFFC.2016.2573832", "doi 10.1109/TAFFC.2016.2573832"),
        ("https://doi.org/10.48550/arXiv.2006.09674", "arXiv 2006.09674"),
        ("https://example.org/a?b=1", "https://example.org/a?b=1"),
    ]
    assert text.startswith("See &lt;b&gt;, ")
    assert linked("javascript:alert(1) http://x.org") == "javascript:alert(1) http://x.org"


def test_plugins_of_rows(board: BoardRows) -> None:
    about = plugins_about([board], load_catalogue())
    assert {("dataset", "megc2019_flow"), ("model", "svm"), ("protocol", "loso")} <= set(about)
    assert "See et al." in (about["dataset", "megc2019_flow"].source or "")
    config = {
        "dataset": {"plugin": "both", "members": [{"plugin": "a"}, {"plugin": "b"}]},
        "preprocess": [{"plugin": "c"}],
    }
    assert list(named(config)) == [("dataset", "both"), ("dataset", "a"), ("dataset", "b"), ("preprocessor", "c")]
