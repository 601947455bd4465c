"""``bench claims``: published figures against the arithmetic of confusion matrices, and against what was measured."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from mexbench import cli
from mexbench.cli.output import progress, say
from mexbench.config.shipped import find_leaderboards
from mexbench.errors import counted
from mexbench.files import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("ids", nargs="*", metavar="ID", help="rows to judge and print; all by default, to a page")
    parser.add_argument(
        "--file", type=Path, metavar="FILE",
        help="published figures (default: leaderboards/claims.yaml; where that does not exist, the shipped file)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="FILE",
        help="the page, with the verdicts as .json beside it (default: beside the figures, .md; of the shipped file, "
        "claims.md in the working directory)",
    )  # fmt: skip
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where the page is stale")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from mexbench.errors import ClaimError
    from mexbench.reports.claim_verdicts import verdicts_text
    from mexbench.reports.claims_page import page
    from mexbench.studies.claims.claims import load
    from mexbench.studies.claims.judge import judge_claim
    from mexbench.studies.claims.methods import load_methods

    if options.ids and (options.check or options.out):
        raise ClaimError("a page holds every row: give either IDs, to print them, or --out and --check")
    folder, shipped = find_leaderboards(options.file and options.file.parent)
    file = options.file or folder / "claims.yaml"
    claims = load(file)
    methods = load_methods(file.with_name("methods.yaml"))
    chosen = claims.chosen(options.ids)
    judged = []
    with progress("claims", len(chosen)) as tick:
        for done, claim in enumerate(chosen, 1):
            judged.append(judge_claim(claim, claims.contradictions(claim), claims.members(claim)))
            tick(done, claim.id)
    text = page(claims, judged, folder, methods)
    if options.ids:
        print(text, end="")
        return cli.OK
    out = options.out or (Path("claims.md") if shipped else file.with_suffix(".md"))
    texts = {out: text, out.with_suffix(".json"): verdicts_text(judged, file)}
    if options.check:
        return _check(texts)
    for path, content in texts.items():
        write_text(path, content)
    verdicts = out.with_suffix(".json")
    say(f"written to {out}: {counted(len(judged), 'row')}; their verdicts, for 'bench site', to {verdicts}")
    return cli.OK


def _check(texts: Mapping[Path, str]) -> int:
    code = cli.OK
    for path, text in texts.items():
        current = path.read_text(encoding="utf-8") if path.is_file() else None
        if current != text:
            say(f"{path}: {'missing' if current is None else 'stale'}; 'bench claims' writes it")
            code = cli.FAILED
    return code
