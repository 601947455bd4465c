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
from benchmark.interfaces import Dataset, Plugin
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
    return "\n\n".join(["\n".join(lines), _parameters(cls), *_errata(cls)])


def _parameters(cls: type[Plugin]) -> str:
    found = parameters(cls)
    if not found:
        return "no parameters"
    rows = [[p.name, p.type_text, "(required)" if p.required else _shown(p.default), p.doc] for p in found]
    return tabulate(
        rows,
        headers=["parameter", "type", "default", "meaning"],
        tablefmt="simple",
        maxcolwidths=[None, 30, None, 60],
        disable_numparse=True,
    )


def _shown(default: object) -> str:
    return json.dumps(dataclasses.asdict(default) if dataclasses.is_dataclass(default) else default, default=str)  # type: ignore[arg-type]


def _errata(cls: type[Plugin]) -> list[str]:
    errata = cls.known_errata() if issubclass(cls, Dataset) else ()
    if not errata:
        return []
    rows = [[e.sample_id, e.field, e.published, e.corrected, e.reason, e.source] for e in errata]
    headers = ["errata", "field", "published", "corrected", "reason", "source"]
    widths = [None, None, None, None, 40, 30]
    return [tabulate(rows, headers=headers, tablefmt="simple", maxcolwidths=widths, disable_numparse=True)]
