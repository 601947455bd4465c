"""The case study of each row of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mexbench.config.run_config import RowGroup, RunConfig
from mexbench.evaluation.plan import Plan, RowGroupPlan
from mexbench.interfaces import Sample
from mexbench.runs.run_folder import StoredResult
from mexbench.studies.case_study.caveats import honest_score
from mexbench.studies.case_study.predicted_clips import ClipPredictions, PredictedClip
from mexbench.studies.case_study.summary import numbers, study


def studies(plan: Plan, done: Sequence[StoredResult]) -> dict[str, Any]:
    """Return row -> its case study, for ``scores.json``; nothing where the run is none.

    Args:
        plan: The run.
        done: Its results.
    """
    found = {}
    for row, (part, model) in plan.by_row.items():
        asked = part.part.protocol.instance.case_study
        if asked is not None:
            predictions = _predictions(row, part, part.model_flags(model), done)
            if predictions.clips:
                found[row] = {
                    "dataset": asked.dataset,
                    "trained_on": sorted({s.dataset for s in _trained(part)}),
                    **study(predictions, _coded(part)),
                }
    return found


def check_honest(config: RunConfig) -> None:
    """See before a run that every honest score which is asked for is there.

    Raises:
        RunFolderError: One is not.
    """
    for part in config.parts:
        for model in part.models:
            _honest(part, model.name)


def _honest(part: RowGroup, row: str, classes: Sequence[str] = ()) -> dict[str, Any] | None:
    asked = part.protocol.instance.case_study
    if asked is None or asked.reference_run is None:
        return None
    return honest_score(asked.reference_run, row.removesuffix(f" under {part.protocol.name}"), classes)


def _predictions(row: str, part: RowGroupPlan, flags: Sequence[str], done: Sequence[StoredResult]) -> ClipPredictions:
    """Give each clip the class with the highest mean of its scores, over its frames and over seeds."""
    samples = {sample.sample_id: sample for sample in part.data.samples}
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
        )
        for name, values in sorted(scores.items())
    ]
    classes = part.data.classes
    return ClipPredictions(row, classes, tuple(clips), tuple(flags), _honest(part.part, row, classes))


def _trained(part: RowGroupPlan) -> list[Sample]:
    ids = {name for fold in part.folds for name in fold.train}
    return [sample for sample in part.data.samples if sample.sample_id in ids]


def _coded(part: RowGroupPlan) -> Mapping[str, list[frozenset[str]]]:
    """Return class -> the action units of each training clip that has any."""
    clips = {sample.clip_id: sample for sample in _trained(part) if sample.aus}
    found: dict[str, list[frozenset[str]]] = {}
    for name in part.data.classes:
        inside = [numbers(sample.aus) for sample in clips.values() if part.data.truth(sample) == name]
        found |= {name: inside} if inside else {}
    return found
