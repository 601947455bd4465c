"""The most expressive moments of a film that was read in snapshots: a table and a contact sheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.data.video.reader import Frame
from mexbench.files import replacing
from mexbench.runs.plot_style import ORANGE, RULE, figure_bytes, house_style
from mexbench.studies.inference.answers import Answers
from mexbench.studies.inference.window_predictor import WindowPrediction

#: Moments of a film that are shown.
MOST = 12
_COLUMNS = 4


@dataclass(frozen=True)
class Moment:
    """One snapshot among the most expressive.

    Args:
        time_s: When.
        value: How far its scores are from the film's usual ones; see ``most_expressive``.
        scores: Of the model (n_classes,).
        cluster: The combination of units that it is assigned to; empty without one.
    """

    time_s: float
    value: float
    scores: NDArray[np.float64]
    cluster: str = ""


@dataclass
class Snapshots:
    """Collects the scores of a film's snapshots."""

    answers: Answers
    times: list[float] = field(default_factory=list)
    scores: list[NDArray[np.float64]] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)

    def add(self, prediction: WindowPrediction) -> None:
        """Add a snapshot; one without a prediction is passed over."""
        if prediction.scores is not None:
            self.times.append(prediction.window.start_s)
            self.scores.append(prediction.scores)
            self.clusters.append(self.answers.cluster(prediction.scores, prediction.units))

    def most_expressive(self, most: int = MOST) -> list[Moment]:
        """Return the snapshots whose scores are farthest from the film's usual ones, the farthest first.

        Usual is the median over its snapshots; each score is divided by its median absolute deviation, at least a
        hundredth of the largest range, so that no class counts more by its scale. Of neighbours the farther one is
        taken. It says that an answer is unusual for this film, not that an expression is there.
        """
        if not self.scores:
            return []
        values = np.stack(self.scores)
        apart = np.abs(values - np.median(values, axis=0))
        floor = max(float(np.ptp(values, axis=0).max()) / 100, 1e-12)
        far = np.sqrt(((apart / np.maximum(np.median(apart, axis=0), floor)) ** 2).mean(axis=1))
        chosen: list[int] = []
        for index in sorted(range(len(far)), key=lambda one: (-round(float(far[one]), 9), one)):
            if len(chosen) < most and all(abs(index - other) > 1 for other in chosen):
                chosen.append(index)
        return [Moment(self.times[k], float(far[k]), self.scores[k], self.clusters[k]) for k in chosen]


def table_text(moments: Mapping[str, Sequence[Moment]], answers: Answers) -> str:
    """Return ``moments.csv``: a row for each moment of each clip, the most expressive first."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    clustered = answers.division is not None
    writer.writerow(
        ["clip_id", "rank", "time_s", "expressiveness", "predicted", *(["cluster"] * clustered),
         *(f"score_{name}" for name in answers.names), *(["flags"] * bool(answers.flags))]
    )  # fmt: skip
    for clip_id, of_clip in moments.items():
        for rank, one in enumerate(of_clip, start=1):
            scores = [f"{score:.6g}" for score in one.scores]
            writer.writerow(
                [clip_id, rank, f"{one.time_s:.3f}", f"{one.value:.4g}", answers.text(one.scores),
                 *([one.cluster] * clustered), *scores, *([" ".join(answers.flags)] * bool(answers.flags))]
            )  # fmt: skip
    return stream.getvalue()


def draw(
    path: Path, moments: Sequence[Moment], answers: Answers, *, title: str, below: str, frames: Mapping[float, Frame]
) -> None:
    """Write the contact sheet, a tile for each moment in time: its time, its answer and its scores.

    Args:
        path: The PNG.
        moments: At least one.
        answers: How scores are put into words.
        title: Above it.
        below: The caution under it.
        frames: Time -> the picture to show; without one a tile has scores alone.
    """
    from matplotlib.figure import Figure

    ordered = sorted(moments, key=lambda one: one.time_s)
    columns = min(_COLUMNS, len(ordered))
    rows = -(-len(ordered) // columns)
    with_faces = bool(frames)
    height = (3.6 if with_faces else 1.1) + 0.14 * len(answers.names)
    low = min(0.0, *(float(one.scores.min()) for one in ordered))
    high = max(1.0, *(float(one.scores.max()) for one in ordered)) if low == 0 else None
    with house_style({"font.size": 10, "text.parse_math": False}):  # a file's name may hold dollars
        figure = Figure(figsize=(max(2.9 * columns, 6), height * rows + 0.9), layout="constrained")
        cells = figure.subplots(rows * (2 if with_faces else 1), columns, squeeze=False)
        for axes in cells.ravel():
            axes.set_axis_off()
        for place, one in enumerate(ordered):
            row, column = divmod(place, columns)
            below_axes = cells[2 * row + 1, column] if with_faces else cells[row, column]
            if with_faces and (frame := frames.get(one.time_s)) is not None:
                cells[2 * row, column].imshow(frame.image)
            heading = cells[2 * row, column] if with_faces else below_axes
            text = f"{one.time_s:.1f} s  {answers.text(one.scores)}" + f"\n{one.cluster}" * bool(one.cluster)
            heading.set_title(text, fontsize=9, loc="left")
            _bars(below_axes, one, answers, (low, high))
        figure.suptitle(title, fontsize=11, x=0.01, ha="left")
        figure.supxlabel(below, fontsize=8)
        content = figure_bytes(figure, "png")
    with replacing(path) as target:
        target.write(content)


def _bars(axes: Any, moment: Moment, answers: Answers, limits: tuple[float, float | None]) -> None:  # noqa: ANN401
    given = set(answers.given(moment.scores))
    colours = [ORANGE if name in given else RULE for name in answers.names]
    axes.set_axis_on()
    axes.barh(range(len(answers.names)), moment.scores, color=colours)
    axes.set_yticks(range(len(answers.names)), answers.names, fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_xlim(limits[0], limits[1])
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
