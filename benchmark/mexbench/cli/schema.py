"""``bench schema``: the JSON Schema of a config."""

from __future__ import annotations

import argparse
import json

from mexbench import cli
from mexbench.cli.output import open_catalogue
from mexbench.config.schema import config_schema


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments: it has none."""
    del parser


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    del options
    print(json.dumps(config_schema(open_catalogue()), indent=2, ensure_ascii=False))
    return cli.OK
