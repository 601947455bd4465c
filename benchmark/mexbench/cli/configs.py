"""``bench configs``: the configs that come with mexbench."""

from __future__ import annotations

import argparse
from pathlib import Path

from mexbench import cli
from mexbench.cli.output import say
from mexbench.config.shipped import description, find_shipped_config, shipped_configs
from mexbench.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--copy", metavar="NAME", help="write a copy of this config, to change it")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="with --copy: the file to write, which must not exist (default: "
        "NAME.yaml in the working directory)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run the command: list the configs, or copy one."""
    if options.copy is not None:
        return _copy(options.copy, options.out)
    if options.out is not None:
        raise ConfigError("--out goes with --copy NAME")
    configs = shipped_configs()
    width = max(map(len, configs))
    for name, path in configs.items():
        print(f"{name:<{width}}  {description(path)}")
    return cli.OK


def _copy(name: str, out: Path | None) -> int:
    """Copy one config.

    Raises:
        ConfigError: No config has this name, or the file exists.
    """
    source = find_shipped_config(name)
    target = out or Path(source.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("x", encoding="utf-8") as stream:
            stream.write(source.read_text(encoding="utf-8"))
    except FileExistsError:
        raise ConfigError(f"{target}: exists already and is not overwritten; choose another --out") from None
    say(f"written to {target}; run it with 'bench run {target}'")
    return cli.OK
