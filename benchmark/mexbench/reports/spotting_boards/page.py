"""A leaderboard of spotters -> its tables and its markdown page. The same submissions give the same page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mexbench.errors import counted
from mexbench.metrics import few_subjects
from mexbench.metrics.classification import LEVEL, REPLICATES
from mexbench.metrics.significance import rank_ranges
from mexbench.metrics.spotting.matching import IOU
from mexbench.metrics.spotting.scores import KINDS
from mexbench.metrics.spotting.summary import SpottingPool, replicated_f1
from mexbench.reports import spotting_page
from mexbench.reports.leaderboards.page import HEADINGS, rank_text
from mexbench.reports.leaderboards.submission_checks import check_valid
from mexbench.reports.spotting_boards.definition import SpottingBoard
from mexbench.reports.spotting_boards.submission import SpottingSubmission, VerifiedSpotter, pools
from mexbench.reports.spotting_results import NULL_MODEL, above_null
from mexbench.tables import DASH, Table, competes, escape, percent, with_interval

SYNTHETIC = HEADINGS["synthetic"][1]


@dataclass(frozen=True)
class SpottingRow:
    """A row of a leaderboard of spotters.

    Args:
        submission: What was submitted, verified.
        scores: Its figures as ``scores.json`` of a run has them, with how far it is above the best null model.
        rank: The best and the worst rank; None where it may not be ranked, or too few subjects are tested.
    """

    submission: SpottingSubmission
    scores: dict[str, Any]
    rank: tuple[int, int] | None

    @property
    def name(self) -> str:
        """The model's name, unique on its board."""
        return self.submission.model.name


@dataclass(frozen=True)
class SpottingRows:
    """A leaderboard of spotters, ready for a page.

    Args:
        board: What it asks.
        rows: By falling F1.
    """

    board: SpottingBoard
    rows: tuple[SpottingRow, ...]

    @property
    def scores(self) -> dict[str, Any]:
        """The rows as ``scores.json`` of a run has them."""
        members = sorted({video.dataset for video in self.board.videos})
        return {"rows": [row.scores for row in self.rows], "members": members}


def board_rows(board: SpottingBoard, submissions: Sequence[VerifiedSpotter]) -> SpottingRows:
    """Rank a board's submissions.

    Raises:
        BoardError: A submission does not verify: then no page may be made.
    """
    check_valid(board.name, submissions)
    entries = [one.entry for one in submissions if one.entry is not None]
    spotted = {entry.model.name: pools(board, entry) for entry in entries}
    rows = [
        {
            **entry.figures, "model": entry.model.name, "flags": list(entry.flags), "folds": _n_folds(board),
            "protocol": board.protocol["plugin"], "tasks": {"done": 1, "total": 1},
        }
        for entry in entries
    ]  # fmt: skip
    scored = {row["model"]: row for row in above_null(rows, spotted)}
    ordered = sorted(entries, key=lambda entry: (-(entry.figures["f1"] or 0.0), entry.model.name))
    ranked = [
        entry.model.name
        for entry in ordered
        if NULL_MODEL not in entry.flags and competes(scored[entry.model.name], "f1")
    ]
    ranks = _ranks({name: spotted[name] for name in ranked})
    return SpottingRows(
        board, tuple(SpottingRow(entry, scored[entry.model.name], ranks.get(entry.model.name)) for entry in ordered)
    )


def _ranks(spotted: Mapping[str, Sequence[SpottingPool]]) -> dict[str, tuple[int, int]]:
    """Return the best and the worst rank of each model; nothing where there are too few subjects."""
    subjects = {video.group for runs in spotted.values() for pool in runs for video in pool.videos}
    if not few_subjects.enough(len(subjects)):
        return {}
    drawn = np.stack([replicated_f1(runs) for runs in spotted.values()])
    drawn = drawn[:, ~np.isnan(drawn).any(axis=0)]  # a draw with nothing to find, in which a model claims nothing
    return dict(zip(spotted, rank_ranges(drawn), strict=True))


def main_table(rows: SpottingRows) -> Table:
    """Rank, scores with intervals, and what they are based on."""
    headers = ["rank", "model", "F1", *(f"{kind} F1" for kind in KINDS), "AP", "recall", "false alarms / min", "seeds"]
    cells = []
    for row in rows.rows:
        scores, entry = row.scores, row.submission
        alarms = scores["false_alarms_per_minute"]
        line = [rank_text(row.rank), row.name, *(with_interval(scores, n) for n in ("f1", *(f"f1_{k}" for k in KINDS)))]
        line += [percent(scores["average_precision"]), percent(scores["recall"])]
        line += [DASH if alarms is None else f"{alarms:.1f}", str(len(entry.seeds)), " ".join(entry.flags) or DASH]
        cells.append([*line, f"{entry.model.plugin}, {entry.model.distribution}", entry.origin.ended[:10]])
    return Table([*headers, "flags", "plugin", "date"], cells)


def brief_table(rows: SpottingRows) -> Table:
    """Return what fits a page of 830 pixels: the score that ranks with its interval, seeds and flags."""
    cells = []
    for row in rows.rows:
        scores, flags = row.scores, " ".join(row.submission.flags) or DASH
        line = [rank_text(row.rank), row.name, with_interval(scores, "f1")]
        line += [percent(scores["average_precision"]), percent(scores["recall"])]
        cells.append([*line, str(len(row.submission.seeds)), flags])
    return Table(["rank", "model", "F1", "AP", "recall", "seeds", "flags"], cells)


def kind_table(rows: SpottingRows) -> Table:
    """F1 of each type with its interval, and false alarms."""
    cells = []
    for row in rows.rows:
        alarms = row.scores["false_alarms_per_minute"]
        shown = [with_interval(row.scores, f"f1_{kind}") for kind in KINDS]
        cells.append([row.name, *shown, DASH if alarms is None else f"{alarms:.1f}"])
    return Table(["model", *(f"{kind} F1" for kind in KINDS), "false alarms / min"], cells)


def origin_table(rows: SpottingRows) -> Table:
    """Where each row comes from; the whole commit is in its file."""
    cells = []
    for row in rows.rows:
        origin, costs = row.submission.origin, row.submission.costs
        machine = f"{origin.device}, {origin.machine}"
        processor = DASH if costs.processor_s is None else f"{costs.processor_s:.1f} s"
        digits, dash, dirty = (origin.commit or DASH).partition("-") if origin.commit else (DASH, "", "")
        model = row.submission.model
        plugin = f"{model.plugin}, {model.distribution}"
        commit = f"{digits[:10]}{dash}{dirty}"
        cells.append([row.name, plugin, str(origin.epoch), commit, machine, processor, origin.ended[:10]])
    return Table(["model", "plugin", "epoch", "commit", "device", "processor time of one seed", "date"], cells)


def detail_tables(rows: SpottingRows) -> list[tuple[str, Table]]:
    """Return the further tables of a page, each with its heading."""
    scores = rows.scores
    tables = [
        ("Against the best null model", spotting_page.null_table(scores)),
        ("F1 by the overlap that counts", spotting_page.sweep_table(scores)),
        ("True positives / false positives / false negatives", spotting_page.count_table(scores)),
        ("Spotted, by emotion", spotting_page.emotion_table(scores)),
        ("Where each row comes from", origin_table(rows)),
    ]
    return [(heading, table) for heading, table in tables if table.rows]


def setting(board: SpottingBoard) -> list[tuple[str, str]]:
    """Return what a board asks, as pairs of a name and a text."""
    subjects = len({video.subject for video in board.videos})
    without = sum(not video.truth for video in board.videos)
    numbers = {kind: sum(one[0] == kind for video in board.videos for one in video.truth) for kind in KINDS}
    support = ", ".join(f"{kind} {count}" for kind, count in numbers.items())
    minutes = sum((video.last - video.first + 1) / video.fps for video in board.videos) / 60
    rest = "".join(f"; {key}: {value}" for key, value in board.protocol.items() if key != "plugin")
    return [
        ("Data set", f"{board.dataset}, fingerprint {board.fingerprint}"),
        (
            "Videos",
            f"{len(board.videos)} of {counted(subjects, 'subject')}, {minutes:.1f} minutes; {support}; {without} "
            "without any",
        ),
        ("Protocol", f"{board.protocol['plugin']}{rest}, {counted(_n_folds(board), 'fold')}"),
        ("Ranked by", f"F1 of both types at an intersection over union of {IOU}, pooled over all videos"),
        ("Accepted", f"epochs {', '.join(map(str, board.epochs))} of the code"),
    ]


def legend(board: SpottingBoard) -> str:
    """Say how to read the main table, and why it has no intervals where it has none."""
    few = few_subjects.why_none([len({video.subject for video in board.videos})])
    return (
        f"Scores are x 100. In brackets: {LEVEL:.0%} interval by bootstrap over subjects ({REPLICATES} replicates). A "
        "rank is a range where the interval of a difference includes zero. Rows flagged null-model look at no "
        "pixel and have no rank. Figures follow from the intervals in each file ('bench leaderboard verify'); no "
        "verification shows that a model made them." + (f" {few}" if few else "")
    )


def markdown(rows: SpottingRows) -> str:
    """Write the page."""
    board = rows.board
    parts = [f"# {escape(board.title)}", *([escape(board.note)] if board.note else [])]
    parts.append("\n".join(f"- {name.lower()}: {escape(text)}" for name, text in setting(board)))
    if "synthetic" in board.flags:
        parts.append(f"> {SYNTHETIC}")
    if not rows.rows:
        return "\n\n".join([*parts, "No row has been submitted yet."]) + "\n"
    parts += [brief_table(rows).markdown(), legend(board), "## By type", kind_table(rows).markdown()]
    for heading, table in detail_tables(rows):
        parts += [f"## {heading}", table.markdown()]
    return "\n\n".join(parts) + "\n"


def _n_folds(board: SpottingBoard) -> int:
    return len({video.fold for video in board.videos})
