"""A forest plot: every row's score with its interval, and what a constant answer would reach."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mexbench.errors import ConfigError, unknown
from mexbench.metrics import few_subjects
from mexbench.reports import target_tables
from mexbench.runs.plot_style import BLUE, ORANGE
from mexbench.tables import UNRANKED, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Inches of a line of a label, lines between two labels, and letters of a line.
_INCHES, _GAP, _LETTERS = 0.19, 1.2, 34
_UNIT_METRICS = target_tables.METRICS["action_units"]


def forest_figure(scores: Mapping[str, Any], metric: str | None = None) -> Figure:
    """Draw the rows of a run, the highest score on top.

    A flagged row that is not ranked is orange and hollow, and stands below the row of the same model under another
    protocol, with an arrow from that one: what the leak adds.

    Args:
        scores: ``scores.json`` of the run.
        metric: uf1, uar or accuracy; f1 or macro_f1 where action units are the target; f1, f1_micro or f1_macro of
            spotters. None takes the first.

    Raises:
        ConfigError: The figure is unknown.
    """
    from matplotlib.figure import Figure

    metrics = target_tables.metrics_of(scores)
    metric = metric or next(iter(metrics))
    if metric not in metrics:
        raise ConfigError(unknown("metric", metric, metrics))
    rows = _beside_their_pairs([row for _, row in target_tables.ordered(scores) if row[metric] is not None])
    labels = [_label(row) for row in rows]
    places, bottom = _places(labels)
    figure = Figure(figsize=(8, 2.2 + _INCHES * max(bottom, 1)))
    axes = figure.add_subplot()
    for index, (place, row) in enumerate(zip(places, rows, strict=True)):
        colour, face = (ORANGE, "white") if _is_unranked(row) else (BLUE, BLUE)
        if (bounds := row["ci"][metric]) is not None:
            low, high = (100 * bound for bound in bounds)
            axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot(100 * row[metric], place, "o", color=colour, markerfacecolor=face, markersize=8, clip_on=False)
        if _is_unranked(row) and index and _is_pair(rows[index - 1], row):
            ends = [(100 * rows[index - 1][metric], places[index - 1]), (100 * row[metric], place)]
            arrow = {"arrowstyle": "->", "color": "0.4", "shrinkA": 6, "shrinkB": 6}
            axes.annotate("", xy=ends[1], xytext=ends[0], arrowprops=arrow)
    if (chance := constant_score(rows, metric)) is not None:
        answer = "every unit always present" if metric in _UNIT_METRICS else "always the most frequent class"
        axes.axvline(100 * chance, color="0.4", linestyle="--", zorder=1, label=f"{answer}: {100 * chance:.1f}")
        figure.legend(loc="outside lower center", frameon=False)  # outside the axes: it covers no interval
    axes.set_yticks(places, labels, fontsize=10)
    axes.set_ylim(max(bottom, 1), 0)
    axes.set_xlim(0, 100)
    axes.grid(axis="x", alpha=0.3)
    interval = scores["intervals"]
    label = f"{metrics[metric]} x 100, {interval['level']:.0%} interval over {interval['unit']}s"
    axes.set_xlabel("\n".join([label, *(textwrap.fill(text, 90) for text in few_subjects.note(scores, "no interval"))]))
    figure.suptitle(_title(scores))
    return figure


def _label(row: Row) -> str:
    """Return a row's name, and below it the flags that keep it from a rank, folded to the width of a name."""
    flags = ", ".join(flag for flag in row["flags"] if flag.startswith(UNRANKED))
    return "\n".join([*textwrap.wrap(row["model"], _LETTERS), *textwrap.wrap(flags, _LETTERS, break_on_hyphens=False)])


def _places(labels: Sequence[str]) -> tuple[list[float], float]:
    """Give each row a height by the lines of its label, so that no two labels meet.

    Returns:
        The middle of each row, downwards from 0, and where the last one ends; in lines of text.
    """
    heights = [label.count("\n") + 1 + _GAP for label in labels]
    ends = [sum(heights[: index + 1]) for index in range(len(heights))]
    return [end - height / 2 for end, height in zip(ends, heights, strict=True)], ends[-1] if ends else 0.0


def _is_unranked(row: Row) -> bool:
    return any(flag.startswith(UNRANKED) for flag in row["flags"])


def _base_name(row: Row) -> str:
    """Return a row's name without that of its protocol, which it has where a run has several."""
    return row["model"].removesuffix(f" under {row['protocol']}")


def _is_pair(honest: Row, flagged: Row) -> bool:
    return _base_name(honest) == _base_name(flagged) and honest["protocol"] != flagged["protocol"]


def _beside_their_pairs(rows: Sequence[Row]) -> list[Row]:
    """Move each unranked row behind the ranked row of the same model under another protocol, where there is one."""
    ordered = [row for row in rows if not _is_unranked(row)]
    for row in filter(_is_unranked, rows):
        pair = next((i for i, other in enumerate(ordered) if not _is_unranked(other) and _is_pair(other, row)), None)
        ordered.insert(len(ordered) if pair is None else pair + 1, row)
    return ordered


def constant_score(rows: Sequence[Row], metric: str) -> float | None:
    """Return what a constant answer reaches on the tested samples of the first row; None where there are none."""
    if not rows or "n_videos" in rows[0]:  # null models of spotters are rows of their own
        return None
    if metric in _UNIT_METRICS:
        shares = [unit["support"] / rows[0]["n_samples"] for unit in rows[0]["units"].values()]
        f1 = [2 * share / (1 + share) for share in shares]  # precision is the share, recall 1
        if not f1:
            return None
        return float(np.mean(f1)) if metric == "f1" else float(np.mean(f1)) / 2  # F1 of absence is 0
    if rows[0]["confusion"] is None:
        return None
    supports = np.array(rows[0]["confusion"]).sum(axis=1)
    n_classes, share = np.count_nonzero(supports), supports.max() / supports.sum()
    return {"uf1": 2 * share / (1 + share) / n_classes, "uar": 1 / n_classes, "accuracy": float(share)}[metric]


def _title(scores: Mapping[str, Any]) -> str:
    protocols = ", ".join(dict.fromkeys(row["protocol"] for row in scores["rows"]))
    flags = f"\nevery row is flagged: {', '.join(scores['flags'])}" if scores["flags"] else ""
    return f"{scores['dataset']}, {protocols}{flags}"
