"""``bench leaderboard``: define a board, submit rows, verify them, render the pages."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from mexbench import cli
from mexbench.cli import leaderboard_spotting
from mexbench.cli.output import open_catalogue, say
from mexbench.config.shipped import find_leaderboards
from mexbench.config.tuning import Selection
from mexbench.errors import BenchError, BoardError, counted
from mexbench.files import expand_home

if TYPE_CHECKING:
    from mexbench.reports.leaderboards.planned_files import PlannedFile
    from mexbench.reports.leaderboards.rows import BoardRows
    from mexbench.reports.leaderboards.submission import BoardEntry
    from mexbench.reports.leaderboards.submission_checks import VerifiedFile
    from mexbench.runs.stored_run import StoredRun
    from mexbench.studies.claims.claims import Claims

E = TypeVar("E", bound="BoardEntry")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    define = actions.add_parser("define", help="make a new leaderboard from a finished run's data and protocol")
    define.add_argument("run", type=Path, metavar="RUN", help="run folder")
    define.add_argument("name", metavar="NAME", help="of the leaderboard")
    define.add_argument("--title", help="of its page (default: NAME)")
    define.add_argument("--note", default="", help="what a reader should know")
    define.add_argument(
        "--headline",
        choices=("uf1", "uar", "accuracy"),
        help="what ranks (default: uf1); spotters are ranked by F1",
    )
    submit = actions.add_parser("submit", help="write a submission for each row of a finished run")
    submit.add_argument("run", type=Path, metavar="RUN", help="run folder")
    submit.add_argument("name", metavar="NAME", help="of the leaderboard")
    submit.add_argument(
        "--row", action="append", default=[], metavar="ROW", help="submit this row alone; may be repeated"
    )
    submit.add_argument(
        "--selection", choices=get_args(Selection),
        help="how values that differ from a plugin's own were chosen, for rows whose config does not declare it",
    )  # fmt: skip
    submit.add_argument("--yes", action="store_true", help="replace rows that differ without asking")
    verify = actions.add_parser("verify", help="recompute every figure from the predictions")
    verify.add_argument("what", nargs="*", metavar="NAME|FILE", help="leaderboards or submissions (default: all)")
    render = actions.add_parser("render", help="write the pages")
    render.add_argument("names", nargs="*", metavar="NAME", help="of leaderboards (default: all)")
    render.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a page is stale")
    for action in (define, submit):
        action.add_argument(
            "--keep-names", action="store_true",
            help="of subjects and clips of your own lists (image_folder, youtube, features); without it, pseudonyms "
            "stand for them",
        )  # fmt: skip
    for action in (define, submit, verify, render):
        action.add_argument(
            "--root", type=Path, metavar="DIR",
            help="folder of the leaderboards (default: leaderboards; where that has none, the shipped definitions are "
            "read)",
        )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    options.own_root = options.root or Path("leaderboards")  # what is written to; the shipped folder never is
    options.root, options.shipped = find_leaderboards(options.root)
    actions = {"define": _define, "submit": _submit, "verify": _verify, "render": _render}
    return actions[options.action](options)


def _define(options: argparse.Namespace) -> int:
    if leaderboard_spotting.is_run(options.run):
        say(f"written to {leaderboard_spotting.define(options)}")
        return cli.OK
    from mexbench.reports.leaderboards.definition import save
    from mexbench.reports.leaderboards.submit import define
    from mexbench.runs.stored_run import damage_is_an_error

    run_folder, headline = _read(options), options.headline or "uf1"
    with damage_is_an_error(options.run):
        board = define(
            run_folder, options.name, headline=headline, title=options.title or options.name, note=options.note
        )
    for path in save(options.own_root, board):
        say(f"written to {path}")
    return cli.OK


def _read(options: argparse.Namespace) -> StoredRun:
    from mexbench.reports.leaderboards.pseudonyms import with_pseudonyms
    from mexbench.runs.stored_run import read_run

    run_folder = read_run(options.run)
    return run_folder if options.keep_names else with_pseudonyms(run_folder)


def _submit(options: argparse.Namespace) -> int:
    if leaderboard_spotting.is_run(options.run) or leaderboard_spotting.is_board(options.root, options.name):
        return _store(
            options, leaderboard_spotting.planned(options), leaderboard_spotting.store, leaderboard_spotting.HEADLINE
        )
    from mexbench.reports.leaderboards.definition import load
    from mexbench.reports.leaderboards.planned_files import plan, store
    from mexbench.reports.leaderboards.submission import read, text
    from mexbench.reports.leaderboards.submit import submissions
    from mexbench.reports.leaderboards.verify import results_folder
    from mexbench.runs.stored_run import damage_is_an_error

    board = load(options.root, options.name)
    run_folder = _read(options)
    with damage_is_an_error(options.run):
        entries = submissions(run_folder, board, open_catalogue(), options.row, selection=options.selection)
    planned = plan(results_folder(options.own_root, board.name), entries, read)
    return _store(options, planned, lambda files: store(files, text), board.headline)


def _store(
    options: argparse.Namespace, planned: Sequence[PlannedFile[E]], store: Callable[[Sequence[PlannedFile[E]]], None],
    headline: str,
) -> int:  # fmt: skip
    """Write submissions, after a question where rows would be replaced."""
    from mexbench.reports.leaderboards.plugin_code import CODE_UNAVAILABLE

    replaced = [one.change(headline) for one in planned if one.state == "replaced"]
    if replaced and not options.yes:
        _confirm(replaced)
    store(planned)
    for one in planned:
        say(f"{one.path}: {one.state}")
        if CODE_UNAVAILABLE in one.submission.flags:
            say(
                f"  flagged {CODE_UNAVAILABLE}: {one.submission.model.distribution} names no address of its code; add "
                "'urls' to its pyproject.toml, install it again and submit again"
            )
    say(f"{counted(len(planned), 'row')}; 'bench leaderboard render {options.name}' brings the page up to date")
    return cli.OK


def _confirm(replaced: Sequence[str]) -> None:
    """Ask whether rows may be replaced.

    Raises:
        BoardError: They may not, or there is nobody to ask.
    """
    say(f"{counted(len(replaced), 'row')} would be replaced:" + "".join(f"\n  {line}" for line in replaced))
    if not sys.stdin.isatty():
        raise BoardError("nothing is written: 'bench leaderboard submit --yes' replaces without asking")
    say("replace? [y/N]")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise BoardError("nothing is written")


def _verify(options: argparse.Namespace) -> int:
    """Look at everything, and say everything: 2 where something cannot be read, 1 where something does not verify."""
    from mexbench.reports.leaderboards.definition import NAME
    from mexbench.reports.leaderboards.stated import STATED
    from mexbench.reports.leaderboards.verify import verify_board

    files: list[VerifiedFile[Any]] = []
    broken: list[str] = []
    for what in options.what or [*all_boards(options.root), *leaderboard_spotting.boards(options.root)]:
        try:
            if leaderboard_spotting.is_board(options.root, what):
                files += leaderboard_spotting.verified(options.root, what)
            elif NAME.fullmatch(what) and not (what.endswith(".json") and Path(what).is_file()):
                files += verify_board(options.root, what).submissions
            else:
                files.append(_one(options.root, expand_home(Path(what))))
        except BenchError as error:
            broken.append(str(error))
    for text in broken:
        say(f"error: {text}")
    say_errors(files)
    valid = [one for one in files if not one.errors]
    print(f"{len(valid)} of {counted(len(files), 'submission verifies', 'submissions verify')}")
    say(f"figures follow from predictions; stated by the submitter: {STATED}")
    if broken or any(not one.readable for one in files):
        return cli.BAD_INPUT
    return cli.OK if len(valid) == len(files) else cli.FAILED


def _one(root: Path, path: Path) -> VerifiedFile[Any]:
    """Verify a file, against the board that it names."""
    from mexbench.reports.leaderboards.definition import load
    from mexbench.reports.leaderboards.submission import read
    from mexbench.reports.leaderboards.verify import verify_file

    board = _board_of(path)
    if board is not None and leaderboard_spotting.is_board(root, board):
        return leaderboard_spotting.verified_file(root, path, board)
    return verify_file(load(root, read(path).board), path)


def _board_of(path: Path) -> str | None:
    """Return the leaderboard that a file says that it is for, if it can be read at all."""
    from mexbench.files import read_json

    try:
        content = read_json(path, follow_links=False)
    except (ValueError, OSError):
        return None
    board = content.get("board") if isinstance(content, dict) else None
    return board if isinstance(board, str) else None


def _render(options: argparse.Namespace) -> int:
    from mexbench.reports import state_of_the_art
    from mexbench.reports.leaderboards.page import pages
    from mexbench.reports.leaderboards.rows import board_rows
    from mexbench.reports.leaderboards.verify import verify_board

    if options.shipped:
        raise BoardError(f"{options.own_root}: has no leaderboards to render; give --root")
    claims, code = read_claims(options.root), cli.OK
    root = options.root
    of_spotters = [n for n in leaderboard_spotting.boards(root) if n in options.names or not options.names]
    of_classes = [n for n in options.names if n not in of_spotters] if options.names else all_boards(root)
    spotters = {name: leaderboard_spotting.verified(root, name) for name in of_spotters}
    boards = [verify_board(root, name) for name in of_classes]
    for name, submissions in spotters.items():
        if _all_verify(name, submissions):
            texts = leaderboard_spotting.pages(root, name, submissions)
            code = max(code, _bring_up_to_date(texts, counted(len(submissions), "row"), name, check=options.check))
        else:
            code = cli.FAILED
    rendered: dict[str, BoardRows] = {}
    for board in boards:
        name = board.definition.name
        if not _all_verify(name, board.submissions):
            code = cli.FAILED
            continue
        rendered[name] = board_rows(board, claims)
        texts = {root / file: text for file, text in pages(rendered[name]).items()}
        code = max(code, _bring_up_to_date(texts, counted(len(board.submissions), "row"), name, check=options.check))
    if claims is not None and not rendered.keys().isdisjoint(state_of_the_art.BOARDS):
        code = max(code, _render_state_of_the_art(options, rendered, claims))
    return code


def _render_state_of_the_art(options: argparse.Namespace, rendered: Mapping[str, BoardRows], claims: Claims) -> int:
    """Bring the page of all methods up to date, from boards that were rendered and from those that were not."""
    from mexbench.reports import state_of_the_art
    from mexbench.reports.leaderboards.rows import board_rows
    from mexbench.reports.leaderboards.verify import verify_board
    from mexbench.studies.claims.methods import load_methods

    root = options.root
    existing = set(all_boards(root))
    if state_of_the_art.BOARD not in existing:
        return cli.OK
    boards = []
    for name in state_of_the_art.BOARDS:
        if name in rendered:
            boards.append(rendered[name])
        elif name in existing:
            board = verify_board(root, name)
            if not _all_verify(name, board.submissions):
                return cli.FAILED
            boards.append(board_rows(board, claims))
    texts = state_of_the_art.pages(root, boards, claims, load_methods(root / "methods.yaml"))
    files = {root / file: text for file, text in texts.items()}
    return _bring_up_to_date(files, counted(len(boards), "leaderboard"), "state of the art", check=options.check)


def _all_verify(name: str, submissions: Sequence[VerifiedFile[Any]]) -> bool:
    """Return whether a page may be written, and say why not."""
    if not any(one.errors for one in submissions):
        return True
    say_errors(submissions)
    say(f"{name}: has submissions that do not verify, so its page is not written")
    return False


def _bring_up_to_date(texts: Mapping[Path, str], about: str, name: str, *, check: bool) -> int:
    """Write what differs, or with ``check`` say so; a drawing is named only where it differs."""
    from mexbench.files import write_text

    code = cli.OK
    for path, text in texts.items():
        current = path.read_bytes() if path.is_file() else None
        if current == text.encode():
            if path.suffix == ".md":
                say(f"{path}: up to date, {about}")
        elif check:
            state = "missing" if current is None else "stale"
            say(f"{path}: {state}; 'bench leaderboard render {name}' writes it")
            code = cli.FAILED
        else:
            write_text(path, text)
            say(f"written to {path}: {about}")
    return code


def read_claims(root: Path) -> Claims | None:
    """Read the published figures beside the leaderboards, where there are any."""
    from mexbench.studies.claims.claims import load

    path = root / "claims.yaml"
    return load(path) if path.is_file() else None


def all_boards(root: Path) -> Sequence[str]:
    """Return the names of all leaderboards of classes.

    Raises:
        BoardError: There are none, and none of spotters either.
    """
    from mexbench.reports.leaderboards.definition import names

    boards = names(root)
    if not boards and not leaderboard_spotting.boards(root):
        raise BoardError(
            f"{root}: has no leaderboards, which are NAME.yaml with samples/NAME.csv; give --root, or make one with "
            f"'bench leaderboard define'"
        )
    return boards


def say_errors(files: Sequence[VerifiedFile[Any]]) -> None:
    """Print what is wrong with submissions."""
    for one in files:
        if one.errors:
            say(f"{one.path}:" + "".join(f"\n  {error}" for error in one.errors))
