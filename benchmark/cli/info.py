"""``bench info NAME``: one plugin's page."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import textwrap

from tabulate import tabulate

from benchmark import cli
from benchmark.cli.common import open_catalogue
from benchmark.errors import PluginError, unknown
from benchmark.manager import Entry
from benchmark.parameters import parameters, summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", metavar="NAME", help="a plugin's name, as 'bench list' shows it")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    catalogue = open_catalogue()
    found = [entry for entry in catalogue.entries if entry.name == options.name]
    if not found:
        raise PluginError(unknown("plugin", options.name, {entry.name for entry in catalogue.entries}))
    print("\n\n".join(_page(entry) for entry in found))
    return cli.OK


def _page(entry: Entry) -> str:

    cls = entry.load()
    lines = [f"{entry.name} ({entry.kind})", textwrap.fill(summary(cls), 100), ""]
    lines += [f"from      {entry.distribution}, {entry.location}"]
    lines += [f"file      {inspect.getsourcefile(cls) or 'unknown'}"]
    lines += [f"source    {cls.source or 'not stated'}"]
    if cls.licence:
        lines += [f"licence   {cls.licence}"]
    found = parameters(cls)
    if not found:
        return "\n".join([*lines, "", "no parameters"])
    rows = [
        [
            p.name,
            p.type_text,
            "(required)" if p.default is dataclasses.MISSING else json.dumps(p.default, default=str),
            p.doc,
        ]
        for p in found
    ]
    table = tabulate(
        rows,
        headers=["parameter", "type", "default", "meaning"],
        tablefmt="simple",
        maxcolwidths=[None, 30, None, 60],
        disable_numparse=True,
    )
    return "\n".join([*lines, "", table])
