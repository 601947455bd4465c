"""``bench import-weights FOLDER CONFIG``: published PyTorch weights as saved models, one per held-out subject."""

from __future__ import annotations

import argparse
from pathlib import Path

from mexbench import cli
from mexbench.cli.output import add_config_arguments, open_catalogue, say
from mexbench.config.loader import load
from mexbench.errors import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER",
        help="has a state dictionary <subject>.pth for each subject, trained without that subject",
    )  # fmt: skip
    add_config_arguments(parser)
    parser.add_argument(
        "--publisher", required=True, metavar="TEXT",
        help="where the weights are published: stands in each saved model, since nobody here has seen their training",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the saved models")
    parser.add_argument("--model", metavar="NAME", help="the model of the config that the weights are of")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from mexbench.data.cache import Cache, default_root
    from mexbench.evaluation import plan as planning
    from mexbench.evaluation.import_weights import import_weights

    config = load(options.config, open_catalogue(), options.overrides)
    plan = planning.plan(config, Cache(default_root()))
    written = import_weights(options.folder, plan, options.out, publisher=options.publisher, model=options.model)
    print(f"{counted(len(written), 'saved model')} written to {options.out}")
    say(
        "that each was trained without its subject is the publisher's statement; 'bench evaluate-saved "
        f"{options.out} {options.config}' scores them, flagged published-weights"
    )
    return cli.OK
