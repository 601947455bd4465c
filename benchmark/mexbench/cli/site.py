"""``bench site``: the leaderboards as a static web page that works from a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from mexbench import cli
from mexbench.cli.output import open_catalogue, say
from mexbench.errors import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--out", type=Path, default=Path("site"), metavar="DIR",
        help="folder to write, whole or not at all (default: site); replaced where it holds an earlier site and "
        "nothing else",
    )  # fmt: skip
    parser.add_argument(
        "--root", type=Path, default=Path("leaderboards"), metavar="DIR",
        help="folder of the leaderboards (default: leaderboards)",
    )  # fmt: skip
    parser.add_argument(
        "--audit", type=Path, action="append", default=[], metavar="FILE",
        help="RUN/audit/audit.json of 'bench audit', or stress.json of 'bench audit --stress', shown beside the rows "
        "that it is about; may be repeated; those in DIR/audits are always shown",
    )  # fmt: skip
    parser.add_argument(
        "--papers", type=Path, metavar="FILE",
        help="FOLDER/papers.json of 'bench papers', shown as a page of its own",
    )  # fmt: skip
    parser.epilog = (
        "The pages show what 'bench leaderboard render' shows: every submission is verified first, and nothing is "
        "written where one does not verify. They need no server and no network: open site/index.html. The same "
        "leaderboards give the same bytes. Exit codes: 0 written, 1 a submission does not verify, 2 bad input."
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from mexbench.cli import leaderboard_spotting
    from mexbench.cli.leaderboard import all_boards, read_claims, say_errors
    from mexbench.reports import state_of_the_art
    from mexbench.reports.claim_verdicts import read_verdicts
    from mexbench.reports.leaderboards.rows import board_rows
    from mexbench.reports.leaderboards.verify import verify_board
    from mexbench.reports.site import audits, folder, pages, paper_tables, state_page, stress_tests
    from mexbench.reports.site.plugins import plugins_about
    from mexbench.studies.claims.methods import load_methods

    folder.check_own_folder(options.out)  # before the work, not after it
    claims = read_claims(options.root)
    paths = [*sorted(options.root.glob("audits/*.json")), *options.audit]
    stressed = {path: stress_tests.read(path) for path in paths if stress_tests.is_stress_file(path)}
    audited = {path: audits.read(path) for path in paths if path not in stressed}
    papers = paper_tables.read(options.papers) if options.papers else None
    boards = [verify_board(options.root, name) for name in all_boards(options.root)]
    names = leaderboard_spotting.boards(options.root)
    spotters = {name: leaderboard_spotting.verified(options.root, name) for name in names}
    files = [
        *(one for board in boards for one in board.submissions),
        *(one for name in names for one in spotters[name]),
    ]
    if any(one.errors for one in files):
        say_errors(files)
        say("some submissions do not verify, so no page is written")
        return cli.BAD_INPUT if any(not one.readable for one in files) else cli.FAILED
    spotting = [leaderboard_spotting.rows_of(options.root, name, spotters[name]) for name in names]
    rows = [board_rows(board, claims) for board in boards]
    audits.check_known_boards({**audited, **stressed}, rows)
    methods = load_methods(options.root / "methods.yaml") if claims else ()
    state, by_name = None, {board.definition.name: board for board in rows}
    if claims and methods and state_of_the_art.BOARD in by_name:
        rules = state_of_the_art.read_audits(options.root)
        shown = [by_name[name] for name in state_of_the_art.BOARDS if name in by_name]
        lines = state_of_the_art.method_lines(shown, claims, methods, rules)
        state = state_page.StateOfTheArt(shown[0], lines)
    figures = options.root / "claims.yaml"
    studies = pages.Studies(
        claims=claims,
        verdicts=read_verdicts(figures.with_suffix(".json"), figures, claims) if claims else {},
        methods=methods,
        state=state,
        plugins=plugins_about(rows, open_catalogue()),
        audits=list(audited.values()),
        stress_tests=list(stressed.values()),
        papers=papers,
        spotting=spotting,
    )
    pages_by_name = pages.site(rows, studies)
    folder.write(options.out, pages_by_name)
    count = sum(len(board.rows) for board in (*rows, *spotting))
    boards = len(rows) + len(spotting)
    boards_text = f"{counted(boards, 'leaderboard')}, {counted(count, 'row')}"
    say(f"written to {options.out}: {boards_text}; open {options.out / 'index.html'}")
    return cli.OK
