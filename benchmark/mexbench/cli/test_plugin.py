"""``bench test-plugin NAME``: the conformance kit, as a table."""

from __future__ import annotations

import argparse

from tabulate import tabulate

from mexbench import cli
from mexbench.cli.output import open_catalogue
from mexbench.config.document import Document, override
from mexbench.errors import ConfigError, PluginError, unknown
from mexbench.registry.parameters import build
from mexbench.testing import conformance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", metavar="NAME", help="a plugin's name, as 'bench list' shows it")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="a parameter to check it with, such as root=/data/CASME2 or C=0.1",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command. Exits with 1 when a promise is broken."""
    catalogue = open_catalogue()
    entries = [entry for entry in catalogue.entries if entry.name == options.name]
    if not entries:
        raise PluginError(unknown("plugin", options.name, {entry.name for entry in catalogue.entries}))
    given = Document({}, "--set")
    for assignment in options.overrides:
        given = override(given, assignment)
    broken = False
    for entry in entries:
        plugin, faults = build(entry.load(), given.data)
        if plugin is None:
            raise ConfigError("\n".join(f"{'.'.join(path) or entry.name}: {text}" for path, text in faults))
        rows = []
        for result in conformance(plugin):
            broken |= bool(result.problems)
            rows.append(["broken" if result.problems else "kept", result.check])
            rows += [["", f"-> {problem}"] for problem in result.problems]
        headers = [entry.kind, f"{entry.name}, {entry.distribution}"]
        print(tabulate(rows, headers=headers, tablefmt="simple", maxcolwidths=[None, 100]))
    return cli.FAILED if broken else cli.OK
