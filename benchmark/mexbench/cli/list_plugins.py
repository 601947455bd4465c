"""``bench list``: what can be named in a config."""

from __future__ import annotations

import argparse

from tabulate import tabulate

from mexbench import cli
from mexbench.cli.output import open_catalogue, say
from mexbench.registry.listing import PLURALS, plugin_rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "kind",
        nargs="?",
        choices=(*PLURALS, *(kind[:-1] for kind in PLURALS)),
        metavar="KIND",
        help=", ".join(PLURALS),
    )


def run(options: argparse.Namespace) -> int:
    """Run the command. Exits with 1 when a plugin is broken: the others are listed all the same."""
    catalogue = open_catalogue()
    rows, errors = plugin_rows(catalogue, options.kind)
    for error in errors:
        say(f"error: {error}")
    headers = ["kind", "name", "what it is", "from"]
    print(tabulate(rows, headers=headers, tablefmt="simple", maxcolwidths=[None, None, 70, None]))
    return cli.FAILED if errors or catalogue.problems else cli.OK
