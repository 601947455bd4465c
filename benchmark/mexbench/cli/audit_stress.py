"""``bench audit --stress``: what alterations of the test side's pictures cost."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from mexbench import cli
from mexbench.cli.executor_options import worker_settings
from mexbench.cli.output import progress, say
from mexbench.errors import PluginError, counted
from mexbench.evaluation.executors.choice import local_executor

if TYPE_CHECKING:
    from mexbench.config.run_config import RunConfig
    from mexbench.evaluation.plan import RowGroupPlan
    from mexbench.runs.task import Outcome
    from mexbench.studies.audit.cases import Case
    from mexbench.studies.audit.stress.stress import Stress

FOLDER = "audit"


def check(options: argparse.Namespace, config: RunConfig) -> None:
    """Refuse unknown alterations and data without pictures before anything is trained.

    Raises:
        ConfigError: There are such.
    """
    from mexbench.studies.audit.stress.alterations import chosen_alterations
    from mexbench.studies.audit.stress.altered_samples import check_pictures

    chosen_alterations(options.alterations)
    check_pictures(config)


def run(
    options: argparse.Namespace, config: RunConfig, parts: Sequence[RowGroupPlan], cases: Sequence[Case], folder: Path
) -> int:
    """Train what is missing, write the reports, print the tables."""
    from mexbench.data.cache import Cache, default_root
    from mexbench.runs.run_folder import RunFolder
    from mexbench.studies.audit.stress.alterations import chosen_alterations
    from mexbench.studies.audit.stress.stress import Stress, stress_parts

    alterations = chosen_alterations(options.alterations)
    root = folder / FOLDER
    cache = Cache(default_root())
    stress = Stress(
        stress_parts(parts, cases, alterations, root, cache, memory=options.memory), alterations, RunFolder(folder)
    )
    waiting = stress.waiting()
    say(
        f"the stress test: {counted(len(alterations), 'alteration')} x {counted(len(cases), 'model')}, "
        f"{counted(waiting, 'training')} to do, each "
        f"tested on every strength; {root}"
    )
    if waiting and not _train(options, stress, waiting, folder):
        return cli.INTERRUPTED
    return _write(config, parts, cases, stress, root)


def _train(options: argparse.Namespace, stress: Stress, waiting: int, folder: Path) -> bool:
    """Train; return whether it was not stopped."""
    done = 0
    with ExitStack() as stack:

        def load_progress(clips: int) -> Callable[[], None]:
            tick = stack.enter_context(progress("alter", clips))
            count = 0

            def ready() -> None:
                nonlocal count
                count += 1
                tick(count)

            return ready

        def notify(outcome: Outcome) -> None:
            nonlocal done
            done += 1
            say(f"stress: {done} of {waiting}, {outcome.task}")

        try:
            with local_executor(worker_settings(options), folder, say) as executor:
                stress.train(executor, load_progress, notify)
        except KeyboardInterrupt:
            say(
                f"stopped: {done} of {counted(waiting, 'training is', 'trainings are')} done and kept; the same "
                "command goes on from here"
            )
            return False
    return True


def _write(config: RunConfig, parts: Sequence[RowGroupPlan], cases: Sequence[Case], stress: Stress, root: Path) -> int:
    from mexbench.config.run_config import dataset_title
    from mexbench.files import write_json, write_text
    from mexbench.runs import provenance
    from mexbench.studies.audit.stress import page

    report = {
        "schema": 1,
        "config": config.name,
        "dataset": dataset_title(config),
        "protocol": ", ".join(dict.fromkeys(part.part.protocol.name for part in parts)),
        "seeds": list(config.seeds),
        "flags": list(dict.fromkeys(flag for part in parts for flag in part.flags)),
        "models": [case.model for case in cases],
        "command": provenance.command_line(),
        "config_fingerprint": config.fingerprint,
        "commit": provenance.git_commit() or "unknown",
        "alterations": [
            {"name": one.name, "what": one.what, "unit": one.unit, "strengths": list(one.strengths)}
            for one in stress.alterations
        ],
        "null": {case.model: stress.null(case) for case in cases},
        "rows": list(stress.rows()),
    }
    write_json(root / "stress.json", report)
    write_text(root / "stress.md", page.markdown(report))
    written = ["stress.md", "stress.json"]
    try:
        written += [path.name for path in page.draw(report, root)]
    except PluginError as error:
        say(f"warning: {error}")
    for model in report["models"]:
        print(f"\n{model}: UF1 x 100 on altered pictures\n\n{page.short_table(report, model).text()}")
    for line in page.remarks(report):
        say(line)
    if "synthetic" in report["flags"]:
        print("\nsynthetic data: these figures say nothing about real faces")
    say(f"written to {root}: {', '.join(written)}")
    return cli.OK if all(row["status"] == "measured" for row in report["rows"]) else cli.FAILED
