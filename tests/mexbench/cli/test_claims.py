"""``bench claims``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import ROOT, Ran

FILE = """\
schema: 1
sources: {p: {title: A paper, note: null, unmeasured: needs the data}, q: {title: Another, note: it claims nothing}}
claims:
  - &row
    id: a
    source: p
    where: table 1
    method: a | method
    dataset: d
    classes: 3
    supports: [70, 51, 43]
    split: LOSO
    averaging: macro
    unit: fraction
    figures: {f1: ".2000", recall: ".5280"}
  - {<<: *row, id: b, figures: {accuracy: ".0800"}, classes: 5, supports: null, why: unknown, shape: [4, 3, 2, 1, 1],
     unmeasured: lacks a name}
  - {<<: *row, id: c, figures: {f1: ".5727", recall: ".5829"}, measured: {loso: board/svm, split: board/svm/smic}}
"""


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    (tmp_path / "claims.yaml").write_text(FILE)
    return tmp_path / "claims.yaml"


def test_the_page(figures: Path, bench: Callable[..., Ran]) -> None:
    ran = bench("claims", "--file", figures)
    assert (ran.code, ran.out) == (0, "")
    page = figures.with_suffix(".md").read_text()
    assert "3 rows of published figures: 2 possible, 1 impossible, 0 contradicted, 0 undecided." in page
    assert "forces macro F1 (UF1) of at least .3982" in page
    assert "a \\| method" in page
    assert "It claims nothing." in page
    assert (
        "- `b` (a | method): accuracy .0800 over 5 classes is below the 20.00 % of guessing evenly, and the 36.36 %"
        in page
    )
    cells = [[cell.strip() for cell in line.split("|")] for line in page.splitlines()]
    measured = {line[1]: line[-2] for line in cells if len(line) in (7, 8)}
    assert measured["a"] == "not measured: needs the data"
    assert measured["b"] == "not measured: lacks a name"
    split, loso = (f"not measured yet: board has no row {row}" for row in ("svm/smic", "svm"))
    assert measured["c"] == f"under its split: {split}; LOSO: {loso}"
    assert "- `a`, impossible (tested on 70/51/43): " in page
    assert "- `b`, possible (tested on an unknown number of samples of 5 classes): " in page
    verdicts = json.loads(figures.with_suffix(".json").read_text())["verdicts"]
    assert [(one["id"], one["status"]) for one in verdicts] == [
        ("a", "impossible"),
        ("b", "possible"),
        ("c", "possible"),
    ]
    assert all(f"{one['reason']}" in page for one in verdicts)
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert max(map(len, table)) < 250, "reasons stand below the table"


def test_measured_figures_come_from_the_leaderboards(figures: Path, bench: Callable[..., Ran]) -> None:
    scores = {"uf1": 0.7222, "uar": 0.7422, "accuracy": 0.7398}
    row = {"model": "svm", **scores, "flags": ["leak:clip"], "by_dataset": {"smic": {**scores, "uf1": 0.6653}}}
    board = figures.parent / "board.json"
    board.write_text(json.dumps({"rows": [row]}))
    out = bench("claims", "--file", figures, "c").out
    assert "accuracy 73.98 / uf1 66.53 / uar 74.22 / leak:clip" in out
    assert "accuracy 73.98 / uf1 72.22 / uar 74.22 / leak:clip" in out
    assert "not measured" not in out
    board.write_text("{")
    ran = bench("claims", "--file", figures, "c")
    assert (ran.code, "board.json: no leaderboard that can be read" in ran.err) == (2, True)


def test_the_page_shows_how_public_codes_choose_the_epoch(figures: Path, bench: Callable[..., Ran]) -> None:
    figures.write_text(FILE.replace("id: b,", "id: b, code: net,"))
    ran = bench("claims", "--file", figures, "b")
    assert (ran.code, "methods.yaml, beside the claims: unknown code 'net'" in ran.err) == (2, True)
    method = (
        "{{id: {0}, title: {0}, repository: owner/{0}, commit: null, date: 2020-12, selection: test-subject,"
        ' note: null, places: [{{file: a.py, lines: "7", what: keeps the best epoch}}]}}'
    )
    text = f"schema: 1\nmethods:\n  - {method.format('net')}\n  - {method.format('other')}\n"
    (figures.parent / "methods.yaml").write_text(text)
    out = bench("claims", "--file", figures, "b").out
    cells = [[cell.strip() for cell in line.split("|")] for line in out.splitlines() if "owner/" in line]
    chosen = "by the score on each test subject itself (test data in the choice)"
    assert cells == [["", "net", "owner/net, 2020-12", chosen, "b", ""]]
    assert "- net: `a.py` at 7: keeps the best epoch" in out
    assert bench("claims", "--file", figures).code == 0
    assert "owner/other, 2020-12" in figures.with_suffix(".md").read_text()


def test_check(figures: Path, bench: Callable[..., Ran], tmp_path: Path) -> None:
    out = tmp_path / "page.md"
    figures.write_text(FILE.replace('{f1: ".2000", recall: ".5280"}', '{accuracy: ".5000"}'))
    missing = bench("claims", "--file", figures, "--out", out, "--check").err
    assert [line.rpartition("/")[2] for line in missing.splitlines()[-2:]] == [
        f"{name}: missing; 'bench claims' writes it" for name in ("page.md", "page.json")
    ]
    assert bench("claims", "--file", figures, "--out", out).code == 0
    assert bench("claims", "--file", figures, "--out", out, "--check").code == 0
    page = out.read_text()
    assert (bench("claims", "--file", figures, "--out", out).code, out.read_text()) == (0, page)
    out.write_text(page + "a word\n")
    stale = bench("claims", "--file", figures, "--out", out, "--check")
    assert (stale.code, "page.md: stale" in stale.err) == (1, True)
    assert out.read_text().endswith("a word\n")


def test_bad_input(figures: Path, bench: Callable[..., Ran]) -> None:
    ran = bench("claims", "--file", figures, "d")
    assert (ran.code, ran.err) == (2, "error: unknown claim 'd'; choose from: a, b, c\n")
    ran = bench("claims", "--file", figures, "a", "--check")
    assert (ran.code, "give either IDs" in ran.err) == (2, True)
    ran = bench("claims", "--file", figures.parent / "claim.yaml")
    assert (ran.code, "file not found" in ran.err) == (2, True)
    figures.write_text(FILE.replace('".5280"', '"52.80"'))
    ran = bench("claims", "--file", figures)
    assert (ran.code, "52.80 looks like a percent in a row of fractions" in ran.err) == (2, True)


def test_the_committed_page_is_fresh() -> None:
    # In a process of its own: the page must not hang on what ran before it.
    command = [sys.executable, "-m", "mexbench", "claims", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
