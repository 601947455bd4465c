"""What is run next and what becomes of the work of a lost worker: one policy for every executor.

A task group whose worker is lost runs once more, alone: so one that ends its worker by itself is identified and takes
no other with it, and one that died of what ran beside it gets its second chance. If its worker is lost again, its tasks
fail by name. Workers that are lost before they begin anything are replaced, up to a number of times in a row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

from mexbench.runs.task import Failure, TaskGroup

#: A task group and its number among all of the run.
NumberedGroup = tuple[int, TaskGroup]

#: How many workers in a row may be lost before they begin anything.
_MOST_FAILED_STARTS = 2


class CrashPolicy:
    """The groups that have not been run, and those that were running when their worker was lost.

    Args:
        groups: What to run.
        worker: What a worker is called in errors, such as "process".
    """

    def __init__(self, groups: Sequence[TaskGroup], worker: str) -> None:
        self.worker = worker
        self._waiting: deque[NumberedGroup] = deque(enumerate(groups))
        self._suspects: deque[NumberedGroup] = deque()
        self._suspected: set[int] = set()
        self._failed_starts = 0

    @property
    def pending(self) -> int:
        """How many groups are to be given to a worker, for the first or for the second time."""
        return len(self._waiting) + len(self._suspects)

    def next_group(self, beside: Collection[int]) -> NumberedGroup | None:
        """Return the next group for a worker, or None where it has to wait.

        Args:
            beside: Numbers of the groups that would run beside it: a group that lost a worker runs without any.
        """
        if self._suspects:
            return None if beside else self._suspects.popleft()
        if not self._waiting or not self._suspected.isdisjoint(beside):
            return None
        return self._waiting.popleft()

    def on_finished(self) -> None:
        """Note that a worker has finished a group."""
        self._failed_starts = 0

    def on_worker_lost(
        self, running: NumberedGroup, queued: Sequence[NumberedGroup] = (), how: str = "died"
    ) -> list[Failure]:
        """Take back what a lost worker had; return the failures of a group that has lost its second one.

        Args:
            running: What it was running: its second worker has to run it alone.
            queued: What it had not begun, in order: that runs as if nothing had happened.
            how: How it was lost, such as "died (SIGSEGV)".
        """
        self._waiting.extendleft(reversed(queued))
        number, group = running
        if number not in self._suspected:
            self._suspected.add(number)
            self._suspects.append(running)
            return []
        reason = " (out of memory?)" if how == "died" or "SIGKILL" in how else ""
        text = f"its {self.worker} {how}, and again when it ran alone{reason}"
        return [Failure(task, text) for task in group]

    def on_failed_start(self) -> bool:
        """Note that a worker was lost before it began anything; return whether that is too often."""
        self._failed_starts += 1
        return self.failed_too_often

    @property
    def failed_too_often(self) -> bool:
        """Whether the last workers were all lost before they began anything."""
        return self._failed_starts >= _MOST_FAILED_STARTS

    def give_up(self, reason: str | None = None) -> list[Failure]:
        """Return the failures of all groups that wait for a worker.

        Args:
            reason: Why none is started; by default, because workers die before they begin anything.
        """
        plural = f"{self.worker}es" if self.worker.endswith("s") else f"{self.worker}s"
        text = f"not started: {reason or f'{plural} die before they begin anything'}"
        failures = [Failure(task, text) for _, group in (*self._suspects, *self._waiting) for task in group]
        self._suspects.clear()
        self._waiting.clear()
        return failures
