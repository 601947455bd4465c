"""Claimed and measured figures as bars: the papers' own kind of comparison figure, with what was measured beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mexbench.reports.claimed_and_measured import MEASURED, SYNTHETIC, figure_name, is_synthetic, source_text
from mexbench.runs.plot_style import AMBER, BLUE, GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Key -> label and colour; hatched for print.
_BARS = {
    "claimed": ("claimed", GREY, ""),
    "split": (f"measured {MEASURED['split']}", AMBER, "//"),
    "loso": (f"measured {MEASURED['loso']}", BLUE, ""),
}
_WIDTH = 0.27
_LETTERS = 90


def claims_figure(comparison: Mapping[str, Any], dataset: str) -> Figure:
    """Return the bars of one run.

    Args:
        comparison: Of ``claimed_and_measured.compare_with_claims``.
        dataset: What outputs call the data.
    """
    several = len({line["model"] for line in comparison["lines"]}) > 1
    labels = [f"{line['model']}: {figure_name(line)}" if several else figure_name(line) for line in comparison["lines"]]
    title = f"{source_text(comparison)}, on {dataset}"
    flags = f"flags: {', '.join(comparison['flags'])}" if comparison["flags"] else ""
    return bars(labels, comparison["lines"], [title, flags], synthetic=is_synthetic(comparison))


def bars(labels: Sequence[str], lines: Sequence[Mapping[str, Any]], title: Sequence[str], *, synthetic: bool) -> Figure:
    """Return three bars for each line: claimed, and measured under both protocols; a missing one is named.

    Args:
        labels: One for each line.
        lines: Of ``claimed_and_measured.compare_with_claims``.
        title: Its lines; empty ones are skipped.
        synthetic: Whether to say that the data is made up.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.2 + 0.62 * len(lines)))
    axes = figure.add_subplot()
    for offset, (key, (name, colour, hatch)) in enumerate(_BARS.items(), start=-1):
        values = [line[key] if key == "claimed" else _percent(line[key]["value"]) for line in lines]
        places = [index + offset * _WIDTH for index in range(len(lines))]
        axes.barh(places, [value or 0 for value in values], _WIDTH, label=name, color=colour, hatch=hatch)
        for place, value, line in zip(places, values, lines, strict=True):
            text = line[key]["why"] if value is None else f"{value:.1f}"
            axes.text((value or 0) + 0.8, place, text, va="center", fontsize=9)
    axes.set_yticks(range(len(lines)), [textwrap.fill(label, 44) for label in labels])
    axes.set_ylim(len(lines) - 0.5, -0.5)  # the first line above, and no room beyond them
    axes.set(xlim=(0, 108), xlabel="percent")
    axes.set_xticks(range(0, 101, 20))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=11)
    shown = [*title, SYNTHETIC if synthetic else ""]
    figure.suptitle("\n".join(textwrap.fill(line, _LETTERS) for line in shown if line), fontsize=12)
    return figure


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
