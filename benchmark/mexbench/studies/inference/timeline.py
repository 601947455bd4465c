"""A plot of the score of each class over time, of where faces were detected and where the scene changes."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np

from mexbench.files import replacing
from mexbench.metrics.action_units import THRESHOLD
from mexbench.runs.plot_style import (
    AMBER,
    BLACK,
    BLUE,
    GREEN,
    GREY,
    GRID,
    ORANGE,
    PURPLE,
    SKY,
    figure_bytes,
    house_style,
)  # fmt: skip
from mexbench.studies.inference.answers import Answers
from mexbench.studies.inference.window_predictor import WindowPrediction

#: Dashes for more than eight classes and for print.
_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK, GREY)
_DASHES = ("-", "--", ":")
_FACES = {"one": ("one face", GREEN), "several": ("several faces", AMBER), "none": ("no face", ORANGE)}
#: A file's name may hold dollars, which are not a formula.
_STYLE = {"font.size": 10, "text.parse_math": False}


class Timeline:
    """Collects the few numbers of each window and frame that the plot needs."""

    def __init__(self, answers: Answers) -> None:
        self.answers, self.classes = answers, answers.names
        self.starts, self.ends, self.scores = array("d"), array("d"), array("f")
        self.scenes = array("l")
        self.times, self.faces = array("d"), array("b")

    def add(self, prediction: WindowPrediction) -> None:
        """Add the prediction for a window."""
        self.starts.append(prediction.window.start_s)
        self.ends.append(prediction.window.end_s)
        self.scores.extend([np.nan] * len(self.classes) if prediction.scores is None else prediction.scores.tolist())
        self.scenes.append(prediction.window.scene)
        for frame, faces in zip(prediction.window.frames, prediction.frame_faces, strict=True):
            if not self.times or frame.time_s > self.times[-1]:
                self.times.append(frame.time_s)
                self.faces.append(list(_FACES).index(faces) if faces else -1)

    def draw(self, path: Path, title: str, below: str) -> None:
        """Write a PNG; the same windows give the same bytes.

        Args:
            path: The file.
            title: Above the curves.
            below: The caution under them.
        """
        from matplotlib.figure import Figure

        with house_style(_STYLE):
            figure = Figure(figsize=(11, 4.6), layout="constrained")
            top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(9, 1))
            (self._draw_units if self.answers.of_units else self._draw_scores)(top)
            self._draw_faces(bottom)
            top.set_title(title, loc="left", fontsize=11)
            figure.supxlabel(f"time in the film (s)\n{below}", fontsize=9)
            content = figure_bytes(figure, "png")
        with replacing(path) as target:
            target.write(content)

    def _draw_scores(self, axes: Any) -> None:  # noqa: ANN401 - matplotlib's Axes
        scores = np.asarray(self.scores).reshape(-1, len(self.classes))
        middle = (np.asarray(self.starts) + np.asarray(self.ends)) / 2
        few = len(middle) <= 120
        changes = np.flatnonzero(np.diff(np.asarray(self.scenes))) + 1
        for index, name in enumerate(self.classes):
            x, y = (np.insert(values, changes, np.nan) for values in (middle, scores[:, index]))  # a gap at each cut
            axes.plot(
                x, y, color=_COLOURS[index % len(_COLOURS)], label=name, linewidth=1.6,
                linestyle=_DASHES[index // len(_COLOURS) % len(_DASHES)], marker="o" if few else None, markersize=3.5,
            )  # fmt: skip
        for number, start in enumerate(np.asarray(self.starts)[changes].tolist()):
            axes.axvline(start, color=GREY, linestyle=":", linewidth=1, label=None if number else "scene cut")
        if np.isnan(scores).all():
            axes.text(0.5, 0.5, "no prediction", transform=axes.transAxes, ha="center", va="center", fontsize=14)
        if np.isnan(scores).all() or (np.nanmin(scores) >= 0 and np.nanmax(scores) <= 1):
            axes.set_ylim(0, 1)
        axes.set_ylabel("score")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)

    def _draw_units(self, axes: Any) -> None:  # noqa: ANN401 - matplotlib's Axes
        """Draw a row for each unit, darker where its score is higher, with a line under the windows where it shows.

        A window is drawn until the next one begins.
        """
        from matplotlib import colormaps
        from matplotlib.cm import ScalarMappable

        scores = np.ma.masked_invalid(np.asarray(self.scores).reshape(-1, len(self.classes)))
        starts = np.asarray(self.starts)
        step = float(np.median(np.diff(starts))) if len(starts) > 1 else 1.0
        edges = np.append(starts, max(*self.ends, starts[-1] + step))
        rows = np.arange(len(self.classes) + 1) - 0.5
        axes.set_facecolor(GRID)
        axes.pcolormesh(edges, rows, scores.T, cmap="Blues", vmin=0, vmax=1)
        for row in range(len(self.classes)):
            shown = np.flatnonzero(scores[:, row].filled(0) >= THRESHOLD)
            spans = [(edges[k], edges[k + 1] - edges[k]) for k in shown.tolist()]
            axes.broken_barh(spans, (row + 0.3, 0.16), facecolors=ORANGE)
        if scores.mask.all():
            axes.text(0.5, 0.5, "no prediction", transform=axes.transAxes, ha="center", va="center", fontsize=14)
        for start in starts[np.flatnonzero(np.diff(np.asarray(self.scenes))) + 1].tolist():
            axes.axvline(start, color=GREY, linestyle=":", linewidth=1)
        axes.set_yticks(range(len(self.classes)), self.classes, fontsize=9)
        axes.set_ylim(len(self.classes) - 0.5, -0.5)
        axes.spines[["top", "right"]].set_visible(False)
        mappable = ScalarMappable(cmap=colormaps["Blues"])
        axes.figure.colorbar(mappable, ax=axes, label=f"score; underlined from {THRESHOLD:g} on", pad=0.01)

    def _draw_faces(self, axes: Any) -> None:  # noqa: ANN401 - matplotlib's Axes
        first, last = min(self.starts), max(self.ends)
        last = last if last > first else first + 1
        starts, faces = np.asarray(self.times), np.asarray(self.faces)
        widths = np.diff(np.append(starts, last))  # a frame is shown until the next one comes
        for index, (text, colour) in enumerate(_FACES.values()):
            matching = faces == index
            if matching.any():
                spans = list(zip(starts[matching].tolist(), widths[matching].tolist(), strict=True))
                axes.broken_barh(spans, (0, 1), facecolors=colour, label=text)
        if (faces < 0).all():
            axes.text(0.5, 0.5, "the model does not detect faces", transform=axes.transAxes, ha="center", va="center")
        else:
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
        axes.set_yticks([])
        axes.set_ylim(0, 1)
        axes.set_xlim(first, last)
        axes.spines[["top", "right", "left"]].set_visible(False)
