"""``bench check``: everything that can be checked before anything is trained."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tabulate import tabulate

from mexbench import cli
from mexbench.cli.output import add_config_arguments, excluded_lines, open_config, progress, say, say_boxed
from mexbench.config.run_config import RowGroup, RunConfig
from mexbench.data.arrays import read_pixels
from mexbench.data.duplicates import Pixels
from mexbench.data.samples import LabelledSamples
from mexbench.errors import listed
from mexbench.evaluation import plan as planning
from mexbench.interfaces import DataIssue
from mexbench.studies.case_study.from_run import check_honest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command: config, plugins, samples, folds, then every sample is read and compared."""
    config = open_config(options)
    check_honest(config)
    if notice := config.dataset.instance.notice():
        say_boxed(notice)
    data = planning.read(config)
    _print_findings(config.dataset.instance.data_issues())
    for part, samples in zip(config.parts, data, strict=True):
        planning.split(part, samples)
    pixels: dict[int, tuple[LabelledSamples, Pixels]] = {}
    for part, samples in zip(config.parts, data, strict=True):
        key = id(part.input)
        if key not in pixels:
            with progress("read", len(samples.sources)) as tick:
                pixels[key] = samples, read_pixels(part, samples, tick)
    said: list[str] = []
    for part, samples in zip(config.parts, data, strict=True):
        said.append("\n".join(_of_part(config, part, samples, *pixels[id(part.input)])))
    print("\n\n".join(said))
    say(f"{options.config}: all is well")
    return cli.OK


def _of_part(
    config: RunConfig, part: RowGroup, data: LabelledSamples, hashed: LabelledSamples, pixels: Pixels
) -> list[str]:
    """Return what there is to say about samples and folds."""
    position = {sample.sample_id: index for index, sample in enumerate(hashed.samples)}
    result = planning.split(part, data, pixels.select([position[sample.sample_id] for sample in data.samples]))
    rows = []
    for member in data.members:
        samples = [sample for sample in data.samples if sample.dataset == member]
        counts = data.support(member).values()
        rows.append([member, len({sample.group for sample in samples}), len(samples), *counts])
    if len(rows) > 1:
        rows.append(["all", len(data.subjects), len(data.samples), *data.support().values()])
    lines = [", ".join(model.name for model in part.models) + ":"] if len(config.parts) > 1 else []
    lines.append(tabulate(rows, headers=["dataset", "subjects", "samples", *data.classes], tablefmt="simple"))
    lines += [*excluded_lines(data), f"{len(data.samples)} samples remain"]
    tasks = len(result.folds) * len(part.models) * len(part.seeds)
    verdict = f"flagged {' '.join(result.flags)}" if result.flags else "nothing on both sides of one"
    lines.append(f"{part.protocol.name}: {len(result.folds)} folds, {verdict}; {tasks} tasks")
    return [*lines, *map(str, result.leaks)]


def _print_findings(data_issues: Sequence[DataIssue]) -> None:
    """Print what is irregular about the data, grouped by kind, with the first examples of each."""
    if not data_issues:
        return
    kinds: dict[tuple[str, bool], list[DataIssue]] = {}
    for finding in data_issues:
        kinds.setdefault((finding.what, finding.excluded), []).append(finding)
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
