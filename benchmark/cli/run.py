"""``bench run``: from a config to a leaderboard."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from benchmark import cli, engine, leaderboard, provenance
from benchmark.cache import Cache, default_root
from benchmark.cli.common import add_config_arguments, left_out_lines, open_config, progress, say, say_boxed
from benchmark.config import RunConfig, dataset_title
from benchmark.data import LabelledSamples, read_samples
from benchmark.engine import Plan
from benchmark.executors import Failure, Outcome, executor_for
from benchmark.files import write_json, write_text
from benchmark.results import Results, collect
from benchmark.store import RunFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: runs/NAME_OF_THE_CONFIG)")
    parser.add_argument(
        "--recompute",
        choices=("missing", "always", "never"),
        default="missing",
        help="missing: run what has no valid result (default); always: run everything again; "
        "never: collect what is there and say what is not",
    )
    parser.add_argument("--jobs", type=_positive, default=1, metavar="N", help="tasks at the same time (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="say what would run, then stop; writes nothing")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    config = open_config(options)
    folder = RunFolder(options.out or Path("runs") / config.name)
    replace = options.recompute == "always"
    folder.check(config.identity(), replace=replace)
    if notice := config.dataset.instance.notice():
        say_boxed(notice)
    data = read_samples(config)
    _say_data(config, data)
    cache = Cache(default_root())
    with progress("load", len(data.sources)) as tick:
        plan = engine.plan(config, cache, tick, data)
    if cache.trouble:
        say(f"warning: {cache.trouble}")
    waiting = plan.tasks if replace else engine.missing(plan, folder)
    _say_plan(plan, len(waiting), folder)
    if options.dry_run:
        return cli.OK
    return _Run(options, plan, folder, len(waiting)).run()


class _Run:
    """One run: the manifest first, then the tasks, then the reports, whatever happened in between."""

    def __init__(self, options: argparse.Namespace, plan: Plan, folder: RunFolder, waiting: int) -> None:
        self.options, self.plan, self.folder, self.waiting = options, plan, folder, waiting
        # A rerun adds to a run: it began when its first task did, and it ended when the last one did.
        before = {} if options.recompute == "always" else folder.read_manifest()
        self.started = before.get("started") or provenance.now()
        self.ended = before.get("ended") if waiting == 0 else None

    def run(self) -> int:
        self.write_manifest(self.ended)
        failures: list[Failure] = []
        interrupted = False
        try:
            with progress("run", self.waiting) as tick:
                done = 0

                def notify(outcome: Outcome) -> None:
                    nonlocal done
                    done += 1
                    tick(done, str(outcome.task))

                failures = engine.run(
                    self.plan,
                    self.folder,
                    executor_for(self.options.jobs),
                    recompute=self.options.recompute,
                    notify=notify,
                )
        except KeyboardInterrupt:
            interrupted = True
        results = collect(self.plan, self.folder)
        self.report(results)
        return self.close(results, failures, interrupted=interrupted)

    def write_manifest(self, ended: str | None) -> dict[str, Any]:
        config = self.plan.config
        manifest = {
            "schema": 1,
            "config": config.resolved(),
            "config_fingerprint": config.fingerprint,
            "identity": config.identity(),
            "dataset_fingerprint": self.plan.data.fingerprint,
            "left_out": {reason: list(ids) for reason, ids in self.plan.data.left_out.items()},
            "notes": dict(self.plan.arrays.notes),
            "errata": [dataclasses.asdict(erratum) for erratum in config.dataset.instance.applied_errata()],
            "plugins": {c.plugin: c.distribution for c in config.components()},
            "versions": provenance.all_versions([c.distribution for c in config.components()]),
            "git_commit": provenance.git_commit(),
            "machine": provenance.machine(),
            "device": provenance.device(),
            "command": provenance.command_line(),
            "started": self.started,
            "ended": ended,
        }
        write_json(self.folder.manifest, manifest)
        return manifest

    def report(self, results: Results) -> None:
        manifest = self.write_manifest(self.ended or provenance.now())
        scores = results.scores()
        path = self.folder.path
        write_text(path / "predictions.csv", results.predictions())
        write_json(path / "scores.json", scores)
        write_text(path / "leaderboard.md", leaderboard.markdown(scores, manifest))
        print(leaderboard.terminal_text(scores))
        if len(scores["members"]) > 1:
            print()
            print(leaderboard.member_table(scores).text())
        if "synthetic" in scores["flags"]:
            print("\nsynthetic data: these figures say nothing about real faces")
        for row in scores["rows"]:
            for text, count in row["warnings"].items():
                say(f"warning: {row['model']}, {count} of {row['tasks']['total']} tasks: {text}")

    def close(self, results: Results, failures: list[Failure], *, interrupted: bool) -> int:
        """Say what is missing and how to go on; choose the exit code."""
        total, done = len(self.plan.tasks), len(results.done)
        for path in self.folder.damaged:
            say(f"warning: {path}: was damaged; set aside as {path.with_suffix('.damaged').name}")
        for failure in failures:
            say(f"failed: {failure.task}: {failure.error}\n  traceback in {self.folder.error_path(failure.task)}")
        say(f"written to {self.folder.path}: leaderboard.md, scores.json, predictions.csv, manifest.json")
        if interrupted:
            say(f"stopped: {done} of {total} tasks are done and kept; the same command goes on from here")
            return cli.INTERRUPTED
        if done < total:
            say(f"incomplete: {total - done} of {total} tasks have no result; the same command tries them again")
        return cli.FAILED if failures or done < total else cli.OK


def _say_data(config: RunConfig, data: LabelledSamples) -> None:
    support = ", ".join(f"{name} {count}" for name, count in data.support().items())
    clips = f" of {len(data.sources)} clips" if len(data.samples) > len(data.sources) else ""
    say(f"{dataset_title(config)}: {len(data.samples)} samples{clips}, {len(data.subjects)} subjects; {support}")
    for member in config.members:
        if errata := member.instance.applied_errata():
            say(f"annotation corrected in {len(errata)} places: 'bench info {member.plugin}' lists them")


def _say_plan(plan: Plan, waiting: int, folder: RunFolder) -> None:
    seeds = len(plan.config.seeds)
    say(
        f"{plan.config.protocol.plugin}: {len(plan.folds)} folds x {len(plan.config.models)} models x {seeds} "
        f"seed{'s' * (seeds > 1)} = {len(plan.tasks)} tasks, {waiting} to do; run folder {folder.path}"
    )
    for text, count in plan.arrays.notes.items():
        say(f"note, {count} clips: {text}")
    for line in left_out_lines(plan.data):
        say(line)
    for flag in plan.flags:
        say(f"flag on every row: {flag}")


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return number
