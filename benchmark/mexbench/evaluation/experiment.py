"""One experiment, from a config to its reports: what ``bench run`` and ``mexbench.run`` both do.

Plan, lock the run folder, write the manifest, run the tasks, write the reports, whatever happens in between. Nothing is
printed here and no report is made: a ``Monitor`` is notified of what happens, and ``Reports`` turn results into scores
and pages.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mexbench import devices
from mexbench.config.run_config import RunConfig
from mexbench.data.cache import Cache, default_root
from mexbench.data.read_ahead import DEFAULT_BYTES
from mexbench.errors import ClusterError, ConfigError, DataError, RunFolderError, SavedModelError, counted, unknown
from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation import save_models
from mexbench.evaluation.executors.base import Executor, InProcess
from mexbench.evaluation.executors.choice import WorkerSettings, open_executor
from mexbench.evaluation.executors.memory import TrainingSize, check_memory
from mexbench.evaluation.monitor import Monitor, Report, Reports
from mexbench.evaluation.notify import Reporter, choose
from mexbench.evaluation.plan import Plan
from mexbench.files import write_json
from mexbench.registry.catalogue import Catalogue
from mexbench.runs import provenance
from mexbench.runs.lock import only_one
from mexbench.runs.model_writer import ModelWriter, Scope
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.task import Failure, Outcome, Success, Task


@dataclass(frozen=True, kw_only=True)
class ExperimentSettings:
    """How an experiment is carried out; none of it changes a figure.

    Args:
        out: Run folder; None for ``runs/NAME_OF_THE_CONFIG``.
        recompute: As in ``mexbench.evaluation.run.run``.
        save_models: Which trained models are saved, of the rows that ``only`` names; None for none.
        observe: Names of observers.
        workers: Where tasks run.
        dry_run: Plan only, and write nothing.
        only: Rows, or models, whose tasks are run; () for all. The others keep the results that they have.
        command: What the manifest says the experiment was started by.
        wrap: Puts another executor around the one that the tasks run in.
    """

    out: Path | None = None
    recompute: engine.Recompute = "missing"
    save_models: Scope | None = None
    observe: tuple[str, ...] = ()
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    dry_run: bool = False
    only: tuple[str, ...] = ()
    command: str = ""
    wrap: Callable[[Executor], Executor] = lambda executor: executor

    @property
    def trains(self) -> bool:
        """Whether tasks may run, so that the run folder is written and locked."""
        return self.recompute != "never" and not self.dry_run

    @property
    def replaces(self) -> bool:
        """Whether results of the folder are computed again."""
        return self.recompute == "always"


@dataclass(frozen=True, kw_only=True)
class ExperimentResult:
    """How an experiment ended.

    Args:
        plan: What was to be done.
        folder: The run folder.
        report: What was done.
        scores: What ``scores.json`` holds.
        failures: Tasks that failed this time, each with the file of its traceback.
        unsaved: Why trained models could not be saved.
        written: What was written into the folder; nothing where it is read-only.
        interrupted: Whether Ctrl-C or SIGTERM stopped it.
        reported: Files of ``folder.unusable`` that the monitor has seen before.
        chosen: Rows whose tasks were asked for.
    """

    plan: Plan
    folder: RunFolder
    report: Report
    scores: dict[str, Any]
    failures: tuple[tuple[Failure, Path], ...]
    unsaved: tuple[str, ...]
    written: tuple[str, ...]
    interrupted: bool
    reported: frozenset[Path]
    chosen: frozenset[str]

    @property
    def missing(self) -> int:
        """Number of tasks without a result, among those that were asked for."""
        done = {stored.task for stored in self.report.done}
        return sum(task not in done and task.model in self.chosen for task in self.plan.tasks)

    @property
    def succeeded(self) -> bool:
        """Whether everything that was asked for is there."""
        return not (self.interrupted or self.failures or self.unsaved or self.missing)


def run_experiment(
    config: RunConfig, catalogue: Catalogue, settings: ExperimentSettings, *, reports: Reports, monitor: Monitor
) -> ExperimentResult | None:
    """Carry out an experiment; what has a valid result in the run folder is not computed again.

    Args:
        config: What is asked for.
        catalogue: Where observers are looked up.
        settings: How; ``settings.workers.prepare()`` was called before anything heavy was loaded.
        reports: What makes the reports.
        monitor: Is notified of what happens.

    Returns:
        How it ended; None after a dry run.

    Raises:
        BenchError: It cannot be carried out; the text says why and what to do.
        KeyboardInterrupt: Ctrl-C came before the first task or after the last; finished tasks are on the disk.
    """
    chosen = _chosen(config, settings)
    observers = choose(catalogue, settings.observe, monitor.message)
    if settings.save_models:
        if settings.recompute == "never":
            raise SavedModelError("--save-models with --recompute never: nothing is trained, so nothing can be saved")
        save_models.check_savable(config, chosen)
    folder = RunFolder(settings.out or Path("runs") / config.name, keep=not settings.trains)
    folder.check(config.identity(recorded=True), replace=settings.replaces)
    reports.check(config)
    trains = settings.trains
    opened = (
        open_executor(settings.workers, config, folder.path, monitor.message) if trains else nullcontext(InProcess())
    )
    with opened as executor:
        plan = _plan(config, monitor, settings.workers.memory)
        if settings.workers.memory is not None:
            monitor.message(_check_memory(plan, chosen, settings.workers, settings.workers.memory))
        with only_one(folder.path, monitor.message) if trains else nullcontext():
            if trains:
                folder.check(
                    config.identity(recorded=True), replace=settings.replaces
                )  # the last holder may have begun another run
                folder.remove_temporaries()
            waiting = plan.tasks if settings.replaces else engine.missing(plan, folder)
            waiting = tuple(task for task in waiting if task.model in chosen)
            monitor.planned(plan, len(waiting), folder)
            monitor.unusable_files(folder)
            for text in [*_version_messages(config, folder), *_thread_messages(folder)]:
                monitor.message(text)
            model_writer = None
            if settings.save_models:
                model_writer = save_models.model_writer_for(
                    settings.save_models, plan, folder, waiting, always=settings.replaces, rows=chosen
                )
                monitor.models_planned(model_writer, len(waiting))
            if settings.dry_run:
                return None
            reporter = Reporter(observers, plan, folder.path)
            return _Experiment(
                settings, plan, folder, settings.wrap(executor),
                todo=waiting, model_writer=model_writer, reporter=reporter, reports=reports, monitor=monitor,
            ).run()  # fmt: skip


def _chosen(config: RunConfig, settings: ExperimentSettings) -> frozenset[str]:
    """Return the rows whose tasks are run: those that ``only`` names, by row or by model.

    Raises:
        ConfigError: A name is unknown.
    """
    if not settings.only:
        return frozenset(config.rows)
    rows: set[str] = set()
    for name in settings.only:
        named = {config.row(model, protocol) for model in config.models for protocol in config.protocols
                 if name in (model.name, config.row(model, protocol))}  # fmt: skip
        if not named:
            raise ConfigError(f"--only: {unknown('model', name, [model.name for model in config.models])}")
        rows |= named
    return frozenset(rows)


def _check_memory(plan: Plan, rows: Collection[str], workers: WorkerSettings, limit: int) -> str:
    """Check that the trainings of some rows fit into a limit of memory, and return a line about it.

    Raises:
        MemoryLimitError: One needs more.
    """
    runners = {id(part): part.task_runner() for part, _ in plan.by_row.values()}
    sizes = [TrainingSize.of(row, runners[id(part)]) for row, (part, _) in plan.by_row.items() if row in rows]
    return check_memory(sizes, limit, processes=1 if workers.in_process else 2)


def _plan(config: RunConfig, monitor: Monitor, memory: int | None) -> Plan:
    if notice := config.dataset.instance.notice():
        monitor.notice(notice)
    data = planning.read(config)
    monitor.data_read(config, data)
    cache = Cache(default_root())
    with monitor.progress("load", planning.clips_to_load(config, data)) as tick:
        most_bytes = DEFAULT_BYTES if memory is None else min(DEFAULT_BYTES, memory // 8)
        plan = planning.plan(config, cache, tick, data, most_bytes=most_bytes)
    if cache.trouble:
        monitor.message(f"warning: {cache.trouble}")
    return plan


def _version_messages(config: RunConfig, folder: RunFolder) -> list[str]:
    """Say which versions differ from those that a folder's results were computed with, and what that means for them."""
    before = folder.read_manifest().get("versions")
    now = provenance.all_versions([component.distribution for component in config.components()])
    if not (changes := provenance.version_changes(before, now)):
        return []
    if provenance.only_patch_of_python(before, now):
        return [f"{changes[0]}: results are kept, since a patch release of Python changes none"]
    foreign = [path for path, reason in folder.unusable.items() if reason == "foreign"]
    state = "results made with the others count as missing" if foreign else "no result depends on what changed"
    return [f"versions differ from those that this run began with: {'; '.join(changes)}; {state}"]


def _thread_messages(folder: RunFolder) -> list[str]:
    """Say that a task has other threads than those that a folder's results were computed with, where it has."""
    machine = folder.read_manifest().get("machine")
    before, now = machine.get("threads") if isinstance(machine, Mapping) else None, devices.thread_settings()
    if before is None or before == now:  # folders of earlier versions do not say
        return []
    return [
        f"warning: the threads of a task differ from those that this run began with: {before}, now {now}; results are "
        "kept, and those of networks differ in their last digits"
    ]


class _Experiment:
    """The manifest first, then the tasks, then the reports, whatever happened in between."""

    def __init__(
        self, settings: ExperimentSettings, plan: Plan, folder: RunFolder, executor: Executor, *,
        todo: Sequence[Task], model_writer: ModelWriter | None, reporter: Reporter, reports: Reports, monitor: Monitor,
    ) -> None:  # fmt: skip
        self.settings, self.plan, self.folder, self.executor = settings, plan, folder, executor
        self.todo, self.waiting = todo, len(todo)
        self.chosen = _chosen(plan.config, settings)
        self.reporter, self.reports, self.monitor = reporter, reports, monitor
        self.task_models = model_writer if model_writer and model_writer.scope == "task" else None
        self.refits = model_writer if model_writer and model_writer.scope == "all" else None
        if self.task_models:
            self.waiting = len(self.task_models.waiting)
        self.unsaved: list[str] = []
        self.writes = settings.recompute != "never" or folder.writable  # read-only results may be looked at too
        self.reported = frozenset(folder.unusable)
        # A rerun adds to a run: it began when its first task did, and it ended when the last one did.
        before = {} if settings.replaces else folder.read_manifest()
        started, now = before.get("started"), provenance.now()
        self.started = started if isinstance(started, str) else now
        if self.started > now:
            monitor.message(f"warning: this run began at {self.started}, in the future: the clock was set back")
        self.ended = before.get("ended") if self.waiting == 0 else None

    def run(self) -> ExperimentResult:
        try:
            return self.run_and_report()
        except OSError as error:  # such as a full disk
            where = f"{error.filename}: " if error.filename else ""
            raise RunFolderError(
                f"{where}{error.strerror or error}\n  {self.progress_text()}; fix that, then the same command goes on "
                "from here"
            ) from None
        except DataError as error:  # such as samples that were removed and cannot be written again
            raise DataError(f"{error}\n  {self.progress_text()}; the same command goes on from here") from None
        except ClusterError as error:
            raise ClusterError(
                f"{error}\n  {self.progress_text()}; the same command goes on from here, with or without "
                "--executor dask"
            ) from None

    def progress_text(self) -> str:
        done = len(self.reports.collect(self.plan, self.folder).done)
        return f"{done} of {counted(len(self.plan.tasks), 'task is', 'tasks are')} done and kept in {self.folder.path}"

    def run_and_report(self) -> ExperimentResult:
        self.write_manifest(self.ended, set())
        failures: list[Failure] = []
        interrupted = False
        try:
            self.reporter.started(self.waiting)
            with self.watched("run", self.waiting, self.reporter.task) as notify:
                failures += engine.run(
                    self.plan, self.folder, self.executor, recompute=self.settings.recompute, notify=notify,
                    model_writer=self.task_models or self.refits, waiting=self.todo,
                )  # fmt: skip
            if self.refits:
                with self.watched("train on all samples", len(self.refits.waiting)) as notify:
                    failures += save_models.train_on_everything(self.plan, self.executor, self.refits, notify)
        except KeyboardInterrupt:
            interrupted = True
            self.folder.remove_temporaries()  # it may have come just after one was made
        report = self.reports.collect(self.plan, self.folder)
        scores = report.scores()
        written = self.write_reports(report, scores)
        self.reporter.done(scores, written, complete=report.complete, interrupted=interrupted)
        return ExperimentResult(
            plan=self.plan, folder=self.folder, report=report, scores=scores,
            failures=tuple((failure, self.error_path(failure)) for failure in failures), unsaved=tuple(self.unsaved),
            written=tuple(written), interrupted=interrupted, reported=self.reported, chosen=self.chosen,
        )  # fmt: skip

    @contextmanager
    def watched(
        self, what: str, total: int, tell: Callable[[Outcome], None] = lambda _: None
    ) -> Iterator[Callable[[Outcome], None]]:
        """Show progress, gather what could not be saved, and pass each outcome on."""
        done = 0
        with self.monitor.progress(what, total) as tick:

            def notify(outcome: Outcome) -> None:
                nonlocal done
                done += 1
                tick(done, str(outcome.task))
                if isinstance(outcome, Success) and outcome.unsaved:
                    self.unsaved.append(f"{outcome.task}: {outcome.unsaved}")
                tell(outcome)

            yield notify

    def error_path(self, failure: Failure) -> Path:
        folder = self.refits if self.refits and failure.task in self.refits.wanted else self.folder
        return folder.error_path(failure.task)

    def write_reports(self, report: Report, scores: dict[str, Any]) -> list[str]:
        devices_used = {result.device for result in report.done if result.device}
        manifest = self.write_manifest(self.ended or provenance.now(), devices_used)
        if not self.writes:
            self.monitor.message(f"warning: {self.folder.path} cannot be written: nothing is written")
            return []
        written = self.reports.write(report, scores, manifest, self.folder.path)
        if self.task_models or self.refits:
            written.append("models")
        if stale := save_models.score_saved(self.plan, self.folder, scores):
            self.monitor.message(f"warning: {save_models.stale_text(stale)}")
        return written

    def write_manifest(self, ended: str | None, devices_used: Collection[str]) -> dict[str, Any]:
        config = self.plan.config
        distributions = [component.distribution for component in config.components()]
        manifest = {
            "schema": 1,
            "config": config.resolved(recorded=True),
            "config_fingerprint": config.fingerprint,
            "identity": config.identity(recorded=True),
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
            "own_names": any(type(member.instance).own_names for member in config.members),
            "plugins": {component.plugin: component.distribution for component in config.components()},
            "versions": provenance.all_versions(distributions),
            "epoch": provenance.EPOCH,
            "git_commit": provenance.git_commit(),
            "machine": provenance.machine(),
            "device": ", ".join(sorted(devices_used)) or devices.backend(),
            "command": self.settings.command,
            "started": self.started,
            "ended": ended,
        }
        if self.writes:
            write_json(self.folder.manifest, manifest)
        return manifest
