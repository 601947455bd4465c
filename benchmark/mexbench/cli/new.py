"""``bench new``: a plugin distribution to start from."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from mexbench import cli
from mexbench.cli.output import open_catalogue, say
from mexbench.registry import scaffold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("kind", choices=scaffold.KINDS, metavar="KIND", help=", ".join(scaffold.KINDS))
    parser.add_argument("name", metavar="NAME", help="of the plugin and its module, such as my_model")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write, which must not exist (default: NAME)")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    folder = options.out or Path(options.name)
    files = scaffold.write(options.kind, options.name, folder, open_catalogue())
    say(f"written to {folder}: {', '.join(path.name for path in files)}")
    where = shlex.quote(str(folder))
    data = " --set root=/path/to/its/data" if options.kind == "dataset" else ""
    say("next:")
    for command in (f"pip install --editable {where}", f"bench test-plugin {options.name}{data}", f"pytest {where}"):
        say(f"  {command}")
    return cli.OK
