"""Statistics of a whole board: which rows can be told apart, the floors below them, and what a score costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from mexbench.errors import counted
from mexbench.metrics.classification import LEVEL, interval, scores
from mexbench.metrics.critical_difference import ALPHA, POWER, CriticalDifference, critical_difference
from mexbench.reports import svg
from mexbench.reports.forest_svg import ForestRow, constant_score, forest_svg
from mexbench.reports.leaderboards.ranking import paired
from mexbench.reports.leaderboards.rows import SECTIONS, BoardRow, BoardRows, Section
from mexbench.runs.plot_style import BLUE, GREY, GRID, ORANGE
from mexbench.tables import DASH, Table, escape, percent, with_interval

#: Plugins that look at no sample: they are a floor, not a competitor.
FLOORS = ("majority",)
#: Simulated predictors that guess by class frequencies.
_GUESSES = 2_000
#: Most rows whose every pair is tested.
_MOST_ROWS = 25
_NAMES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}


def is_floor(row: BoardRow) -> bool:
    """Whether a row's model looks at no sample."""
    return row.entry.model.plugin in FLOORS


def competitors(board: BoardRows) -> tuple[BoardRow, ...]:
    """Return the ranked rows of the honest section that are not floors, the best first."""
    return tuple(row for row in board.section("honest") if row.rank is not None and not is_floor(row))


def pairwise_tests(board: BoardRows) -> CriticalDifference | None:
    """Test every two of the best rows; None where there are not two."""
    rows = competitors(board)[:_MOST_ROWS]
    if len(rows) < 2:
        return None
    pairs = {(a.name, b.name): paired(a.counts, b.counts) for a, b in combinations(rows, 2)}
    return critical_difference(
        pairs, [row.name for row in rows], {row.name: row.counts.matrices for row in rows}, board.definition.headline
    )


def detectable_text(board: BoardRows, tests: CriticalDifference) -> str:
    """State the smallest difference that this data set can show."""
    assert tests.detectable is not None  # noqa: S101 - there are two rows
    low, middle, high = (percent(value) for value in tests.detectable)
    name = _NAMES[board.definition.headline]
    subjects = competitors(board)[0].counts.matrices.shape[1]
    return (
        f"**Smallest difference that can be shown.** With {subjects} subjects, two rows as alike as those here must be "
        f"{middle} points of {name} apart (median over {counted(len(tests.p), 'pair')}; from {low} to {high}) for a "
        f"paired test at {ALPHA:.0%} to show it in {POWER:.0%} of such data sets, before any correction for the number "
        "of rows."
    )


def floor_table(board: BoardRows) -> Table:
    """Rows whose model looks at no sample, and a predictor that guesses by the frequencies of the classes."""
    cells = []
    for row in board.rows:
        if is_floor(row):
            shown = [with_interval(row.entry.figures, key) for key in _NAMES]
            cells.append([f"{row.name}: always the most frequent class of the training side", *shown])
    means, ranges = _guessing(board)
    shown = [f"{percent(means[key])} [{percent(ranges[key][0])}, {percent(ranges[key][1])}]" for key in _NAMES]
    cells.append([f"chance: guesses by class frequencies ({_GUESSES} simulated)", *shown])
    return Table(["floor", *_NAMES.values()], cells)


def _guessing(board: BoardRows) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    truths = np.array(list(board.definition.truths.values()))
    k = len(board.definition.classes)
    frequencies = np.bincount(truths, minlength=k) / len(truths)
    rng = np.random.default_rng(0)
    matrices = np.stack([rng.multinomial(int(n), frequencies, size=_GUESSES) for n in np.bincount(truths, minlength=k)])
    scored = scores(matrices.transpose(1, 0, 2))
    return (
        {key: float(scored[key].mean()) for key in _NAMES},
        {key: interval(scored[key], LEVEL) for key in _NAMES},
    )


def cost(row: BoardRow) -> tuple[float | None, str]:
    """Return the seconds of one seed's training and prediction, and what they are seconds of."""
    costs = row.entry.costs
    if costs.processor_s is not None:
        return costs.processor_s, "processor"
    return costs.fit_s, "wall clock"


def cost_text(row: BoardRow) -> str:
    """Write what a row cost."""
    seconds, kind = cost(row)
    return DASH if seconds is None else f"{seconds:,.3g} s {kind}"


def difference_drawing(board: BoardRows, tests: CriticalDifference) -> str:
    """Draw the rows with their intervals, and bars that join rows which cannot be told apart."""
    rows = {row.name: row for row in competitors(board)}
    headline = board.definition.headline
    name = _NAMES[headline]
    left, right, top = 24 + svg.width_of(max(tests.order, key=len)), 780.0 - 12 * len(tests.groups), 44.0
    bottom = top + 26 * len(tests.order)
    low, high = _range([value for row in tests.order for value in rows[row].entry.figures["ci"][headline]])
    parts = svg.percent_axis((left, right), (top, bottom), low, high)
    place = {}
    for index, row in enumerate(tests.order):
        figures, y = rows[row].entry.figures, top + 26 * index + 13
        place[row] = y
        x = [left + (right - left) * (100 * value - low) / (high - low)
             for value in (figures[headline], *figures["ci"][headline])]  # fmt: skip
        parts += [
            svg.text(left - 10, y + 4, row, anchor="end"),
            svg.line(x[1], y, x[2], y, stroke=BLUE, width=2),
            svg.dot(x[0], y, BLUE),
        ]
    for index, group in enumerate(tests.groups):
        x = right + 22 + 12 * index
        parts.append(svg.line(x, place[group[0]] - 9, x, place[group[-1]] + 9, stroke=ORANGE, width=5))
    title = f"{name} x 100; bars join rows that cannot be told apart (p >= {ALPHA:g} after Holm)"
    parts.append(svg.text(12, 24, title, size=14))
    groups = "; ".join(", ".join(group) for group in tests.groups) or "every two rows differ"
    return svg.drawing(830, int(bottom + 28), title, f"Rows that cannot be told apart: {groups}.", parts)


def forest_section(board: BoardRows) -> Section | None:
    """Return the section whose rows are drawn: the first that has any."""
    return next((section for section in SECTIONS if board.section(section)), None)


def forest_drawing(board: BoardRows, rows: Sequence[BoardRow]) -> str:
    """Draw rows with their ranks and intervals, and what a constant answer gets."""
    headline = board.definition.headline
    drawn = [
        ForestRow(
            name=row.name,
            rank=DASH if row.rank is None else "-".join(map(str, dict.fromkeys(row.rank))),
            score=row.entry.figures[headline],
            bounds=(row.entry.figures["ci"] or {}).get(headline),
            text=with_interval(row.entry.figures, headline),
            ranked=row.rank is not None,
        )
        for row in rows
    ]
    unit = "subject" if any(question.subject for question in board.definition.questions) else "clip"
    title = f"{_NAMES[headline]} x 100, {LEVEL:.0%} interval over {unit}s"
    return forest_svg(title, drawn, constant_score(list(board.support.values()), headline))


def cost_drawing(board: BoardRows) -> str | None:
    """Draw each row's score against what it cost; None where no cost is known."""
    known = {row.name: (row, cost(row)[0]) for row in competitors(board)}
    points = [(name, row, seconds) for name, (row, seconds) in known.items() if seconds]
    if not points:
        return None
    headline = board.definition.headline
    right = 800 - svg.width_of(max((name for name, *_ in points), key=len), 12)
    left, top, bottom = 48.0, 50.0, max(330.0, 70.0 + 16 * len(points))
    ticks = svg.log_ticks(min(seconds for *_, seconds in points), max(seconds for *_, seconds in points))
    ends = np.log10(ticks[0]), np.log10(max(ticks[-1], 10 * ticks[0]))
    low, high = _range([row.entry.figures[headline] for _, row, _ in points])
    parts = []
    for tick in ticks:
        x = left + (right - left) * (np.log10(tick) - ends[0]) / (ends[1] - ends[0])
        parts += [svg.line(x, top, x, bottom, stroke=GRID),
                  svg.text(x, bottom + 16, f"{tick:,g}", anchor="middle", size=12)]  # fmt: skip
    for value in range(low, high + 1, 10):
        y = bottom - (bottom - top) * (value - low) / (high - low)
        parts += [svg.line(left, y, right, y, stroke=GRID),
                  svg.text(left - 8, y + 4, str(value), anchor="end", size=12)]  # fmt: skip
    xs = [left + (right - left) * (np.log10(seconds) - ends[0]) / (ends[1] - ends[0]) for *_, seconds in points]
    ys = [bottom - (bottom - top) * (100 * row.entry.figures[headline] - low) / (high - low) for _, row, _ in points]
    labels = svg.spread_labels(ys, 16, bottom - 4)
    for x, y, label in zip(xs, ys, labels, strict=True):  # below every mark
        parts.append(svg.line(float(x), y, right + 14, label, stroke=GREY, width=0.7, dash="2 3"))
    for (name, row, _), x, y, label in zip(points, xs, ys, labels, strict=True):
        mark = svg.dot if cost(row)[1] == "processor" else svg.square
        parts += [mark(float(x), y, BLUE), svg.text(right + 18, label + 4, name, size=12)]
    title = f"{_NAMES[headline]} x 100 against seconds of one seed (dots: processor time; squares: wall clock)"
    parts.append(svg.text(12, 24, title, size=14))
    text = "; ".join(
        f"{name}: {percent(row.entry.figures[headline])} in {seconds:.3g} s" for name, row, seconds in points
    )
    return svg.drawing(830, int(bottom + 30), title, text, parts)


def drawings(board: BoardRows) -> Mapping[str, str]:
    """Return the drawings of a board: name of the file -> SVG."""
    name = board.definition.name
    found: dict[str, str] = {}
    if (section := forest_section(board)) is not None:
        found[f"{name}_forest.svg"] = forest_drawing(board, board.section(section))
    if tests := pairwise_tests(board):
        found[f"{name}_differences.svg"] = difference_drawing(board, tests)
    if drawn := cost_drawing(board):
        found[f"{name}_cost.svg"] = drawn
    return found


def sections(board: BoardRows, files: Sequence[str]) -> list[str]:
    """Return what a board's page says of its statistics.

    Args:
        board: The board.
        files: Names of its drawings.
    """
    parts = ["## Floors", "What is reached without looking at a clip.", floor_table(board).markdown()]
    if tests := pairwise_tests(board):
        groups = [f"- {', '.join(map(escape, group))}" for group in tests.groups] or ["- none: every two rows differ"]
        parts += [
            "## Which rows can be told apart",
            f"Every two of the {len(tests.order)} best rows, by a paired permutation test over subjects, corrected "
            f"after Holm for {counted(len(tests.p), 'test')}. Rows next to each other that cannot be told apart at "
            f"{ALPHA:.0%}:",
            "\n".join(groups),
            *(f"![rows that cannot be told apart]({file})" for file in files if file.endswith("_differences.svg")),
            detectable_text(board, tests),
        ]
    if any(file.endswith("_cost.svg") for file in files):
        parts += [
            "## Cost and score",
            *(f"![score against cost]({file})" for file in files if file.endswith("_cost.svg")),
        ]
    return parts


def _range(values: Sequence[float]) -> tuple[int, int]:
    """Return the tens around scores x 100."""
    low, high = 10 * int(min(values) * 10), 10 * (int(max(values) * 10) + 1)
    return low, min(high, 100) if high > low + 10 else high + 10
