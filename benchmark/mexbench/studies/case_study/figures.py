"""The figures of a case study: shares by condition, units, a map of clips by combination of units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import counted
from mexbench.files import replacing
from mexbench.runs.plot_style import (
    AMBER,
    BLACK,
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    figure_bytes,
    house_style,
)
from mexbench.studies.au_clusters.clustering import order
from mexbench.studies.case_study.sections import answers_that_differ

Study = Mapping[str, Any]
#: Colours, and marks for those who print in gray.
_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK, GREY)
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
_NONE_GIVEN = "(none given)"
_NO_UNIT = "no unit"
_CAUTION = "research use, not a diagnosis"
#: A name may hold dollars, which are not a formula.
_STYLE = {"font.size": 11, "text.parse_math": False}


def draw(study: Study, folder: Path, stem: str, title: str) -> list[tuple[str, str]]:
    """Draw the figures that a case study has something for; the same study gives the same bytes.

    Args:
        study: What ``summary.study`` returns.
        folder: Where they go.
        stem: What their names begin with.
        title: Of the model, above each.

    Returns:
        File name and caption of each.
    """
    drawn: list[tuple[str, str]] = []
    title += flags_text(study["flags"])

    def add(kind: str, caption: str, paint: Callable[[Any], None], size: tuple[float, float]) -> None:
        name = f"{stem}_{kind}.png"
        write_figure(folder / name, f"{title}: {caption}", paint, size)
        drawn.append((name, f"{title}: {caption}"))

    n_conditions = max(1, len(study["conditions"]))
    width = min(16.0, 3 + 0.35 * len(study["classes"]) * (n_conditions + 1))
    what = "action units" if study.get("of_units") else "predictions"
    by = "condition" if study["conditions"] else "clip"
    add(
        "distribution",
        f"share of clips by {by}, {what}{_verdict(study)}",
        lambda axes: _distribution(axes, study),
        (width, 4.6),
    )
    if any(clip["aus"] for clip in study["clips"]) and not study.get("of_units"):
        units = sorted({unit for clip in study["clips"] for unit in clip["aus"]}, key=order)
        width = min(16.0, 3 + 0.3 * len(units) * (n_conditions + 1))
        add(
            "units", f"clips that show each action unit, by {by}", lambda axes: _units(axes, study, units), (width, 4.2)
        )
    if any(clip["cluster"] for clip in study["clips"]) and len(study["clips"]) > 2:
        add("clusters", "clips by combination of action units", lambda axes: _map(axes, study), (9.5, 5.6))
    return drawn


def flags_text(flags: Sequence[str]) -> str:
    """Return the flags of predictions as what stands behind a model's name in a title; nothing without flags."""
    return f" (flags: {' '.join(flags)})" if flags else ""


def _verdict(study: Study) -> str:
    """Return what the test of the differences says: bars of a few people differ by chance alone."""
    if not study.get("differences"):
        return ""
    names = answers_that_differ(study)
    level = f"at {1 - study['level']:.0%} (permutation test over {study['unit']}s, Holm)"
    return f"; conditions differ in {names} {level}" if names else f"; no difference between conditions {level}"


def write_figure(path: Path, title: str, paint: Callable[[Any], None], size: tuple[float, float]) -> None:
    """Write a figure of one panel as PNG, with the caution under it.

    Args:
        path: The file.
        title: Above it.
        paint: Called with matplotlib's axes.
        size: In inches.
    """
    from matplotlib.figure import Figure

    with house_style(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        paint(axes)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, wrap=True)
        figure.text(0.995, 0.005, _CAUTION, ha="right", va="bottom", fontsize=7, color=GREY)
        content = figure_bytes(figure, "png")
    with replacing(path) as target:
        target.write(content)


def _distribution(axes: Any, study: Study) -> None:  # noqa: ANN401 - matplotlib's Axes
    """Draw a group of bars for each answer, a bar for each condition, with intervals and the subjects' own shares."""
    rows = study["conditions"] or [{"condition": None, **study["all"]}]
    width = 0.8 / len(rows)
    for index, row in enumerate(rows):
        places = np.arange(len(study["classes"]), dtype=np.float64) + (index - (len(rows) - 1) / 2) * width
        heights = np.array([100 * share["share"] for share in row["shares"]])
        name = (row["condition"] or _NONE_GIVEN) if study["conditions"] else "all clips"
        label = f"{name}: {counted(row['clips'], 'clip')}, {counted(row['groups'], study['unit'])}"
        axes.bar(places, heights, width * 0.92, color=_COLOURS[index % len(_COLOURS)], alpha=0.75, label=label)
        for place, share in zip(places, row["shares"], strict=True):
            if share["ci"] is not None:
                low, high = (100 * end for end in share["ci"])
                axes.plot([place, place], [low, high], color="black", linewidth=1.4)
        _subject_dots(axes, study, row["condition"], places, width)
    if any(share["ci"] is not None for row in rows for share in row["shares"]):
        label = f"{study['level']:.0%} interval over {study['unit']}s"
        axes.plot([], [], color="black", linewidth=1.4, label=label)
    ring = f"share of one {study['unit']}, or several"
    axes.scatter([], [], s=20, facecolors="none", edgecolors=INK, label=ring)
    axes.set_xticks(range(len(study["classes"])), study["classes"], rotation=30 if len(study["classes"]) > 6 else 0)
    axes.set_ylim(-3, 103)
    axes.set_ylabel("share of clips (%)")
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)


def _subject_dots(
    axes: Any,  # noqa: ANN401 - matplotlib's Axes
    study: Study, condition: str | None, places: NDArray[np.floating], width: float,
) -> None:  # fmt: skip
    """Draw each subject's own share as a ring, larger where several have the same."""
    by_subject: dict[str, list[Mapping[str, Any]]] = {}
    for clip in study["clips"]:
        if clip["condition"] == condition or not study["conditions"]:
            by_subject.setdefault(clip["subject"] or clip["clip_id"], []).append(clip)
    for place, name in zip(places, study["classes"], strict=True):
        shares = Counter(
            round(100 * sum(name in clip["predicted"].split("+") for clip in clips) / len(clips), 6)
            for clips in by_subject.values()
        )
        sizes = [14 * count for count in shares.values()]
        axes.scatter(
            np.full(len(shares), place + 0.2 * width), list(shares), s=sizes, facecolors="none", edgecolors=INK,
            linewidths=0.8, zorder=3,
        )  # fmt: skip


def _units(axes: Any, study: Study, units: Sequence[str]) -> None:  # noqa: ANN401
    """Draw how many clips show each unit that is coded, or that a file has."""
    conditions = [row["condition"] for row in study["conditions"]] or [None]
    width = 0.8 / len(conditions)
    for index, condition in enumerate(conditions):
        inside = [clip for clip in study["clips"] if not study["conditions"] or clip["condition"] == condition]
        shares = [100 * sum(unit in clip["aus"] for clip in inside) / max(1, len(inside)) for unit in units]
        places = np.arange(len(units)) + (index - (len(conditions) - 1) / 2) * width
        name = (condition or _NONE_GIVEN) if study["conditions"] else "all clips"
        axes.bar(
            places, shares, width * 0.92, color=_COLOURS[index % len(_COLOURS)], alpha=0.75,
            label=f"{name}: {counted(len(inside), 'clip')}",
        )  # fmt: skip
    axes.set_xticks(range(len(units)), [f"AU{unit}" for unit in units], rotation=30)
    axes.set_ylabel("share of clips (%)")
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _map(axes: Any, study: Study) -> None:  # noqa: ANN401
    """Draw the clips in two dimensions: colour is the combination, the mark the condition."""
    clips = study["clips"]
    from matplotlib import colormaps

    points, shares = project(vectors(study))
    counts = Counter(clip["cluster"] or _NO_UNIT for clip in clips)
    names = [name for name, _ in counts.most_common()]
    colours = [colormaps["tab20"](index) for index in range(20)]
    conditions = [row["condition"] for row in study["conditions"]] or [None]
    same = Counter(map(tuple, points.round(6).tolist()))
    for (x, y), clip in zip(points, clips, strict=True):
        place = names.index(clip["cluster"] or _NO_UNIT)
        condition = clip["condition"] if study["conditions"] else None
        axes.scatter(
            [x], [y], s=26 + 16 * same[tuple(np.round([x, y], 6).tolist())], alpha=0.7,
            color=colours[place % len(colours)], marker=_MARKS[conditions.index(condition) % len(_MARKS)],
            edgecolors="white", linewidths=0.6,
        )  # fmt: skip
    for place, name in enumerate(names[: len(colours)]):
        axes.scatter([], [], color=colours[place], marker="s", s=40, label=f"{name} ({counts[name]})")
    if len(names) > len(colours):
        axes.scatter([], [], color="white", label=f"and {len(names) - len(colours)} more")
    if study["conditions"]:
        for index, condition in enumerate(conditions):
            mark = _MARKS[index % len(_MARKS)]
            axes.scatter([], [], color=GREY, marker=mark, s=40, label=condition or _NONE_GIVEN)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.set_xlabel(f"first principal component ({100 * shares[0]:.0f} % of the variance)")
    axes.set_ylabel(f"second ({100 * shares[1]:.0f} %)")


def vectors(study: Study) -> NDArray[np.float64]:
    """Return what the map of clips is drawn from: scores of units, or which units show (n, units)."""
    clips = study["clips"]
    if study.get("of_units") and all(clip["scores"] for clip in clips):
        return np.array([clip["scores"] for clip in clips], dtype=np.float64)
    units = sorted({unit for clip in clips for unit in clip["aus"]}, key=order)
    return np.array([[unit in clip["aus"] for unit in units] for clip in clips], dtype=np.float64)


def project(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return the first two principal components (n, 2), and each one's share of the variance.

    Signs are chosen so that the largest weight of each component is positive.
    """
    centred = values - values.mean(axis=0)
    left, sizes, weights = np.linalg.svd(centred, full_matrices=False)
    count = min(2, len(sizes))
    signs = np.sign(weights[np.arange(count), np.abs(weights[:count]).argmax(axis=1)])
    points = np.zeros((len(values), 2))
    points[:, :count] = left[:, :count] * sizes[:count] * np.where(signs == 0, 1, signs)
    total = float((sizes**2).sum())
    shares = [float(size**2) / total if total else 0.0 for size in sizes[:count]] + [0.0] * (2 - count)
    return points, (shares[0], shares[1])
