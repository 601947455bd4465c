"""A plot of a spotter's confidence over a film, with the intervals that it claims and, where known, the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mexbench.errors import counted
from mexbench.files import replacing
from mexbench.runs.plot_style import BLUE, GREEN, GREY, ORANGE, figure_bytes, house_style
from mexbench.studies.inference.spot_truth import TrueExpression

if TYPE_CHECKING:
    from mexbench.studies.inference.spotted_film import SpottedFilm

_COLOURS = {"micro": BLUE, "macro": ORANGE}
_TRUE = GREEN
#: A file's name may hold dollars, which are not a formula.
_STYLE = {"font.size": 10, "text.parse_math": False}
#: Inches for each minute of film, between the least and the most.
_PER_MINUTE, _NARROWEST, _WIDEST = 7.0, 11.0, 40.0
#: Labels are left out where there are more intervals.
_MOST_LABELS = 40
#: Points between a peak and its label, and how often room is made for those that were lifted.
_GAP, _PASSES = 4, 4


def draw(path: Path, film: SpottedFilm, truth: Sequence[TrueExpression] | None, below: str) -> None:
    """Write a PNG; the same film gives the same bytes.

    Args:
        path: The file.
        film: What was spotted.
        truth: What is known to be there; None where nothing is known.
        below: The caution under the plot.
    """
    from matplotlib.figure import Figure

    width = float(np.clip(_PER_MINUTE * film.minutes, _NARROWEST, _WIDEST))
    with house_style(_STYLE):
        figure = Figure(figsize=(width, 5.2), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(8, 2 if truth is None else 3))
        labels = _draw_confidence(top, film)
        _draw_intervals(bottom, film, truth)
        n_micro = sum(one.interval.kind == "micro" for one in film.expressions)
        n_macro = len(film.expressions) - n_micro
        spotted = f"{counted(n_micro, 'micro-expression')} and {counted(n_macro, 'macro-expression')}"
        title = f"{film.clip.clip_id}: {spotted} spotted"
        top.set_title(title, loc="left", fontsize=11)
        figure.supxlabel(f"time in the film (s)\n{below}", fontsize=9)
        _separate(figure, top, labels)
        content = figure_bytes(figure, "png")
    with replacing(path) as target:
        target.write(content)


def _draw_confidence(axes: Any, film: SpottedFilm) -> list[Any]:  # noqa: ANN401 - matplotlib's Axes
    """Draw curves, threshold and intervals; return the labels of the intervals."""
    labels = []
    for kind, colour in _COLOURS.items():
        if kind in film.curves:
            axes.plot(film.times, film.curves[kind], color=colour, linewidth=1.1, label=f"{kind}, confidence")
    if film.threshold is not None:
        axes.axhline(film.threshold, color=GREY, linestyle="--", linewidth=1, label="threshold")
    for one in film.expressions:
        colour = _COLOURS[one.interval.kind]
        axes.axvspan(one.onset_s, one.offset_s, color=colour, alpha=0.18, linewidth=0)
        if not film.curves:
            axes.hlines(one.interval.score, one.onset_s, one.offset_s, color=colour, linewidth=2)
        if len(film.expressions) <= _MOST_LABELS:
            middle = (one.onset_s + one.offset_s) / 2 if one.apex_s is None else one.apex_s
            label = f"{one.interval.score:.2f}" + (f"\n{one.emotion}" if one.emotion else "")
            labels.append(
                axes.annotate(
                    label, (middle, one.interval.score), xytext=(0, _GAP), textcoords="offset points", ha="center",
                    va="bottom", fontsize=8, color=colour,
                )
            )  # fmt: skip
    if not film.curves and not film.expressions:
        axes.text(0.5, 0.5, "nothing was spotted", transform=axes.transAxes, ha="center", va="center", fontsize=14)
    values = [*film.curves.values(), np.array([one.interval.score for one in film.expressions])]
    top = max((float(np.nanmax(one)) for one in values if len(one) and not np.isnan(one).all()), default=1.0)
    low = min((float(np.nanpercentile(one, 1)) for one in film.curves.values() if not np.isnan(one).all()), default=0.0)
    axes.set_ylim(min(0.0, low), max(1.0, top) * 1.22)  # room for the labels
    axes.set_ylabel("confidence of the spotter")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    if film.curves or film.threshold is not None:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    return labels


def _separate(figure: Any, axes: Any, labels: Sequence[Any]) -> None:  # noqa: ANN401
    """Lift labels that would cover others, and make room for them above."""
    for _ in range(_PASSES):
        for label in labels:
            label.xyann = (0, _GAP)
        figure.draw_without_rendering()
        free: list[Any] = []
        for label in labels:
            box, lift = label.get_window_extent(), 0.0
            while covered := [
                other for other in free
                if other.x0 < box.x1 and box.x0 < other.x1 and other.y0 < box.y1 + lift and box.y0 + lift < other.y1
            ]:  # fmt: skip
                lift = max(other.y1 for other in covered) - box.y0 + 1
            label.xyann = (0, _GAP + lift * 72 / figure.dpi)
            free.append(box.translated(0, lift))
        frame = axes.get_window_extent()
        beyond = max((box.y1 for box in free), default=frame.y1) - frame.y1
        if beyond <= 0:
            return
        low, high = axes.get_ylim()
        axes.set_ylim(low, low + (high - low) * (1 + 1.1 * beyond / frame.height))


def _draw_intervals(axes: Any, film: SpottedFilm, truth: Sequence[TrueExpression] | None) -> None:  # noqa: ANN401
    rows = ["spotted", *(["true"] if truth is not None else [])]
    for row, name in enumerate(reversed(rows)):
        for kind, colour in _COLOURS.items():
            if name == "spotted":
                spans = [(one.onset_s, one.offset_s) for one in film.expressions if one.interval.kind == kind]
            else:
                spans = [(one.onset_s, one.offset_s) for one in truth or () if one.kind == kind]
            if spans:
                axes.broken_barh(
                    [(onset, offset - onset) for onset, offset in spans], (row + 0.15, 0.7), facecolors=colour,
                    edgecolors=_TRUE if name == "true" else "none", linewidth=1.5, label=f"{kind}, {name}",
                )  # fmt: skip
    axes.set_yticks([row + 0.5 for row in range(len(rows))], list(reversed(rows)))
    axes.set_ylim(0, len(rows))
    axes.set_xlim(float(film.times[0]), float(film.times[-1]))
    axes.spines[["top", "right", "left"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
