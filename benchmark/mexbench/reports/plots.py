"""Learning curves and confusion matrices as PNG and SVG: the same run gives the same bytes."""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import BenchError, missing_extra
from mexbench.reports.claimed_and_measured import is_synthetic
from mexbench.reports.claims_plot import bars, claims_figure
from mexbench.reports.forest_plot import forest_figure
from mexbench.reports.papers_page import chart_lines
from mexbench.runs.learning_curves import curves_of
from mexbench.runs.plot_style import BLUE, ORANGE, house_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mexbench.runs.run_folder import StoredResult

#: Training and validation, told apart in print by their dashes.
_SIDES = (("", "training", BLUE, "-"), ("val_", "validation", ORANGE, "--"))
#: Value -> label of its axis, and what it is multiplied by.
_VALUES = {"loss": ("loss", 1), "accuracy": ("accuracy (%)", 100)}
_LETTERS = 9  # of a title that fit into an inch


def check_matplotlib(what: str = "--figures") -> None:
    """Look before a run whether its figures can be drawn.

    Raises:
        BenchError: matplotlib is not installed; the text begins with ``what``, which needs it.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise BenchError(missing_extra(what, "matplotlib", "figures"))


def draw(scores: Mapping[str, Any], results: Sequence[StoredResult], folder: Path) -> list[Path]:
    """Draw all rows' scores, confusion matrices, learning curves where there are any, and what a paper claims.

    Args:
        scores: ``scores.json`` of the run.
        results: Every task that is done.
        folder: Where the figures go: ``scores``, ``confusion-MODEL``, ``learning-MODEL`` and ``claimed-and-measured``,
            each as ``.png`` and ``.svg``.

    Returns:
        The files.
    """
    written: list[Path] = []
    with house_style():
        if any(row.get("n_samples") or row.get("n_videos") for row in scores["rows"]):
            written += save_figure(forest_figure(scores), folder / "scores")
        for row in scores["rows"]:
            if row.get("confusion"):  # a run of action units or of spotters has none
                written += save_figure(confusion_figure(row, scores), folder / f"confusion-{row['model']}")
            if figure := learning_figure(row, scores, results):
                written += save_figure(figure, folder / f"learning-{row['model']}")
        if claims := scores.get("paper"):
            written += save_figure(claims_figure(claims, scores["dataset"]), folder / "claimed-and-measured")
    return written


def draw_papers(runs: Mapping[str, Mapping[str, Any]], folder: Path) -> list[Path]:
    """Draw the accuracies that papers claim beside those of the runs of their configs.

    Args:
        runs: Run -> its ``scores.json``.
        folder: Where ``papers.png`` and ``papers.svg`` go.

    Returns:
        The files.
    """
    labels, lines = chart_lines(runs)
    synthetic = any(is_synthetic(scores["paper"]) for scores in runs.values())
    with house_style():
        figure = bars(labels, lines, ["Accuracy, claimed and measured"], synthetic=synthetic)
        return save_figure(figure, folder / "papers")


def confusion_figure(row: Mapping[str, Any], scores: Mapping[str, Any]) -> Figure:
    """Return a row's confusion matrix: colours are shares of the true class, numbers are shares and counts."""
    from matplotlib.figure import Figure

    counts, classes = np.array(row["confusion"]), scores["classes"]
    totals = counts.sum(axis=1, keepdims=True)
    shares = 100 * counts / np.maximum(totals, 1)
    size = 2.6 + 1.15 * len(classes)
    figure = Figure(figsize=(size + 1.2, size))
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for (i, j), share in np.ndenumerate(shares):
        text = f"{share:.0f} %\n{counts[i, j]}" if counts[i, j] else "0"
        axes.text(j, i, text, ha="center", va="center", color="white" if share > 55 else "black")
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, [f"{name}\n(n = {total})" for name, total in zip(classes, totals[:, 0], strict=True)])
    axes.set(xlabel="predicted class", ylabel="true class (n predictions)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    runs = len(row["per_seed"])
    figure.suptitle(_title(figure, row, scores, f"{runs} runs (seeds, repeats) added up" if runs > 1 else ""))
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class (%)")
    return figure


def learning_figure(
    row: Mapping[str, Any], scores: Mapping[str, Any], results: Sequence[StoredResult]
) -> Figure | None:
    """Return a row's learning curves: the mean over seeds and folds, and one standard deviation to either side.

    Trainings that stopped early leave the mean; it ends where fewer than half of them go on.
    """
    from matplotlib.figure import Figure

    drawn = {
        value: [(side, curves) for side in _SIDES if (curves := curves_of(results, row["model"], side[0] + value))]
        for value in _VALUES
    }
    drawn = {value: sides for value, sides in drawn.items() if sides}
    if not drawn:
        return None
    figure = Figure(figsize=(1.5 + 4.8 * len(drawn), 5))
    panels = figure.subplots(1, len(drawn), squeeze=False)[0]
    for axes, (value, sides) in zip(panels, drawn.items(), strict=True):
        label, unit = _VALUES[value]
        for (_, name, colour, dashes), curves in sides:
            _band(axes, curves, unit, label=name, color=colour, linestyle=dashes)
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        if value == "accuracy":
            axes.set_ylim(0, 100)
        elif axes.dataLim.y0 >= 0:
            axes.set_ylim(bottom=0)
    panels[0].legend(frameon=False)
    lengths = [len(curve) for curve in next(iter(drawn.values()))[0][1]]
    how = f"mean and standard deviation over {len(lengths)} trainings" if len(lengths) > 1 else "one training"
    if min(lengths) < max(lengths):
        how += ", fewer where some have stopped"
    figure.suptitle(_title(figure, row, scores, how))
    return figure


def _band(axes: Axes, curves: Sequence[Sequence[tuple[float, float]]], unit: float, **line: str) -> None:
    epochs, mean, spread = mean_and_spread(curves)
    mean, spread = unit * mean, unit * spread
    marker = "o" if len(epochs) == 1 else None  # a line through one point is invisible
    axes.plot(epochs, mean, linewidth=2, marker=marker, **line)  # pyright: ignore[reportArgumentType]
    axes.fill_between(epochs, mean - spread, mean + spread, color=line["color"], alpha=0.18, linewidth=0)


def mean_and_spread(
    curves: Sequence[Sequence[tuple[float, float]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return epochs, mean and standard deviation (n - 1; 0 for one curve) where at least half of the curves go on."""
    values: dict[float, list[float]] = {}
    for curve in curves:
        for epoch, value in curve:
            values.setdefault(epoch, []).append(value)
    epochs = sorted(epoch for epoch, at_epoch in values.items() if 2 * len(at_epoch) >= len(curves))
    spread = [float(np.std(values[e], ddof=1)) if len(values[e]) > 1 else 0.0 for e in epochs]
    means = [float(np.mean(values[e])) for e in epochs]
    return np.array(epochs, np.float64), np.array(means), np.array(spread)


def _title(figure: Figure, row: Mapping[str, Any], scores: Mapping[str, Any], how: str) -> str:
    flags = f" (flags: {', '.join(row['flags'])})" if row["flags"] else ""
    lines = [f"{row['model']} on {scores['dataset']}, {row['protocol']}{flags}", how]
    return "\n".join(textwrap.fill(line, int(_LETTERS * figure.get_figwidth())) for line in lines if line)
