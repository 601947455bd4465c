"""A plot of the score of each class over time, and of where faces were detected."""

from __future__ import annotations

import io
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mexbench.files import replacing
from mexbench.studies.inference.window_predictor import WindowPrediction

#: Okabe and Ito's colours, distinguishable by colour-blind readers; dashes for more than eight classes and for print.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B8A800")
_DASHES = ("-", "--", ":")
_FACES = {"one": ("one face", "#4D9221"), "several": ("several faces", "#F1B52F"), "none": ("no face", "#B2182B")}
_DPI = 120


class Timeline:
    """Collects the few numbers of each window that the plot needs."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = classes
        self.starts, self.ends, self.scores = array("d"), array("d"), array("f")
        self.faces = array("b")

    def add(self, prediction: WindowPrediction) -> None:
        """Add the prediction for a window."""
        self.starts.append(prediction.window.start_s)
        self.ends.append(prediction.window.end_s)
        self.scores.extend([np.nan] * len(self.classes) if prediction.scores is None else prediction.scores.tolist())
        self.faces.append(list(_FACES).index(prediction.faces) if prediction.faces else -1)

    def draw(self, path: Path, title: str, below: str) -> None:
        """Write a PNG; the same windows give the same bytes.

        Args:
            path: The file.
            title: Above the curves.
            below: The caution under them.
        """
        import matplotlib as mpl
        from matplotlib.figure import Figure

        stream = io.BytesIO()
        with mpl.rc_context():
            mpl.rcdefaults()  # a user's own matplotlibrc changes no figure
            mpl.rcParams["text.parse_math"] = False  # a file's name may hold dollars
            figure = Figure(figsize=(11, 4.6), layout="constrained")
            top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(9, 1))
            self._draw_scores(top)
            self._draw_faces(bottom)
            top.set_title(title, loc="left", fontsize=11)
            figure.supxlabel(f"time in the film (s)\n{below}", fontsize=9)
            figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
        with replacing(path) as target:
            target.write(stream.getvalue())

    def _draw_scores(self, axes: Any) -> None:  # noqa: ANN401 - matplotlib's Axes
        scores = np.asarray(self.scores).reshape(-1, len(self.classes))
        middle = (np.asarray(self.starts) + np.asarray(self.ends)) / 2
        few = len(middle) <= 120
        for index, name in enumerate(self.classes):
            axes.plot(
                middle, scores[:, index], color=_COLOURS[index % len(_COLOURS)], label=name, linewidth=1.6,
                linestyle=_DASHES[index // len(_COLOURS) % len(_DASHES)], marker="o" if few else None, markersize=3.5,
            )  # fmt: skip
        if np.isnan(scores).all():
            axes.text(0.5, 0.5, "no prediction", transform=axes.transAxes, ha="center", va="center", fontsize=14)
        if np.isnan(scores).all() or (np.nanmin(scores) >= 0 and np.nanmax(scores) <= 1):
            axes.set_ylim(0, 1)
        axes.set_ylabel("score")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)

    def _draw_faces(self, axes: Any) -> None:  # noqa: ANN401 - matplotlib's Axes
        starts, widths = np.asarray(self.starts), np.asarray(self.ends) - np.asarray(self.starts)
        faces = np.asarray(self.faces)
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
        axes.set_xlim(float(starts.min()), float((starts + widths).max()))
        axes.spines[["top", "right", "left"]].set_visible(False)
