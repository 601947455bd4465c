"""Subject by subject: a line for each row, a cell for each subject, whose shade is the share of right answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import counted
from mexbench.reports import svg
from mexbench.reports.leaderboards.rows import BoardRow, BoardRows
from mexbench.runs.plot_style import BLUE, GREY, RULE

#: Rows that are drawn: the best, which is where one looks for people whom nobody recognises.
MOST = 25
_WIDTH, _TOP, _HEIGHT, _SHADES = 830, 74, 22, 10


def shares_right(row: BoardRow) -> NDArray[np.float64]:
    """Return the share of right answers (subjects,), over all seeds; NaN for a subject without any."""
    counts = row.counts.matrices.sum(axis=0)
    answers = counts.sum(axis=(1, 2))
    return np.where(answers, counts.trace(axis1=1, axis2=2) / np.maximum(answers, 1), np.nan)


def members_of(board: BoardRows) -> Mapping[str, str]:
    """Return subject (or clip) -> the data set that it is of; the first, where it is in several."""
    return {sample.group: sample.dataset for sample in reversed(board.definition.questions)}


def subject_strip(board: BoardRows, rows: Sequence[BoardRow]) -> str:
    """Draw rows over all subjects: these by data set, and within one by how many rows are right about them."""
    rows = rows[:MOST]
    shares = np.array([shares_right(row) for row in rows])
    of, mean = members_of(board), np.nan_to_num(np.nanmean(shares, axis=0))
    order = sorted(range(len(board.groups)), key=lambda i: (of[board.groups[i]], -mean[i], board.groups[i]))
    left = 24 + svg.width_of(max((row.name for row in rows), key=len))
    width = max(4.0, (_WIDTH - 14 - left) / len(order))
    shades: dict[int, list[str]] = {}
    for line, values in enumerate(shares):
        for place, subject in enumerate(order):
            if not np.isnan(values[subject]):
                x, y = left + width * place, _TOP + _HEIGHT * line + 2
                cell = f"M{x:.1f} {y}h{width - 0.6:.1f}v{_HEIGHT - 4}h-{width - 0.6:.1f}z"
                shades.setdefault(round(_SHADES * float(values[subject])), []).append(cell)
    parts = [
        f'<path d="{"".join(cells)}" fill="{BLUE}" fill-opacity="{shade / _SHADES:.1f}" stroke="{RULE}" '
        f'stroke-width="0.5"/>'
        for shade, cells in sorted(shades.items())
    ]
    parts += [svg.text(12, _TOP + _HEIGHT * i + 16, row.name) for i, row in enumerate(rows)]
    parts += _members([of[board.groups[i]] for i in order], left, width, _TOP + _HEIGHT * len(rows))
    unit = "subject" if any(sample.subject for sample in board.definition.questions) else "clip"
    title = f"Share of right answers of each {unit}"
    parts += [svg.text(12, 24, title, size=15), *_scale(left)]
    lines = [
        f"{row.name}: all right for {int((values == 1).sum())}, none for {int((values == 0).sum())} of {len(order)}"
        for row, values in zip(rows, shares, strict=True)
    ]
    never = int((np.nan_to_num(shares).max(axis=0) == 0).sum())
    text = f"{'; '.join(lines)}; {counted(never, unit)} right in no row"
    total = int(max(_WIDTH, left + width * len(order) + 14))
    return svg.drawing(total, _TOP + _HEIGHT * len(rows) + 44, title, text, parts)


def _members(members: Sequence[str], left: float, width: float, bottom: float) -> list[str]:
    """Name the data sets below the cells, on two heights by turns, so that names do not meet."""
    parts = []
    for turn, member in enumerate(dict.fromkeys(members)):
        first, count = members.index(member), members.count(member)
        x = left + width * first
        parts += [
            svg.line(x, bottom + 5, x + width * count - 1, bottom + 5, stroke=GREY, width=2),
            svg.text(x, bottom + 20 + 14 * (turn % 2), f"{member} ({count})", size=12),
        ]
    return parts


def _scale(left: float) -> list[str]:
    parts = [svg.text(left, 52, "none right", size=12)]
    start = left + svg.width_of("none right", 12) + 8
    parts += [
        f'<rect x="{start + 12 * shade:.1f}" y="41" width="12" height="14" fill="{BLUE}" '
        f'fill-opacity="{shade / _SHADES:.1f}" stroke="{RULE}" stroke-width="0.5"/>'
        for shade in range(_SHADES + 1)
    ]
    return [*parts, svg.text(start + 12 * (_SHADES + 1) + 8, 52, "all right", size=12)]
