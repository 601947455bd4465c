"""Where tasks run: in this process, or elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING

from mexbench.runs.task import Outcome, TaskGroup

if TYPE_CHECKING:
    pass
from mexbench.evaluation.task_runner import TaskRunner


class Executor(ABC):
    """Runs units of tasks and hands back outcomes as they come, in any order."""

    @abstractmethod
    def run(self, units: Sequence[TaskGroup], workloads: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        """Run every task, one that fails twice. Closing the generator stops what still runs.

        Args:
            units: What to run.
            workloads: What the tasks of each model need; models may share one.
        """


class Serial(Executor):
    """This process, one task after the other."""

    def run(self, units: Sequence[TaskGroup], workloads: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        """Run every task, in order."""
        for unit in units:
            yield from workloads[unit[0].model].run_group(unit)
