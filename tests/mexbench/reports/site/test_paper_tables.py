"""The papers' tables as a page of the site."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.helpers import Ran
from tests.mexbench.reports.site.conftest import read_page

LINE = {
    "model": "cnn", "claim": "x", "figure": "accuracy", "average": "", "claimed": 87.14,
    "split": {"value": 0.5, "why": None}, "loso": {"value": None, "why": "no result yet"},
}  # fmt: skip
PAPERS = {
    "schema": 1, "commit": "abc",
    "runs": [{"name": "table4", "dataset": "casme2-synthetic", "paper": {
        "title": "AU <CNN> (2024)", "table": "table 4", "split": "random", "averages": "unstated", "protocol": "s",
        "measured": {"split": "s", "loso": "loso"}, "flags": ["synthetic"], "lines": [LINE],
    }}],
}  # fmt: skip


def test_the_page_has_every_table_and_says_that_data_is_synthetic(
    rich: Path, tmp_path: Path, bench: Callable[..., Ran]
) -> None:
    (tmp_path / "papers.json").write_text(json.dumps(PAPERS))
    ran = bench("site", "--root", rich, "--out", tmp_path / "site", "--papers", tmp_path / "papers.json")
    assert ran.code == 0, ran.err
    text = (tmp_path / "site" / "papers.html").read_text()
    page = read_page(text)
    assert page.tables["Accuracies, x 100"][1] == [
        "AU <CNN> (2024), table 4", "casme2-synthetic", "cnn", "87.14", "50.00", "- (no result yet)",
    ]  # fmt: skip
    assert "Synthetic data." in page.text
    assert "papers.html" in (tmp_path / "site" / "index.html").read_text()


def test_without_tables_there_is_no_page(rich: Path, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    assert bench("site", "--root", rich, "--out", tmp_path / "site").code == 0
    assert not (tmp_path / "site" / "papers.html").exists()
    assert "papers.html" not in (tmp_path / "site" / "index.html").read_text()
    (tmp_path / "papers.json").write_text(json.dumps({**PAPERS, "runs": [{"name": "x"}]}))
    ran = bench("site", "--root", rich, "--out", tmp_path / "site", "--papers", tmp_path / "papers.json")
    assert ran.code == 2
    assert "is not a result of 'bench papers', which is FOLDER/papers.json: runs[0].dataset: field required" in ran.err
