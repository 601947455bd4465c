"""``bench audit``: the same models and data, first honestly, then with one leak at a time."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mexbench import cli
from mexbench.cli import audit_stress
from mexbench.cli import run as reference_run
from mexbench.cli.audit_models import config_of_run, select_models
from mexbench.cli.executor_options import add_jobs_arguments, worker_settings
from mexbench.cli.output import add_config_arguments, open_config, positive, progress, say
from mexbench.errors import ConfigError, PluginError, counted, listed, unknown
from mexbench.evaluation.executors.choice import local_executor

if TYPE_CHECKING:
    from mexbench.config.run_config import RunConfig
    from mexbench.evaluation.plan import RowGroupPlan
    from mexbench.runs.task import Outcome
    from mexbench.studies.audit.audit import Audit
    from mexbench.studies.audit.cases import Case, Job
    from mexbench.studies.audit.leak import AuditLeak

FOLDER = "audit"
_REPEATS = 5
#: Options that an audit of spotters does not have: its trainings follow each other in this process.
_NOT_OF_SPOTTERS = ("leaks", "repeats", "jobs", "task_timeout", "in_process", "info_sheet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_arguments(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help="run folder (default: runs/NAME_OF_THE_CONFIG): finished tasks of 'bench run' are used, and the audit "
        f"goes to its folder {FOLDER}",
    )  # fmt: skip
    parser.add_argument(
        "--leaks", metavar="NAME,NAME", help="which leaks to show: 'all' (default without --stress), 'none', or names"
    )
    parser.add_argument(
        "--stress", action="store_true",
        help="alter pictures of the test side alone and show what that costs: brightness, rotation, occlusion, noise, "
        "blur and compression, five strengths each",
    )  # fmt: skip
    parser.add_argument(
        "--alterations", metavar="NAME,NAME", default="all", help="with --stress: which ones: 'all' (default), or names"
    )
    parser.add_argument("--models", metavar="NAME,NAME", help="audit these models of the config alone")
    parser.add_argument(
        "--repeats", type=positive, metavar="N", help=f"draws of each random split (default: {_REPEATS})"
    )
    add_jobs_arguments(parser)
    parser.add_argument(
        "--groups", type=Path, metavar="CSV",
        help="also score groups of people: a list with the column subject and any of age_group, sex, ethnicity",
    )  # fmt: skip
    parser.add_argument("--info-sheet", action="store_true", help="also write the model info sheet of the run")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from mexbench.runs.lock import only_one
    from mexbench.runs.run_folder import RunFolder
    from mexbench.studies.audit.audit import Audit
    from mexbench.studies.audit.cases import check_not_leaky
    from mexbench.studies.audit.recorded_epochs import recorder

    config = select_models(open_config(options), options.models)
    if config.target == "spotting" and not options.stress:
        return _run_spotting(options, config)
    chosen = _chosen(options.leaks if options.leaks is not None else "none" if options.stress else "all")
    if config.target != "emotion":
        what = "what alterations cost is measured for classes" if options.stress else (
            "measures what leaks are worth for classes and for spotters"
        )  # fmt: skip
        raise ConfigError(f"bench audit{' --stress' * options.stress}: {what}, not with 'target: {config.target}'")
    check_not_leaky(config)
    folder = options.out or Path("runs") / config.name
    if options.stress:
        audit_stress.check(options, config)
    parts, audit_cases = _plan(config)
    leaks = _leaks(chosen, options.repeats or _REPEATS, config, parts)
    epochs = recorder(audit_cases, leaks, folder / FOLDER)
    say(f"the honest run:{f' (with the scores of every epoch: {listed(epochs.jobs)})' * bool(epochs.jobs)}")
    code = reference_run.run(_honest(options, folder), lambda whole: config_of_run(whole, config, folder), epochs.wrap)
    if code == cli.INTERRUPTED:
        return code
    if chosen or not options.stress:
        audit = Audit(audit_cases, leaks, RunFolder(folder), folder / FOLDER)
        with only_one(folder, say):
            code = max(code, _measure(options, config, parts, audit, code))
    if options.stress and code != cli.INTERRUPTED:
        with only_one(folder, say):
            code = max(code, audit_stress.run(options, config, parts, audit_cases, folder))
    return code


def _run_spotting(options: argparse.Namespace, config: RunConfig) -> int:
    """Measure what a threshold that was chosen on test videos is worth; spotters have no other leak here.

    Raises:
        ConfigError: An option was given that this has not.
    """
    from mexbench.config.run_config import dataset_title
    from mexbench.data.cache import Cache, default_root
    from mexbench.evaluation import plan as planning
    from mexbench.files import write_json, write_text
    from mexbench.studies.audit import spotting_threshold

    if given := [name for name in _NOT_OF_SPOTTERS if getattr(options, name) not in (None, False)]:
        names = listed(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(
            f"{names}: not for an audit of 'target: spotting', which measures one leak, with one training after the "
            "other in this process: leave it out"
        )
    worker_settings(options).prepare()
    folder = options.out or Path("runs") / config.name
    cache, data = Cache(default_root()), planning.read(config)
    with progress("load", planning.clips_to_load(config, data)) as tick:
        plan = planning.plan(config, cache, tick, data)
    rows = []
    for part in plan.parts:
        with progress("audit", len(part.folds) * len(part.part.models)) as tick:
            rows += spotting_threshold.measure(part, tick)
    report = {
        "schema": 1,
        "config": config.name,
        "target": "spotting",
        "dataset": dataset_title(config),
        "protocol": ", ".join(protocol.name for protocol in config.protocols),
        "rows": rows,
    }
    write_json(folder / FOLDER / "audit.json", report)
    write_text(folder / FOLDER / "audit.md", spotting_threshold.markdown(report))
    print(spotting_threshold.table(rows).text())
    say(f"written to {folder / FOLDER}: audit.md, audit.json")
    return cli.OK


def _measure(
    options: argparse.Namespace, config: RunConfig, parts: Sequence[RowGroupPlan], audit: Audit, code: int
) -> int:
    jobs = audit.jobs()
    total = sum(len(job.tasks) for job in jobs)
    waiting = total - sum(len(job.done(audit.root)) for job in jobs)
    size = f"{len(audit.leaks)} x {counted(len(audit.cases), 'model')}, {counted(total, 'task')}"
    say(f"the leaks: {size}, {waiting} to do; {audit.root}")
    done = 0
    try:
        with progress("audit", waiting) as tick:

            def notify(job: Job, outcome: Outcome) -> None:
                nonlocal done
                done += 1
                tick(done, f"{job.place}: {outcome.task}")

            with local_executor(worker_settings(options), audit.run.path, say) as executor:
                audit.train(jobs, executor, notify)
    except KeyboardInterrupt:
        say(
            f"stopped: {total - waiting + done} of {counted(total, 'task is', 'tasks are')} done and kept; the same "
            "command goes on from here"
        )
        return cli.INTERRUPTED
    return _write(options, config, parts, audit, code)


def _chosen(text: str) -> list[type[AuditLeak]]:
    """Read ``--leaks``.

    Raises:
        ConfigError: No leak has such a name.
    """
    from mexbench.studies.audit.audit import LEAKS

    by_name = {leak.name: leak for leak in LEAKS}
    if text in ("all", "none"):
        return list(LEAKS) if text == "all" else []
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in by_name:
            raise ConfigError(f"--leaks: {unknown('leak', name, [*by_name, 'all', 'none'])}")
    return [leak for leak in LEAKS if leak.name in names]


def _honest(options: argparse.Namespace, folder: Path) -> argparse.Namespace:
    """Return the arguments of the ``bench run`` that the audit starts from."""
    parser = argparse.ArgumentParser()
    reference_run.add_arguments(parser)
    changes = [f"--set={change}" for change in options.overrides]
    where = [f"--{name}={value}" for name in ("jobs", "device") if (value := getattr(options, name)) is not None]
    where += ["--in-process"] if options.in_process else []
    return parser.parse_args([str(options.config), f"--out={folder}", *where, *changes])


def _plan(config: RunConfig) -> tuple[list[RowGroupPlan], list[Case]]:
    """Plan the rows that keep people apart; name the others."""
    from mexbench.data.cache import Cache, default_root
    from mexbench.evaluation import plan as planning
    from mexbench.studies.audit.cases import cases, honest_parts

    data = planning.read(config)
    with progress("load", planning.clips_to_load(config, data)) as tick:
        plan = planning.plan(config, Cache(default_root()), tick, data)
    parts = honest_parts(plan)
    for part in plan.parts:
        if part not in parts:
            say(f"not audited, leaky itself: the rows under {part.part.protocol.name}")
    return parts, cases(parts, config)


def _leaks(
    chosen: list[type[AuditLeak]], repeats: int, config: RunConfig, parts: Sequence[RowGroupPlan]
) -> list[AuditLeak]:
    from mexbench.data.cache import Cache, default_root
    from mexbench.studies.audit.cases import frame_level
    from mexbench.studies.audit.random_splits import ClipSplit, FrameSplit

    leaks: list[AuditLeak] = []
    for leak in chosen:
        if leak is FrameSplit:
            frames = {}
            for part in parts:
                with progress("load frames", len(part.data.sources)) as tick:
                    case = frame_level(part, config, Cache(default_root()), tick)
                frames |= dict.fromkeys((m.name for m in part.part.models), case) if isinstance(case, str) else case
            leaks.append(FrameSplit(repeats=repeats, frames=frames))
        elif leak is ClipSplit:
            leaks.append(ClipSplit(repeats=repeats))
        else:
            leaks.append(leak())
    return leaks


def _write(
    options: argparse.Namespace, config: RunConfig, parts: Sequence[RowGroupPlan], audit: Audit, code: int
) -> int:
    """Write the reports, print the tables, say what is missing."""
    from mexbench.config.run_config import dataset_title
    from mexbench.files import read_json, write_json, write_text
    from mexbench.runs import provenance
    from mexbench.runs.stored_run import read_run
    from mexbench.studies.audit import groups, info_sheet, page
    from mexbench.studies.audit.cases import facts

    root = audit.root
    people = _people(options, parts)
    report = {
        "schema": 1,
        "config": config.name,
        "dataset": dataset_title(config),
        "protocol": ", ".join(dict.fromkeys(part.part.protocol.name for part in parts)),
        "seeds": list(config.seeds),
        "flags": list(dict.fromkeys(flag for part in parts for flag in part.flags)),
        "models": [case.model for case in audit.cases],
        "command": provenance.command_line(),
        "config_fingerprint": config.fingerprint,
        "commit": provenance.git_commit() or "unknown",
        "null": {case.model: audit.null(case) for case in audit.cases},
        "rows": list(audit.rows()),
        "groups": groups.measure(read_run(audit.run.path).predictions, parts[0].data.classes, people) if people else [],
    }
    write_json(root / "audit.json", report)
    write_text(root / "audit.md", page.markdown(report))
    written = ["audit.md", "audit.json"]
    try:
        written += [path.name for path in page.draw(report, root)]
    except PluginError as error:
        say(f"warning: {error}")
    if options.info_sheet:
        scores = read_json(audit.run.path / "scores.json")
        write_text(root / "info_sheet.md", info_sheet.markdown(report, [facts(part) for part in parts], scores))
        written.append("info_sheet.md")
    for model in report["models"]:
        print(f"\n{model}\n\n{page.table(report, model, short=True).text()}")
    for line in page.reasons(report):
        say(line)
    for job, failure in audit.failures:
        say(f"failed: {job.place}: {failure.task}: {failure.error}")
    if "synthetic" in report["flags"]:
        print("\nsynthetic data: these figures say nothing about real faces")
    say(f"written to {root}: {', '.join(written)}")
    complete = all(row["status"] in ("measured", "does not apply") for row in report["rows"])
    return code if complete else cli.FAILED


def _people(options: argparse.Namespace, parts: Sequence[RowGroupPlan]) -> dict[str, dict[str, str]]:
    """Return what is known of the subjects: from ``--groups``, else from the data."""
    from mexbench.studies.audit import groups

    samples = [sample for part in parts for sample in part.data.samples]
    if options.groups is None:
        return groups.people_of(samples)
    return groups.read_people(options.groups, sorted({sample.subject for sample in samples if sample.subject}))
