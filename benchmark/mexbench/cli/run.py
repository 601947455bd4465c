"""``bench run``: from a config to a leaderboard."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from mexbench import cli
from mexbench.cli.executor_options import add_where_arguments, worker_settings
from mexbench.cli.output import add_config_arguments, open_catalogue, say
from mexbench.cli.run_messages import TerminalMonitor, say_unusable
from mexbench.config.loader import load
from mexbench.config.run_config import RunConfig
from mexbench.errors import counted, listed
from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.experiment import ExperimentResult, ExperimentSettings, run_experiment
from mexbench.reports.experiment_reports import RunReports
from mexbench.reports.plots import check_matplotlib
from mexbench.reports.run_report import terminal_text
from mexbench.runs import provenance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: runs/NAME_OF_THE_CONFIG)")
    parser.add_argument(
        "--recompute",
        choices=("missing", "always", "never"),
        default="missing",
        help="missing: run what has no valid result (default); always: run everything again; "
        "never: collect the results that exist and name those that do not",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="MODEL",
        help="run this model or row of the config alone, and leave the results of the others as they are; may be "
        "repeated",
    )
    add_where_arguments(parser)
    parser.add_argument(
        "--save-models",
        choices=("task", "all"),
        help="save trained models under models/ of the run folder: that of each task, or one per model and seed that "
        "is trained on all samples, of a case study on all that train; results without one are trained again",
    )
    parser.add_argument(
        "--figures",
        action="store_true",
        help="draw learning curves, each confusion matrix and a paper's claims as PNG and SVG too (needs matplotlib); "
        "the page of a run shows scores and confusion matrices without it",
    )
    parser.add_argument(
        "--observe",
        action="append",
        default=[],
        metavar="NAME",
        help="notify an observer of this run, such as mlflow or tensorboard; may be repeated ('bench list observers')",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would run, then stop; writes nothing")


def run(
    options: argparse.Namespace,
    change: Callable[[RunConfig], RunConfig] = lambda config: config,
    wrap: Callable[[Executor], Executor] = lambda executor: executor,
) -> int:
    """Run the command.

    Args:
        options: Its arguments.
        change: What another command, which starts from this one, does to the config before anything is read.
        wrap: What it puts around the executor.
    """
    try:
        return _run(options, change, wrap)
    except KeyboardInterrupt:  # while data are loaded, while another process is waited for, while reports are written
        say("stopped: what is done is kept; the same command goes on from here")
        return cli.INTERRUPTED


def _run(
    options: argparse.Namespace, change: Callable[[RunConfig], RunConfig], wrap: Callable[[Executor], Executor]
) -> int:
    if options.figures:
        check_matplotlib()
    settings = ExperimentSettings(
        out=options.out,
        recompute=options.recompute,
        save_models=options.save_models,
        observe=tuple(options.observe),
        workers=worker_settings(options),
        dry_run=options.dry_run,
        only=tuple(options.only),
        command=provenance.command_line(),
        wrap=wrap,
    )
    settings.workers.prepare()
    catalogue = open_catalogue()
    config = change(load(options.config, catalogue, options.overrides))
    result = run_experiment(
        config, catalogue, settings, reports=RunReports(figures=options.figures), monitor=TerminalMonitor()
    )
    return cli.OK if result is None else _print_result(result)


def _print_result(result: ExperimentResult) -> int:
    """Print the table, name what is missing and how to go on; choose the exit code."""
    print(terminal_text(result.scores))
    for row in result.scores["rows"]:
        for text, count in row["warnings"].items():
            say(f"warning: {row['model']}, {count} of {counted(row['tasks']['total'], 'task')}: {text}")
    say_unusable(result.folder, result.reported)
    for failure, path in result.failures:
        say(f"failed: {failure.task}: {failure.error}\n  traceback in {path}")
    for text in result.unsaved:
        say(f"warning: model not saved: {text}")
    if result.written:
        say(f"written to {result.folder.path}: {', '.join(result.written)}")
    total = sum(task.model in result.chosen for task in result.plan.tasks)
    if rest := [row for row in result.plan.config.rows if row not in result.chosen]:
        say(f"--only: not run, and with the results that they had: {listed(rest)}")
    if result.interrupted:
        done = total - result.missing
        say(
            f"stopped: {done} of {counted(total, 'task is', 'tasks are')} done and kept; the same command goes on from "
            "here"
        )
        return cli.INTERRUPTED
    if result.missing:
        say(
            f"incomplete: {result.missing} of {counted(total, 'task has', 'tasks have')} no result; the same command "
            "tries again"
        )
    return cli.OK if result.succeeded else cli.FAILED
