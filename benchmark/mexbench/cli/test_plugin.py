"""``bench test-plugin NAME``: the conformance kit, as a table."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from mexbench import cli
from mexbench.cli.output import open_catalogue, say
from mexbench.config.document import Document, override
from mexbench.errors import ConfigError, PluginError, unknown
from mexbench.registry.catalogue import CatalogueEntry
from mexbench.registry.parameters import build
from mexbench.registry.plugin_folder import load_folder
from mexbench.testing import Result, conformance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "name",
        metavar="NAME",
        help="a plugin's name, as 'bench list' shows it, or a folder such as ./my_model, installed or not",
    )
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
    given = Document({}, "--set")
    for assignment in options.overrides:
        given = override(given, assignment)
    broken = False
    for entry in _entries(options.name):
        plugin, errors = build(entry.load(), given.data)
        if plugin is None:
            raise ConfigError("\n".join(f"{'.'.join(path) or entry.name}: {text}" for path, text in errors))
        results = list(conformance(plugin))
        _print(entry, results)
        broken |= any(result.problems for result in results)
    return cli.FAILED if broken else cli.OK


def _entries(name: str) -> Sequence[CatalogueEntry]:
    """Return the plugins of a name, or of a folder.

    Raises:
        PluginError: There is none.
    """
    folder = Path(name).expanduser()
    if "/" in name or folder.suffix or name in {".", ".."}:
        if not folder.is_dir():
            raise PluginError(f"{name}: not a folder; give a plugin's name, or the folder that 'bench new' wrote")
        catalogue = load_folder(folder)
        for problem in catalogue.problems:
            say(f"error: {problem}")
        if not catalogue.entries:
            raise PluginError(f"{folder}: offers no plugin that can be checked")
        return catalogue.entries
    catalogue = open_catalogue()
    entries = [entry for entry in catalogue.entries if entry.name == name]
    if not entries:
        text = unknown("plugin", name, {entry.name for entry in catalogue.entries})
        if (folder / "pyproject.toml").is_file():
            text = (
                f"plugin {name!r} is not installed, and there is a folder of this name: 'bench test-plugin ./{name}' "
                f"checks it as it is, 'pip install --editable ./{name}' installs it"
            )
        raise PluginError(text)
    return entries


def _print(entry: CatalogueEntry, results: Sequence[Result]) -> None:
    rows = []
    outcomes: Counter[str] = Counter()
    for result in results:
        outcome = "n/a" if not result.applies else "broken" if result.problems else "kept"
        outcomes[outcome] += 1
        rows.append([outcome, result.check])
        rows += [["", f"-> {problem}"] for problem in result.problems]
    headers = [entry.kind, f"{entry.name}, {entry.distribution}"]
    print(tabulate(rows, headers=headers, tablefmt="simple", maxcolwidths=[None, 100]))
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.items() if count))
