"""A forest plot as SVG: every row with its rank, its score, its interval, and a line for a constant answer."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mexbench.reports import run_page, svg
from mexbench.runs.plot_style import BLUE, GREY, GRID, ORANGE
from mexbench.tables import UNRANKED, percent, with_interval

_NAMES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}
#: Letters of a line of a name; longer names take several lines, and none is cut.
_LETTERS = 30
_WIDTH, _TOP, _LINE, _GAP = 830, 46, 16, 10
_RANK, _RIGHT = 60, 640


@dataclass(frozen=True)
class ForestRow:
    """A row of the plot.

    Args:
        name: Of the model.
        rank: Its rank or range of ranks, a dash where it has none.
        score: From 0 to 1.
        bounds: Its interval; None where there is none.
        text: The same in figures.
        ranked: Whether it may be ranked; others are drawn hollow.
    """

    name: str
    rank: str
    score: float
    bounds: tuple[float, float] | None
    text: str
    ranked: bool = True


def constant_score(support: Sequence[int], metric: str) -> float:
    """Return the score, 0 to 1, of always answering with the largest class.

    Args:
        support: Samples of each class; classes without any do not count.
        metric: uf1, uar or accuracy.
    """
    counts = [count for count in support if count]
    share, k = max(counts) / sum(counts), len(counts)
    return {"uf1": 2 * share / (1 + share) / k, "uar": 1 / k, "accuracy": share}[metric]


def forest_svg(title: str, rows: Sequence[ForestRow], constant: float | None) -> str:
    """Draw rows in their order.

    Args:
        title: Above the plot, such as what the score is.
        rows: The rows.
        constant: Score of a constant answer, 0 to 1, for the dashed line; None where it has no meaning.
    """
    names = [textwrap.wrap(row.name, _LETTERS) or [""] for row in rows]
    left = _RANK + 22 + svg.width_of(max((line for lines in names for line in lines), key=len, default=""))
    heights = [_LINE * len(lines) + _GAP for lines in names]
    bottom = _TOP + sum(heights)

    def x(share: float) -> float:
        return left + (_RIGHT - left) * share

    parts = svg.percent_axis((x(0), x(1)), (_TOP, bottom), 0, 100, step=20)
    parts.append(svg.text(12, 20, title, size=15))
    parts += [svg.text(12, _TOP - 6, "rank", size=12, fill=GREY), svg.text(_RANK, _TOP - 6, "row", size=12, fill=GREY)]
    top = float(_TOP)
    for row, lines, height in zip(rows, names, heights, strict=True):
        middle, colour = top + height / 2, BLUE if row.ranked else ORANGE
        parts.append(svg.line(12, top, _WIDTH - 12, top, stroke=GRID, width=0.5))
        parts.append(svg.text(12, middle + 4, row.rank))
        first = middle + 4 - _LINE * (len(lines) - 1) / 2
        parts += [svg.text(_RANK, first + _LINE * index, line) for index, line in enumerate(lines)]
        if row.bounds is not None:
            parts.append(svg.line(x(row.bounds[0]), middle, x(row.bounds[1]), middle, stroke=colour, width=2))
        parts += [
            svg.dot(x(row.score), middle, colour, hollow=not row.ranked),
            svg.text(_RIGHT + 14, middle + 4, row.text),
        ]
        top += height
    if constant is not None:
        text = f"dashed: always the most frequent class, {percent(constant)}"
        parts += [
            svg.line(x(constant), _TOP, x(constant), bottom, stroke=GREY, width=1.5, dash="5 4"),
            svg.text(left, bottom + 38, text, size=12),
        ]
    if not all(row.ranked for row in rows):
        parts.append(svg.text(_WIDTH - 12, bottom + 38, "hollow: without a rank", anchor="end", size=12))
    description = "; ".join(f"{row.name} {row.text}" for row in rows)
    constant_text = "" if constant is None else f"; always the most frequent class {percent(constant)}"
    return svg.drawing(_WIDTH, int(bottom + 48), title, description + constant_text, parts)


def run_forest(scores: Mapping[str, Any]) -> str | None:
    """Draw the rows of a run that have a score; None where none has.

    Args:
        scores: ``scores.json`` of the run.
    """
    metric = scores.get("headline", "uf1")
    placed = [(place, row) for place, row in run_page.ranked(scores["rows"], metric) if row[metric] is not None]
    if not placed:
        return None
    rows = [
        ForestRow(
            name=row["model"],
            rank=run_page.rank_text(place, row),
            score=row[metric],
            bounds=(row["ci"] or {}).get(metric),
            text=with_interval(row, metric),
            ranked=not any(flag.startswith(UNRANKED) for flag in row["flags"]),
        )
        for place, row in placed
    ]
    confusion = placed[0][1].get("confusion")
    constant = constant_score([sum(counts) for counts in confusion], metric) if confusion else None
    interval = scores["intervals"]
    title = f"{_NAMES[metric]} x 100, {interval['level']:.0%} interval over {interval['unit']}s: {scores['dataset']}"
    made_up = "synthetic" in scores["flags"] and "synthetic" not in scores["dataset"]
    return forest_svg(title + " (synthetic)" * made_up, rows, constant)
