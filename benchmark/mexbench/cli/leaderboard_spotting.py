"""What ``bench leaderboard`` does with boards of spotters and with runs of ``target: spotting``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mexbench.cli.output import open_catalogue
from mexbench.errors import BoardError

if TYPE_CHECKING:
    from mexbench.reports.leaderboards.planned_files import PlannedFile
    from mexbench.reports.spotting_boards.page import SpottingRows
    from mexbench.reports.spotting_boards.submission import SpottingSubmission, VerifiedSpotter

#: The score that ranks.
HEADLINE = "f1"


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


def boards(root: Path) -> list[str]:
    """Return the boards of spotters."""
    from mexbench.reports.spotting_boards.definition import names

    return names(root)


def define(options: argparse.Namespace) -> Path:
    """Make a board from a run and return its file."""
    from mexbench.reports.spotting_boards import definition, submit
    from mexbench.runs.stored_run import damage_is_an_error

    _check_options(options)
    if options.headline is not None:
        raise BoardError(f"--headline {options.headline}: a leaderboard of spotters is ranked by F1: leave it out")
    run = submit.read_spotting_run(options.run)
    with damage_is_an_error(options.run):
        board = submit.define(
            run, options.name, open_catalogue(), title=options.title or options.name, note=options.note
        )
    return definition.save(options.own_root, board)


def planned(options: argparse.Namespace) -> list[PlannedFile[SpottingSubmission]]:
    """Make a submission of each row of a run, and compare it with what is there.

    Raises:
        BoardError: The run is not of spotters, is incomplete, or does not answer the board.
    """
    from mexbench.reports.leaderboards.planned_files import plan
    from mexbench.reports.spotting_boards import definition, submission, submit
    from mexbench.runs.stored_run import damage_is_an_error

    _check_options(options)
    if not is_run(options.run):
        raise BoardError(f"{options.name}: is a leaderboard of spotters, and {options.run} is not a run of spotters")
    board = definition.load(options.root, options.name)
    run = submit.read_spotting_run(options.run)
    with damage_is_an_error(options.run):
        entries = submit.submissions(run, board, open_catalogue(), options.row, selection=options.selection)
    return plan(definition.results_folder(options.own_root, board.name), entries, submission.read)


def _check_options(options: argparse.Namespace) -> None:
    if options.keep_names:
        raise BoardError(
            "--keep-names: leaderboards of spotters are of made-up data, whose names are kept: leave it out"
        )


def store(files: Sequence[PlannedFile[SpottingSubmission]]) -> None:
    """Write submissions."""
    from mexbench.reports.leaderboards import planned_files
    from mexbench.reports.spotting_boards.definition import record_text

    planned_files.store(files, record_text)


def verified(root: Path, name: str) -> tuple[VerifiedSpotter, ...]:
    """Verify every submission to a board of spotters."""
    from mexbench.reports.spotting_boards.submission import verify_board

    return verify_board(root, name)


def verified_file(root: Path, path: Path, board: str) -> VerifiedSpotter:
    """Verify a file, against the board that it names."""
    from mexbench.reports.spotting_boards.definition import load
    from mexbench.reports.spotting_boards.submission import verify_file

    return verify_file(load(root, board), path)


def rows_of(root: Path, name: str, submissions: Sequence[VerifiedSpotter]) -> SpottingRows:
    """Rank the verified submissions to a board of spotters."""
    from mexbench.reports.spotting_boards import definition, page

    return page.board_rows(definition.load(root, name), submissions)


def pages(root: Path, name: str, submissions: Sequence[VerifiedSpotter]) -> dict[Path, str]:
    """Return the page of a board of spotters: file -> text."""
    from mexbench.reports.spotting_boards import page

    return {root / f"{name}.md": page.markdown(rows_of(root, name, submissions))}
