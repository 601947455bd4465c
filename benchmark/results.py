"""From stored results to ``predictions.csv`` and ``scores.json``: pooled over folds, joined by sample id."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.config import dataset_title
from benchmark.engine import Plan, model_flags
from benchmark.interfaces import Sample
from benchmark.metrics import (
    HEADLINE,
    LEVEL,
    REPLICATES,
    SCORES,
    by_cluster,
    confusion_matrix,
    per_class,
    scores,
    subject_bootstrap,
)
from benchmark.store import RunFolder, StoredResult

SCHEMA = 1


@dataclass(frozen=True)
class Results:
    """What of a plan is done.

    Args:
        plan: What was to be done.
        done: Every valid result, in the order of the plan's tasks.
    """

    plan: Plan
    done: tuple[StoredResult, ...]

    @property
    def complete(self) -> bool:
        """Whether every task has a result."""
        return len(self.done) == len(self.plan.tasks)

    def predictions(self) -> str:
        """Return the text of ``predictions.csv``: by model in the order of the config, seed and sample id."""
        classes = self.plan.data.classes
        samples = {sample.sample_id: sample for sample in self.plan.data.samples}
        order = {model.name: index for index, model in enumerate(self.plan.config.models)}
        rows = [
            (order[result.task.model], result.task.seed, sample_id, result.task, values)
            for result in self.done
            for sample_id, values in result.scores.items()
        ]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        fixed = ["model", "seed", "fold", "sample_id", "clip_id", "subject", "dataset", "y_true", "y_pred"]
        writer.writerow([*fixed, *(f"score_{name}" for name in classes)])
        for _, seed, sample_id, task, values in sorted(rows, key=lambda row: row[:3]):
            sample = samples[sample_id]
            writer.writerow(
                [
                    task.model, seed, task.fold, sample_id, sample.clip_id, sample.subject or "", sample.dataset,
                    classes[_label(sample)], classes[int(np.argmax(values))], *values,
                ]
            )  # fmt: skip
        return stream.getvalue()

    def scores(self) -> dict[str, Any]:
        """Return the content of ``scores.json``."""
        plan, data = self.plan, self.plan.data
        return {
            "schema": SCHEMA,
            "complete": self.complete,
            "tasks": {"done": len(self.done), "total": len(plan.tasks)},
            "config": plan.config.name,
            "dataset": dataset_title(plan.config),
            "dataset_fingerprint": data.fingerprint,
            "protocol": plan.config.protocol.plugin,
            "preprocess": [step.plugin for step in plan.config.preprocess],
            "classes": list(data.classes),
            "support": data.support(),
            "members": data.members,
            "left_out": {reason: len(ids) for reason, ids in data.left_out.items()},
            "notes": dict(plan.arrays.notes),
            "flags": list(plan.flags),
            "intervals": {"level": LEVEL, "replicates": REPLICATES, "unit": _unit(data.samples)},
            "rows": [self._row(model.name) for model in plan.config.models],
        }

    def _row(self, model: str) -> dict[str, Any]:
        """Score one model: the mean over seeds of the score pooled over folds."""
        plan = self.plan
        component = next(found for found in plan.config.models if found.name == model)
        done = [result for result in self.done if result.task.model == model]
        total = sum(task.model == model for task in plan.tasks)
        flags = [*model_flags(plan)[model], *(["incomplete"] if len(done) < total else [])]
        pooled = [pool for seed in plan.config.seeds if (pool := _Pool.of(plan, seed, done)) is not None]
        row: dict[str, Any] = {
            "model": model,
            "plugin": component.plugin,
            "distribution": component.distribution,
            "tasks": {"done": len(done), "total": total},
            **dict.fromkeys(SCORES),
            "spread": dict.fromkeys(SCORES),
            "ci": dict.fromkeys(HEADLINE),
            "by_dataset": {},
            "per_class": {},
            "confusion": None,
            "per_seed": [],
            "n_samples": 0,
            "n_subjects": 0,
            "folds": len({result.task.fold for result in done}),
            "seeds": [pool.seed for pool in pooled],
            "fit_s": None,
            "predict_ms_per_sample": None,
            "warnings": _counted(text for result in done for text in result.warnings),
            "flags": flags,
        }
        if not pooled:
            return row
        names = plan.data.classes
        matrices = np.stack([pool.confusion() for pool in pooled])
        scored = scores(matrices)
        classes = per_class(matrices)
        tested = {sample.sample_id: sample for pool in pooled for sample in pool.samples}
        row |= {name: float(scored[name].mean()) for name in SCORES}
        row["spread"] = {name: _spread(scored[name]) for name in SCORES}
        row["per_seed"] = [
            {
                "seed": pool.seed,
                **{name: float(scored[name][i]) for name in SCORES},
                "confusion": matrices[i].tolist(),
            }
            for i, pool in enumerate(pooled)
        ]
        row["per_class"] = {
            name: {key: float(values[:, index].mean()) for key, values in classes.items()}
            for index, name in enumerate(names)
        }
        row["confusion"] = matrices.sum(axis=0).tolist()
        row["by_dataset"] = {member: _member(pooled, member) for member in sorted({s.dataset for s in tested.values()})}
        groups = sorted({sample.group for sample in tested.values()})
        row["ci"] = {
            name: list(interval)
            for name, interval in subject_bootstrap(np.stack([pool.by_group(groups) for pool in pooled])).items()
        }
        row["n_samples"] = len(tested)
        row["n_subjects"] = len(groups)
        row["fit_s"] = sum(result.fit_s for result in done) / len(pooled)
        row["predict_ms_per_sample"] = 1e3 * sum(r.predict_s for r in done) / sum(len(r.scores) for r in done)
        return row


@dataclass(frozen=True)
class _Pool:
    """The predictions of one model and seed over all folds that are done, joined by sample id."""

    seed: int
    n_classes: int
    samples: tuple[Sample, ...]
    predicted: tuple[int, ...]

    @staticmethod
    def of(plan: Plan, seed: int, done: Iterable[StoredResult]) -> _Pool | None:
        predicted = {
            sample_id: int(np.argmax(values))
            for result in done
            if result.task.seed == seed
            for sample_id, values in result.scores.items()
        }
        samples = tuple(sample for sample in plan.data.samples if sample.sample_id in predicted)
        if not samples:
            return None
        return _Pool(seed, len(plan.data.classes), samples, tuple(predicted[sample.sample_id] for sample in samples))

    def confusion(self) -> NDArray[np.int64]:
        """Count (K, K) over all samples."""
        truth = [_label(sample) for sample in self.samples]
        return confusion_matrix(truth, self.predicted, self.n_classes)

    def of_member(self, dataset: str) -> _Pool:
        """Keep the samples of one member dataset."""
        kept = [pair for pair in zip(self.samples, self.predicted, strict=True) if pair[0].dataset == dataset]
        return replace(self, samples=tuple(sample for sample, _ in kept), predicted=tuple(label for _, label in kept))

    def by_group(self, groups: Sequence[str]) -> NDArray[np.int64]:
        """Count (subjects, K, K)."""
        truth = [_label(sample) for sample in self.samples]
        return by_cluster(truth, self.predicted, [sample.group for sample in self.samples], groups, self.n_classes)


def collect(plan: Plan, folder: RunFolder) -> Results:
    """Read every valid result of a plan."""
    found = (folder.read_result(task) for task in plan.tasks)
    return Results(plan, tuple(result for result in found if result is not None))


def _member(pools: Sequence[_Pool], member: str) -> dict[str, float | int]:
    kept = [pool.of_member(member) for pool in pools]
    matrices = np.stack([pool.confusion() for pool in kept if pool.samples])
    scored = scores(matrices)
    return {
        **{name: float(scored[name].mean()) for name in HEADLINE},
        "n_samples": int(matrices[0].sum()),
    }


def _label(sample: Sample) -> int:
    if sample.label is None:
        raise ValueError(f"sample {sample.sample_id} has no label")
    return sample.label


def _spread(values: NDArray[np.float64]) -> float | None:
    """Return the standard deviation over seeds (n - 1), or None for a single seed."""
    return statistics.stdev(values.tolist()) if len(values) > 1 else None


def _counted(texts: Iterable[str]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    return counts


def _unit(samples: Sequence[Sample]) -> str:
    return "clip" if all(sample.subject is None for sample in samples) else "subject"
