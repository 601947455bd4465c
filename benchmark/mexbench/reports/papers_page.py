"""Runs of paper configs -> one page: every published table's claims beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mexbench.errors import RunFolderError, check_name
from mexbench.files import read_json
from mexbench.reports.claimed_and_measured import (
    MEASURED,
    SYNTHETIC,
    claims_table,
    figure_name,
    is_synthetic,
    notes,
    source_text,
)
from mexbench.tables import Table, escape

#: Of ``papers.json``.
PAPERS_SCHEMA = 1
#: Run -> its ``scores.json``.
Runs = Mapping[str, Mapping[str, Any]]


def read_runs(root: Path) -> dict[str, dict[str, Any]]:
    """Read the scores of every run folder in a folder, sorted by name.

    Raises:
        RunFolderError: It has none, or one has no scores, is damaged or has no ``paper`` block.
        DataError: A name is not UTF-8.
    """
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    if not folders:
        raise RunFolderError(f"{root}: has no run folders; 'make papers' makes them")
    runs: dict[str, dict[str, Any]] = {}
    for folder in folders:
        check_name(folder)
        path = folder / "scores.json"
        try:
            runs[folder.name] = read_json(path)
        except FileNotFoundError:
            raise RunFolderError(f"{path}: file not found: that run has not ended; run it again") from None
        except ValueError as error:
            raise RunFolderError(f"{path}: is damaged: {error}; run it again") from None
        if "paper" not in runs[folder.name]:
            raise RunFolderError(f"{path}: its config has no 'paper' block, so that nothing is claimed of its rows")
    return runs


def summary(runs: Runs, commit: str) -> dict[str, Any]:
    """Return what ``papers.json`` holds: the same tables for ``bench site``."""
    tables = [{"name": name, "dataset": scores["dataset"], "paper": scores["paper"]} for name, scores in runs.items()]
    return {"schema": PAPERS_SCHEMA, "commit": commit, "runs": tables}


def overview_table(runs: Runs) -> Table:
    """Return the accuracies of every run, which is what every table prints."""
    rows = []
    for scores in runs.values():
        paper = scores["paper"]
        table = claims_table({**paper, "lines": [line for line in paper["lines"] if line["figure"] == "accuracy"]})
        rows += [[source_text(paper), scores["dataset"], cells[0], *cells[2:]] for cells in table.rows]
    return Table(["published in", "data", "model", "accuracy claimed", *MEASURED.values()], rows)


def markdown(runs: Runs) -> str:
    """Write the page: the accuracies of all runs, then each run's figures."""
    synthetic = any(is_synthetic(scores["paper"]) for scores in runs.values())
    parts = ["# Claimed and measured: the published tables"]
    parts += [f"> **{SYNTHETIC}**"] if synthetic else []
    parts += [
        "Each config of `configs/papers` re-does one table: under the paper's split, in which frames of one clip, and "
        "of one person, are on both sides, and under leave-one-subject-out (LOSO). Accuracy x 100; `bench claims` says "
        "which claims are arithmetically possible.",
        overview_table(runs).markdown(),
    ]
    for name, scores in runs.items():
        paper = scores["paper"]
        parts += [f"## {escape(name)}", f"{escape(source_text(paper))}, on {escape(scores['dataset'])}."]
        parts += [claims_table(paper).markdown(), escape(" ".join(notes(paper)))]
    return "\n\n".join(parts) + "\n"


def chart_lines(runs: Runs) -> tuple[list[str], list[Mapping[str, Any]]]:
    """Return the labels and the lines of the chart: the accuracies of every run."""
    labels, lines = [], []
    for name, scores in runs.items():
        for line in scores["paper"]["lines"]:
            if line["figure"] == "accuracy":
                labels.append(f"{name}: {line['model']}, {figure_name(line)}".removesuffix(", accuracy"))
                lines.append(line)
    return labels, lines
