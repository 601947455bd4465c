"""``bench compare RUN_A RUN_B``: two runs side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mexbench import cli
from mexbench.cli.output import say
from mexbench.errors import counted
from mexbench.files import write_text
from mexbench.metrics.few_subjects import why_none
from mexbench.reports import compare as comparison
from mexbench.reports.compare import RowComparison, ScoreDifference
from mexbench.runs.stored_run import StoredRun, damage_is_an_error, read_run
from mexbench.tables import Table, percent, probability

_NAMES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("first", type=Path, metavar="RUN_A", help="run folder")
    parser.add_argument("second", type=Path, metavar="RUN_B", help="run folder")
    parser.add_argument(
        "--rows", nargs=2, default=[], metavar=("ROW_A", "ROW_B"),
        help="the rows to compare (default: those whose names both runs have)",
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="show so many samples of each pair of rows (default: 20)"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every sample that is predicted otherwise")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    first, second = read_run(options.first), read_run(options.second)
    with damage_is_an_error(first.path), damage_is_an_error(second.path):
        pairs = comparison.chosen_rows(first, second, options.rows)
        compared = [comparison.compare_runs(first, second, pair) for pair in pairs]
        print(text(first, second, compared, limit=max(options.limit, 0)))
    if options.csv:
        write_text(options.csv, comparison.csv_text(compared))
        say(f"written to {options.csv}: {counted(sum(len(one.disagreements) for one in compared), 'line')}")
    return cli.OK


def text(first: StoredRun, second: StoredRun, compared: Sequence[RowComparison], *, limit: int = 20) -> str:
    """Write what the command prints."""
    parts = [f"A: {first.path}", f"B: {second.path}"]
    incomplete = [run.path for run in (first, second) if not run.scores["complete"]]
    parts += [f"incomplete: {path}; what it lacks is excluded from both" for path in incomplete]
    parts += _config("code and machine", comparison.run_differences(first, second))
    for one in compared:
        parts += _pair(one, limit)
    return "\n\n".join(parts)


def _config(what: str, differences: Sequence[ScoreDifference]) -> list[str]:
    if not differences:
        return [f"{what}: the same in both"]
    return [Table([what, "A", "B"], [[d.what, d.first, d.second] for d in differences]).text()]


def _pair(found: RowComparison, limit: int) -> list[str]:
    title = found.rows[0] if found.rows[0] == found.rows[1] else " against ".join(found.rows)
    alone = "".join(
        f", {count} in {which} alone are left out" for which, count in zip("AB", found.alone, strict=True) if count
    )
    runs = len(found.runs)
    heading = (
        f"== {title}: {counted(found.shared, 'prediction')} of both{f' in {runs} runs' if runs > 1 else ''}{alone}"
    )
    cells = [
        [
            _NAMES[score.name],
            percent(score.first),
            percent(score.second),
            percent(score.first - score.second)
            + (f" [{percent(score.interval[0])}, {percent(score.interval[1])}]" if score.interval else ""),
            probability(score.p),
        ]
        for score in found.scores
    ]
    parts = [heading, *_config("config", found.config), Table(["score", "A", "B", "A - B", "p"], cells).text()]
    if why := why_none([found.subjects], what="no interval"):
        parts.append(why)
    if not found.disagreements:
        return [*parts, "every sample is predicted alike"]
    kinds = ", ".join(f"{count} where {who}" for who, count in found.kinds().items())
    shown = found.disagreements[:limit]
    parts.append(f"{counted(len(found.disagreements), 'prediction differs', 'predictions differ')}: {kinds}")
    several = len(found.runs) > 1
    if shown:
        headers = ["sample", *(["seed", "repeat"] if several else []), "truth", "A", "B"]
        lines = [
            [d.sample_id, *([str(d.seed), str(d.repeat)] if several else []), d.truth, d.first, d.second] for d in shown
        ]
        parts.append(Table(headers, lines).text())
    if rest := len(found.disagreements) - len(shown):
        parts.append(f"and {rest} more: --limit or --csv FILE shows them")
    return parts
