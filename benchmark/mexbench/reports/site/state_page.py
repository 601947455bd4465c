"""The state of the art as a page of the site: the figures of ``state_of_the_art.md``, with links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from mexbench.reports import state_of_the_art as state
from mexbench.reports.leaderboards.rows import BoardRows
from mexbench.reports.leaderboards.statistics import detectable_text, floor_table, pairwise_tests
from mexbench.reports.site.board_charts import chart
from mexbench.reports.site.links import doi_link, external
from mexbench.reports.state_of_the_art import BoardScore, MethodLine
from mexbench.studies.claims.methods import SELECTIONS, MethodCode


@dataclass(frozen=True)
class StateOfTheArt:
    """What the page shows.

    Args:
        board: The leaderboard of the honest and the tuned rows.
        lines: A line for each published method.
    """

    board: BoardRows
    lines: Sequence[MethodLine]


def code_link(method: MethodCode) -> Markup:
    """Return the public code of a method that was read, as a link to that version where it is known."""
    if method.repository is None:
        return Markup("not public")
    version = f"/tree/{method.commit}" if method.commit else ""
    return external(f"https://github.com/{method.repository}{version}", method.version())


def page_values(shown: StateOfTheArt) -> dict[str, Any]:
    """Return what the template of the page shows."""
    table = state.lines_table(shown.lines)
    tests = pairwise_tests(shown.board)
    figure = chart(
        "claimed",
        "Claimed, by the authors' own rule, honest, tuned alike",
        "One line is one method; the grey line joins its figures. At its end: what is left of the claim, in points.",
        state.drawing(shown.lines),
        file="state_of_the_art",
        table=table,
    )
    return {
        "board": shown.board,
        "summary": state.summary_text(shown.lines),
        "chart": figure,
        "headers": table.headers,
        "lines": [
            {
                "line": line,
                "cells": cells,
                "paper": doi_link(line.method.doi) if line.method.doi else None,
                "code": code_link(line.method),
                "rule": SELECTIONS[line.method.selection],
                "scores": _scores(line),
            }
            for line, cells in zip(shown.lines, table.rows, strict=True)
        ],
        "meanings": state.MEANINGS,
        "others": state.other_rows(shown.board, shown.lines),
        "floors": floor_table(shown.board),
        "detectable": detectable_text(shown.board, tests).replace("**", "") if tests else "",
    }


def _scores(line: MethodLine) -> dict[int, BoardScore]:
    """Return column -> the score in it, with its row and leaderboard."""
    columns = {5: line.honest, 6: line.tuned}
    return {column: score for column, score in columns.items() if score is not None}
