"""``bench check``: everything that can be checked before anything is trained."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from tabulate import tabulate

from mexbench import cli
from mexbench.cli.executor_options import add_memory_argument
from mexbench.cli.output import add_config_arguments, open_config, progress, say, say_boxed
from mexbench.config.run_config import RowGroup, RunConfig
from mexbench.data.cache import Cache, default_root
from mexbench.data.duplicates import Pixels
from mexbench.data.pipeline import Pipeline
from mexbench.data.samples import LabelledSamples, check_not_empty, excluded_lines
from mexbench.errors import BenchError, DataError, counted, listed
from mexbench.evaluation import chain_checks, splits
from mexbench.evaluation import plan as planning
from mexbench.evaluation.chain_checks import ChainCheck
from mexbench.evaluation.executors.memory import TrainingSize, check_memory
from mexbench.interfaces import DataIssue
from mexbench.studies.case_study.from_run import check_honest

_MOST_ERRORS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_arguments(parser)
    parser.add_argument(
        "--all",
        action="store_true",
        help="put every sample through the steps, not one of each kind: as long as a run takes to load, which finds "
        "the results in the cache",
    )
    add_memory_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command: config, plugins, samples, folds; then every sample is read, and some go through the steps."""
    config = open_config(options)
    check_honest(config)
    if notice := config.dataset.instance.notice():
        say_boxed(notice)
    errors = chain_checks.check_plugins(config)
    data = planning.read(config)
    issues = config.dataset.instance.data_issues()
    for text in config.dataset.instance.read_from():
        say(f"annotation: {text}")
    _print_findings(issues)
    # A hopeless request fails at once.
    first = [splits.split(part, samples) for part, samples in zip(config.parts, data, strict=True)]
    checks = _check_chains(config, data, every=options.all)
    usable = planning.same_clips([*_usable(config, data, checks), *data])[: len(data)]
    for part, before in zip(config.parts, data, strict=True):
        checked = checks[id(part.input)]
        errors += [*checked.errors, *chain_checks.nothing_passes(part, before, checked)]
        errors += chain_checks.check_models(part, checked)
    texts: list[str] = []
    sizes: list[TrainingSize] = []
    for part, samples, before, split in zip(config.parts, usable, data, first, strict=True):
        try:
            check_not_empty(samples, f"dataset {part.dataset.plugin!r}")
            folds = split.folds if samples.samples == before.samples else None
            result = splits.split(part, samples, _pixels(samples, checks[id(part.input)]), folds=folds)
            texts.append("\n".join(_of_part(config, part, samples, result)))
            sizes += _training_sizes(part, samples, result, checks[id(part.input)])
        except BenchError as error:
            errors += [] if errors else [str(error)]  # what is above is why
    if texts:
        print("\n\n".join(texts))
    if options.memory is not None and sizes and not errors:
        say(check_memory(sizes, options.memory, processes=2))
    if errors := list(dict.fromkeys(errors)):
        rest = [f"and {counted(len(errors) - _MOST_ERRORS, 'more error')}"] if len(errors) > _MOST_ERRORS else []
        raise DataError("\n".join([*errors[:_MOST_ERRORS], *rest]))
    _say_verdict(options, usable, checks)
    return cli.OK


def _training_sizes(
    part: RowGroup, data: LabelledSamples, result: splits.Split, checked: ChainCheck
) -> list[TrainingSize]:
    """Return how large the trainings of a part are, by the shape that most samples have; nothing for spotters."""
    if part.target == "spotting" or not checked.shapes:
        return []
    shape, dtype = max(checked.shapes, key=lambda kind: len(checked.shapes[kind]))
    samples = max(max(len(fold.train), len(fold.test)) for fold in result.folds)
    values = math.prod(shape) * (1 + Pipeline(part).copies)
    return [
        TrainingSize(model.name, model.instance, samples, values, np.dtype(dtype).itemsize, len(data.classes))
        for model in part.models
    ]


def _check_chains(config: RunConfig, data: Sequence[LabelledSamples], *, every: bool) -> dict[int, ChainCheck]:
    """Check each input once: equal ones are one object."""
    cache = Cache(default_root())
    checks: dict[int, ChainCheck] = {}
    for part, samples in zip(config.parts, data, strict=True):
        if id(part.input) not in checks:
            with progress("check" if every else "read", len(samples.sources)) as tick:
                checks[id(part.input)] = chain_checks.check_chain(part, samples, cache, tick, every=every)
    return checks


def _usable(
    config: RunConfig, data: Sequence[LabelledSamples], checks: Mapping[int, ChainCheck]
) -> list[LabelledSamples]:
    """Exclude what a step excludes, and what cannot be read: that is an error anyway."""
    result = []
    for part, samples in zip(config.parts, data, strict=True):
        checked = checks[id(part.input)]
        known = {source.clip.sample_id for source in checked.read} | checked.rejected.keys()
        unreadable = {
            source.clip.sample_id: "cannot be read" for source in samples.sources if source.clip.sample_id not in known
        }
        result.append(samples.without({**unreadable, **checked.rejected}))
    return result


def _pixels(samples: LabelledSamples, checked: ChainCheck) -> Pixels:
    """Return the pixels of the samples, in their order."""
    read = replace(samples, sources=tuple(checked.read), excluded={})
    return checked.pixels.select(read.positions(samples))


def _say_verdict(
    options: argparse.Namespace, usable: Sequence[LabelledSamples], checks: Mapping[int, ChainCheck]
) -> None:
    """Say whether anything is lost, and what was not tried."""
    tried = sum(checked.tried for checked in checks.values())
    total = sum(len(checked.read) for checked in checks.values())
    if tried < total:
        say(
            f"{tried} of {counted(total, 'sample')}, some of each kind, went through the steps; '--all' tries every one"
        )
    lost = {name for samples in usable for name in samples.rejected()}
    if not lost:
        say(f"{options.config}: all is well")
        return
    at_least = "" if tried == total else "at least "
    say(
        f"{options.config}: can be run; {at_least}{counted(len(lost), 'clip is', 'clips are')} excluded, for the "
        "reasons above"
    )


def _of_part(config: RunConfig, part: RowGroup, data: LabelledSamples, result: splits.Split) -> list[str]:
    """Return what there is to say about samples and folds."""
    rows = []
    for member in data.members:
        samples = [sample for sample in data.samples if sample.dataset == member]
        rows.append([member, _people(data, member), len(samples), *data.support(member).values()])
    if len(rows) > 1:
        rows.append(["all", _people(data), len(data.samples), *data.support().values()])
    lines = [", ".join(model.name for model in part.models) + ":"] if len(config.parts) > 1 else []
    lines.append(tabulate(rows, headers=["dataset", "subjects", "samples", *data.classes], tablefmt="simple"))
    lines += [*excluded_lines(data), counted(len(data.samples), "sample remains", "samples remain")]
    tasks = len(result.folds) * len(part.models) * len(part.seeds)
    verdict = f"flagged {' '.join(result.flags)}" if result.flags else "nothing on both sides of one"
    lines.append(f"{part.protocol.name}: {counted(len(result.folds), 'fold')}, {verdict}; {counted(tasks, 'task')}")
    return [*lines, *map(str, result.leaks)]


def _people(data: LabelledSamples, member: str | None = None) -> int | str:
    count = data.subject_count(member)
    return "unknown" if count is None else count


def _print_findings(data_issues: Sequence[DataIssue]) -> None:
    """Print what is irregular about the data, grouped by kind, with the first examples of each."""
    if not data_issues:
        return
    kinds: dict[tuple[str, bool], list[DataIssue]] = {}
    for issue in data_issues:
        kinds.setdefault((issue.what, issue.excluded), []).append(issue)
    rows = [
        [
            what,
            len(issues),
            "excluded" if excluded else "kept",
            listed([f"{issue.where} {issue.detail}".strip() for issue in issues], limit=4),
        ]
        for (what, excluded), issues in kinds.items()
    ]
    headers = ["irregular", "how many", "samples", "where"]
    print(tabulate(rows, headers=headers, tablefmt="simple", maxcolwidths=[40, None, None, 70]))
    print()
