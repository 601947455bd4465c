"""The figure of two models' agreement: which answers go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mexbench.studies.agreement.agreement import Agreement
from mexbench.studies.case_study.figures import flags_text, write_figure


def draw(agreement: Agreement, path: Path) -> str:
    """Draw the table of both models' answers as PNG; return its caption."""
    values = agreement.measures
    kappa = "-" if values.kappa is None else f"{values.kappa:.2f}"
    caption = (
        f"agreement of {agreement.first.name} (A){flags_text(agreement.first.flags)} and "
        f"{agreement.second.name} (B){flags_text(agreement.second.flags)}: {100 * values.raw:.0f} % of clips, "
        f"{100 * values.expected:.0f} % by chance, kappa {kappa}"
    )
    size = 3.6 + 0.75 * len(agreement.emotions)
    write_figure(path, caption, lambda axes: _table(axes, agreement), (size + 1.2, size))
    return caption


def _table(axes: Any, agreement: Agreement) -> None:  # noqa: ANN401 - matplotlib's Axes
    counts = agreement.counts
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=max(1, int(counts.max())))
    for row, column in np.ndindex(*counts.shape):
        dark = counts[row, column] > counts.max() / 2
        axes.text(
            column, row, str(int(counts[row, column])), ha="center", va="center", color="white" if dark else "black"
        )
    names = agreement.emotions
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("B predicts (clips)")
    axes.set_ylabel("A predicts")
    axes.spines[:].set_visible(False)
