"""Score saved models on the subjects that they were not trained on.

Each fold of a config's protocol is predicted by the saved model of that fold. What a model was trained on is checked
first: of a model that a run saved, the samples of its training side must be those of the fold's; of imported weights,
the publisher's statement must name the fold's subject. Predictions are made of samples alone; labels come in after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import SavedModelError, counted, listed
from mexbench.evaluation.import_weights import PUBLISHED_WEIGHTS, STATED, held_out_subjects
from mexbench.evaluation.plan import Plan, RowGroupPlan
from mexbench.evaluation.task_runner import check_scores
from mexbench.fingerprint import digest
from mexbench.interfaces import Fold
from mexbench.interfaces.rows import read_rows
from mexbench.metrics.predictions import Predictions
from mexbench.registry.catalogue import Catalogue
from mexbench.runs import saved_model as saved
from mexbench.runs.predictions_csv import repeat_of
from mexbench.runs.saved_model import SavedModel


@dataclass(frozen=True)
class SavedEvaluation:
    """What saved models predict of their held-out sides.

    Args:
        name: Of the models.
        predictions: One line per tested sample.
        classes: Class names in order.
        protocol: Name of the protocol.
        folds: Number of folds.
        flags: Words that stand beside the score.
        provenance: One line: what the models were trained on, and who says so.
        changes: What is not as it was when the models were saved, such as versions.
    """

    name: str
    predictions: Predictions
    classes: tuple[str, ...]
    protocol: str
    folds: int
    flags: tuple[str, ...]
    provenance: str
    changes: tuple[str, ...]


def evaluate_saved(folder: Path, plan: Plan, catalogue: Catalogue) -> SavedEvaluation:
    """Predict every test side of a config by the saved model of its fold.

    Args:
        folder: Has a saved model per fold: ``RUN/models/MODEL/SEED``, or what ``bench import-weights`` wrote.
        plan: The config's samples and folds.
        catalogue: Where the models' plugin is looked up.

    Raises:
        SavedModelError: A fold has no model, a model belongs to no fold or was trained on what it would be tested on,
            on samples that were made another way, or with other classes; the text says which and why.
    """
    models = _load(folder, catalogue)
    first = models[0]
    part = _part(folder, first, plan)
    for model in models:
        _check_same_task(model, first, part)
        _check_same_data(model, plan)
    by_fold = _by_fold(folder, models, part)
    for fold in part.folds:
        check_not_seen(by_fold[fold.name], fold, part)
    stated = [model for model in models if model.about["trained_on"]["what"] == STATED]
    _check_different(folder, stated)
    scores = predict_test_sides({fold.name: by_fold[fold.name] for fold in part.folds}, part.arrays.x, _rows(part))
    ids = part.test_ids()
    predictions = Predictions.join(
        part.data.samples,
        part.data.truths(),
        [
            (first.about.get("seed") or 0, repeat_of(name), name, dict(zip(ids[name], values.tolist(), strict=True)))
            for name, values in scores.items()
        ],
        len(part.data.classes),
    )
    flags = [*part.flags, *(str(flag) for flag in first.about.get("flags") or ()), *[PUBLISHED_WEIGHTS] * bool(stated)]
    return SavedEvaluation(
        name=str(first.about.get("name") or first.about["plugin"]),
        predictions=predictions,
        classes=part.data.classes,
        protocol=part.part.protocol.name,
        folds=len(part.folds),
        flags=tuple(dict.fromkeys(flags)),
        provenance=_provenance(models, stated),
        changes=tuple(dict.fromkeys(change for model in models for change in model.changes)),
    )


def check_not_seen(model: SavedModel, fold: Fold, part: RowGroupPlan) -> None:
    """Refuse to test a model on samples that it may have been trained on.

    Raises:
        SavedModelError: Its training side is not the fold's, or its publisher states that another subject was held out.
    """
    about = model.about.get("trained_on") or {}
    if about.get("what") == STATED:
        subject = held_out_subjects(part)[fold.name]
        if about.get("held_out") != [subject]:
            raise SavedModelError(
                f"{model.folder}: was trained without {about.get('held_out')!r}, as its publisher states, and fold "
                f"{fold.name!r} tests {subject}: a model is not tested on a subject that it was trained on"
            )
    elif about.get("sample_ids_digest") != digest(sorted(fold.train)):
        raise SavedModelError(
            f"{model.folder}: was not trained on the training side of fold {fold.name!r} of this config "
            f"({counted(len(fold.train), 'sample')}), but on {about.get('samples')}: it may have seen what it would be "
            "tested on; give the config that it was trained with"
        )


def predict_test_sides(
    models: Mapping[str, SavedModel], x: NDArray[np.generic], rows: Mapping[str, NDArray[np.intp]]
) -> dict[str, NDArray[np.float64]]:
    """Return fold -> scores of its test side; no label and no other fold's sample comes in here.

    Args:
        models: Fold -> its model.
        x: Samples (n, T, ...).
        rows: Fold -> positions of its test side.

    Raises:
        SavedModelError: A model gives no scores, or none that are finite.
    """
    scores = {}
    for name, model in models.items():
        try:
            given = model(read_rows(x, rows[name]))
            scores[name] = check_scores(given, (len(rows[name]), len(model.classes)), of_units=False)
        except ValueError as error:
            raise SavedModelError(f"{model.folder}: {error}; train and save it again") from None
    return scores


def _load(folder: Path, catalogue: Catalogue) -> list[SavedModel]:
    inside = sorted(path.parent for path in folder.glob(f"*/{saved.ABOUT}") if not path.parent.name.startswith("."))
    if not inside:
        raise SavedModelError(
            f"{folder}: has no saved models, one folder for each fold; give RUN/models/MODEL/SEED, written by 'bench "
            f"run --save-models task', or what 'bench import-weights' wrote{_nearby(folder)}"
        )
    models = [saved.load(path, catalogue) for path in inside]
    for model in models:
        if (model.about.get("trained_on") or {}).get("what") not in ("fold", STATED):
            raise SavedModelError(
                f"{model.folder}: was trained on all samples, so nothing is left to test it on; 'bench run "
                "--save-models task' saves models that leave a fold's test side out"
            )
    return models


def _nearby(folder: Path) -> str:
    """Name the folders of the same run that have a model for each fold; empty where there are none."""
    root = next((path for path in (folder, *folder.parents) if path.name == "models" and path.is_dir()), None)
    if root is None:
        return ""
    folders = sorted({path.parents[1] for path in root.glob(f"*/*/*/{saved.ABOUT}") if path.parents[1].name != "all"})
    return f"; {root} has {listed([str(path.relative_to(root)) for path in folders], limit=5)}" if folders else ""


def _part(folder: Path, model: SavedModel, plan: Plan) -> RowGroupPlan:
    """Return the part of the config that has the models' plugin."""
    if len(plan.config.protocols) > 1:
        raise SavedModelError(
            "the config has several protocols, and a saved model belongs to a fold of one; choose one, such as --set "
            "protocol=loso"
        )
    name, plugin = model.about.get("name"), model.about["plugin"]
    parts = [part for part, component in plan.by_row.values() if component.name == name and component.plugin == plugin]
    parts += [part for part, component in plan.by_row.values() if component.plugin == plugin]
    if not parts:
        raise SavedModelError(
            f"{folder}: its models are of {plugin!r}, which the config does not have; it has "
            f"{listed(component.plugin for _, component in plan.by_row.values())}"
        )
    return parts[0]


def _check_same_task(model: SavedModel, first: SavedModel, part: RowGroupPlan) -> None:
    same = ("plugin", "name", "seed")
    if any(model.about.get(key) != first.about.get(key) for key in same):
        now, before = (", ".join(f"{key} {one.about.get(key)}" for key in same) for one in (model, first))
        raise SavedModelError(f"{model.folder}: is of {now}, and {first.folder} of {before}; give models of one row")
    if model.classes != part.data.classes:
        raise SavedModelError(
            f"{model.folder}: has the classes {listed(model.classes)}, and the config {listed(part.data.classes)}"
        )
    model.check_same_input({"frames": None, **part.part.input.identity()})


def _check_same_data(model: SavedModel, plan: Plan) -> None:
    before, now = (model.about.get("dataset") or {}).get("identity") or {}, plan.config.identity()["dataset"]
    if digest(before) != digest(now):
        changed = [
            f"{key}: {before.get(key)!r}, now {now.get(key)!r}"
            for key in sorted({*before, *now})
            if digest(before.get(key)) != digest(now.get(key))
        ]
        raise SavedModelError(f"{model.folder}: is of other data than the config: {'; '.join(changed)}")


def _by_fold(folder: Path, models: Sequence[SavedModel], part: RowGroupPlan) -> dict[str, SavedModel]:
    by_fold: dict[str, SavedModel] = {}
    for model in models:
        name = str(model.about["trained_on"].get("fold"))
        if name in by_fold:
            raise SavedModelError(f"{model.folder}: is of fold {name!r}, as is {by_fold[name].folder}; remove one")
        by_fold[name] = model
    folds = [fold.name for fold in part.folds]
    if unknown := sorted(by_fold.keys() - set(folds)):
        raise SavedModelError(
            f"{folder}: {counted(len(unknown), 'model is', 'models are')} of folds that the config lacks: "
            f"{listed(unknown, limit=5)}; its folds are {listed(folds, limit=5)}"
        )
    if missing := [name for name in folds if name not in by_fold]:
        raise SavedModelError(
            f"{folder}: {len(missing)} of {counted(len(folds), 'fold has', 'folds have')} no model: "
            f"{listed(missing, limit=5)}; a score over some folds alone would not be that of the protocol"
        )
    return by_fold


def _check_different(folder: Path, stated: Sequence[SavedModel]) -> None:
    """Refuse imported weights that several subjects share: trained once, they left out none of them alone."""
    seen: dict[str, str] = {}
    for model in stated:
        weights = digest(model.about["files"])
        if (other := seen.setdefault(weights, model.folder.name)) != model.folder.name:
            raise SavedModelError(f"{folder}: {other} and {model.folder.name} hold the same weights")


def _rows(part: RowGroupPlan) -> dict[str, NDArray[np.intp]]:
    position = {sample.sample_id: index for index, sample in enumerate(part.data.samples)}
    return {name: np.array([position[one] for one in ids], dtype=np.intp) for name, ids in part.test_ids().items()}


def _provenance(models: Sequence[SavedModel], stated: Sequence[SavedModel]) -> str:
    if not stated:
        number = counted(len(models), "model")
        return f"{number}, each trained on the training side of its fold: checked by the ids of its samples"
    publishers = dict.fromkeys(str(model.about["trained_on"].get("stated_by")) for model in stated)
    return (
        f"{counted(len(models), 'model')} of {listed(publishers)}; that each was trained without its subject is the "
        "publisher's statement, which cannot be checked here"
    )
