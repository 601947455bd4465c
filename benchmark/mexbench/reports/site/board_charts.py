"""The drawings of a board's page: each stands alone, is shown in the page's colours, and can be downloaded as SVG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mexbench.reports.leaderboards.rows import BoardRows
from mexbench.reports.leaderboards.statistics import (
    competitors,
    cost_drawing,
    detectable_text,
    difference_drawing,
    forest_drawing,
    forest_section,
    pairwise_tests,
)
from mexbench.reports.site.audits import AuditSummary
from mexbench.reports.site.downloads import Download, table_csv, table_latex, text_download
from mexbench.reports.site.leak_chart import leak_drawing, leak_table, measured_effects
from mexbench.reports.site.strip import subject_strip
from mexbench.tables import Table


@dataclass(frozen=True)
class Chart:
    """A drawing on a page.

    Args:
        name: Of its place on the page, and of its file.
        title: Above it.
        note: Below the title: how to read it.
        drawing: The same as in its file, for the page.
        downloads: Its file, and its figures where a table has them.
        table: Its figures; None where other tables of the page have them.
    """

    name: str
    title: str
    note: str
    drawing: Markup
    downloads: tuple[Download, ...]
    table: Table | None = None


def inlined(text: str) -> Markup:
    """Return a drawing that stands alone as part of a page, which gives it its colours."""
    body = re.sub(r'(width="\d+") height="\d+"', r'\1 class="drawn"', text, count=1)
    return Markup(body)  # noqa: S704 - our own drawing, whose texts are escaped


def chart(name: str, title: str, note: str, drawing: str, *, file: str, table: Table | None = None) -> Chart:
    """Put a drawing on a page.

    Args:
        name: Of its place on the page.
        title: Above it.
        note: How to read it.
        drawing: SVG that stands alone.
        file: Name of its file, without the ending.
        table: Its figures.
    """
    files = [text_download("SVG", f"{file}.svg", "image/svg+xml", drawing)]
    if table is not None:
        files += [text_download("CSV", f"{file}.csv", "text/csv", table_csv(table))]
        files += [text_download("LaTeX", f"{file}.tex", "application/x-tex", table_latex(table))]
    return Chart(name, title, note, inlined(drawing), tuple(files), table)


def board_charts(board: BoardRows, audits: Sequence[AuditSummary]) -> list[Chart]:
    """Return the drawings of a board, the forest plot first."""
    name, section = board.definition.name, forest_section(board)
    if section is None:
        return []
    rows = board.section(section)
    charts = [
        chart(
            "forest",
            "Scores and ranks",
            "Dots are scores, lines their intervals; hollow dots have no rank. The dashed line is what the "
            "most frequent class gets, always named.",
            forest_drawing(board, rows),
            file=f"{name}_forest",
        )
    ]
    if tests := pairwise_tests(board):
        note = (
            "Critical-difference diagram: every two rows are compared by a paired permutation test over subjects, "
            "corrected after Holm; a bar joins rows that cannot be told apart. "
        )
        charts.append(
            chart(
                "differences",
                "Which rows can be told apart",
                note + detectable_text(board, tests).replace("**", ""),
                difference_drawing(board, tests),
                file=f"{name}_differences",
            )
        )
    if (drawn := cost_drawing(board)) is not None:
        note = "Seconds of one seed's training and prediction, on a logarithmic scale, against the score that ranks."
        charts.append(chart("cost", "Cost against score", note, drawn, file=f"{name}_cost"))
    if pairs := measured_effects(board, audits):
        note = "By bench audit: each leak is put in on purpose, all else equal. No leaky score is a result."
        drawn, table = leak_drawing(pairs), leak_table(pairs)
        charts.append(chart("leaks", "What leaks would add", note, drawn, file=f"{name}_leaks", table=table))
    best = competitors(board) or rows
    note = (
        "A column is one person, in the same place in every line. Where a whole column has the shade of the "
        "scale's left end, no row recognises that person."
    )
    charts.append(chart("strip", "Subject by subject", note, subject_strip(board, best), file=f"{name}_subjects"))
    return charts
