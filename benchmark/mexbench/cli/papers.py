"""``bench papers``: what the re-done tables claim, and what the runs of their configs measured."""

from __future__ import annotations

import argparse
from pathlib import Path

from mexbench import cli
from mexbench.cli.output import say
from mexbench.files import write_json, write_text
from mexbench.reports import papers_page
from mexbench.reports.plots import check_matplotlib, draw_papers
from mexbench.runs import provenance
from mexbench.runs.stored_run import damage_is_an_error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="folder of run folders, one for each config of configs/papers"
    )
    parser.add_argument("--figures", action="store_true", help="draw the table as a bar chart (needs matplotlib)")
    parser.epilog = (
        "Writes FOLDER/papers.md, papers.json, which 'bench site --papers' shows, and, with --figures, papers.png and "
        "papers.svg. 'make papers' runs every config and then this. Exit codes: 0 written, 1 a run is incomplete, 2 "
        "bad input."
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.figures:
        check_matplotlib()
    runs = papers_page.read_runs(options.folder)
    with damage_is_an_error(options.folder):
        return _write(options, runs)


def _write(options: argparse.Namespace, runs: papers_page.Runs) -> int:
    write_text(options.folder / "papers.md", papers_page.markdown(runs))
    write_json(options.folder / "papers.json", papers_page.summary(runs, provenance.git_commit() or "unknown"))
    written = ["papers.md", "papers.json"]
    if options.figures:
        written += [path.name for path in draw_papers(runs, options.folder)]
    print(papers_page.overview_table(runs).text())
    incomplete = [name for name, scores in runs.items() if not scores["complete"]]
    for name in incomplete:
        say(f"incomplete: {options.folder / name}")
    say(f"written to {options.folder}: {', '.join(written)}")
    return cli.FAILED if incomplete else cli.OK
