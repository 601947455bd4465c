"""Which trained models a run keeps, where, and with what written beside them.

RUN/models/MODEL/SEED/FOLD/   --save-models task: one per task, which never saw its fold's test side
RUN/models/MODEL/all/SEED/    --save-models all: trained on every sample of the run, for use on new data
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mexbench.config.run_config import Component, RunConfig, dataset_title
from mexbench.errors import SavedModelError, listed
from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.plan import Plan, RowGroupPlan
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.files import read_json, write_text
from mexbench.fingerprint import digest, digest_code
from mexbench.interfaces import Model
from mexbench.metrics.spotting.summary import F1_SCORES
from mexbench.runs import saved_model as saved
from mexbench.runs.model_writer import EVERYTHING, ModelWriter, Scope
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.task import Failure, Outcome, Task

#: Target -> what of a row's figures is written into its saved models.
_FIGURES: Mapping[str, tuple[str, ...]] = {
    "emotion": ("uf1", "uar", "accuracy", "n_samples"),
    "action_units": ("f1", "macro_f1", "n_samples"),
    "spotting": (*F1_SCORES, "recall", "false_alarms_per_minute", "n_videos"),
}


def check_savable(config: RunConfig) -> None:
    """Look, before anything is read or trained, whether every model of a config can be saved.

    Raises:
        SavedModelError: Names those that cannot.
    """
    lacking = [model for model in config.models if not saved.can_save(model.instance)]
    if lacking:
        raise SavedModelError(
            "--save-models: "
            + "; ".join(f"model {m.name!r} (plugin {m.plugin!r} of {m.distribution}) cannot be saved" for m in lacking)
            + ": its class has no 'save' and 'load'; leave --save-models out, or such models"
        )


def model_writer_for(
    scope: Scope, plan: Plan, folder: RunFolder, waiting: Sequence[Task], *, always: bool
) -> ModelWriter:
    """Return the model_writer of a run.

    Args:
        scope: Of what.
        plan: The run.
        folder: Its folder.
        waiting: The tasks of the run that have no result yet: they are trained anyway.
        always: Whether what is kept already is trained again.
    """
    trained_on = {id(part): _trained_on(part, scope) for part in plan.parts}
    model_writer = ModelWriter(
        root=folder.path / "models",
        scope=scope,
        tasks=plan.tasks if scope == "task" else tuple(_refits(plan)),
        wanted=frozenset(),
        about={row: about_row(plan.config, part, model) for row, (part, model) in plan.by_row.items()},
        trained_on={row: trained_on[id(part)] for row, (part, _) in plan.by_row.items()},
    )
    undone = set(waiting)
    wanted = frozenset(task for task in model_writer.tasks if always or task in undone or not model_writer.has(task))
    return replace(model_writer, wanted=wanted)


def train_on_everything(
    plan: Plan, executor: Executor, model_writer: ModelWriter, notify: Callable[[Outcome], None]
) -> list[Failure]:
    """Train models on every sample of a run and keep them; there is nothing left to test them on.

    Args:
        plan: The run.
        executor: Where trainings run.
        model_writer: Of scope ``all``.
        notify: Called with every outcome once it is stored.

    Returns:
        What failed.
    """
    failures = []
    if not model_writer.waiting:
        return []
    parts = {id(part): with_model_writer(part.task_runner(), model_writer) for part in plan.parts}
    runners = {row: parts[id(part)] for row, (part, _) in plan.by_row.items()}
    with closing(executor.run([(task,) for task in model_writer.waiting], runners)) as outcomes:
        for outcome in outcomes:
            path = model_writer.error_path(outcome.task)
            if isinstance(outcome, Failure):
                write_text(path, f"{outcome.error}\n\n{outcome.trace}")
                failures.append(outcome)
            else:
                path.unlink(missing_ok=True)
            notify(outcome)
    return failures


def with_model_writer(runner: TaskRunner, model_writer: ModelWriter) -> TaskRunner:
    """Return a task runner that saves models; for scope ``all`` its only fold trains on everything."""
    if model_writer.scope == "task":
        return replace(runner, model_writer=model_writer)
    # A class of -1 is an unlabelled sample of a case study; rows of action units (n, units) and the intervals of
    # long videos (n,) are all labelled.
    by_class = runner.y.ndim == 1 and runner.y.dtype != object
    labelled = np.flatnonzero(runner.y >= 0) if by_class else np.arange(len(runner.y))
    nothing = np.empty(0, dtype=np.intp)
    return replace(runner, model_writer=model_writer, folds={EVERYTHING: (labelled, nothing)})


def score_saved(plan: Plan, folder: RunFolder, scores: Mapping[str, Any]) -> list[Path]:
    """Write the run's honest scores into the models saved in its folder.

    Args:
        plan: What the run was to do.
        folder: Its folder.
        scores: ``scores.json``; the score of a row is written once all its tasks are done.

    Returns:
        Saved models of this run's models and seeds that are of other data, code, parameters or versions.
    """
    rows = {row["model"]: row for row in scores["rows"]}
    known = {task.fingerprint for task in (*plan.tasks, *_refits(plan))}
    stale = []
    for path in sorted((folder.path / "models").glob(f"*/*/*/{saved.ABOUT}")):
        if path.parent.name.startswith("."):  # half written by a run that was killed
            continue
        try:
            about = read_json(path)
            row, of_run = rows.get(about["name"]), about["seed"] in plan.config.seeds
        except (ValueError, KeyError, TypeError):
            continue  # damaged: loading it says so
        if row is None or not of_run:
            continue
        if about["fingerprint"] not in known:
            stale.append(path.parent)
        elif row["tasks"]["done"] == row["tasks"]["total"] and about["score"] != (score := _score(row, scores)):
            saved.write_about(path.parent, {**about, "score": score})
    return stale


def stale_text(stale: Sequence[Path]) -> str:
    """Say that saved models are not of this run any more."""
    return (
        f"{len(stale)} saved models are of other data, code, parameters or versions than this run: "
        f"{listed(map(str, stale), limit=3)}; --save-models replaces them"
    )


def _refits(plan: Plan) -> Iterator[Task]:
    """Yield a training on everything per row and seed; whatever changes one of its folds changes it."""
    for row, (part, _) in plan.by_row.items():
        for seed in part.part.seeds:
            folds = [task.fingerprint for task in part.tasks if (task.model, task.seed) == (row, seed)]
            yield Task(row, seed, EVERYTHING, digest([EVERYTHING, folds]))


def _trained_on(part: RowGroupPlan, scope: Scope) -> dict[str, dict[str, Any]]:
    if scope == "all":
        sides = {
            EVERYTHING: tuple(
                s.sample_id for s in part.data.samples if s.label is not None or part.data.target != "emotion"
            )
        }
    else:
        sides = {fold.name: fold.train for fold in part.folds}
    return {
        name: {
            "what": "all" if scope == "all" else "fold",
            "fold": None if scope == "all" else name,
            "samples": len(ids),
            "sample_ids_digest": digest(sorted(ids)),
        }
        for name, ids in sides.items()
    }


def about_row(config: RunConfig, part: RowGroupPlan, model: Component[Model]) -> dict[str, Any]:
    """Return what ``model.json`` says about every predictor of a row."""
    nothing = {"frames": None}  # a sample as the dataset gives it
    return {
        "name": model.name,
        "plugin": model.plugin,
        "distribution": model.distribution,
        **({"tune": model.tuning.resolved()} if model.tuning else {}),
        "code": digest_code(type(model.instance)),
        "classes": list(part.data.classes),
        **({} if part.data.target == "emotion" else {"target": part.data.target}),
        "sample": {"shape": list(part.arrays.x.shape[1:]), "dtype": part.arrays.x.dtype.name},
        **nothing,
        **part.part.input.resolved(),
        "input": {**nothing, **part.part.input.identity()},
        "dataset": {
            "title": dataset_title(config),
            "identity": config.identity()["dataset"],
            "fingerprint": part.data.fingerprint,
        },
        "protocol": part.part.protocol.identity(),
        "config": {"name": config.name, "fingerprint": config.fingerprint},
        "flags": list(part.model_flags(model)),
    }


def _score(row: Mapping[str, Any], scores: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the honest score; that of a case study is the one that it quotes, since it tests nothing itself."""
    if (studies := scores.get("case_study")) is not None:
        return studies[row["model"]]["honest"]
    names = (*_FIGURES[scores.get("target", "emotion")], "ci", "n_subjects", "folds", "seeds", "repeats", "flags")
    return {**{name: row[name] for name in names}, "protocol": row["protocol"], "dataset": scores["dataset"]}
