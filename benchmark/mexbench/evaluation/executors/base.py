"""What an executor is, and the one that runs tasks in this process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from typing import Self

from mexbench.evaluation.task_runner import TaskRunner
from mexbench.runs.task import Outcome, TaskGroup


class Executor(ABC):
    """Runs task groups and yields outcomes as they come, in any order.

    As a context manager it may reuse what it has started for the next run, until the block ends.
    """

    def __enter__(self) -> Self:
        """Allow what is started to be reused by the next run."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End what was started for reuse."""
        del exception

    @abstractmethod
    def run(self, groups: Sequence[TaskGroup], runners: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        """Run every task, one that fails twice. Closing the generator stops what still runs.

        Args:
            groups: What to run.
            runners: Model -> what its tasks need; models may share one.
        """


class InProcess(Executor):
    """This process, one task after the other.

    Nothing keeps a task from ending this process, from hanging, or from reading the labels of test sides, which this
    process holds: it is for debugging, and for models that cannot be sent to another process.
    """

    def run(self, groups: Sequence[TaskGroup], runners: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        """Run every task, in order."""
        for group in groups:
            yield from runners[group[0].model].run_group(group)
