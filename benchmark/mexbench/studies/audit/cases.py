"""What the audit takes from a run (samples, honest folds, predictions), and how its own trainings are stored."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.config.frame_selection import FrameSelection
from mexbench.config.run_config import Input, RunConfig, dataset_title
from mexbench.data.arrays import Progress
from mexbench.data.cache import Cache
from mexbench.errors import BenchError, ProtocolError
from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.plan import Plan, RowGroupPlan, folds_per_group
from mexbench.evaluation.plan import plan as make_plan
from mexbench.evaluation.split_checks import UNKNOWN_SUBJECTS
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.fingerprint import digest
from mexbench.interfaces import Fold, Model, Sample
from mexbench.metrics.predictions import Predictions
from mexbench.runs.run_folder import RunFolder, StoredResult
from mexbench.runs.task import Failure, Outcome, Task, TaskGroup

#: Predicted class indices (runs, n), -1 where a run does not test a sample.
Predicted = NDArray[np.int64]
#: Frames of a clip, where an audit makes samples of them and the run does not.
FRAMES = 8


@dataclass(frozen=True)
class Case:
    """One model of a run, on its data, under the run's own protocol.

    Args:
        model: Its name.
        instance: The model.
        samples: The samples of the run, labelled.
        classes: Class names.
        folds: The honest splits.
        seeds: Of the run.
        workload: Data, folds and model for the executors.
        tasks: The honest tasks of this model, by seed, then fold.
        folds_per_group: How many folds are trained at once.
        plugin: Name of the model's plugin.
    """

    model: str
    instance: Model
    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]
    seeds: tuple[int, ...]
    workload: TaskRunner
    tasks: tuple[Task, ...]
    folds_per_group: int
    plugin: str = ""

    @cached_property
    def y(self) -> NDArray[np.intp]:
        """Class index of each sample (n,)."""
        return np.array([sample.label or 0 for sample in self.samples], dtype=np.intp)

    @cached_property
    def groups(self) -> NDArray[np.intp]:
        """Subject of each sample (n,), as a number from 0 to the number of subjects."""
        return np.unique([sample.group for sample in self.samples], return_inverse=True)[1]

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Sample id -> position."""
        return {sample.sample_id: index for index, sample in enumerate(self.samples)}

    @cached_property
    def repeats(self) -> Mapping[str, int]:
        """Fold -> repeat."""
        return {fold.name: fold.repeat for fold in self.folds}

    @property
    def x(self) -> NDArray[Any]:
        """What the model sees of every sample (n, T, ...)."""
        return self.workload.x

    def sides(self) -> dict[str, tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Return the positions of each honest fold's training and test side, rising."""
        return dict(self.workload.folds)

    def job(self, place: str, *, recipe: object, folds_per_group: int = 1, model: Model | None = None,
            folds: Mapping[str, tuple[NDArray[np.intp], NDArray[np.intp]]] | None = None,
            width: int | None = None) -> Job:  # fmt: skip
        """Return trainings of this model on this data that differ from those of the run.

        Args:
            place: Where they are stored, below the audit's folder.
            recipe: JSON value: all that decides the results beside the honest tasks.
            folds_per_group: How many folds are trained at once.
            model: What is trained in the model's place.
            folds: What trains and tests in place of the run's folds.
            width: Number of scores of a sample, where it is not that of the classes.
        """
        sides = self.sides() if folds is None else dict(folds)
        workload = dataclasses.replace(
            self.workload,
            folds=sides,
            models={self.model: model or self.instance},
            n_classes=width or self.workload.n_classes,
            tunings=self.workload.tunings if model is None else {},  # what takes the model's place is not tuned
        )
        run_digests = {seed: digest([t.fingerprint for t in self.tasks if t.seed == seed]) for seed in self.seeds}
        tasks = tuple(
            Task(self.model, seed, name, digest([run_digests[seed], place, recipe, train.tolist(), test.tolist()]))
            for seed in self.seeds
            for name, (train, test) in sides.items()
        )
        ids = {name: [self.samples[i].sample_id for i in test] for name, (_, test) in sides.items()}
        return Job(place, workload, tasks, folds_per_group, ids)

    def predicted(self, results: Sequence[StoredResult], repeats: Mapping[str, int]) -> Predicted:
        """Join results by sample id: one row per seed and repeat."""
        tested = ((r.task.seed, repeats[r.task.fold], r.task.fold, r.scores) for r in results)
        predictions = Predictions.join(self.samples, self.y, tested, len(self.classes))
        return predictions.predicted_by_run([sample.sample_id for sample in self.samples])

    def counts(self, predicted: Predicted) -> NDArray[np.int64]:
        """Count truths and predictions by subject (runs, subjects, K, K)."""
        n_classes = len(self.classes)
        counts = np.zeros((len(predicted), self.groups.max() + 1, n_classes, n_classes), dtype=np.int64)
        run, sample = np.nonzero(predicted >= 0)
        np.add.at(counts, (run, self.groups[sample], self.y[sample], predicted[run, sample]), 1)
        return counts


#: Row -> the same row with frames as samples; or the reason why such a run is impossible.
Frames = Mapping[str, Case] | str


@dataclass(frozen=True)
class Job:
    """Trainings of one model that are stored together.

    Args:
        place: Where, below the audit's folder.
        workload: What they need.
        tasks: By seed, then fold.
        folds_per_group: How many folds are trained at once.
        ids: Sample ids of each fold's test side.
    """

    place: str
    workload: TaskRunner
    tasks: tuple[Task, ...]
    folds_per_group: int
    ids: Mapping[str, Sequence[str]]

    @cached_property
    def by_fold(self) -> Mapping[tuple[int, str], Task]:
        """Seed and fold -> the task."""
        return {(task.seed, task.fold): task for task in self.tasks}

    def folder(self, root: Path) -> RunFolder:
        """Return the folder of the results."""
        return RunFolder(root / self.place)

    def done(self, root: Path) -> list[StoredResult]:
        """Return the stored results, in the order of the tasks."""
        folder = self.folder(root)
        return [result for task in self.tasks if (result := folder.read_result(task)) is not None]

    def run(self, root: Path, executor: Executor) -> Generator[Outcome]:
        """Run the missing tasks; store each outcome and yield it."""
        folder = self.folder(root)
        missing = {task for task in self.tasks if folder.read_result(task) is None}
        units = [unit for unit in self._units() if not missing.isdisjoint(unit)]
        if not units:
            return
        with closing(executor.run(units, {units[0][0].model: self.workload})) as outcomes:
            for outcome in outcomes:
                if outcome.task in missing:
                    if isinstance(outcome, Failure):
                        folder.write_failure(outcome)
                    else:
                        folder.write_result(outcome, self.ids[outcome.task.fold])
                    yield outcome

    def _units(self) -> Iterator[TaskGroup]:
        """Cut the tasks as an honest run does."""
        for _, tasks in groupby(self.tasks, key=lambda task: task.seed):
            row = list(tasks)
            yield from (
                tuple(row[start : start + self.folds_per_group]) for start in range(0, len(row), self.folds_per_group)
            )


def honest_parts(plan: Plan) -> list[RowGroupPlan]:
    """Return the parts of a run that leaks can be compared with.

    Raises:
        ProtocolError: The run itself is flagged as leaky.
    """
    parts = [part for part in plan.parts if part.part.protocol.instance.subject_independent]
    bad = sorted({flag for part in parts for flag in part.flags if flag.startswith(("leak:", UNKNOWN_SUBJECTS))})
    if bad:
        raise ProtocolError(
            f"the run is flagged {', '.join(bad)}: an audit compares leaks with an honest run; fix the data first"
        )
    return parts


def check_not_leaky(config: RunConfig) -> None:
    """Refuse a config none of whose protocols keeps people apart.

    Raises:
        ProtocolError: With the protocols that do.
    """
    if any(protocol.instance.case_study for protocol in config.protocols):
        raise ProtocolError("a case study tests nothing, so no leak can add to it: audit a run under loso instead")
    if not any(protocol.instance.subject_independent for protocol in config.protocols):
        names = ", ".join(repr(protocol.name) for protocol in config.protocols)
        raise ProtocolError(
            f"protocol {names} does not keep people apart: an audit starts from an honest run and adds one leak at a "
            "time; choose loso, or kfold or holdout with 'group: subject', as in --set protocol=loso"
        )


def cases(parts: Iterable[RowGroupPlan], config: RunConfig) -> list[Case]:
    """Return the rows of parts as cases, in the order of the config."""
    by_row = {}
    for part in parts:
        workload = part.task_runner()
        for component in part.part.models:
            by_row[component.name] = Case(
                model=component.name,
                instance=component.instance,
                samples=part.data.samples,
                classes=part.data.classes,
                folds=part.folds,
                seeds=part.part.seeds,
                workload=workload,
                tasks=tuple(task for task in part.tasks if task.model == component.name),
                folds_per_group=folds_per_group(component, part.arrays),
                plugin=component.plugin,
            )
    return [by_row[row] for row in config.rows if row in by_row]


def frame_level(part: RowGroupPlan, config: RunConfig, cache: Cache, progress: Progress = lambda _: None) -> Frames:
    """Plan the same rows with frames for samples.

    Returns:
        Row -> its case, nothing where the samples are frames already; or the reason why such a run is impossible.
    """
    frames, dataset = part.part.input.frames, part.part.dataset
    if frames is not None and frames.unit == "frame":
        return {}
    if not dataset.instance.frame_numbers(part.data.sources[0].clip):
        return f"a clip of {dataset.plugin} is not a sequence of frames"
    frame_input = Input(FrameSelection(unit="frame", count=FRAMES), part.part.input.preprocess)
    unchanged = {"protocols": (part.part.protocol,), "models": part.part.models, "inputs": {}}
    try:
        frame_plan = make_plan(dataclasses.replace(config, input=frame_input, **unchanged), cache, progress)
    except BenchError as error:
        return f"single frames do not go through this config: {error}".partition("\n")[0]
    return {case.model: case for case in cases(frame_plan.parts, frame_plan.config)}


def facts(part: RowGroupPlan) -> dict[str, Any]:
    """Return what the plan of some rows says about itself, for the info sheet."""
    frames, steps = part.part.input.frames, [step.plugin for step in part.part.input.preprocess]
    sources = [member.instance.source for member in part.part.members]
    licences = [member.instance.licence for member in part.part.members]
    unit = "one frame" if frames and frames.unit == "frame" else "one clip"
    return {
        "rows": {model.name: json.dumps(model.identity()) for model in part.part.models},
        "dataset": dataset_title(part.part),
        "samples": len(part.data.samples),
        "clips": len(part.data.sources),
        "subjects": len(part.data.subjects),
        "sources": [text for text in dict.fromkeys(sources) if text],
        "licences": [text for text in dict.fromkeys(licences) if text],
        "protocol": json.dumps(part.part.protocol.identity()),
        "sizes": [(len(fold.train), len(fold.test)) for fold in part.folds],
        "steps": steps,
        "copies": 0 if part.arrays.copies is None else part.arrays.copies.shape[1],
        "flags": list(part.flags),
        "shape": part.arrays.x.shape[1:],
        "dtype": part.arrays.x.dtype.name,
        "input": f"{unit}, " + (f"after {', '.join(steps)}" if steps else "as the data set gives it"),
        "annotated": list(frames.at or ()) if frames else [],
        "left_out": part.data.excluded,
    }
