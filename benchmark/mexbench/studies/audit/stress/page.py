"""The rows of a stress test -> a table on the terminal, a markdown page and curves."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mexbench.errors import PluginError, missing_extra
from mexbench.metrics.classification import LEVEL, REPLICATES
from mexbench.metrics.few_subjects import why_none
from mexbench.runs.plot_style import BLUE, GRID, house_style, save_figure
from mexbench.tables import DASH, Table, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
_STYLE = {"font.size": 10}


def measured(report: Mapping[str, Any], model: str) -> list[Row]:
    """Return the rows of a model that have figures."""
    return [row for row in report["rows"] if row["model"] == model and row["status"] == "measured"]


def short_table(report: Mapping[str, Any], model: str) -> Table:
    """UF1 at every strength, and what the strongest cost; scores x 100."""
    rows = []
    for row in report["rows"]:
        if row["model"] != model:
            continue
        if row["status"] != "measured":
            rows.append([row["alteration"], *[DASH] * 6, row["status"], DASH])
            continue
        last = row["levels"][-1]
        points = [percent(row["clean"]["uf1"]), *(percent(level["uf1"]) for level in row["levels"])]
        rows.append([row["alteration"], *points, _change(last, "uf1"), _unanswered(last, row["samples"])])
    headers = ["alteration", "none", *(f"strength {level}" for level in range(1, 6)), "change at strength 5"]
    return Table([*headers, "no answer"], rows)


def full_table(report: Mapping[str, Any], model: str) -> Table:
    """Every strength of every alteration with intervals; scores x 100."""
    units = {about["name"]: about["unit"] for about in report["alterations"]}
    rows = [
        [
            row["alteration"],
            f"{level['strength']:g} {units[row['alteration']]}",
            *(f"{percent(level[name])}{_range(level['ci'][name])}" for name in ("uf1", "uar")),
            *(_change(level, name) for name in ("uf1", "uar")),
            _unanswered(level, row["samples"]),
        ]
        for row in measured(report, model)
        for level in row["levels"]
    ]
    headers = ["alteration", "strength", "UF1", "UAR", "change of UF1", "change of UAR", "no answer"]
    return Table(headers, rows)


def _change(level: Row, name: str) -> str:
    change = f"{100 * level['change'][name]:+.2f}"
    if level["change_ci"][name] is None:
        return change
    low, high = (100 * end for end in level["change_ci"][name])
    return f"{change} [{low:+.2f}, {high:+.2f}]"


def _range(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f" [{percent(ends[0])}, {percent(ends[1])}]"


def _unanswered(level: Row, samples: int) -> str:
    return f"{level['unanswered']:g} of {samples}" if level["unanswered"] else DASH


def remarks(report: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know about single models: missing figures, nothing to lose, other trainings."""
    lines: dict[str, None] = {}
    for row in report["rows"]:
        model = row["model"]
        if row["status"] != "measured":
            lines[f"{model}, {row['alteration']}: {row['status']}: {row['why']}"] = None
            continue
        if not row["reproduced"]:
            lines[
                f"{model}: trained again, it answers the unaltered pictures otherwise than in the run; costs are "
                "against these trainings"
            ] = None
        clean = row["clean_ci"]["uf1"]
        if (few := why_none([row.get("subjects") or 0], what="no interval")) and clean is None:
            lines[few] = None
        if clean is not None and clean[0] <= report["null"][model]["uf1"][2]:
            lines[f"{model}: on unaltered pictures no better than a random predictor, so there is little to lose"] = (
                None
            )
        if row["note"]:
            lines[f"{model}: {row['note']}"] = None
    return list(lines)


def markdown(report: Mapping[str, Any]) -> str:
    """Write the page of a stress test."""
    synthetic = "> **Synthetic data:** made by a program. These figures say nothing about real faces."
    parts = [
        f"# What alterations of the test side cost: {report['config']}",
        *([synthetic] if "synthetic" in report["flags"] else []),
        f"Dataset **{report['dataset']}**, protocol **{report['protocol']}**, seeds "
        f"{', '.join(map(str, report['seeds']))}, code at commit {report['commit']}; made by `{report['command']}`. "
        "Models train on the run's own pictures, unaltered; pictures of test samples are altered before the first "
        "step of preprocessing. Scores are x 100, pooled over folds; in brackets the "
        f"{LEVEL:.0%} interval by bootstrap over subjects ({REPLICATES} replicates), of a change paired. A sample "
        "that a step rejects once it is altered, such as one in which no face is found, has no answer and counts as "
        "missed.",
        _alterations(report),
    ]
    if lines := remarks(report):
        parts.append("\n".join(f"- {line}" for line in lines))
    for model in report["models"]:
        random = report["null"][model]["uf1"]
        parts += [
            f"## {model}",
            short_table(report, model).markdown(),
            f"A random predictor that answers by the classes' frequencies: UF1 {percent(random[0])}"
            f"{_range(random[1:])}.",
        ]
        if measured(report, model):
            parts.append(full_table(report, model).markdown())
    return "\n\n".join(parts) + "\n"


def _alterations(report: Mapping[str, Any]) -> str:
    lines = [
        f"- **{about['name']}**: {about['what']}: "
        f"{', '.join(f'{strength:g}' for strength in about['strengths'])} {about['unit']}."
        for about in report["alterations"]
    ]
    return "\n".join(lines)


def draw(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw a curve of UF1 for each model and alteration, as PNG and SVG; nothing where nothing is measured.

    Raises:
        PluginError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise PluginError(missing_extra("no curves: they", "matplotlib", "figures"))
    if not any(measured(report, model) for model in report["models"]):
        return []
    with house_style(_STYLE):
        return save_figure(_figure(report), folder / "stress")


def _figure(report: Mapping[str, Any]) -> Figure:
    from matplotlib.figure import Figure

    models = [model for model in report["models"] if measured(report, model)]
    names = [about["name"] for about in report["alterations"]]
    size = (1.4 + 1.75 * len(names), 1.5 + 1.55 * len(models))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(models), len(names), sharex=True, sharey=True, squeeze=False)
    for line, model in zip(panels, models, strict=True):
        rows = {row["alteration"]: row for row in measured(report, model)}
        for axes, name in zip(line, names, strict=True):
            if name in rows:
                _panel(axes, rows[name], report["null"][model]["uf1"])
        line[0].set_ylabel(model.replace(" ", "\n", 1) if len(model) > 18 else model, fontsize=9)
    for axes, about in zip(panels[0], report["alterations"], strict=True):
        axes.set_title(about["name"], fontsize=10)
    for axes, about in zip(panels[-1], report["alterations"], strict=True):
        first, last = about["strengths"][0], about["strengths"][-1]
        axes.set_xlabel(f"{first:g} to {last:g}\n{about['unit'].replace(', ', chr(10))}", fontsize=7.5)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    title = f"{report['dataset']}, {report['protocol']}" + " (synthetic data)" * ("synthetic" in report["flags"])
    figure.suptitle(f"UF1 x 100 by strength: {title}", x=0.01, ha="left", fontsize=11)
    return figure


def _panel(axes: Axes, row: Row, random: Sequence[float]) -> None:
    """Draw one curve with its band; strength 0 is the unaltered picture."""
    places = range(len(row["levels"]) + 1)
    points = [row["clean"]["uf1"], *(level["uf1"] for level in row["levels"])]
    ranges = [row["clean_ci"]["uf1"], *(level["ci"]["uf1"] for level in row["levels"])]
    if None not in ranges:
        low, high = ([100 * ends[side] for ends in ranges] for side in (0, 1))
        axes.fill_between(places, low, high, color=BLUE, alpha=0.2, linewidth=0, label="95 % interval over subjects")
    axes.plot(places, [100 * point for point in points], "o-", color=BLUE, markersize=3.5, label="UF1")
    axes.axhline(100 * random[0], color="0.4", linestyle="--", linewidth=1, label="random predictor")
    axes.set_ylim(0, 100)
    axes.set_xticks(list(places), ["none", *map(str, places[1:])], fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
