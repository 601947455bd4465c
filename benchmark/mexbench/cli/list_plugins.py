"""``bench list``: what can be named in a config."""

from __future__ import annotations

import argparse

from tabulate import tabulate

from mexbench import cli
from mexbench.cli.output import open_catalogue, say
from mexbench.errors import PluginError
from mexbench.registry.parameters import summary

#: Both forms are understood: "bench list model" and "bench list models".
_KINDS = ("datasets", "preprocessors", "models", "protocols", "observers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "kind",
        nargs="?",
        choices=(*_KINDS, *(kind[:-1] for kind in _KINDS)),
        metavar="KIND",
        help=", ".join(_KINDS),
    )


def run(options: argparse.Namespace) -> int:
    """Run the command. Exits with 1 when a plugin is broken: the others are listed all the same."""
    catalogue = open_catalogue()
    wanted = options.kind.removesuffix("s") if options.kind else None
    broken = bool(catalogue.problems)
    rows = []
    for entry in sorted(catalogue.entries, key=lambda entry: (_KINDS.index(f"{entry.kind}s"), entry.name)):
        if wanted not in (None, entry.kind):
            continue
        try:
            text = summary(entry.load())
        except PluginError as error:
            say(f"error: {error}")
            text, broken = "broken: see the error", True
        rows.append([entry.kind, entry.name, text, entry.distribution])
    print(
        tabulate(
            rows,
            headers=["kind", "name", "what it is", "from"],
            tablefmt="simple",
            maxcolwidths=[None, None, 70, None],
        )
    )
    return cli.FAILED if broken else cli.OK
