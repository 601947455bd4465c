"""Rows of an audit -> a table on the terminal, a markdown page and a bar chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mexbench.errors import PluginError, missing_extra
from mexbench.metrics.classification import LEVEL, REPLICATES
from mexbench.metrics.few_subjects import why_none
from mexbench.runs.plot_style import BLUE, GRID, ORANGE, house_style, save_figure
from mexbench.studies.audit import groups
from mexbench.studies.audit.leak import SIMULATIONS
from mexbench.studies.audit.taxonomy import SOURCE
from mexbench.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
_DASH = "-"
_STYLE = {"font.size": 10}
HEADERS = ["leak", "taxonomy", "honest UF1", "leaky UF1", "added to UF1", "added to UAR", "random predictor UF1"]


def table(report: Mapping[str, Any], model: str, *, short: bool = False) -> Table:
    """Return the rows of one model; points are scores x 100."""
    rows = []
    for row in report["rows"]:
        if row["model"] != model:
            continue
        kind = (row["taxonomy"] or "outside it") if short else row["kind"]
        if row["status"] != "measured":
            rows.append([row["leak"], kind, *[_DASH] * 4, row["status"]])
            continue
        rows.append([row["leak"], kind, *_cells(row), _null(row["null"]["uf1"])])
    honest = report["null"][model]["uf1"]
    return Table(HEADERS, [*rows, ["none", _DASH, *[_DASH] * 4, _null(honest)]])


def _cells(row: Row) -> list[str]:
    touched = "uf1" in row["touches"]
    scores = [_points(row[side]["uf1"]) if touched else _DASH for side in ("honest", "leaky")]
    return scores + [_added(row, name) if name in row["touches"] else _DASH for name in ("uf1", "uar")]


def _added(row: Row, name: str) -> str:
    text = f"{100 * row['inflation'][name]:+.2f}"
    if row["ci"] is None:
        return f"{text} (too few subjects)" if row.get("subjects") else f"{text} (not paired)"
    low, high = row["ci"][name]
    return f"{text} [{100 * low:+.2f}, {100 * high:+.2f}]"


def _null(values: Sequence[float]) -> str:
    mean, low, high = map(_points, values)
    return f"{mean} [{low}, {high}]"


def _points(value: float) -> str:
    return f"{100 * value:.2f}"


def reasons(report: Mapping[str, Any]) -> list[str]:
    """Return why rows have no figures."""
    leaks_by_reason: dict[tuple[str, str], list[str]] = {}
    for row in report["rows"]:
        if row["status"] != "measured":
            leaks_by_reason.setdefault((f"{row['status']}: {row['why']}", row["model"]), []).append(row["leak"])
    return [f"{model}, {', '.join(leaks)}: {why}" for (why, model), leaks in leaks_by_reason.items()]


def markdown(report: Mapping[str, Any]) -> str:
    """Write the page of an audit."""
    parts = [
        f"# What leaks would add: {report['config']}",
        *(["> **Synthetic data:** made by a program. These figures say nothing about real faces."]
          if "synthetic" in report["flags"] else []),
        f"Dataset **{report['dataset']}**, protocol **{report['protocol']}**, "
        f"seeds {', '.join(map(str, report['seeds']))}. "
        "The same models and data, first honestly, then with one leak at a time. **No figure in a column 'leaky' is a "
        "result.**",
    ]  # fmt: skip
    for model in report["models"]:
        parts += [f"## {model}", table(report, model).markdown()]
    if why := reasons(report):
        parts += ["Rows without figures:", "\n".join(f"- {line}" for line in why)]
    if few := why_none(row.get("subjects") or 0 for row in report["rows"]):
        parts.append(few)
    parts += [_LEGEND.format(level=f"{LEVEL:.0%}", replicates=REPLICATES, simulations=SIMULATIONS)]
    parts += groups.section(report.get("groups") or [])
    parts += ["## The leaks", _leaks(report), f"Numbers and names: {SOURCE}."]
    return "\n\n".join(parts) + "\n"


_LEGEND = (
    "Scores are x 100. *Added* is the leaky score less the honest one, in points, both on the samples that both sides "
    "test; in brackets the {level} interval by paired bootstrap over subjects ({replicates} replicates). *Random "
    "predictor*: mean and the range of 95 % of {simulations} predictors that draw each answer by the classes' "
    "frequencies, judged under the same leak; the line 'none' is without any. A random predictor learns nothing, so "
    "only choices that are made by the test side, and arithmetic, can lift it."
)


def _leaks(report: Mapping[str, Any]) -> str:
    lines: dict[str, str] = {}
    notes = {row["leak"]: row["note"] for row in report["rows"] if row.get("note")}
    for row in report["rows"]:
        note = f" ({notes[row['leak']]})" if row["leak"] in notes else ""
        lines.setdefault(
            row["leak"], f"- **{row['leak']}**, {row['kind']}: {row['what']}{note}. Against: {row['against']}."
        )
    return "\n".join(lines.values())


def draw(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw the bar chart, as PNG and SVG.

    Raises:
        PluginError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: F401
    except ImportError:
        raise PluginError(missing_extra("no bar chart: it", "matplotlib", "figures")) from None
    shown = {
        model: [row for row in report["rows"] if row["model"] == model and row["status"] == "measured"]
        for model in report["models"]
    }
    shown = {model: rows for model, rows in shown.items() if rows}
    if not shown:
        return []
    with house_style(_STYLE):
        return save_figure(_figure(report, shown), folder / "inflation")


def _figure(report: Mapping[str, Any], shown: Mapping[str, Sequence[Row]]) -> Figure:
    from matplotlib.figure import Figure

    sizes = [len(rows) + 1.2 for rows in shown.values()]
    figure = Figure(figsize=(8, 1.3 + 0.34 * sum(sizes)), layout="constrained")
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=sizes)[:, 0]
    for axes, (model, rows) in zip(panels, shown.items(), strict=True):
        _panel(axes, model, rows, report["null"][model])
    panels[-1].set_xlabel("points added by the leak")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    title = f"{report['dataset']}, {report['protocol']}" + " (synthetic data)" * ("synthetic" in report["flags"])
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _panel(axes: Axes, model: str, rows: Sequence[Row], null: Mapping[str, Sequence[float]]) -> None:
    """Draw one model: a bar per leak with its interval, and what a random predictor gains by the same leak."""
    names = ["uf1" if "uf1" in row["touches"] else "uar" for row in rows]
    places = list(range(len(rows)))
    values = [100 * row["inflation"][name] for row, name in zip(rows, names, strict=True)]
    axes.barh(places, values, color=BLUE, height=0.6, label="this model, 95 % interval over subjects")
    for place, row, name in zip(places, rows, names, strict=True):
        if row["ci"] is not None:
            low, high = (100 * end for end in row["ci"][name])
            axes.plot([low, high], [place, place], color="black", linewidth=1.2, solid_capstyle="butt")
    gained = [100 * (row["null"][name][0] - null[name][0]) for row, name in zip(rows, names, strict=True)]
    axes.plot(gained, places, "D", color=ORANGE, markersize=5, label="a random predictor")
    axes.axvline(0, color="black", linewidth=0.8)
    marks = {"uf1": "", "uar": " (UAR)"}
    axes.set_yticks(places, [row["leak"] + marks[name] for row, name in zip(rows, names, strict=True)], fontsize=9)
    axes.invert_yaxis()
    axes.set_title(f"{model}: UF1", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
