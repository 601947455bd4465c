"""From stored results to ``predictions.csv`` and ``scores.json``: pooled over folds, joined by sample id."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from mexbench.config.run_config import dataset_title
from mexbench.evaluation.plan import Plan, RowGroupPlan
from mexbench.interfaces import Sample
from mexbench.metrics.classification import LEVEL, REPLICATES, SCORES
from mexbench.metrics.significance import PERMUTATIONS
from mexbench.metrics.summary import Pool, Prediction, compare_rows, figures
from mexbench.reports import run_page as leaderboard
from mexbench.runs.run_folder import RunFolder, StoredResult
from mexbench.studies.case_study import page as study_page
from mexbench.studies.case_study.from_run import studies
from mexbench.tables import competes

SCHEMA = 1
R = TypeVar("R", bound="RunReport")


@dataclass(frozen=True)
class RunReport:
    """What of a plan is done, and its reports; where action units are the target, see ``UnitsResults``.

    Args:
        plan: What was to be done.
        done: Every valid result, in the order of the plan's tasks.
    """

    #: Headers of truth and prediction in ``predictions.csv``, and the name of the page.
    columns: ClassVar[tuple[str, str]] = ("y_true", "y_pred")
    page_name: ClassVar[str] = "leaderboard.md"

    plan: Plan
    done: tuple[StoredResult, ...]

    @property
    def complete(self) -> bool:
        """Whether every task has a result."""
        return len(self.done) == len(self.plan.tasks)

    def predictions(self) -> str:
        """Return the text of ``predictions.csv``: by model in the order of the config, seed, sample id and repeat."""
        classes = self.plan.classes
        samples = {sample.sample_id: sample for part in self.plan.parts for sample in part.data.samples}
        order = {row: index for index, row in enumerate(self.plan.by_row)}
        rows = [
            (order[result.task.model], result.task.seed, sample_id, result.task, values)
            for result in self.done
            for sample_id, values in result.scores.items()
        ]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        fixed = ["model", "seed", "fold", "sample_id", "clip_id", "subject", "dataset", *self.columns]
        writer.writerow([*fixed, *(f"score_{name}" for name in classes)])
        for _, seed, sample_id, task, values in sorted(rows, key=lambda row: row[:3]):
            sample = samples[sample_id]
            writer.writerow(
                [
                    task.model, seed, task.fold, sample_id, sample.clip_id, sample.subject or "", sample.dataset,
                    *self._told(sample, values), *values,
                ]
            )  # fmt: skip
        return stream.getvalue()

    def _told(self, sample: Sample, values: Sequence[float]) -> tuple[str, str]:
        """Return a sample's truth and its prediction, as ``columns`` has them."""
        classes = self.plan.classes
        return "" if sample.label is None else classes[sample.label], classes[int(np.argmax(values))]

    def page(self, scores: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
        """Return the run's page for people."""
        return study_page.joined(leaderboard.markdown(scores, manifest), scores)

    @staticmethod
    def terminal_text(scores: Mapping[str, Any]) -> str:
        """Return what a run prints."""
        parts = [leaderboard.terminal_text(scores)]
        if len(scores["members"]) > 1:
            parts.append(leaderboard.member_table(scores).text())
        if studied := study_page.terminal_text(scores):
            parts.append(studied)
        return "\n\n".join(parts)

    def scores(self) -> dict[str, Any]:
        """Return ``scores.json``: what was done, and a row per model in the order of the config."""
        plan = self.plan
        pools = {row: self._pools(row) for row in plan.by_row}
        rows = [self._row(row, pools[row]) for row in plan.by_row]
        ranks: dict[str, list[int]] = {}
        comparisons: list[dict[str, Any]] = []
        groups = _comparable({row["model"]: pools[row["model"]] for row in rows if competes(row)}, plan)
        for names in groups:
            found, ranked = compare_rows({name: pools[name] for name in names}, len(plan.classes))
            comparisons += found
            ranks |= ranked
        group = {name: index for index, names in enumerate(groups) for name in names}
        return {
            **self._head(),
            "permutations": PERMUTATIONS,
            **({"case_study": studied} if (studied := studies(self.plan, self.done)) else {}),
            "rows": [{**row, "rank": ranks.get(row["model"]), "group": group.get(row["model"])} for row in rows],
            "comparisons": comparisons,
        }

    def _head(self) -> dict[str, Any]:
        """Return what ``scores.json`` says of the run as a whole."""
        plan = self.plan
        supports = [part.data.support() for part in plan.parts]
        return {
            "schema": SCHEMA,
            "complete": self.complete,
            "tasks": {"done": len(self.done), "total": len(plan.tasks)},
            "config": plan.config.name,
            "dataset": dataset_title(plan.config),
            "classes": list(plan.classes),
            "support": supports[0] if all(found == supports[0] for found in supports) else None,
            "members": sorted({member for part in plan.parts for member in part.data.members}),
            "flags": [flag for flag in plan.parts[0].flags if all(flag in part.flags for part in plan.parts)],
            "parts": [_part(part) for part in plan.parts],
            "intervals": {"level": LEVEL, "replicates": REPLICATES, "unit": _unit(plan.parts[0].data.samples)},
        }

    def _row(self, model: str, pools: Sequence[Pool]) -> dict[str, Any]:
        found = {**figures(pools, self.plan.classes), "per_clip": self._per_clip(model)}
        return self._around(model, found, runs=len(pools))

    def _around(self, model: str, figures: Mapping[str, Any], *, runs: int) -> dict[str, Any]:
        """Put around a row's figures what is known of it: where from, how much is done, how long it took, its flags."""
        part, component = self.plan.by_row[model]
        done = [result for result in self.done if result.task.model == model]
        total = sum(task.model == model for task in part.tasks)
        seconds = sum(result.predict_s for result in done)
        return {
            "model": model,
            "protocol": part.part.protocol.name,
            "part": self.plan.parts.index(part),
            "plugin": component.plugin,
            "distribution": component.distribution,
            "tasks": {"done": len(done), "total": total},
            **figures,
            "folds": len({result.task.fold for result in done}),
            "fit_s": sum(result.fit_s for result in done) / runs if runs else None,
            "predict_ms_per_sample": 1e3 * seconds / sum(len(r.scores) for r in done) if runs else None,
            "warnings": _counted(text for result in done for text in result.warnings),
            "flags": [*part.model_flags(component), *(["incomplete"] if len(done) < total else [])],
        }

    def _pools(self, model: str) -> list[Pool]:
        """Join a model's predictions by sample id, for each seed and repeat that has any."""
        part = self.plan.by_row[model][0]
        repeats = {fold.name: fold.repeat for fold in part.folds}
        predicted: dict[tuple[int, int], dict[str, tuple[str, int]]] = {}
        for result in self.done:
            if result.task.model == model:
                inside = predicted.setdefault((result.task.seed, repeats[result.task.fold]), {})
                inside |= {name: (result.task.fold, int(np.argmax(s))) for name, s in result.scores.items()}
        return [
            Pool(
                seed=seed,
                repeat=repeat,
                predictions=tuple(
                    Prediction(s.sample_id, s.group, s.dataset, found[0], s.label, found[1])
                    for s in part.data.samples
                    if (found := predicted[seed, repeat].get(s.sample_id)) is not None and s.label is not None
                ),
            )
            for seed in part.part.seeds
            for repeat in sorted({repeat for other, repeat in predicted if other == seed})
        ]

    def _per_clip(self, model: str) -> dict[str, Any] | None:
        """Score clips where samples are their frames: a clip's scores are the mean of its frames' scores."""
        part = self.plan.by_row[model][0]
        samples = {sample.sample_id: sample for sample in part.data.samples}
        if all(sample.sample_id == sample.clip_id for sample in samples.values()):
            return None
        repeats = {fold.name: fold.repeat for fold in part.folds}
        frames: dict[tuple[int, int], dict[str, list[Sequence[float]]]] = {}
        for result in self.done:
            if result.task.model == model:
                clips = frames.setdefault((result.task.seed, repeats[result.task.fold]), {})
                for name, values in result.scores.items():
                    clips.setdefault(samples[name].clip_id, []).append(values)
        of_clip = {sample.clip_id: sample for sample in samples.values()}
        pools = [
            Pool(
                seed=seed,
                repeat=repeat,
                predictions=tuple(
                    Prediction(
                        clip, of_clip[clip].group, of_clip[clip].dataset, "", label,
                        int(np.mean(values, axis=0).argmax()),
                    )
                    for clip, values in sorted(clips.items())
                    if (label := of_clip[clip].label) is not None
                ),
            )
            for (seed, repeat), clips in sorted(frames.items())
        ]  # fmt: skip
        found = figures(pools, part.data.classes)
        return {**{name: found[name] for name in (*SCORES, "ci", "confusion")}, "n_clips": found["n_samples"]}


def _comparable(pools: Mapping[str, Sequence[Pool]], plan: Plan) -> list[list[str]]:
    """Bring together the rows that were asked about the same samples under the same protocol."""
    groups: dict[object, list[str]] = {}
    for row, inside in pools.items():
        asked = frozenset((pool.seed, pool.repeat, p.sample_id, p.fold) for pool in inside for p in pool.predictions)
        groups.setdefault((plan.by_row[row][0].part.protocol.name, asked), []).append(row)
    return list(groups.values())


def _part(part: RowGroupPlan) -> dict[str, Any]:
    """Return what is true of a part: the rows that share samples, input and protocol."""
    data, seen = part.data, part.part.input
    return {
        "rows": [model.name for model in part.part.models],
        "protocol": part.part.protocol.name,
        "unit": seen.frames.unit if seen.frames else "clip",
        "preprocess": [step.plugin for step in seen.preprocess],
        "dataset_fingerprint": data.fingerprint,
        "samples": len(data.samples),
        "support": data.support(),
        "unlabelled": sum(sample.label is None for sample in data.samples),
        "folds": [fold.name for fold in part.folds],
        "tested": len({name for fold in part.folds for name in fold.test}),
        "left_out": {reason: len(ids) for reason, ids in data.left_out.items()},
        "notes": dict(part.arrays.notes),
        "flags": list(part.flags),
    }


def collect(plan: Plan, folder: RunFolder, kind: type[R] = RunReport) -> R:
    """Read every valid result of a plan."""
    found = (folder.read_result(task) for task in plan.tasks)
    return kind(plan, tuple(result for result in found if result is not None))


def _counted(texts: Iterable[str]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    return counts


def _unit(samples: Sequence[Sample]) -> str:
    return "clip" if all(sample.subject is None for sample in samples) else "subject"
