"""``bench cache``: what is kept of pre-processed samples, and of compiled programs."""

from __future__ import annotations

import argparse
from contextlib import suppress

from tabulate import tabulate

from mexbench import cli
from mexbench.data.cache import Cache, default_root, programs, total_size
from mexbench.errors import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=("info", "clear"), help="info: where and how much; clear: remove every entry")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    cache = Cache(default_root())
    if options.action == "clear":
        compiled = programs()
        for path in compiled:
            with suppress(OSError):  # another process removed it
                path.unlink()
        result = f", {counted(len(compiled), 'compiled program')}" if compiled else ""
        print(f"removed {counted(cache.clear(), 'entry', 'entries')}{result} from {cache.root}")
        return cli.OK
    rows = [
        ["folder", str(cache.root)],
        ["entries", str(len(cache.entries()))],
        ["size", _size(cache.size())],
        ["limit", _size(cache.limit)],
        ["compiled", _size(total_size(programs()))],
    ]
    print(tabulate(rows, tablefmt="plain", disable_numparse=True))
    return cli.OK


def _size(count: float) -> str:
    if count < 1024:
        return f"{count} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024 or unit == "GiB":
            break
    return f"{count:.1f} {unit}"
