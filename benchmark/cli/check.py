"""``bench check``: everything that can be checked before anything is trained."""

from __future__ import annotations

import argparse

from tabulate import tabulate

from benchmark import cli, engine
from benchmark.cli.common import add_config_arguments, open_config, progress, say
from benchmark.data import read_raw_digests, read_samples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command: config, plugins, samples, folds, then every sample is read and compared."""
    config = open_config(options)
    data = read_samples(config)
    engine.split(config, data)
    with progress("read", len(data.samples)) as tick:
        digests = read_raw_digests(config, data.samples, tick)
    folds, flags = engine.split(config, data, digests)

    rows = []
    for member in data.members:
        samples = [sample for sample in data.samples if sample.dataset == member]
        counts = [sum(sample.label == index for sample in samples) for index in range(len(data.classes))]
        rows.append([member, len({sample.group for sample in samples}), len(samples), *counts])
    if len(rows) > 1:
        rows.append(["all", len(data.subjects), len(data.samples), *data.support().values()])
    print(tabulate(rows, headers=["dataset", "subjects", "samples", *data.classes], tablefmt="simple"))
    for emotion, ids in data.left_out.items():
        print(f"left out, no class for {emotion!r}: {len(ids)} samples")
    tasks = len(folds) * len(config.models) * len(config.seeds)
    print(
        f"{config.protocol.plugin}: {len(folds)} folds, nothing on both sides of one; {tasks} tasks"
        if not flags
        else f"{config.protocol.plugin}: {len(folds)} folds, flagged {' '.join(flags)}; {tasks} tasks"
    )
    say(f"{options.config}: all is well")
    return cli.OK
