"""Run what is missing of a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from typing import Literal

from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.plan import Plan, folds_per_group
from mexbench.runs.model_writer import ModelWriter
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.task import Failure, Outcome, Task, TaskGroup

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
        folder: Where results are stored.
        executor: Where tasks run.
        recompute: ``missing`` runs what has no valid result, ``always`` everything, ``never`` nothing.
        notify: Called with every outcome once it is stored.
        model_writer: Saves each task's predictor, and so decides what is to be done. One of scope ``all`` saves none of
            them and is sent along, so that workers which could not write its models are refused before the first task.
        waiting: Which of them to run; by default what ``recompute`` says.

    Returns:
        The tasks that failed in this call.
    """
    if recompute == "never":
        return []
    if model_writer is not None and model_writer.scope == "task":
        waiting = model_writer.waiting
    elif waiting is None:
        waiting = plan.tasks if recompute == "always" else missing(plan, folder)
    failures: list[Failure] = []
    if waiting:
        wanted = set(waiting)
        groups = _task_groups(plan, wanted)
        used = {group[0].model: plan.by_row[group[0].model][0] for group in groups}
        parts = {
            id(part): (replace(part.task_runner(), model_writer=model_writer), part.test_ids())
            for part in used.values()
        }
        runners = {row: parts[id(part)][0] for row, part in used.items()}
        with closing(executor.run(groups, runners)) as outcomes:  # closed at once, not when it is collected as garbage
            for outcome in outcomes:
                if outcome.task not in wanted:  # done before, and done again with the others of its group
                    continue
                if isinstance(outcome, Failure):
                    folder.write_failure(outcome)
                    failures.append(outcome)
                else:
                    ids = parts[id(used[outcome.task.model])][1]
                    folder.write_result(outcome, ids[outcome.task.fold])
                notify(outcome)
    return failures


def _task_groups(plan: Plan, wanted: Set[Task]) -> list[TaskGroup]:
    """Cut the tasks into groups, always at the same places: what trains together must not depend on what is missing."""
    size = {row: folds_per_group(model, part.arrays, part.part.target) for row, (part, model) in plan.by_row.items()}
    groups: list[TaskGroup] = []
    for _, tasks in groupby(plan.tasks, key=lambda task: (task.model, task.seed)):
        row = list(tasks)
        step = size[row[0].model]
        groups += [tuple(row[start : start + step]) for start in range(0, len(row), step)]
    return [group for group in groups if not wanted.isdisjoint(group)]


def missing(plan: Plan, folder: RunFolder) -> tuple[Task, ...]:
    """Return the tasks that have no valid result."""
    return tuple(task for task in plan.tasks if folder.read_result(task) is None)
