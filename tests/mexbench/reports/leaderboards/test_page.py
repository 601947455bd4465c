"""The page: the same rows give the same bytes; everything that comes from a file is escaped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mexbench.config import document
from mexbench.errors import BoardError
from mexbench.reports.claims_page import measured, measured_scores
from mexbench.reports.leaderboards import submission as files
from mexbench.reports.leaderboards.page import main_table, markdown
from mexbench.reports.leaderboards.rows import BoardRows, board_rows, scores_of
from mexbench.reports.leaderboards.submission import Submission
from mexbench.reports.leaderboards.verify import verify_board
from mexbench.studies.claims import claims as published
from tests.helpers import Ran

CLAIMS = """\
schema: 1
sources: {p: {title: A paper, note: null}}
claims:
  - {id: a, source: p, where: table 1, method: Machine, dataset: d, classes: 3, supports: null, why: unknown,
     split: LOSO, averaging: macro, unit: fraction, figures: {f1: ".7353"}, measured: {loso: toy/svm-linear}}
  - {id: b, source: p, where: table 2, method: Machine, dataset: d, classes: 3, supports: null, why: unknown,
     split: random, averaging: macro, unit: fraction, figures: {f1: ".9"}, measured: {split: toy/svm-linear/samm}}
  - {id: c, source: p, where: table 2, method: Other, dataset: d, classes: 3, supports: null, why: unknown,
     split: random, averaging: macro, unit: fraction, figures: {f1: ".8"}, measured: {split: elsewhere/svm-linear}}
"""


def made(root: Path, claims: published.Claims | None = None) -> BoardRows:
    return board_rows(verify_board(root, "toy"), claims)


def put(root: Path, submission: Submission, **fields: object) -> Path:
    """Write a submission that differs in these fields."""
    changed = replace(submission, **fields)
    path = root / "results" / "toy" / files.file_name(changed.model.name)
    files.write(path, changed)
    return path


def renamed(submission: Submission, name: str) -> dict[str, object]:
    return {"model": replace(submission.model, name=name)}


def test_render_is_repeatable_and_finds_stale_pages(root: Path, linear: Path, bench: Callable[..., Ran]) -> None:
    page = root / "toy.md"
    ran = bench("leaderboard", "render", "--check", "--root", root)
    assert ran.code == 1
    assert ran.err.startswith(f"{page}: missing; 'bench leaderboard render toy' writes it\n")
    assert bench("leaderboard", "render", "--root", root).code == 0
    first = page.read_bytes()
    assert bench("leaderboard", "render", "toy", "--check", "--root", root).code == 0
    page.unlink()
    assert bench("leaderboard", "render", "--root", root).code == 0
    assert page.read_bytes() == first
    page.write_bytes(first.replace(b"svm-linear", b"svm-better"))
    ran = bench("leaderboard", "render", "--check", "--root", root)
    assert (ran.code, f"{page}: stale" in ran.err, b"svm-better" in page.read_bytes()) == (1, True, True)
    linear.unlink()
    page.write_bytes(first)
    assert bench("leaderboard", "render", "--check", "--root", root).code == 1


def test_no_page_is_made_of_a_submission_that_does_not_verify(root: Path, linear: Path) -> None:
    linear.write_text(linear.read_text().replace('"epoch": 1', '"epoch": 9'))
    board = verify_board(root, "toy")
    errors = {one.path.name: one.errors for one in board.submissions}
    assert errors == {"majority.json": (), "svm-linear.json": ("code of epoch 9; the board accepts 1",)}
    assert not board.is_valid
    for make in (lambda: scores_of(root, "toy"), lambda: board_rows(board)):
        with pytest.raises(BoardError, match="toy: has submissions that do not verify; see 'bench leaderboard verify"):
            make()


def test_texts_with_markup_are_escaped(root: Path, submission: Submission, bench: Callable[..., Ran]) -> None:
    put(
        root, submission, model=replace(submission.model, distribution="<img src=x>](http://evil)|`a`"),
        origin=replace(submission.origin, device="<b>", commit="|x|"), flags=("code-unavailable",),
    )  # fmt: skip
    assert bench("leaderboard", "verify", "--root", root).out == "2 of 2 submissions verify\n"
    assert bench("leaderboard", "render", "--root", root).code == 0
    page = (root / "toy.md").read_text()
    for bare in ("<img", "<b>", "`a`"):
        assert bare not in page.replace("\\<", "").replace("\\`", ""), bare
    tables = [block.splitlines() for block in page.split("\n\n") if block.startswith("| ")]
    assert len(tables) > 3
    for lines in tables:
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1, lines


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>", "[x](http://evil)|`a`", "../../etc/passwd", "a\nb", "svm\u200b-linear",
        "svm\u202e-linear", "\u0455vm-linear", "svm\uff0dlinear", "svm\ufeff", "",
    ],
)  # fmt: skip
def test_names_that_no_config_may_have_do_not_verify(
    name: str, root: Path, submission: Submission, bench: Callable[..., Ran]
) -> None:
    path = put(root, submission, **renamed(submission, name))
    ran = bench("leaderboard", "verify", "--root", root)
    assert (ran.code, ran.out) == (1, "2 of 3 submissions verify\n")
    assert f"model.name: expected letters, digits, spaces or any of _ - + . , =; got {name!a}" in ran.err
    assert {one.parent for one in root.rglob("*.json")} == {root / "results" / "toy"}
    assert path.is_file()


def test_sections_and_ranks(root: Path, submission: Submission) -> None:
    put(root, submission, **renamed(submission, "leaky"), flags=("leak:clip",))
    put(root, submission, **renamed(submission, "nameless"), flags=("unknown-subjects",))
    put(root, submission, **renamed(submission, "made-up"), flags=("synthetic",))
    put(root, submission, **renamed(submission, "made-up and leaky"), flags=("synthetic", "leak:clip"))
    board = made(root)
    assert [(row.name, row.section, row.rank is not None) for row in board.rows] == [
        ("majority", "honest", True), ("svm-linear", "honest", True),
        ("leaky", "flagged", False), ("nameless", "flagged", False),
        ("made-up", "synthetic", True), ("made-up and leaky", "synthetic", False),
    ]  # fmt: skip
    page = markdown(board)
    assert page.index("## Honest") < page.index("## Flagged") < page.index("## Synthetic")
    assert main_table(board, board.section("flagged")).rows[0][0] == "-"
    assert [len(result) for result in board.comparisons.values()] == [1, 0, 0]


def test_the_table_has_the_columns_of_the_page_or_the_brief_ones(root: Path, submission: Submission) -> None:
    put(root, submission, model=replace(submission.model, parameters=12345))
    board = made(root)
    table = main_table(board, board.rows)
    assert table.headers == [
        "rank", "model", "UF1", "UAR", "accuracy", "subjects", "seeds", "parameters", "ms per sample", "flags",
        "plugin", "date",
    ]  # fmt: skip
    row = dict(zip(table.headers, next(r for r in table.rows if r[1] == "svm-linear"), strict=True))
    low, high = submission.figures["ci"]["uf1"]
    assert row["UF1"] == f"{100 * submission.figures['uf1']:.2f} [{100 * low:.2f}, {100 * high:.2f}]"
    assert (row["subjects"], row["seeds"], row["parameters"], row["flags"]) == ("5", "2", "12,345", "-")
    assert (row["plugin"], row["date"]) == ("svm, mexbench 0.1.0", submission.origin.ended[:10])
    text = (root / "toy.yaml").read_text().replace('headline: "uf1"', 'headline: "uar"')
    (root / "toy.yaml").write_text(text)
    board = made(root)
    assert main_table(board, board.rows, brief=True).headers == [
        "rank", "model", "UAR", "UF1", "accuracy", "subjects", "seeds", "flags"
    ]  # fmt: skip
    assert "ranked by UAR" in markdown(board)


def test_claimed_beside_measured(root: Path, submission: Submission) -> None:
    page = markdown(made(root, published.from_document(document.parse(CLAIMS, "claims.yaml", {}))))
    (block,) = [part for part in page.split("## ") if part.startswith("Claimed beside measured")]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines() if line.startswith("|")]
    uf1, samm = submission.figures["uf1"], submission.figures["by_dataset"]["samm"]["uf1"]
    assert [line[:5] for line in lines[2:]] == [
        ["svm-linear", "all", "A paper, Machine (table 1)", "LOSO", "f1 .7353"],
        ["svm-linear", "samm", "A paper, Machine (table 2)", "random", "f1 .9"],
    ]
    assert f"uf1 {100 * uf1:.2f}" in lines[2][5]
    assert f"uf1 {100 * samm:.2f}" in lines[3][5]
    assert "Claimed beside" not in markdown(made(root))


def test_claims_refer_to_boards(root: Path, submission: Submission) -> None:
    claims = published.from_document(document.parse(CLAIMS, "claims.yaml", {}))
    asked = zip(claims.claims, ("loso", "split", "split"), strict=True)
    texts = [measured(claim, claims.sources[claim.source], key, partial(measured_scores, root)) for claim, key in asked]
    figures = (submission.figures, submission.figures["by_dataset"]["samm"])
    assert texts[:2] == [
        " / ".join(f"{name} {100 * result[name]:.2f}" for name in ("accuracy", "uf1", "uar")) for result in figures
    ]
    assert texts[2].startswith("not measured")


def test_scores_of_a_board_by_model(root: Path, submission: Submission) -> None:
    result = scores_of(root, "toy")
    assert result.keys() == {"majority", "svm-linear"}
    assert result["svm-linear"]["uf1"] == submission.figures["uf1"]
    assert result["svm-linear"]["flags"] == []


def test_an_empty_board(root: Path, bench: Callable[..., Ran]) -> None:
    shutil.rmtree(root / "results")
    assert bench("leaderboard", "render", "--root", root).code == 0
    assert "No row has been submitted yet." in (root / "toy.md").read_text()
