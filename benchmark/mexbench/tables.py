"""Tables as markdown and as text, and how figures are printed in them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

Row = Mapping[str, Any]


DASH = "-"


#: A row with one of these flags has no rank, and is listed below the others.
UNRANKED = ("leak:", "incomplete", "selection:seen-test")


@dataclass(frozen=True)
class Table:
    """Headers and cells, not yet in any format."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Format for a terminal; one that is too narrow gets a block of lines for each row."""
        text = tabulate(self.rows, headers=self.headers, tablefmt="simple", disable_numparse=True)
        width = terminal_width()
        if width is None or max(map(len, text.splitlines()), default=0) <= width:
            return text
        return self.stacked()

    def stacked(self) -> str:
        """Format each row as lines ``header  cell``, without those of empty cells."""
        longest = max(map(len, self.headers), default=0)
        blocks = []
        for row in self.rows:
            pairs = zip(self.headers, row, strict=True)
            blocks.append("\n".join(f"{header:<{longest}}  {cell}" for header, cell in pairs if cell.strip()))
        return "\n\n".join(blocks)

    def markdown(self) -> str:
        """Format for a page; bars and markup in a cell are escaped."""
        rows = [[escape(cell) for cell in row] for row in self.rows]
        headers = [escape(header) for header in self.headers]
        return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def terminal_width() -> int | None:
    """Return the columns of the terminal that stdout is, or of the variable COLUMNS; None where neither is known."""
    if os.environ.get("COLUMNS", "").isdigit():
        return int(os.environ["COLUMNS"]) or None
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def competes(row: Row, score: str = "uf1") -> bool:
    """Whether a row may be ranked: it is complete, and no test sample took part in its training or its choices."""
    return row[score] is not None and not any(flag.startswith(UNRANKED) for flag in row["flags"])


def probability(value: float) -> str:
    """Write a p value."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def with_interval(row: Row, name: str) -> str:
    """Write a score with its interval, the score alone where it has none, a dash instead of a missing score."""
    if row[name] is None or (bounds := (row["ci"] or {}).get(name)) is None:
        return percent(row[name])
    low, high = bounds
    return f"{percent(row[name])} [{percent(low)}, {percent(high)}]"


def subjects_text(row: Row) -> str:
    """Write the number of subjects of a row: unknown where the data does not say of each sample who it shows."""
    unknown = row["n_subjects"] is None or "unknown-subjects" in row.get("flags", ())
    return "unknown" if unknown else str(row["n_subjects"])


def counted_subjects(row: Row) -> str:
    """Write the number of subjects of a row with its noun: "1 subject", "12 subjects", "unknown subjects"."""
    number = subjects_text(row)
    return f"{number} subject{'s' * (number != '1')}"


def percent(value: float | None) -> str:
    """Write a score x 100, a dash where there is none."""
    return DASH if value is None else f"{100 * value:.2f}"


def escape(text: object) -> str:
    """Make a text harmless in markdown: it may come from a data set's folder names."""
    escaped = str(text)
    for mark in "\\`*<>|":
        escaped = escaped.replace(mark, f"\\{mark}")
    escaped = escaped.replace("](", "]\\(")  # no link
    return " ".join(escaped.split())
