"""``bench run``: from a config to a leaderboard."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from mexbench import cli, devices
from mexbench.cli.executor_options import add_where_arguments, check_contradictions, executor_of
from mexbench.cli.output import add_config_arguments, open_catalogue, progress, say, say_boxed
from mexbench.cli.run_messages import say_data, say_keeper, say_plan, say_unusable
from mexbench.config.loader import load
from mexbench.config.run_config import RunConfig
from mexbench.data.cache import Cache, default_root
from mexbench.errors import ClusterError, RunFolderError, SavedModelError
from mexbench.evaluation import notify as observing
from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation import save_models as keeping
from mexbench.evaluation.executors.base import Executor, InProcess
from mexbench.evaluation.plan import Plan
from mexbench.files import write_json, write_text
from mexbench.reports.plots import check_matplotlib, draw
from mexbench.reports.run_report import RunReport, collect
from mexbench.runs import provenance
from mexbench.runs.learning_curves import histories_csv
from mexbench.runs.lock import only_one
from mexbench.runs.model_writer import ModelWriter
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.task import Failure, Outcome, Success, Task
from mexbench.studies.case_study.from_run import check_honest


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
    add_where_arguments(parser)
    parser.add_argument(
        "--save-models",
        choices=("task", "all"),
        help="keep trained models under models/ of the run folder: that of each task, or one per model and seed that "
        "is trained on all samples; results without one are trained again",
    )
    parser.add_argument(
        "--figures",
        action="store_true",
        help="draw learning curves, confusion matrices and a paper's claims (needs matplotlib)",
    )
    parser.add_argument(
        "--observe",
        action="append",
        default=[],
        metavar="NAME",
        help="tell an observer of this run, such as mlflow or tensorboard; may be repeated ('bench list observers')",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would run, then stop; writes nothing")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    try:
        return _run(options)
    except KeyboardInterrupt:  # while data are loaded, while another process is waited for, while reports are written
        say("stopped: what is done is kept; the same command goes on from here")
        return cli.INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    if options.figures:
        check_matplotlib()
    check_contradictions(options)
    devices.choose(options.device, options.jobs or 1)
    catalogue = open_catalogue()
    config = load(options.config, catalogue, options.overrides)
    observers = observing.choose(catalogue, options.observe, say)
    if options.save_models:
        if options.recompute == "never":
            raise SavedModelError("--save-models with --recompute never: nothing is trained, so nothing can be saved")
        keeping.check_savable(config)
    trains = options.recompute != "never" and not options.dry_run
    folder = RunFolder(options.out or Path("runs") / config.name, keep=not trains)
    replace = options.recompute == "always"
    folder.check(config.identity(), replace=replace)
    check_honest(config)
    with executor_of(options, config, folder.path) if trains else nullcontext(InProcess()) as executor:
        return _run_with(executor, options, config, folder, observers=observers)


def _run_with(
    executor: Executor, options: argparse.Namespace, config: RunConfig, folder: RunFolder, *,
    observers: observing.Observers,
) -> int:  # fmt: skip
    replace, trains = options.recompute == "always", not folder.keep
    if notice := config.dataset.instance.notice():
        say_boxed(notice)
    data = planning.read(config)
    say_data(config, data)
    cache = Cache(default_root())
    with progress("load", planning.clips_to_load(config, data)) as tick:
        plan = planning.plan(config, cache, tick, data)
    if cache.trouble:
        say(f"warning: {cache.trouble}")
    with only_one(folder.path, say) if trains else nullcontext():
        if trains:
            folder.check(config.identity(), replace=replace)  # again: who held the lock may have begun another run
            folder.remove_temporaries()
        waiting = plan.tasks if replace else engine.missing(plan, folder)
        say_plan(plan, len(waiting), folder)
        say_unusable(folder)
        model_writer = None
        if options.save_models:
            model_writer = keeping.model_writer_for(options.save_models, plan, folder, waiting, always=replace)
            say_keeper(model_writer, len(waiting))
        if options.dry_run:
            return cli.OK
        reporter = observing.Reporter(observers, plan, folder.path)
        return _Run(options, plan, folder, executor, waiting, model_writer=model_writer, reporter=reporter).run()


class _Run:
    """One run: the manifest first, then the tasks, then the reports, whatever happened in between."""

    def __init__(
        self, options: argparse.Namespace, plan: Plan, folder: RunFolder, executor: Executor, todo: Sequence[Task], *,
        model_writer: ModelWriter | None, reporter: observing.Reporter,
    ) -> None:  # fmt: skip
        self.options, self.plan, self.folder, self.executor = options, plan, folder, executor
        self.todo, self.waiting = todo, len(todo)
        self.model_writer = model_writer if model_writer and model_writer.scope == "task" else None
        self.refits = model_writer if model_writer and model_writer.scope == "all" else None
        if self.model_writer:
            self.waiting = len(self.model_writer.waiting)
        self.reporter = reporter
        self.unsaved: list[str] = []
        self.written: list[str] = []
        self.writes = options.recompute != "never" or folder.writable  # results may be looked at wherever they lie
        self.named = set(folder.unusable)
        # A rerun adds to a run: it began when its first task did, and it ended when the last one did.
        before = {} if options.recompute == "always" else folder.read_manifest()
        started, now = before.get("started"), provenance.now()
        self.started = started if isinstance(started, str) else now
        if self.started > now:
            say(f"warning: this run began at {self.started}, which is still to come: the clock was set back")
        self.ended = before.get("ended") if self.waiting == 0 else None

    def run(self) -> int:
        try:
            return self.run_and_report()
        except BrokenPipeError:  # the reader of our output has gone
            raise
        except OSError as error:  # such as a full disk
            where = f"{error.filename}: " if error.filename else ""
            raise RunFolderError(
                f"{where}{error.strerror or error}\n  {self.kept()}; mend that, then the same command goes on from here"
            ) from None
        except ClusterError as error:
            raise ClusterError(
                f"{error}\n  {self.kept()}; the same command goes on from here, with or without --executor dask"
            ) from None

    def kept(self) -> str:
        """Say what is done."""
        done = len(self.collect().done)
        return f"{done} of {len(self.plan.tasks)} tasks are done and kept in {self.folder.path}"

    def run_and_report(self) -> int:
        self.write_manifest(self.ended, set())
        failures: list[Failure] = []
        interrupted = False
        try:
            self.reporter.started(self.waiting)
            with self.told("run", self.waiting, self.reporter.task) as notify:
                failures = engine.run(
                    self.plan,
                    self.folder,
                    self.executor,
                    recompute=self.options.recompute,
                    notify=notify,
                    model_writer=self.model_writer,
                    waiting=self.todo,
                )
            if self.refits:
                with self.told("train on all samples", len(self.refits.waiting)) as notify:
                    failures += keeping.train_on_everything(self.plan, self.executor, self.refits, notify)
        except KeyboardInterrupt:
            interrupted = True
            self.folder.remove_temporaries()  # it may have come between the making of a file and the care for it
        results = self.collect()
        scores = self.report(results)
        code = self.close(results, failures, interrupted=interrupted)
        self.reporter.done(scores, self.written, complete=results.complete, interrupted=interrupted)
        return code

    def collect(self) -> RunReport:
        return collect(self.plan, self.folder)

    @contextmanager
    def told(
        self, what: str, total: int, tell: Callable[[Outcome], None] = lambda _: None
    ) -> Iterator[Callable[[Outcome], None]]:
        """Show progress, gather what could not be saved, and tell whoever else wants to know."""
        done = 0
        with progress(what, total) as tick:

            def notify(outcome: Outcome) -> None:
                nonlocal done
                done += 1
                tick(done, str(outcome.task))
                if isinstance(outcome, Success) and outcome.unsaved:
                    self.unsaved.append(f"{outcome.task}: {outcome.unsaved}")
                tell(outcome)

            yield notify

    def write_manifest(self, ended: str | None, used: Collection[str]) -> dict[str, Any]:
        config = self.plan.config
        manifest = {
            "schema": 1,
            "config": config.resolved(),
            "config_fingerprint": config.fingerprint,
            "identity": config.identity(),
            "parts": [
                {
                    "rows": [model.name for model in part.part.models],
                    "dataset_fingerprint": part.data.fingerprint,
                    "left_out": {reason: list(ids) for reason, ids in part.data.excluded.items()},
                    "notes": dict(part.arrays.notes),
                }
                for part in self.plan.parts
            ],
            "errata": [dataclasses.asdict(erratum) for erratum in config.dataset.instance.applied_corrections()],
            "plugins": {c.plugin: c.distribution for c in config.components()},
            "versions": provenance.all_versions([c.distribution for c in config.components()]),
            "epoch": provenance.EPOCH,
            "git_commit": provenance.git_commit(),
            "machine": provenance.machine(),
            "device": ", ".join(sorted(used)) or devices.backend(),
            "command": provenance.command_line(),
            "started": self.started,
            "ended": ended,
        }
        if self.writes:
            write_json(self.folder.manifest, manifest)
        return manifest

    def report(self, results: RunReport) -> dict[str, Any]:
        manifest = self.write_manifest(
            self.ended or provenance.now(), {found.device for found in results.done if found.device}
        )
        scores = results.scores()
        if self.writes:
            self.write_reports(results, scores, manifest)
        else:
            say(f"warning: {self.folder.path} cannot be written: nothing is written")
        print(results.terminal_text(scores))
        if "synthetic" in scores["flags"]:
            print("\nsynthetic data: these figures say nothing about real faces")
        for row in scores["rows"]:
            for text, count in row["warnings"].items():
                say(f"warning: {row['model']}, {count} of {row['tasks']['total']} tasks: {text}")
        return scores

    def write_reports(self, results: RunReport, scores: dict[str, Any], manifest: dict[str, Any]) -> None:
        path = self.folder.path
        write_text(path / "predictions.csv", results.predictions())
        write_json(path / "scores.json", scores)
        write_text(path / results.page_name, results.page(scores, manifest))
        self.written = [results.page_name, "scores.json", "predictions.csv", "manifest.json"]
        if curves := histories_csv(results.done):
            write_text(path / "histories.csv", curves)
            self.written.append("histories.csv")
        if self.options.figures:
            self.written += [f"{len(draw(scores, results.done, path / 'figures'))} files in figures"]
        if self.model_writer or self.refits:
            self.written.append("models")
        if stale := keeping.score_saved(self.plan, self.folder, scores):
            say(f"warning: {keeping.stale_text(stale)}")

    def close(self, results: RunReport, failures: list[Failure], *, interrupted: bool) -> int:
        """Say what is missing and how to go on; choose the exit code."""
        total, done = len(self.plan.tasks), len(results.done)
        say_unusable(self.folder, self.named)
        for failure in failures:
            whose = self.refits if self.refits and failure.task in self.refits.wanted else self.folder
            path = whose.error_path(failure.task)
            say(f"failed: {failure.task}: {failure.error}\n  traceback in {path}")
        for text in self.unsaved:
            say(f"warning: model not saved: {text}")
        if self.written:
            say(f"written to {self.folder.path}: {', '.join(self.written)}")
        if interrupted:
            say(f"stopped: {done} of {total} tasks are done and kept; the same command goes on from here")
            return cli.INTERRUPTED
        if done < total:
            say(f"incomplete: {total - done} of {total} tasks have no result; the same command tries them again")
        return cli.FAILED if failures or self.unsaved or done < total else cli.OK
