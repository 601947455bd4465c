"""The pages say what the markdown page says, the figures of a row follow from its predictions, and nothing is markup
that was not meant to be.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
import re
import urllib.parse
from pathlib import Path

import pytest

from mexbench.cli.leaderboard import read_claims
from mexbench.reports.forest_svg import constant_score
from mexbench.reports.leaderboards.page import detail_tables, main_table
from mexbench.reports.leaderboards.rows import SECTIONS, BoardRows, board_rows
from mexbench.reports.leaderboards.statistics import forest_drawing
from mexbench.reports.leaderboards.submission import Submission
from mexbench.reports.leaderboards.verify import verify_board
from mexbench.reports.site import audits
from mexbench.reports.site.board_charts import inlined
from mexbench.reports.site.pages import Studies, row_path, site
from tests.mexbench.reports.site.conftest import MARKUP, Read, read_page


@pytest.fixture
def made(board: BoardRows, rich: Path) -> dict[str, str]:
    return site([board], Studies(read_claims(rich), [audits.read(rich / "audits" / "toy.json")]))


@pytest.fixture
def pages(made: dict[str, str]) -> dict[str, Read]:
    return {path: read_page(text) for path, text in made.items()}


def row_page(pages: dict[str, Read], board: BoardRows, name: str) -> Read:
    (row,) = (row for row in board.rows if row.name == name)
    return pages[row_path(board, row)]


def test_every_board_row_and_the_claims_have_a_page(pages: dict[str, Read], board: BoardRows) -> None:
    assert {path for path in pages if not path.startswith("rows/")} == {"index.html", "claims.html", "boards/toy.html"}
    assert (
        len([path for path in pages if path.startswith("rows/toy/") and path.count("/") == 2]) == len(board.rows) == 7
    )


def test_the_same_rows_give_the_same_bytes(made: dict[str, str], rich: Path) -> None:
    again = board_rows(verify_board(rich, "toy"), read_claims(rich))
    assert site([again], Studies(read_claims(rich), [audits.read(rich / "audits" / "toy.json")])) == made


def test_links_have_targets_and_ids_are_unique(pages: dict[str, Read]) -> None:
    count = 0
    for path, page in pages.items():
        ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
        assert len(ids) == len(set(ids))
        for link in page.every("a"):
            if link.get("rel") == "external noreferrer":
                assert link["href"].startswith("https://")
                continue
            if "download" in link:
                assert link["href"].startswith("data:")
                continue
            target, _, anchor = link["href"].partition("#")
            where = posixpath.normpath(posixpath.join(posixpath.dirname(path), urllib.parse.unquote(target)))
            where = where if target else path
            assert where in pages, (path, link)
            assert not anchor or anchor in {a.get("id") for _, a in pages[where].found}, (path, link)
            count += 1
        for _, attributes in page.found:
            for key in ("aria-labelledby", "aria-describedby"):
                assert set(attributes.get(key, "").split()) <= set(ids)
    assert count > 50


def test_pages_request_nothing_from_other_hosts(made: dict[str, str], pages: dict[str, Read]) -> None:
    for path, page in pages.items():
        (policy,) = (m["content"] for m in page.every("meta") if m.get("http-equiv") == "Content-Security-Policy")
        for tag, what in (("style", "style-src"), ("script", "script-src")):
            (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", made[path], re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
            assert f"{what} 'sha256-{digest}'" in policy
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        for tag, attributes in page.found:
            assert not {"src", "srcset", "style", "onclick", "action", "ping", "background"} & attributes.keys()
            followed = tag == "a" and attributes.get("rel") == "external noreferrer"  # by a reader alone
            assert all("//" not in value for key, value in attributes.items() if key != "xmlns" and not followed)
        assert not page.every("iframe") + page.every("img") + page.every("object") + page.every("base")


def test_markup_of_a_submitter_is_escaped(made: dict[str, str], pages: dict[str, Read], board: BoardRows) -> None:
    for path, page in pages.items():
        assert len(page.every("script")) == 1, path
        assert not page.every("b")
    assert MARKUP in pages["boards/toy.html"].text
    assert MARKUP in row_page(pages, board, "marked").text
    assert "A <paper>, table 1" in pages["claims.html"].text
    assert "&lt;script&gt;" in made["boards/toy.html"]


def test_the_tables_are_those_of_the_markdown_page(pages: dict[str, Read], board: BoardRows) -> None:
    page = pages["boards/toy.html"]
    for section in SECTIONS:
        table = main_table(board, board.section(section))
        expected = [list(table.headers), *(["none" if c == "-" else c for c in row] for row in table.rows)]
        shown = [["none" if c == "-" else c for c in row] for row in page.tables[f"{section.capitalize()} rows"]]
        assert shown == expected
    for heading, table, _ in detail_tables(board):
        assert page.tables[heading] == [list(table.headers), *map(list, table.rows)]
    real = [row.name for row in board.rows if row.section != "synthetic"]
    assert sorted(line[1] for line in pages["index.html"].tables["All rows"][1:]) == sorted(real)
    assert [line[1] for line in pages["index.html"].tables["Synthetic rows"][1:]] == ["made-up"]
    newest = max((row for row in board.rows if row.section == "honest"), key=lambda row: row.entry.origin.ended)
    assert f"Newest result ({newest.entry.origin.ended[:10]}): " in pages["index.html"].text
    rows = [tr for tr in page.every("tr") if "data-flags" in tr]
    assert [(tr["data-kind"], tr["data-flags"]) for tr in rows] == [
        *[("real", "[]")] * 5, ("real", '["leak:clip"]'), ("synthetic", '["synthetic"]'),
    ]  # fmt: skip


def test_figures_of_a_row_follow_from_its_predictions(
    pages: dict[str, Read], board: BoardRows, submission: Submission
) -> None:
    page = row_page(pages, board, "svm-linear")
    truths = board.definition.truths
    people: dict[str, list[bool]] = {}
    counts = [[0] * 3 for _ in range(3)]
    for answer in submission.predictions:
        for scores in answer.scores:
            truth, output = truths[answer.sample_id], scores.index(max(scores))
            people.setdefault(answer.subject, []).append(truth == output)
            counts[truth][output] += 1
    assert sum(map(len, people.values())) == 32
    expected = [
        [name, str(len(right)), str(sum(right)), f"{100 * sum(right) / len(right):.2f}"]
        for name, right in sorted(people.items())
    ]
    assert page.tables["Right answers by subject"][1:] == expected
    names = ["negative", "positive", "surprise"]
    assert page.tables["Confusion matrix"] == [
        ["truth", *(f"as {name}" for name in names), "recall"],
        *(
            [names[i], *(f"{n} ({100 * n / sum(row):.0f} %)" for n in row), f"{100 * row[i] / sum(row):.1f} %"]
            for i, row in enumerate(counts)
        ),
    ]
    classes = page.tables["By class, scores x 100"]
    recall = [f"{100 * row[i] / sum(row):.2f}" for i, row in enumerate(counts)]
    assert [line[:2] for line in classes[1:]] == [list(pair) for pair in zip(names, recall, strict=True)]
    assert page.tables["Scores, x 100"][1][1] == page_score(submission, "uf1")
    assert [line[0] for line in page.tables["By seed and repeat of the split"][1:]] == ["0", "1"]
    assert [line[0] for line in page.tables["By data set"][1:]] == ["casme2", "samm", "smic"]


def page_score(submission: Submission, name: str) -> str:
    low, high = submission.figures["ci"][name]
    return f"{100 * submission.figures[name]:.2f} [{100 * low:.2f}, {100 * high:.2f}]"


def test_the_matrix_has_header_cells_and_marks_its_diagonal(made: dict[str, str], board: BoardRows) -> None:
    (row,) = (row for row in board.rows if row.name == "svm-linear")
    text = made[row_path(board, row)]
    table, _ = re.findall(r'<table class="matrix">.*?</table>', text, re.DOTALL)
    assert (table.count('scope="col"'), table.count('scope="row"'), table.count("<caption>")) == (5, 3, 1)
    cells = re.findall(r'<td class="heat(\d+)( right)?">(\d+)', table)
    shares = [[n / sum(line) for n in line] for line in row.entry.figures["confusion"]]
    assert [int(heat) for heat, _, _ in cells] == [round(10 * share) for line in shares for share in line]
    assert [bool(right) for _, right, _ in cells] == [i == j for i in range(3) for j in range(3)]


def test_rows_show_their_data_and_state_what_is_missing(pages: dict[str, Read], board: BoardRows) -> None:
    net, linear = row_page(pages, board, "a net"), row_page(pages, board, "svm-linear")
    assert net.tables["loss by epoch"][1:] == [
        ["1", "2", "1.5", "2.5"], ["2", "1", "0.75", "1.5"], ["3", "0.5", "0.25", "1.25"],
    ]  # fmt: skip
    assert "From 2 at epoch 1 to 0.5 at epoch 3; lowest 0.5 at epoch 3, highest 2 at epoch 1." in net.text
    assert "No audit of this row is given" in net.text
    assert "The submission has none: the model has no epochs" in linear.text
    assert linear.tables["Points that each leak adds"][1:] == [
        ["clip-split", "clips at random", "the honest run", "UF1", "+25.00", "+12.50 to +50.00", "+12.50"],
        ["precision-as-recall", "clips at random", "the honest run", "UAR", "-12.50", "-", "+5.00"],
    ]
    assert "scaler: does not apply, it <scales> its own input" in linear.text
    assert "No audit" not in linear.text
    assert "Flagged. The flags say" in row_page(pages, board, "leaky").text
    assert "Synthetic data. Made up" in row_page(pages, board, "made-up").text


def test_claimed_beside_measured(pages: dict[str, Read], submission: Submission) -> None:
    uf1, samm = submission.figures["uf1"], submission.figures["by_dataset"]["samm"]["uf1"]
    measured = [line[3] for line in pages["claims.html"].tables["Published figures"][1:]]
    assert measured[0].startswith(f"svm-linear: UF1 {100 * uf1:.2f}, UAR ")
    assert measured[1].startswith(f"svm-linear on samm: UF1 {100 * samm:.2f}, UAR ")
    assert measured[2] == "not measured: needs the data"
    beside = pages["boards/toy.html"].tables["What documents print, and what was measured here"]
    assert [line[:2] for line in beside[1:]] == [["svm-linear", "all"], ["svm-linear", "samm"]]


def test_without_rows_and_without_claims(emptied: Path) -> None:
    created = site([board_rows(verify_board(emptied, "toy"))])
    assert created.keys() == {"index.html", "boards/toy.html"}
    for text in created.values():
        page = read_page(text)
        assert "No row has been submitted yet." in page.text
        assert "Published figures" not in page.text
        assert not page.every("form")


def test_many_subjects_are_drawn_and_not_listed(
    board: BoardRows, pages: dict[str, Read], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mexbench.reports.site.pages.MOST_LISTED", 4)
    page = row_page({path: read_page(text) for path, text in site([board]).items()}, board, "svm-linear")
    assert "Right answers by subject" not in page.tables
    assert "There are too many to list here" in page.text
    assert "5 subjects: the median has" in page.text


STYLE = Path(__file__).resolve().parents[4] / "benchmark" / "mexbench" / "reports" / "site" / "templates" / "site.css"


def luminance(colour: str) -> float:
    """Relative luminance after WCAG 2."""
    digits = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    shares = [int(digits[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_matrix_shades_have_enough_contrast() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    shades = re.findall(r"\.heat(\d+) \{ background: (#\w+); color: (#\w+); \}", STYLE.read_text())
    assert [int(step) for step, _, _ in shades] == [*range(11), *range(11)]  # light and dark
    for step, ground, ink in shades:
        assert contrast(ground, ink) >= 4.5, (step, ground, ink)
    for scheme in (shades[:11], shades[11:]):
        steps = [luminance(ground) for _, ground, _ in scheme]
        assert steps in (sorted(steps), sorted(steps, reverse=True))
    for block in re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.DOTALL):
        values = dict(re.findall(r"--([\w-]+): (#\w+)", block))
        for ink in ("ink", "quiet", "accent"):
            for ground in ("paper", "soft"):
                assert contrast(values[ink], values[ground]) >= 4.5, (ink, ground)
        for drawn in ("bar", "second"):
            assert contrast(values[drawn], values["paper"]) >= 3, drawn


def test_a_board_has_a_forest_plot_with_the_constant_answer(made: dict[str, str], board: BoardRows) -> None:
    text = forest_drawing(board, board.section("honest"))
    constant = constant_score(list(board.support.values()), board.definition.headline)
    assert text.count("<circle") == len(board.section("honest"))
    assert f"dashed: always the most frequent class, {100 * constant:.2f}" in text
    assert str(inlined(text)) in made[f"boards/{board.definition.name}.html"]
    assert f'download="{board.definition.name}_forest.svg"' in made[f"boards/{board.definition.name}.html"]


def test_downloads_have_every_row(board: BoardRows) -> None:
    from mexbench.reports.site.downloads import csv_text, downloads

    lines = list(csv.DictReader(io.StringIO(csv_text(board))))
    assert [line["model"] for line in lines] == [row.name for row in board.rows]
    assert [float(line["uf1"]) for line in lines] == [row.entry.figures["uf1"] for row in board.rows]
    table, latex = downloads(board)
    assert (table.name, latex.name) == ("toy.csv", "toy.tex")
    text = urllib.parse.unquote(latex.address.partition(",")[2])
    assert text.startswith("\\begin{tabular}{llllll")
    assert text.count(r" \\") == 1 + len(board.section("honest"))
