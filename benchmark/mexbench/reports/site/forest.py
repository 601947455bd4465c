"""The forest plot of a board: every row's score with its interval, and what a constant answer gets."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from mexbench.reports.leaderboards import page
from mexbench.reports.leaderboards.rows import BoardRow, BoardRows
from mexbench.tables import percent, with_interval

_WIDTH, _LINE, _TOP = 720, 24, 12
#: From the left: where the scale begins and ends; names are before it, figures behind it.
_LEFT, _RIGHT = 210, 540
_LETTERS = 26


def forest(board: BoardRows, rows: Sequence[BoardRow]) -> Markup:
    """Draw rows in their order: rank and name, the interval on a scale from 0 to 100, the figures."""
    headline = board.definition.headline
    foot = _TOP + _LINE * len(rows)
    chance = constant_answer(board, headline)
    parts = [_scale(foot), _chance(chance, foot)]
    parts += [_row(row, headline, _TOP + _LINE * index + _LINE / 2) for index, row in enumerate(rows)]
    name = page.NAMES[headline]
    text = "; ".join(f"{row.name} {with_interval(row.entry.figures, headline)}" for row in rows)
    return Markup(
        '<svg class="wide" viewBox="0 0 {} {}" role="img" aria-labelledby="forest-title forest-text">'
        '<title id="forest-title">{} of every row, x 100, with its interval</title>'
        '<desc id="forest-text">{}; a constant answer gets {}</desc>{}</svg>'
    ).format(_WIDTH, foot + 40, name, text, percent(chance), Markup("").join(parts))


def constant_answer(board: BoardRows, score: str) -> float:
    """Return the score, 0 to 1, of always answering with the largest class."""
    counts = list(board.support.values())
    share, k = max(counts) / sum(counts), len(counts)
    return {"uf1": 2 * share / (1 + share) / k, "uar": 1 / k, "accuracy": share}[score]


def _x(share: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * share


def _scale(foot: int) -> Markup:
    ticks = [
        Markup('<path class="axis" d="M{0:.1f} {1}V{2}"/><text class="middle" x="{0:.1f}" y="{3}">{4}</text>').format(
            _x(value / 100), _TOP, foot, foot + 16, value
        )
        for value in range(0, 101, 20)
    ]
    return Markup("").join(ticks)


def _chance(share: float, foot: int) -> Markup:
    return Markup(
        '<path class="chance" d="M{0:.1f} {1}V{2}"/><text class="middle" x="{0:.1f}" y="{3}">constant answer {4}</text>'
    ).format(_x(share), _TOP - 6, foot + 20, foot + 34, percent(share))


def _row(row: BoardRow, headline: str, y: float) -> Markup:
    figures = row.entry.figures
    label = f"{page.rank_text(row.rank)}  {row.name}"
    shown = label if len(label) <= _LETTERS else f"{label[: _LETTERS - 1]}…"
    bounds = (figures["ci"] or {}).get(headline)
    whisker = (
        Markup('<path class="whisker" d="M{:.1f} {:.1f}H{:.1f}"/>').format(_x(bounds[0]), y, _x(bounds[1]))
        if bounds
        else ""
    )
    return Markup(
        '<text class="end" x="{left}" y="{text:.1f}">{name}</text>{whisker}'
        '<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/><text x="{right}" y="{text:.1f}">{figures}</text>'
    ).format(
        left=_LEFT - 12, right=_RIGHT + 12, x=_x(figures[headline]), y=y, text=y + 4, name=shown, whisker=whisker,
        figures=with_interval(figures, headline),
    )  # fmt: skip
