"""``bench score FILE``: predictions made elsewhere, scored as a run's own; spotted intervals by ``score_spotting``."""

from __future__ import annotations

import argparse
from pathlib import Path

from mexbench import cli
from mexbench.cli import score_spotting
from mexbench.cli.output import say
from mexbench.errors import DataError, counted
from mexbench.evaluation.split_checks import UNKNOWN_SUBJECTS
from mexbench.files import write_json
from mexbench.reports import run_page, score_file
from mexbench.runs.predictions_csv import read, read_ids
from mexbench.runs.spotting_files import file_kind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a predictions.csv, a CSV with a header (sample, truth, prediction, perhaps subject and dataset), or a "
        "MEGC2019 log ('<data set> <subject>' lines, each followed by '<clip> <truth> <prediction>' lines)",
    )
    parser.add_argument(
        "--classes", metavar="NAME,NAME,...", help="class names in order; a label is a name or a position from 0"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="the samples that must be there, no more and no fewer: another file of predictions, or one id per line",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every figure to this file")
    score_spotting.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if (intervals := file_kind(options.file)) is not None:
        return score_spotting.run(options, intervals)
    score_spotting.check_unused(options)
    file = read(options.file)
    classes = [name.strip() for name in options.classes.split(",")] if options.classes else []
    if not all(classes):
        raise DataError(f"--classes {options.classes}: expected names, with a comma between two")
    expected = read_ids(options.against) if options.against else None
    scores = score_file.score(file, classes=classes, expected=expected)

    support = ", ".join(f"{name} {count}" for name, count in scores["support"].items())
    say(f"{file.path}: {file.format}, {counted(sum(scores['support'].values()), 'sample')}; {support}")
    tables = [run_page.member_table(scores)] if len(scores["members"]) > 1 else []
    tables.append(run_page.class_table(scores))
    tables += [run_page.comparison_table(scores)] if scores["comparisons"] else []
    tables += [run_page.fold_table(scores)] if any(row["per_fold"] for row in scores["rows"]) else []
    print("\n\n".join([run_page.terminal_text(scores), *(table.text() for table in tables)]))
    say("flagged unverified: from a file alone nobody can see what was trained on, or chosen by its test score")
    if UNKNOWN_SUBJECTS in scores["flags"]:
        unit = scores["intervals"]["unit"]
        say(f"flagged {UNKNOWN_SUBJECTS}: intervals are over {unit}s and too narrow; a column 'subject' fixes that")
    if options.json:
        write_json(options.json, scores)
        say(f"written to {options.json}")
    return cli.OK
