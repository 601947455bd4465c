"""The silhouette figure: which number of clusters suits each emotion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mexbench.files import replacing
from mexbench.runs.plot_style import (
    AMBER,
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    figure_bytes,
    house_style,
)  # fmt: skip
from mexbench.studies.au_clusters.analysis import LEVELS, Analysis, Level

#: Told apart in print by their marks.
_LINES = (
    (BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "D"), (AMBER, "v"), (SKY, "P"), (BLACK, "X"), (GREY, "*"),
)  # fmt: skip
_STYLE = {"font.size": 12}


def draw(analysis: Analysis, path: Path) -> bool:
    """Draw the mean silhouette of every K and emotion, a panel per level that differs from those before.

    Returns:
        Whether there is a figure: there is none where no emotion has different clips enough for two clusters.
    """
    from matplotlib.figure import Figure

    levels = [level for level in analysis.levels if analysis.same_as(level) is None]
    drawn = [level for level in levels if any(group.tried for group in level.division.groups.values())]
    if not drawn:
        return False
    flags = f" (flags: {' '.join(analysis.flags)})" if analysis.flags else ""
    with house_style(_STYLE):
        figure = Figure(figsize=(1.5 + 5 * len(drawn), 5.2))
        panels = figure.subplots(1, len(drawn), squeeze=False, sharey=True)[0]
        for axes, level in zip(panels, drawn, strict=True):
            _panel(axes, analysis, level)
        panels[0].set_ylabel("mean silhouette over clips")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        figure.suptitle(
            f"Action units of {analysis.dataset}{flags}: the chosen K is ringed, bands run from the worst seed to the "
            "best"
        )
        content = figure_bytes(figure, "png")
    with replacing(path) as target:
        target.write(content)
    return True


def _panel(axes: Any, analysis: Analysis, level: Level) -> None:  # noqa: ANN401 - matplotlib's axes
    """Draw one level: a line per emotion, a band from the lowest to the highest seed, a ring around the chosen K."""
    for index, (name, group) in enumerate(level.division.groups.items()):
        if not group.tried:
            continue
        colour, mark = _LINES[index % len(_LINES)]
        ks = [tried.k for tried in group.tried]
        values = [tried.silhouette for tried in group.tried]
        axes.plot(ks, values, color=colour, marker=mark, markersize=5, label=name)
        bounds = [tried.lowest for tried in group.tried], [tried.highest for tried in group.tried]
        axes.fill_between(ks, *bounds, color=colour, alpha=0.15, linewidth=0)
        if (k := len(group.clusters)) in ks:
            axes.plot([k], [values[ks.index(k)]], "o", markersize=14, fillstyle="none", color=colour)
    others = [LEVELS[same_level.name] for same_level in analysis.levels if analysis.same_as(same_level) is level]
    axes.set_title(" = ".join([LEVELS[level.name], *others]))
    axes.set_xlabel("number of clusters K")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
