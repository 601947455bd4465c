"""Run what is missing of a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from contextlib import closing
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.plan import Plan, RowGroupPlan, folds_per_group
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.task import Failure, Outcome, Task, TaskGroup

if TYPE_CHECKING:
    from mexbench.runs.model_writer import ModelWriter

Recompute = Literal["missing", "always", "never"]


def run(
    plan: Plan,
    folder: RunFolder,
    executor: Executor,
    *,
    recompute: Recompute = "missing",
    notify: Callable[[Outcome], None] = lambda _: None,
    model_writer: ModelWriter | None = None,
    waiting: Sequence[Task] | None = None,
) -> list[Failure]:
    """Run what is missing and store each outcome as it comes.

    Args:
        plan: What to do.
        folder: Where results lie and go.
        executor: Where tasks run.
        recompute: ``missing`` runs what has no valid result, ``always`` everything, ``never`` nothing.
        notify: Called with every outcome once it is stored.
        model_writer: Keeps each task's predictor, and so says itself what is to be done.
        waiting: What ``missing`` gave, if it was called before.

    Returns:
        The tasks that failed in this call.
    """
    if recompute == "never":
        return []
    if model_writer is not None:
        waiting = model_writer.waiting
    elif recompute == "always":
        waiting = plan.tasks
    elif waiting is None:
        waiting = missing(plan, folder)
    failures: list[Failure] = []
    if waiting:
        wanted = set(waiting)
        units = _units(plan, wanted)
        used = {unit[0].model: plan.by_row[unit[0].model][0] for unit in units}
        parts = {id(part): (_workload(part, model_writer), part.test_ids()) for part in used.values()}
        workloads = {row: parts[id(part)][0] for row, part in used.items()}
        with closing(executor.run(units, workloads)) as outcomes:  # closed at once, not when it is collected as garbage
            for outcome in outcomes:
                if outcome.task not in wanted:  # done before, and done again with the others of its unit
                    continue
                if isinstance(outcome, Failure):
                    folder.write_failure(outcome)
                    failures.append(outcome)
                else:
                    ids = parts[id(used[outcome.task.model])][1]
                    folder.write_result(outcome, ids[outcome.task.fold])
                notify(outcome)
    return failures


def _workload(part: RowGroupPlan, model_writer: ModelWriter | None) -> TaskRunner:
    return part.workload() if model_writer is None else model_writer.given(part.workload())


def _units(plan: Plan, wanted: Set[Task]) -> list[TaskGroup]:
    """Cut the tasks into units, always at the same places: what is done together must not hang on what is missing."""
    size = {
        row: folds_per_group(model.instance, part.arrays, part.part.target)
        for row, (part, model) in plan.by_row.items()
    }
    units: list[TaskGroup] = []
    for _, tasks in groupby(plan.tasks, key=lambda task: (task.model, task.seed)):
        row = list(tasks)
        step = size[row[0].model]
        units += [tuple(row[start : start + step]) for start in range(0, len(row), step)]
    return [unit for unit in units if not wanted.isdisjoint(unit)]


def missing(plan: Plan, folder: RunFolder) -> tuple[Task, ...]:
    """Return the tasks that have no valid result."""
    return tuple(task for task in plan.tasks if folder.read_result(task) is None)
