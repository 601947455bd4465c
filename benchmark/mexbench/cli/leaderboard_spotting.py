"""What ``bench leaderboard`` does with boards of spotters and with runs of ``target: spotting``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mexbench import cli
from mexbench.cli.output import open_catalogue, say

if TYPE_CHECKING:
    from mexbench.reports.spotting_boards.page import SpottingRows
    from mexbench.reports.spotting_boards.submission import VerifiedSpotter


def is_run(path: Path) -> bool:
    """Whether a folder holds a run of spotters; what is wrong with the folder is said by who reads it."""
    from mexbench.errors import BenchError
    from mexbench.reports.spotting_boards.submit import is_spotting_run

    try:
        return is_spotting_run(path)
    except BenchError:
        return False


def is_board(root: Path, name: str) -> bool:
    """Whether a name is that of a board of spotters."""
    from mexbench.reports.spotting_boards.definition import is_spotting_board

    return is_spotting_board(root, name)


def boards(root: Path, chosen: Sequence[str] = ()) -> list[str]:
    """Return the boards of spotters, those that were chosen where any were."""
    from mexbench.reports.spotting_boards.definition import names

    return [name for name in names(root) if name in chosen or not chosen]


def define(options: argparse.Namespace) -> int:
    """Make a board from a run."""
    from mexbench.reports.spotting_boards import definition, submit

    run = submit.read_spotting_run(options.run)
    board = submit.define(run, options.name, open_catalogue(), title=options.title or options.name, note=options.note)
    say(f"written to {definition.save(options.own_root, board)}")
    return cli.OK


def submit(options: argparse.Namespace) -> int:
    """Submit the rows of a run.

    Raises:
        BoardError: The run is not of spotters, is incomplete, or does not answer the board.
    """
    from mexbench.errors import BoardError
    from mexbench.reports.spotting_boards import definition, submission, submit

    if not is_run(options.run):
        raise BoardError(f"{options.name}: is a leaderboard of spotters, and {options.run} is not a run of spotters")
    board = definition.load(options.root, options.name)
    run = submit.read_spotting_run(options.run)
    entries = submit.submissions(run, board, open_catalogue(), options.row)
    for path, state in submission.store(options.own_root, board, entries):
        say(f"{path}: {state}")
    say(f"{len(entries)} rows; 'bench leaderboard render {board.name}' brings the page up to date")
    return cli.OK


def verified(root: Path, name: str) -> list[VerifiedSpotter]:
    """Verify every submission to a board of spotters."""
    from mexbench.reports.spotting_boards import definition, submission

    return submission.read_all(root, definition.load(root, name), open_catalogue())


def rows_of(root: Path, name: str, submissions: Sequence[VerifiedSpotter]) -> SpottingRows:
    """Rank the verified submissions to a board of spotters."""
    from mexbench.reports.spotting_boards import definition, page

    return page.board_rows(definition.load(root, name), submissions)


def render(
    options: argparse.Namespace, name: str, bring_up_to_date: Callable[..., int],
    say_faults: Callable[[Sequence[VerifiedSpotter]], None],
) -> int:  # fmt: skip
    """Write the page of a board of spotters."""
    from mexbench.reports.spotting_boards import page

    submissions = verified(options.root, name)
    if any(one.errors for one in submissions):
        say_faults(submissions)
        say(f"{name}: has submissions that do not verify, so its page is not written")
        return cli.FAILED
    text = page.markdown(rows_of(options.root, name, submissions))
    texts: Mapping[Path, str] = {options.root / f"{name}.md": text}
    return bring_up_to_date(texts, f"{len(submissions)} rows", name, check=options.check)
