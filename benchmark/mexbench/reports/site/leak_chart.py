"""What leaks add to the rows of a board, by the results of ``bench audit``: one drawing for all rows."""

from __future__ import annotations

from collections.abc import Sequence

from mexbench.reports import svg
from mexbench.reports.leaderboards.rows import BoardRows
from mexbench.reports.site.audits import AuditSummary, Effect
from mexbench.runs.plot_style import BLUE, GREY, GRID, INK, ORANGE
from mexbench.tables import Table

_WIDTH, _TOP, _LINE = 830, 74, 24
_FIGURES = 150


def measured_effects(board: BoardRows, audits: Sequence[AuditSummary]) -> list[tuple[Effect, float]]:
    """Return each measured leak of each row with what a random predictor gains by it; leak by leak."""
    pairs = []
    for audit in audits:
        for row in board.rows:
            for effect in audit.of(board, row):
                if effect.status == "measured":
                    gained = effect.null[effect.score][0] - audit.null[effect.model][effect.score][0]
                    pairs.append((effect, gained))
    leaks = list(dict.fromkeys(effect.leak for effect, _ in pairs))
    return sorted(pairs, key=lambda pair: (leaks.index(pair[0].leak), -pair[0].inflation[pair[0].score]))


def leak_table(pairs: Sequence[tuple[Effect, float]]) -> Table:
    """Return the figures of the drawing."""
    cells = []
    for effect, gained in pairs:
        ends = effect.ci[effect.score] if effect.ci else None
        interval = "-" if ends is None else f"{100 * ends[0]:+.2f} to {100 * ends[1]:+.2f}"
        added = f"{100 * effect.inflation[effect.score]:+.2f}"
        cells.append([effect.leak, effect.model, effect.score.upper(), added, interval, f"{100 * gained:+.2f}"])
    return Table(["leak", "model", "score", "points added", "interval", "random predictor"], cells)


def leak_drawing(pairs: Sequence[tuple[Effect, float]]) -> str:
    """Draw a bar for each leak and row, its interval, and what a random predictor gains by the same leak."""
    labels = [f"{e.leak}, {e.model}" + " (UAR)" * (e.score == "uar") for e, _ in pairs]
    left, right = 24 + svg.width_of(max(labels, key=len)), float(_WIDTH - _FIGURES)
    values = [100 * effect.inflation[effect.score] for effect, _ in pairs]
    gains = [100 * gained for _, gained in pairs]
    ends = [[100 * end for end in effect.ci[effect.score]] if effect.ci else [] for effect, _ in pairs]
    every = [0.0, *values, *gains, *(end for pair in ends for end in pair)]
    low, high = 10 * int(min(every) // 10), 10 * int(-(-max(every) // 10)) or 10
    bottom = _TOP + _LINE * len(pairs)

    def x(points: float) -> float:
        return left + (right - left) * (points - low) / (high - low)

    step = 10 if high - low <= 80 else 20
    parts = svg.percent_axis((left, right), (_TOP, bottom), low, high, step=step)
    parts += [
        svg.text(12, 24, "Points that each leak adds to a row's score", size=15),
        f'<rect x="12" y="40" width="22" height="12" fill="{BLUE}"/>',
        svg.text(40, 51, "what is added, with its 95% interval over people", size=12),
        svg.diamond(372, 46, ORANGE),
        svg.text(384, 51, "what a random predictor gains by the same leak", size=12),
        svg.line(x(0), _TOP, x(0), bottom, stroke=INK),
    ]
    for index, (label, value, gain, pair) in enumerate(zip(labels, values, gains, ends, strict=True)):
        y = _TOP + _LINE * index + _LINE / 2
        if index and pairs[index][0].leak != pairs[index - 1][0].leak:
            parts.append(svg.line(12, y - _LINE / 2, _WIDTH - 12, y - _LINE / 2, stroke=GRID))
        parts += [
            svg.text(12, y + 4, label),
            f'<rect x="{min(x(0), x(value)):.1f}" y="{y - 6:.1f}" width="{abs(x(value) - x(0)):.1f}" height="12" '
            f'fill="{BLUE}" fill-opacity="0.6"/>',
            *([svg.line(x(pair[0]), y, x(pair[1]), y, stroke=INK, width=1.5)] if pair else []),
            svg.diamond(x(gain), y, ORANGE),
            svg.text(right + 14, y + 4, f"{value:+.1f}; random {gain:+.1f}", size=12, fill=GREY),
        ]
    description = "; ".join(
        f"{a}: {v:+.1f}, a random predictor {g:+.1f}" for a, v, g in zip(labels, values, gains, strict=True)
    )
    return svg.drawing(_WIDTH, bottom + 28, "Points that each leak adds", description, parts)
