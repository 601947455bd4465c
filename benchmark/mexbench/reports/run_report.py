"""From stored results to ``predictions.csv`` and ``scores.json``: pooled over folds, joined by sample id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mexbench.config.run_config import dataset_title
from mexbench.evaluation.plan import Plan, RowGroupPlan
from mexbench.interfaces import Sample
from mexbench.metrics.action_units import THRESHOLD
from mexbench.metrics.classification import LEVEL, REPLICATES, SCORES
from mexbench.metrics.health import health_flags, mean_health
from mexbench.metrics.predictions import Predictions
from mexbench.metrics.significance import PERMUTATIONS
from mexbench.metrics.spotting.matching import IOU
from mexbench.metrics.spotting.summary import SpottingPool
from mexbench.metrics.spotting.summary import figures as spotting_figures
from mexbench.metrics.summary import compare_rows, figures
from mexbench.reports import action_units_page, claimed_and_measured, run_page, spotting_page
from mexbench.reports.claimed_and_measured import compare_with_claims
from mexbench.reports.spotting_results import above_null, predictions_text, spotting_pools
from mexbench.reports.tuning_table import TUNING_NOTE, tuning_lines, tuning_table
from mexbench.runs.predictions_table import tables_text
from mexbench.runs.run_folder import RunFolder, StoredResult
from mexbench.runs.tuning_record import tuning_summary
from mexbench.studies.case_study import page as study_page
from mexbench.studies.case_study.from_run import studies
from mexbench.tables import competes

SCHEMA = 1


@dataclass(frozen=True)
class RunReport:
    """What of a plan is done, and its reports.

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

    @property
    def of_action_units(self) -> bool:
        """Whether action units are the target."""
        return self.plan.config.target == "action_units"

    @property
    def of_spotting(self) -> bool:
        """Whether intervals of long videos are the target."""
        return self.plan.config.target == "spotting"

    @property
    def page_name(self) -> str:
        """The name of the page."""
        return "leaderboard.md" if self.plan.config.target == "emotion" else f"{self.plan.config.target}.md"

    @cached_property
    def pools(self) -> Mapping[str, Sequence[SpottingPool]]:
        """Row -> what it spotted in each video, where that is the target."""
        return {
            row: spotting_pools(part, (result for result in self.done if result.task.model == row))
            for row, (part, _) in self.plan.by_row.items()
        }

    @cached_property
    def tables(self) -> Mapping[str, Predictions]:
        """Row -> its predictions, joined with what is known of the samples; in the order of the config."""
        return {row: self._table(row) for row in self.plan.by_row}

    def _table(self, row: str) -> Predictions:
        part, _ = self.plan.by_row[row]
        repeats = {fold.name: fold.repeat for fold in part.folds}
        results = (
            (result.task.seed, repeats[result.task.fold], result.task.fold, result.scores)
            for result in self.done
            if result.task.model == row
        )
        return Predictions.join(part.data.samples, part.data.truths(), results, len(self.plan.classes))

    def predictions(self) -> str:
        """Return the text of ``predictions.csv``."""
        if self.of_spotting:
            return predictions_text(self.pools)
        return tables_text(self.tables, self.plan.classes)

    def page(self, scores: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
        """Return the run's page for people."""
        if self.of_spotting:
            return spotting_page.markdown(scores, manifest)
        if self.of_action_units:
            return action_units_page.markdown(scores, manifest) + self._chosen(scores)
        return study_page.joined(run_page.markdown(scores, manifest), scores) + self._chosen(scores)

    @staticmethod
    def _chosen(scores: Mapping[str, Any]) -> str:
        table = tuning_table(scores["rows"])
        return f"\n## Chosen inside each training side\n\n{table.markdown()}\n\n{TUNING_NOTE}\n" if table.rows else ""

    def scores(self) -> dict[str, Any]:
        """Return ``scores.json``: what was done, and a row per model in the order of the config."""
        rows = [self._row(row) for row in self.plan.by_row]
        if self.of_spotting:
            return {**self._head(), "target": "spotting", "iou": IOU, "rows": above_null(rows, self.pools)}
        if self.of_action_units:
            return {**self._head(), "target": "action_units", "threshold": THRESHOLD, "rows": rows}
        ranks: dict[str, list[int] | None] = {}
        comparisons: list[dict[str, Any]] = []
        groups = self._comparable([row["model"] for row in rows if competes(row)])
        for names in groups:
            compared, ranked = compare_rows({name: self.tables[name] for name in names})
            comparisons += compared
            ranks |= ranked
        group = {name: index for index, names in enumerate(groups) for name in names}
        return {
            **self._head(),
            "permutations": PERMUTATIONS,
            **({"paper": claims} if (claims := compare_with_claims(self.plan.config, rows)) else {}),
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
            "support": supports[0] if all(support == supports[0] for support in supports) else None,
            "members": sorted({member for part in plan.parts for member in part.data.members}),
            "flags": [flag for flag in plan.parts[0].flags if all(flag in part.flags for part in plan.parts)],
            "parts": [_part(part) for part in plan.parts],
            "intervals": {"level": LEVEL, "replicates": REPLICATES, "unit": _unit(plan.parts[0].data.samples)},
        }

    def _row(self, model: str) -> dict[str, Any]:
        """Return a row's scores and what is known of it: where from, how much is done, how long it took, its flags."""
        scored, runs = self._figures(model)
        part, component = self.plan.by_row[model]
        done = [result for result in self.done if result.task.model == model]
        total = sum(task.model == model for task in part.tasks)
        healths = [result.health for result in done]
        seconds = sum(result.predict_s for result in done)
        processor = [result.processor_s for result in done if result.processor_s is not None]
        records = [result.tuning for result in done if result.tuning is not None]
        return {
            "model": model,
            "protocol": part.part.protocol.name,
            "part": self.plan.parts.index(part),
            "plugin": component.plugin,
            "distribution": component.distribution,
            "tasks": {"done": len(done), "total": total},
            **scored,
            "folds": len({result.task.fold for result in done}),
            "fit_s": sum(result.fit_s for result in done) / runs if runs else None,
            "processor_s": sum(processor) / runs if runs and len(processor) == len(done) else None,
            "predict_ms_per_sample": 1e3 * seconds / sum(len(r.scores) for r in done) if runs else None,
            "warnings": _counted(text for result in done for text in result.warnings),
            "health": mean_health(healths) or None,
            **({"tuning": chosen} if (chosen := tuning_summary(records, runs)) else {}),
            **({"selection": component.selection} if component.selection else {}),
            "flags": [
                *part.model_flags(component),
                *(["incomplete"] if len(done) < total else []),
                *health_flags(healths),
            ],
        }

    def _figures(self, model: str) -> tuple[dict[str, Any], int]:
        """Return a row's scores, and how many seeds and repeats they are the mean of."""
        if self.of_spotting:
            return spotting_figures(self.pools[model]), len(self.pools[model])
        table = self.tables[model]
        scored = figures(table, self.plan.classes)
        if not self.of_action_units:
            scored["per_clip"] = self._per_clip(model)
        return scored, len(table.runs)

    def _per_clip(self, model: str) -> dict[str, Any] | None:
        """Score clips where samples are their frames: a clip's scores are the mean of its frames' scores."""
        part, _ = self.plan.by_row[model]
        if all(sample.sample_id == sample.clip_id for sample in part.data.samples):
            return None
        scored = figures(self.tables[model].per_clip(), part.data.classes)
        return {**{name: scored[name] for name in (*SCORES, "ci", "confusion")}, "n_clips": scored["n_samples"]}

    def _comparable(self, rows: Sequence[str]) -> list[list[str]]:
        """Bring together the rows that were tested on the same samples under the same protocol."""
        groups: dict[object, list[str]] = {}
        for row in rows:
            table = self.tables[row].labelled()
            tested = frozenset(zip(table.keys, table.fold, strict=True))
            groups.setdefault((self.plan.by_row[row][0].part.protocol.name, tested), []).append(row)
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
        "unlabelled": 0 if data.target == "spotting" else sum(sample.label is None for sample in data.samples),
        "folds": [fold.name for fold in part.folds],
        "tested": len({name for fold in part.folds for name in fold.test}),
        "left_out": {reason: len(ids) for reason, ids in data.excluded.items()},
        "notes": dict(part.arrays.notes),
        "flags": list(part.flags),
    }


def terminal_text(scores: Mapping[str, Any]) -> str:
    """Return what a run prints: its tables, and a warning below them where the data is made up."""
    if scores.get("target") == "spotting":
        parts = [spotting_page.terminal_text(scores)]
    elif scores.get("target") == "action_units":
        parts = [action_units_page.terminal_text(scores)]
    else:
        parts = [run_page.terminal_text(scores)]
        if len(scores["members"]) > 1 and not run_page.nothing_scored(scores):
            parts.append(run_page.member_table(scores).text())
        if studied := study_page.terminal_text(scores):
            parts.append(studied)
    parts += tuning_lines(scores["rows"])
    if "synthetic" in scores["flags"]:
        parts.append("synthetic data: these figures say nothing about real faces")
    if claims := scores.get("paper"):
        parts.append(claimed_and_measured.terminal_text(claims))
    return "\n\n".join(parts)


def collect(plan: Plan, folder: RunFolder) -> RunReport:
    """Read every valid result of a plan."""
    results = (folder.read_result(task) for task in plan.tasks)
    return RunReport(plan, tuple(result for result in results if result is not None))


def _counted(texts: Iterable[str]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    return counts


def _unit(samples: Sequence[Sample]) -> str:
    return "clip" if all(sample.subject is None for sample in samples) else "subject"
