"""What several commands share: loading a config, reporting broken plugins, showing progress."""

from __future__ import annotations

import argparse
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mexbench.config.loader import load
from mexbench.config.run_config import RunConfig
from mexbench.registry.catalogue import Catalogue, load_catalogue

if TYPE_CHECKING:
    from mexbench.evaluation.monitor import Ticker


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose and change a config."""
    parser.add_argument(
        "config", type=Path, metavar="CONFIG", help="a YAML file, or the name of a shipped config such as quickstart"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change a value of the config, such as seeds=[0,1,2], models.svm.C=0.1 or dataset.channels=bgr",
    )


def open_catalogue() -> Catalogue:
    """Load the catalogue and print on stderr which plugin distributions are broken."""
    catalogue = load_catalogue()
    for problem in catalogue.problems:
        say(f"error: {problem}")
    return catalogue


def open_config(options: argparse.Namespace) -> RunConfig:
    """Read the config that the arguments name."""
    return load(options.config, open_catalogue(), options.overrides)


def positive(text: str) -> int:
    """Read a whole number from 1, for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return number


def say(text: str = "") -> None:
    """Print on stderr: results alone go to stdout."""
    print(text, file=sys.stderr, flush=True)


def say_boxed(text: str) -> None:
    """Print in a box what must not be overlooked."""
    lines = [line for paragraph in text.splitlines() for line in textwrap.wrap(paragraph, 76) or [""]]
    bar = "+" + "-" * 78 + "+"
    say("\n".join([bar, *(f"| {line:<76} |" for line in lines), bar]))


#: Columns of a terminal below which progress has no bar and does not name what is next.
_NARROW = 80
#: In a log file, work that takes less needs no progress.
_SECONDS_BETWEEN_LINES = 2


@contextmanager
def progress(what: str, total: int) -> Iterator[Ticker]:
    """Show a bar on a terminal; elsewhere a line at every tenth, if that takes a while."""
    if not sys.stderr.isatty():
        shown, last = 0, time.monotonic()

        def log(done: int, doing: str = "", /) -> None:
            nonlocal shown, last
            tenth = 10 * done // max(total, 1)
            if tenth > shown and time.monotonic() - last > _SECONDS_BETWEEN_LINES:
                shown, last = tenth, time.monotonic()
                say(f"{what}: {done} of {total}{', ' * bool(doing)}{doing}")

        yield log
        return

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    timed = (MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    if console.width < _NARROW:  # the count and the time are what a reader waits for
        columns = (TextColumn("{task.description}"), *timed)
    else:
        columns = (
            TextColumn("{task.description}"), BarColumn(), *timed, TextColumn("{task.fields[doing]}", markup=False)
        )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        shown_task = bar.add_task(what, total=total, doing="")
        yield lambda done, doing="", /: bar.update(shown_task, completed=done, doing=doing)
