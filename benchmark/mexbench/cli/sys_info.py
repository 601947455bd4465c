"""``bench sys-info``: what a bug report needs."""

from __future__ import annotations

import argparse
import sys

from tabulate import tabulate

from mexbench import cli
from mexbench.cli.output import open_catalogue
from mexbench.data.cache import default_root
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
    rows += [["plugins from", ", ".join(distributions)]]
    print(tabulate(rows, tablefmt="plain", disable_numparse=True))
    return cli.OK


def _jax_devices() -> str:
    try:
        import jax

        return ", ".join(str(device) for device in jax.devices())
    except (ImportError, RuntimeError) as error:  # RuntimeError: a driver that is there and does not work
        return f"none: {error}"
