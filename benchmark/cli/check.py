"""``bench check``: everything that can be checked before anything is trained."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tabulate import tabulate

from benchmark import cli, engine
from benchmark.cli.common import add_config_arguments, left_out_lines, open_config, progress, say, say_boxed
from benchmark.data import read_pixels, read_samples
from benchmark.errors import listed
from benchmark.interfaces import Finding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command: config, plugins, samples, folds, then every sample is read and compared."""
    config = open_config(options)
    if notice := config.dataset.instance.notice():
        say_boxed(notice)
    data = read_samples(config)
    _print_findings(config.dataset.instance.findings())
    engine.split(config, data)
    with progress("read", len(data.sources)) as tick:
        pixels = read_pixels(config, data, tick)
    folds, flags = engine.split(config, data, pixels)

    rows = []
    for member in data.members:
        samples = [sample for sample in data.samples if sample.dataset == member]
        counts = [sum(sample.label == index for sample in samples) for index in range(len(data.classes))]
        rows.append([member, len({sample.group for sample in samples}), len(samples), *counts])
    if len(rows) > 1:
        rows.append(["all", len(data.subjects), len(data.samples), *data.support().values()])
    print(tabulate(rows, headers=["dataset", "subjects", "samples", *data.classes], tablefmt="simple"))
    print(*left_out_lines(data), sep="\n", end="\n" * bool(data.left_out))
    print(f"{len(data.samples)} samples remain")
    tasks = len(folds) * len(config.models) * len(config.seeds)
    print(
        f"{config.protocol.plugin}: {len(folds)} folds, nothing on both sides of one; {tasks} tasks"
        if not flags
        else f"{config.protocol.plugin}: {len(folds)} folds, flagged {' '.join(flags)}; {tasks} tasks"
    )
    say(f"{options.config}: all is well")
    return cli.OK


def _print_findings(findings: Sequence[Finding]) -> None:
    """Print what is irregular about the data, grouped by kind, with the first examples of each."""
    if not findings:
        return
    kinds: dict[tuple[str, bool], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.what, finding.dropped), []).append(finding)
    rows = [
        [
            what,
            len(found),
            "left out" if dropped else "kept",
            listed([f"{f.where} {f.detail}".strip() for f in found], limit=4),
        ]
        for (what, dropped), found in kinds.items()
    ]
    headers = ["irregular", "how many", "samples", "where"]
    print(tabulate(rows, headers=headers, tablefmt="simple", maxcolwidths=[40, None, None, 70]))
    print()
