"""Which trained models a run keeps, where, and with what written beside them.

RUN/models/MODEL/SEED/FOLD/   --save-models task: one per task, which never saw its fold's test side
RUN/models/MODEL/all/SEED/    --save-models all: trained on every sample of the run, for use on new data; those of a
                              case study on all that train, never on the clips that it describes
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mexbench.config.run_config import Component, RunConfig, dataset_title
from mexbench.errors import SavedModelError, counted, listed
from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.plan import Plan, RowGroupPlan
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.files import read_json, write_text
from mexbench.fingerprint import digest, digest_code
from mexbench.interfaces import Model, Sample
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


def check_savable(config: RunConfig, rows: Collection[str] | None = None) -> None:
    """Look, before anything is read or trained, whether every model of a config can be saved.

    Args:
        config: Names the models.
        rows: Those whose models are saved; None for all.

    Raises:
        SavedModelError: Names those that cannot.
    """
    chosen = [
        model
        for model in config.models
        if rows is None or any(config.row(model, protocol) in rows for protocol in config.protocols)
    ]
    lacking = [model for model in chosen if not saved.can_save(model.instance)]
    if lacking:
        raise SavedModelError(
            "--save-models: "
            + "; ".join(f"model {m.name!r} (plugin {m.plugin!r} of {m.distribution}) cannot be saved" for m in lacking)
            + ": its class has no 'save' and 'load'; leave --save-models out, or give --only with other models"
        )


def model_writer_for(
    scope: Scope, plan: Plan, folder: RunFolder, waiting: Sequence[Task], *, always: bool,
    rows: Collection[str] | None = None,
) -> ModelWriter:  # fmt: skip
    """Return the model_writer of a run.

    Args:
        scope: Of what.
        plan: The run.
        folder: Its folder.
        waiting: The tasks of the run that have no result yet: they are trained anyway.
        always: Whether what is kept already is trained again.
        rows: Those whose models are saved; None for all.
    """
    tasks = plan.tasks if scope == "task" else tuple(_refits(plan))
    title = dataset_title(plan.config)
    trained_on = {id(part): _trained_on(part, scope, title) for part in plan.parts}
    model_writer = ModelWriter(
        root=folder.path / "models",
        scope=scope,
        tasks=tasks if rows is None else tuple(task for task in tasks if task.model in rows),
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
    parts = {id(part): _on_everything(part, model_writer) for part in plan.parts}
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


def _on_everything(part: RowGroupPlan, model_writer: ModelWriter) -> TaskRunner:
    """Return a task runner whose only fold trains on everything."""
    names = {sample.sample_id for sample in _everything(part)}
    train = np.flatnonzero([sample.sample_id in names for sample in part.data.samples])
    folds = {EVERYTHING: (train, np.empty(0, dtype=np.intp))}
    return replace(part.task_runner(), model_writer=model_writer, folds=folds)


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
        f"{counted(len(stale), 'saved model is', 'saved models are')} of other data, code, parameters or versions than "
        f"this run: {listed(map(str, stale), limit=3)}; --save-models replaces {'it' if len(stale) == 1 else 'them'}"
    )


def _refits(plan: Plan) -> Iterator[Task]:
    """Yield a training on everything per row and seed; whatever changes one of its folds changes it."""
    for row, (part, _) in plan.by_row.items():
        for seed in part.part.seeds:
            folds = [task.fingerprint for task in part.tasks if (task.model, task.seed) == (row, seed)]
            # Such models of case studies once saw the labels of the clips that are described: those are another's.
            side = [] if part.part.protocol.instance.case_study is None else ["training side"]
            yield Task(row, seed, EVERYTHING, digest([EVERYTHING, *side, folds]))


def _everything(part: RowGroupPlan) -> list[Sample]:
    """Return the samples that a training on everything sees: all; of a case study those of its training side."""
    if part.part.protocol.instance.case_study is None:
        return list(part.data.samples)
    ids = {name for fold in part.folds for name in fold.train}
    return [sample for sample in part.data.samples if sample.sample_id in ids]


def _trained_on(part: RowGroupPlan, scope: Scope, title: str) -> dict[str, dict[str, Any]]:
    """Return fold -> what ``model.json`` says about its training side."""
    if scope == "all":
        sides = {EVERYTHING: tuple(sample.sample_id for sample in _everything(part))}
    else:
        sides = {fold.name: fold.train for fold in part.folds}
    dataset_of = {sample.sample_id: sample.dataset for sample in part.data.samples}
    of_run = set(dataset_of.values())
    about = {}
    for name, ids in sides.items():
        datasets = dict(sorted(Counter(dataset_of[one] for one in ids).items()))
        about[name] = {
            "what": "all" if scope == "all" else "fold",
            "fold": None if scope == "all" else name,
            # The run's own title where all of its data sets train; a fold of a protocol may train on some alone.
            "title": title if datasets.keys() == of_run else " + ".join(datasets),
            "datasets": datasets,
            "samples": len(ids),
            "sample_ids_digest": digest(sorted(ids)),
        }
    return about


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
