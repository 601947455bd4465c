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
    parser.add_argument(
        "--template",
        metavar="NAME",
        help="; ".join(f"{kind}: {', '.join(names)}" for kind, names in scaffold.TEMPLATES.items() if names),
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write, which must not exist (default: NAME)")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    folder = options.out or Path(options.name)
    files = scaffold.write(options.kind, options.name, folder, open_catalogue(), template=options.template)
    say(f"written to {folder}: {', '.join(path.name for path in files)}")
    where = shlex.quote(str(folder))
    data = " --set root=/path/to/its/data" if options.kind == "dataset" else ""
    say("next:")
    for command in (
        f"pytest {where}",
        f"bench test-plugin {_as_path(where)}{data}",
        f"pip install --editable {where}",
        *_first_use(options.kind, options.name),
    ):
        say(f"  {command}")
    return cli.OK


def _as_path(folder: str) -> str:
    """Write a folder so that 'bench test-plugin' does not take it for the name of an installed plugin."""
    return folder if "/" in folder else f"./{folder}"


def _first_use(kind: str, name: str) -> tuple[str, ...]:
    if kind == "model":
        return (f"bench run quickstart --set 'models=[majority, {name}]' --out runs/{name}",)
    if kind == "observer":
        return (f"bench run quickstart --observe {name}",)
    return (f"bench info {name}",)
