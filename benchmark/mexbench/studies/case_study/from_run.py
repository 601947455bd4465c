"""The case study of each row of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mexbench.config.run_config import RowGroup, RunConfig
from mexbench.errors import RunFolderError
from mexbench.evaluation.plan import Plan, RowGroupPlan
from mexbench.interfaces import Sample
from mexbench.runs.run_folder import StoredResult
from mexbench.studies.case_study.caveats import honest_score
from mexbench.studies.case_study.predicted_clips import ClipPredictions, PredictedClip
from mexbench.studies.case_study.summary import numbers, study


def studies(plan: Plan, done: Sequence[StoredResult]) -> dict[str, Any]:
    """Return row -> its case study, for ``scores.json``; empty where the run is not a case study.

    Args:
        plan: The run.
        done: Its results.
    """
    by_row = {}
    for row, (group, model) in plan.by_row.items():
        request = group.part.protocol.instance.case_study
        if request is not None:
            predictions = _predictions(row, group, group.model_flags(model), done)
            if predictions.clips:
                by_row[row] = {
                    "dataset": request.dataset,
                    "trained_on": sorted({s.dataset for s in _trained(group)}),
                    **study(predictions, _coded(group)),
                }
    return by_row


def check_honest(config: RunConfig) -> None:
    """Check before a run that every honest score which it refers to can be read.

    Raises:
        RunFolderError: One cannot.
    """
    for group in config.parts:
        for model in group.models:
            _honest(group, model.name)


def _honest(group: RowGroup, row: str, classes: Sequence[str] = ()) -> dict[str, Any] | None:
    request = group.protocol.instance.case_study
    if request is None or request.reference_run is None:
        return None
    try:
        return honest_score(request.reference_run, row.removesuffix(f" under {group.protocol.name}"), classes)
    except RunFolderError as error:
        raise RunFolderError(f"reference_run of protocol {group.protocol.name!r}: {error}") from None


def _predictions(row: str, group: RowGroupPlan, flags: Sequence[str], done: Sequence[StoredResult]) -> ClipPredictions:
    """Give each clip the class with the highest mean of its scores, over its frames and over seeds."""
    samples = {sample.sample_id: sample for sample in group.data.samples}
    scores: dict[str, list[Sequence[float]]] = {}
    of_clip: dict[str, Sample] = {}
    for result in done:
        if result.task.model == row:
            for name, values in result.scores.items():
                scores.setdefault(samples[name].clip_id, []).append(values)
                of_clip.setdefault(samples[name].clip_id, samples[name])
    clips = [
        PredictedClip(
            clip_id=name,
            subject=of_clip[name].subject,
            condition=of_clip[name].condition,
            emotion=of_clip[name].emotion,
            truth=of_clip[name].label,
            predicted=int(np.mean(values, axis=0).argmax()),
            aus=numbers(of_clip[name].aus),
            scores=tuple(np.mean(values, axis=0).tolist()),
            person=of_clip[name].person,
        )
        for name, values in sorted(scores.items())
    ]
    classes = group.data.classes
    return ClipPredictions(row, classes, tuple(clips), tuple(flags), _honest(group.part, row, classes))


def _trained(group: RowGroupPlan) -> list[Sample]:
    ids = {name for fold in group.folds for name in fold.train}
    return [sample for sample in group.data.samples if sample.sample_id in ids]


def _coded(group: RowGroupPlan) -> Mapping[str, list[frozenset[str]]]:
    """Return class -> the action units of each training clip that has any."""
    clips = {sample.clip_id: sample for sample in _trained(group) if sample.aus}
    by_class: dict[str, list[frozenset[str]]] = {}
    for name in group.data.classes:
        inside = [numbers(sample.aus) for sample in clips.values() if group.data.truth(sample) == name]
        by_class |= {name: inside} if inside else {}
    return by_class
