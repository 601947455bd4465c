"""What differs between the tables of runs by their target: the scores of a row, the order of rows, the main table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mexbench.reports import action_units_page, run_page, spotting_page
from mexbench.tables import Row, Table

#: Target -> its scores, each with its name in print; the first one is what a figure shows by default.
METRICS: Mapping[str, Mapping[str, str]] = {
    "emotion": {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"},
    "action_units": {"f1": "F1", "macro_f1": "macro F1"},
    "spotting": {"f1": "F1", "f1_micro": "micro F1", "f1_macro": "macro F1"},
}


def target_of(scores: Mapping[str, Any]) -> str:
    """Return the target of a run by its ``scores.json``."""
    return scores.get("target", "emotion")


def metrics_of(scores: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the scores of a row, each with its name in print."""
    return METRICS[target_of(scores)]


def has_ranks(scores: Mapping[str, Any]) -> bool:
    """Whether rows are ranked: classes alone are."""
    return target_of(scores) == "emotion"


def ordered(scores: Mapping[str, Any]) -> list[tuple[int | None, Row]]:
    """Return the rows in the order of the main table, each with its place where it has one."""
    if target_of(scores) == "action_units":
        return [(None, row) for row in action_units_page.ordered(scores)]
    if target_of(scores) == "spotting":
        return [(None, row) for row in spotting_page.ordered(scores)]
    return run_page.ranked(scores["rows"])


def main_table(scores: Mapping[str, Any]) -> Table:
    """Return the main table."""
    pages = {"emotion": run_page, "action_units": action_units_page, "spotting": spotting_page}
    return pages[target_of(scores)].main_table(scores)


def no_interval_text(scores: Mapping[str, Any]) -> str:
    """Say what rows of too few subjects lack."""
    return "no interval and no rank" if has_ranks(scores) else "no interval"
