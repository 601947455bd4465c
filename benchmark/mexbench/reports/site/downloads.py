"""A board's rows as files that a page carries itself: CSV and LaTeX, as addresses that hold their content."""

from __future__ import annotations

import csv
import io
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass

from mexbench.reports import latex
from mexbench.reports.leaderboards import page
from mexbench.reports.leaderboards.rows import BoardRow, BoardRows


@dataclass(frozen=True)
class Download:
    """A file inside a page.

    Args:
        label: What it is called on the page.
        name: Of the file that a browser writes.
        address: A ``data:`` address with the content.
    """

    label: str
    name: str
    address: str


def downloads(board: BoardRows) -> list[Download]:
    """Return the main table of all rows as CSV, and that of the honest rows as LaTeX."""
    name = board.definition.name
    files = [Download("CSV", f"{name}.csv", _address("text/csv", csv_text(board)))]
    if rows := board.section("honest"):
        files.append(Download("LaTeX", f"{name}.tex", _address("application/x-tex", latex_text(board, rows))))
    return files


def latex_text(board: BoardRows, rows: Sequence[BoardRow]) -> str:
    r"""Return rows as a ``tabular``; it needs ``\usepackage{booktabs}``."""
    table = page.main_table(board, rows, brief=True)
    lines = [" & ".join(map(latex.escape, cells)) + r" \\" for cells in table.rows]
    head = [rf"\begin{{tabular}}{{{'l' * len(table.headers)}}}", r"\toprule"]
    head += [" & ".join(map(latex.escape, table.headers)) + r" \\", r"\midrule"]
    return "\n".join([*head, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def csv_text(board: BoardRows) -> str:
    """Return every row: figures from 0 to 1 with the ends of their intervals."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    ends = [f"{name}_{end}" for name in page.NAMES for end in ("", "low", "high")]
    writer.writerow(["section", "rank", "model", *(end.removesuffix("_") for end in ends), "seeds", "flags", "plugin"])
    for row in board.rows:
        figures, entry = row.entry.figures, row.entry
        cells = []
        for name in page.NAMES:
            cells += [figures[name], *((figures["ci"] or {}).get(name) or ("", ""))]
        identity = [row.section, page.rank_text(row.rank), row.name]
        writer.writerow(
            [
                *identity,
                *cells,
                len(entry.seeds),
                " ".join(entry.flags),
                f"{entry.model.plugin} {entry.model.distribution}",
            ]
        )
    return stream.getvalue()


def _address(kind: str, text: str) -> str:
    return f"data:{kind};charset=utf-8,{urllib.parse.quote(text, safe='')}"
