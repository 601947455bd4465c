"""``bench sys-info``: what a bug report needs."""

from __future__ import annotations

import argparse
import re
import sys
from importlib import metadata

from tabulate import tabulate

from mexbench import cli
from mexbench.cli.output import open_catalogue
from mexbench.data.cache import default_root
from mexbench.errors import listed
from mexbench.registry.catalogue import HOME
from mexbench.runs import provenance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments: it has none."""
    del parser


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    del options
    catalogue = open_catalogue()
    distributions = sorted({entry.distribution for entry in catalogue.entries})
    rows = [[name, version] for name, version in provenance.all_versions(distributions).items()]
    rows += [["commit", provenance.git_commit() or "not a checkout"]]
    rows += [[name, str(value)] for name, value in provenance.machine().items()]
    rows += [["interpreter", sys.executable], ["cache", str(default_root())], ["jax devices", _jax_devices()]]
    rows += [["extras", _extras()]]
    rows += [["plugins from", ", ".join(distributions)]]
    print(tabulate(rows, tablefmt="plain", disable_numparse=True))
    return cli.OK


def _extras() -> str:
    """Return the optional extras: those that are installed, and behind them those that are not."""
    own = [requirement for requirement in metadata.requires(HOME) or () if "extra ==" in requirement]
    missing: dict[str, bool] = {}
    for requirement in own:
        match = re.match(r"([A-Za-z0-9._-]+).*extra == ['\"]([a-z-]+)['\"]", requirement)
        if match is None or match[1] == HOME:
            continue
        missing[match[2]] = missing.get(match[2], False) or not _is_installed(match[1])
    there = sorted(name for name, lacks in missing.items() if not lacks)
    return f"{listed(there)}; not installed: {listed(sorted(missing.keys() - set(there)))}"


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _jax_devices() -> str:
    try:
        import jax

        return ", ".join(str(device) for device in jax.devices())
    except (ImportError, RuntimeError) as error:  # RuntimeError: a driver that is there and does not work
        return f"none: {error}"
