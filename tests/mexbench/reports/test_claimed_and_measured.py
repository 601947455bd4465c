"""What a paper claims beside what was measured: the same averages, and no gap without its reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.metrics.classification import scores as class_scores
from mexbench.registry.catalogue import Catalogue
from mexbench.reports.claimed_and_measured import claims_table, compare_with_claims, markdown, terminal_text
from mexbench.reports.claims_plot import claims_figure
from mexbench.runs.stored_run import read_run
from tests.helpers import Ran, config_of
from tests.mexbench.config.test_paper_table import BLOCK, REST

#: Truth in rows: 4 of 5 and 1 of 3 are correct. Recalls 4/5, 1/3; precisions 4/6, 1/2; F1 8/11, 2/5.
CONFUSION = [[4, 1], [2, 1]]


def row(name: str, *flags: str) -> dict[str, Any]:
    measured = {key: float(value) for key, value in class_scores(np.array(CONFUSION)).items()}
    return {"model": name, "flags": list(flags), **measured}


def compared(builtin: Catalogue, block: str = BLOCK, *rows: dict[str, Any]) -> dict[str, Any]:
    rows = rows or (row("svm under random", "leak:clip"), row("svm under loso"))
    comparison = compare_with_claims(config_of(block + REST, builtin), rows)
    assert comparison is not None
    return comparison


def test_averages_are_those_of_the_paper(builtin: Catalogue) -> None:
    block = BLOCK.replace("f1: 90", "precision: 80, recall: 70, f1: 90")
    for averages, expected in {
        "macro": [100 * 5 / 8, 100 * (4 / 6 + 1 / 2) / 2, 100 * (4 / 5 + 1 / 3) / 2, 100 * (8 / 11 + 2 / 5) / 2],
        "weighted": [
            100 * 5 / 8, 100 * (5 * 4 / 6 + 3 * 1 / 2) / 8, 100 * 5 / 8, 100 * (5 * 8 / 11 + 3 * 2 / 5) / 8,
        ],
        "micro": [100 * 5 / 8] * 4,
    }.items():  # fmt: skip
        table = claims_table(compared(builtin, block.replace("macro", averages)))
        assert [cells[2] for cells in table.rows] == ["87.14", "80.00", "70.00", "90.00"]
        assert [float(cells[3]) for cells in table.rows] == pytest.approx(expected, abs=0.005)


def test_unstated_averages_are_shown_both_ways(builtin: Catalogue) -> None:
    comparison = compared(builtin, BLOCK.replace("macro", "unstated"))
    assert [cells[1] for cells in claims_table(comparison).rows] == ["accuracy", "F1, macro", "F1, weighted"]
    assert "does not say which averages" in terminal_text(comparison)


def test_what_is_missing_is_named(builtin: Catalogue) -> None:
    unfinished = {**row("svm under random", "incomplete"), "accuracy": 0.5}
    cells = claims_table(compared(builtin, BLOCK, unfinished, {**row("svm under loso"), "accuracy": None})).rows[0]
    assert cells[3:] == ["50.00 (incomplete)", "- (no result yet)"]
    config = config_of(BLOCK + REST.replace(", loso", ""), builtin)
    comparison = compare_with_claims(config, [row("svm")])
    assert comparison is not None
    assert claims_table(comparison).rows[0][3:] == ["62.50", "- (not in this run)"]
    assert "There is no LOSO in this run." in markdown(comparison)


def test_a_config_without_the_block_is_compared_with_nothing(builtin: Catalogue) -> None:
    assert compare_with_claims(config_of(REST, builtin), [row("svm under loso")]) is None


def test_synthetic_data_is_said_where_the_figures_are(builtin: Catalogue) -> None:
    honest, synthetic = compared(builtin), compared(builtin, BLOCK, row("svm under loso", "synthetic"))
    for text in (markdown, terminal_text):
        assert "Synthetic data" not in text(honest)
        assert "Synthetic data: made by a program" in text(synthetic)
    assert "leak:clip" in terminal_text(honest)


def test_the_chart_has_a_bar_for_each_figure_and_names_a_missing_one(builtin: Catalogue) -> None:
    comparison = compared(builtin, BLOCK, row("svm under random", "synthetic"))
    axes = claims_figure(comparison, "toy").axes[0]
    assert [round(bar.get_width(), 2) for bar in axes.patches] == [87.14, 90, 62.5, 56.36, 0, 0]  # pyright: ignore[reportAttributeAccessIssue]
    assert [text.get_text() for text in axes.texts][-2:] == ["not in this run"] * 2
    assert [label.get_text() for label in axes.get_yticklabels()] == ["accuracy", "F1, macro"]


@pytest.fixture
def ran(tmp_path: Path, bench: Callable[..., Ran]) -> tuple[Path, Ran]:
    """A run with a ``paper`` block, and what it printed."""
    (tmp_path / "c.yaml").write_text(BLOCK + REST)
    return tmp_path, bench("run", tmp_path / "c.yaml", "--out", tmp_path / "runs" / "c", "--figures")


def test_a_run_ends_with_the_table(ran: tuple[Path, Ran], bench: Callable[..., Ran]) -> None:
    folder, first = ran
    assert first.code == 0
    scores = json.loads((folder / "runs" / "c" / "scores.json").read_text())
    by_row = {row["model"]: row for row in scores["rows"]}
    measured = f"{100 * by_row['svm under random']['uf1']:.2f}", f"{100 * by_row['svm under loso']['uf1']:.2f}"
    for text in (first.out, (folder / "runs" / "c" / "leaderboard.md").read_text()):
        end = text[text.index("Claimed and measured: Some paper (2024), table 4") :]
        assert all(figure in end for figure in ("87.14", "90.00", *measured))
        assert "Synthetic data" in end
    assert (folder / "runs" / "c" / "figures" / "claimed-and-measured.png").stat().st_size > 10_000
    assert "paper" not in read_run(folder / "runs" / "c").row_config("svm under loso").config
    # Another claim changes the report, and nothing is computed again.
    (folder / "c.yaml").write_text(BLOCK.replace("87.14", "12.34") + REST)
    second = bench("run", folder / "c.yaml", "--out", folder / "runs" / "c")
    assert (second.code, "12.34" in second.out, ", 0 to do" in second.err) == (0, True, True)


def test_papers_puts_all_runs_into_one_table(ran: tuple[Path, Ran], bench: Callable[..., Ran]) -> None:
    folder, _ = ran
    result = bench("papers", folder / "runs", "--figures")
    assert result.code == 0
    assert "Some paper (2024), table 4" in result.out
    page = (folder / "runs" / "papers.md").read_text()
    assert page.startswith("# Claimed and measured")
    assert "> **Synthetic data" in page
    assert (folder / "runs" / "papers.svg").exists()
    (folder / "runs" / "d").mkdir()
    unfinished = bench("papers", folder / "runs")
    assert (unfinished.code, "that run has not ended" in unfinished.err) == (2, True)
