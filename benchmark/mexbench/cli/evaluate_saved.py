"""``bench evaluate-saved FOLDER CONFIG``: saved models, scored on the subjects that they were not trained on."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from mexbench import cli
from mexbench.cli.output import add_config_arguments, open_catalogue, say
from mexbench.config.loader import load
from mexbench.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER",
        help="has a saved model per fold: RUN/models/MODEL/SEED, written by 'bench run --save-models task', or what "
        "'bench import-weights' wrote",
    )  # fmt: skip
    add_config_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write predictions.csv and scores.json there")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from mexbench.data.cache import Cache, default_root
    from mexbench.evaluation import plan as planning
    from mexbench.evaluation.evaluate_saved import evaluate_saved
    from mexbench.files import write_json, write_text
    from mexbench.reports import run_page
    from mexbench.reports.score_file import SCHEMA, scores_of_tables
    from mexbench.runs.predictions_table import tables_text

    catalogue = open_catalogue()
    config = load(options.config, catalogue, options.overrides)
    if config.target != "emotion":
        raise ConfigError(
            f"bench evaluate-saved: scores saved models of classes, not with 'target: {config.target}'; 'bench run' of "
            "the config has their scores"
        )
    plan = planning.plan(config, Cache(default_root()))
    result = evaluate_saved(options.folder, plan, catalogue)
    for change in result.changes:
        say(f"warning: {change}")
    tables = {result.name: result.predictions}
    support = Counter(result.predictions.truth.tolist())
    scores = {
        "schema": SCHEMA,
        "folder": options.folder.name,
        "protocol": result.protocol,
        "provenance": result.provenance,
        **scores_of_tables(tables, result.classes, support, flags=result.flags),
    }
    pages = [run_page.member_table(scores)] if len(scores["members"]) > 1 else []
    pages += [run_page.class_table(scores), run_page.fold_table(scores)]
    print("\n\n".join([run_page.terminal_text(scores), *(table.text() for table in pages)]))
    say(result.provenance)
    if options.out:
        write_text(options.out / "predictions.csv", tables_text(tables, result.classes))
        write_json(options.out / "scores.json", scores)
        say(f"written to {options.out}: predictions.csv, scores.json")
    return cli.OK
