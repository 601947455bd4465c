"""Drawings of a row, as SVG of one width: legible on a phone, and no larger elsewhere. No colour is a meaning alone.

Each drawing has a title and a description for those who do not see it; colours come from the style sheet's classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from mexbench.errors import counted
from mexbench.reports.leaderboards.curves import Point
from mexbench.reports.site.audits import Effect, Range, Score
from mexbench.reports.site.stress_tests import StressRow
from mexbench.tables import percent

_WIDTH = 360


def interval_mark(value: float, bounds: Sequence[float] | None) -> Markup:
    """Draw a score from 0 to 1 with its interval, if any, for a table's cell that says the same in figures."""
    ends = [f"{100 * share:.1f}" for share in bounds or ()]
    whisker = Markup('<path class="whisker" d="M{} 6H{}"/>').format(*ends) if ends else ""
    return Markup(
        '<svg class="mark" viewBox="-3 0 106 12" aria-hidden="true"><path class="axis" d="M0 6H100"/>'
        '{}<circle class="dot" cx="{}" cy="6" r="3"/></svg>'
    ).format(whisker, f"{100 * value:.1f}")


def class_bars(per_class: Mapping[str, Mapping[str, float | None]]) -> Markup:
    """Draw recall and precision of each class, 0 to 100 %; a class without either has no bar and says so."""
    parts, sentences = [], []
    for index, (name, scores) in enumerate(per_class.items()):
        top = 62 * index
        parts.append(Markup('<text class="strong" x="0" y="{}">{}</text>').format(top + 14, name))
        for line, what in enumerate(("recall", "precision")):
            share, y = scores[what], top + 20 + 18 * line
            width = 0 if share is None else 210 * share
            parts.append(
                Markup(
                    '<text x="0" y="{y}">{what}</text><path class="axis" d="M74 {top}V{bottom}"/>'
                    '<rect class="{what}" x="74" y="{top}" width="{width:.1f}" height="13"/>'
                    '<text x="{end:.1f}" y="{y}">{shown}</text>'
                ).format(
                    y=y + 11, what=what, top=y, bottom=y + 13, width=width, end=80 + width, shown=percent(share)
                )
            )  # fmt: skip
        sentences.append(f"{name}: recall {percent(scores['recall'])}, precision {percent(scores['precision'])}")
    return _drawing(
        "classes", "Recall and precision of each class, x 100", "; ".join(sentences), parts, 62 * len(per_class)
    )


def subject_columns(shares: Mapping[str, float], unit: str) -> Markup:
    """Draw the share of right answers of each subject, the highest first."""
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    left, width = 40.0, 316 / max(len(ordered), 1)
    bars = "".join(
        f"M{left + index * width:.2f} 110v{-100 * share:.1f}h{0.8 * width:.2f}V110z"
        for index, (_, share) in enumerate(ordered)
    )
    values = np.array([share for _, share in ordered])
    all_correct, none_correct = int((values == 1).sum()), int((values == 0).sum())
    parts = [
        *(_level(110 - 100 * level, f"{100 * level:.0f} %") for level in (0, 0.5, 1)),
        Markup('<path class="bar" d="{}"/>').format(bars),
        Markup('<text x="40" y="128">{}, the best first</text>').format(counted(len(ordered), unit)),
    ]
    text = (
        f"{counted(len(ordered), unit)}: the median has {percent(float(np.median(values)))} % right, {all_correct} "
        f"have all right, {none_correct} have none right. The best is {ordered[0][0]}, the last {ordered[-1][0]}."
    )
    return _drawing("subjects", f"Share of right answers of each {unit}", text, parts, 132)


def curve(name: str, points: Sequence[Point], index: int) -> Markup:
    """Draw a learning curve: the mean over folds and seeds, and the range of the middle 80 %."""
    epochs = [point[0] for point in points]  # whole numbers of any size, so Python divides them
    first, last = min(epochs), max(epochs)
    x = [48 + 306 * ((epoch - first) / max(last - first, 1)) for epoch in epochs]
    columns = np.array([point[1:] for point in points])
    mean = columns[:, 0]
    unit = float(np.abs(columns).max()) or 1.0  # differences of values near the largest float are none
    bottom, top = float(columns.min()), float(columns.max())

    def y(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return 140 - 125 * ((values / unit - bottom / unit) / ((top / unit - bottom / unit) or 1.0))

    band = [*zip(x, y(columns[:, 2]), strict=True), *reversed(list(zip(x, y(columns[:, 1]), strict=True)))]
    parts = [
        *(_level(float(y(np.array(value))), f"{value:.3g}") for value in dict.fromkeys((bottom, top))),
        Markup('<path class="band" d="M{}z"/>').format(_way(band)),
        Markup('<path class="curve" d="M{}"/>').format(_way(list(zip(x, y(mean), strict=True)))),
        Markup('<text x="48" y="158">epoch {}</text>').format(first),
        Markup('<text class="end" x="354" y="158">{}</text>').format(last),
    ]
    lowest, highest = int(mean.argmin()), int(mean.argmax())
    text = (
        f"From {mean[0]:.3g} at epoch {epochs[0]} to {mean[-1]:.3g} at epoch {epochs[-1]}; lowest "
        f"{mean[lowest]:.3g} at epoch {epochs[lowest]}, highest {mean[highest]:.3g} at epoch {epochs[highest]}."
    )
    return _drawing(f"curve-{index}", f"{name} by epoch", text, parts, 164)


def inflation(effects: Sequence[Effect], null: Mapping[Score, Range]) -> Markup:
    """Draw what each leak added to a model's score, in points, and what it adds to a random predictor's."""
    gained = [100 * (effect.null[effect.score][0] - null[effect.score][0]) for effect in effects]
    values = [100 * effect.inflation[effect.score] for effect in effects]
    ends = [[100 * end for end in effect.ci[effect.score]] if effect.ci else [] for effect in effects]
    every = [0.0, *gained, *values, *(end for pair in ends for end in pair)]
    low, high = min(every), max(every)

    def x(points: float) -> float:
        return 160 + 180 * (points - low) / ((high - low) or 1.0)

    parts = [Markup('<path class="axis" d="M{0:.1f} 4V{1}"/>').format(x(0), 24 * len(effects) + 4)]
    sentences = []
    for index, (effect, value, random, pair) in enumerate(zip(effects, values, gained, ends, strict=True)):
        y = 24 * index + 16
        label = effect.leak + (" (UAR)" if effect.score == "uar" else "")
        parts.append(
            Markup(
                '<text x="0" y="{}">{}</text><rect class="bar" x="{:.1f}" y="{}" width="{:.1f}" height="12"/>'
            ).format(y + 4, label, min(x(0), x(value)), y - 6, abs(x(value) - x(0)))
        )
        if pair:
            parts.append(Markup('<path class="whisker" d="M{:.1f} {}H{:.1f}"/>').format(x(pair[0]), y, x(pair[1])))
        parts.append(Markup('<path class="random" d="M{:.1f} {}l4 4l-4 4l-4 -4z"/>').format(x(random), y - 4))
        sentences.append(f"{label}: {value:+.2f}, a random predictor {random:+.2f}")
    foot = 24 * len(effects) + 20
    marks = [(0.0, "middle"), *((end, "middle") for end in (low, high) if abs(x(end) - x(0)) > 40)]
    parts += [
        Markup('<text class="{}" x="{:.1f}" y="{}">{}</text>').format(
            where, x(at), foot, f"{at:+.1f}" if at else "0"
        )
        for at, where in marks
    ]  # fmt: skip
    return _drawing("inflation", "Points of UF1 that each leak adds", "; ".join(sentences), parts, foot + 6)


def stress_curves(rows: Sequence[StressRow], random: float) -> Markup:
    """Draw UF1 by strength, a small panel for each alteration, with its band and a random predictor's score."""
    parts, sentences = [], []
    for index, row in enumerate(rows):
        left, top = 30 + 170 * (index % 2), 22 + 118 * (index // 2)
        x = [left + 145 * place / len(row.levels) for place in range(len(row.levels) + 1)]
        points = [row.clean["uf1"], *(level.uf1 for level in row.levels)]
        ends = [row.clean_ci["uf1"], *(level.ci["uf1"] for level in row.levels)]

        def y(share: float, top: int = top) -> float:
            return top + 80 * (1 - share)

        known = [(at, pair) for at, pair in zip(x, ends, strict=True) if pair is not None]
        band = [
            *((at, y(high)) for at, (_, high) in known),
            *((at, y(low)) for at, (low, _) in reversed(known)),
        ]
        curve_points = [(at, y(share)) for at, share in zip(x, points, strict=True)]
        parts += [
            Markup('<text class="strong" x="{}" y="{}">{}</text>').format(left, top - 6, row.alteration),
            Markup('<path class="axis" d="M{0} {1}V{2}H{3}"/>').format(left, top, top + 80, left + 145),
            Markup('<text class="end" x="{}" y="{}">100</text>').format(left - 4, top + 8),
            Markup('<text class="end" x="{}" y="{}">0</text>').format(left - 4, top + 82),
            Markup('<path class="band" d="M{}z"/>').format(_way(band)) if band else Markup(""),
            Markup('<path class="chance" d="M{} {:.1f}h145"/>').format(left, y(random)),
            Markup('<path class="curve" d="M{}"/>').format(_way(curve_points)),
            Markup('<text x="{}" y="{}">none</text>').format(left, top + 95),
            Markup('<text class="end" x="{}" y="{}">{:g}</text>').format(left + 145, top + 95, row.levels[-1].strength),
        ]
        sentences.append(f"{row.alteration}: {percent(points[0])} unaltered, {percent(points[-1])} at the strongest")
    height = 118 * ((len(rows) + 1) // 2) + 4
    return _drawing("stress", "UF1 x 100 by strength of each alteration", "; ".join(sentences), parts, height)


def _drawing(name: str, title: str, text: str, parts: Sequence[Markup], height: int) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}-title {name}-text">'
        '<title id="{name}-title">{title}</title><desc id="{name}-text">{text}</desc>{parts}</svg>'
    ).format(width=_WIDTH, height=height, name=name, title=title, text=text, parts=Markup("").join(parts))


def _level(y: float, label: str) -> Markup:
    """Draw a line across with its value at the left."""
    return Markup('<path class="axis" d="M48 {0:.1f}H354"/><text class="end" x="36" y="{1:.1f}">{2}</text>').format(
        y, y + 4, label
    )


def _way(points: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
