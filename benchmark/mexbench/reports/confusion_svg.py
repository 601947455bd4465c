"""Confusion matrices as SVG, side by side: numbers are counts and shares of the true class, and so is the shade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mexbench.reports import run_page, svg
from mexbench.runs.plot_style import BLUE, GREY, RULE

_WIDTH, _CELL, _LINE = 830, 40, 18
#: Dark enough to see, and light enough for dark figures on it: a contrast of 4.5 at least.
_DARKEST = 0.8
#: Matrices of one drawing; the page has the tables of all.
MOST = 12


def confusion_svg(matrices: Mapping[str, Sequence[Sequence[int]]], classes: Sequence[str]) -> str:
    """Draw matrices, truth in rows and prediction in columns.

    Args:
        matrices: Name of the row -> counts (n_classes, n_classes).
        classes: Names of the classes; none is cut.
    """
    label = svg.width_of(max(classes, key=len)) + 14
    cell = max(64.0, svg.width_of(max(classes, key=len)) + 12)
    width = label + cell * len(classes) + 24
    height = 62 + _CELL * len(classes) + 22
    columns = max(1, int((_WIDTH - 12) // width))
    parts, sentences = [svg.text(12, 22, "Confusion matrices: truth in rows, prediction in columns", size=15)], []
    for index, (name, counts) in enumerate(matrices.items()):
        left, top = 12 + width * (index % columns), 34 + height * (index // columns)
        parts += _matrix(name, counts, classes, (left, top), (label, cell))
        recalls = (f"{one} {counts[i][i]} of {sum(counts[i])}" for i, one in enumerate(classes))
        sentences.append(f"{name}, right by class: {', '.join(recalls)}")
    rows = -(-len(matrices) // columns)
    total = int(max(_WIDTH, width + 24))
    return svg.drawing(total, int(34 + height * rows), "Confusion matrices", "; ".join(sentences), parts)


def _matrix(
    name: str,
    counts: Sequence[Sequence[int]],
    classes: Sequence[str],
    corner: tuple[float, float],
    sizes: tuple[float, float],
) -> list[str]:
    (left, top), (label, cell) = corner, sizes
    parts = [svg.text(left, top + 22, name, size=14)]
    for j, predicted in enumerate(classes):
        parts.append(
            svg.text(left + label + cell * (j + 0.5), top + 48, predicted, anchor="middle", size=12, fill=GREY)
        )
    for i, (truth, row) in enumerate(zip(classes, counts, strict=True)):
        y, total = top + 56 + _CELL * i, max(sum(row), 1)
        parts.append(svg.text(left + label - 8, y + _CELL / 2 + 4, truth, anchor="end", size=12, fill=GREY))
        for j, count in enumerate(row):
            x, share = left + label + cell * j, count / total
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell:.1f}" height="{_CELL}" fill="{BLUE}" '
                f'fill-opacity="{_DARKEST * share:.3f}" stroke="{RULE}"/>'
            )
            parts += [
                svg.text(x + cell / 2, y + _LINE, str(count), anchor="middle"),
                svg.text(x + cell / 2, y + 2 * _LINE - 3, f"{100 * share:.0f} %", anchor="middle", size=11),
            ]
    return parts


def run_matrices(scores: Mapping[str, Any]) -> str | None:
    """Draw the matrices of a run's rows, the best first; None where no row has one.

    Args:
        scores: ``scores.json`` of the run.
    """
    ranked = [row for _, row in run_page.ranked(scores["rows"], scores.get("headline", "uf1")) if row.get("confusion")]
    if not ranked:
        return None
    return confusion_svg({row["model"]: row["confusion"] for row in ranked[:MOST]}, scores["classes"])
