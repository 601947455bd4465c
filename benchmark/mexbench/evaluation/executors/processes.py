"""Tasks in worker processes of this machine: one, or several at the same time."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mexbench.errors import PluginError
from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.executors.child import END_OF_RUN, READY, REFUSED, RELEASED
from mexbench.evaluation.executors.child_process import ChildProcess
from mexbench.evaluation.executors.crash_policy import CrashPolicy, NumberedGroup
from mexbench.evaluation.executors.memory import fitting
from mexbench.evaluation.executors.messages import dump_object, load_outcomes
from mexbench.evaluation.executors.shared_arrays import SharedTrainers, restored_text, share
from mexbench.evaluation.task_runner import GroupData, TaskRunner, failure
from mexbench.runs.task import Failure, Outcome, TaskGroup

#: Seconds between two checks of whether workers that are silent still run.
_CHECK_S = 1.0
#: Seconds in which a worker closes the files of a run; one that does not is ended.
_RELEASE_S = 10.0


class Processes(Executor):
    """Worker processes, which share one copy of the samples through the file system's cache and hold no test label.

    Each runs one task group after the other, so a library is loaded and a network compiled once. Whatever a task does
    to its process, such as ``os._exit``, a crash or a hang, is that task's failure. As a context manager it keeps
    processes from one run to the next: libraries stay loaded and networks compiled, where many small runs follow.

    Args:
        jobs: How many processes.
        scratch: Where the copy of the samples lies for as long as tasks run; None for the system's temporary folder.
        notify_user: Called with what a user should know.
        task_timeout: Seconds after which a task is stopped and fails, for each task of a group; None for no limit.
        memory: Bytes that all processes together may take; None for what is free.
    """

    def __init__(
        self, jobs: int = 1, scratch: Path | None = None, notify_user: Callable[[str], None] = lambda _: None, *,
        task_timeout: float | None = None, memory: int | None = None,
    ) -> None:  # fmt: skip
        self.jobs = jobs
        self.memory = memory
        self.scratch = scratch
        self.notify_user = notify_user
        self.task_timeout = task_timeout
        self._reuses_processes = False
        self._spare: list[ChildProcess] = []

    def __enter__(self) -> Self:
        """Keep processes from one run to the next."""
        self._reuses_processes = True
        return self

    def __exit__(self, *exception: object) -> None:
        """End the spare processes."""
        del exception
        self._reuses_processes = False
        while self._spare:
            self._spare.pop().kill()

    def run(self, groups: Sequence[TaskGroup], runners: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        """Run every task; one that ends its process twice fails by name.

        Raises:
            PluginError: A model cannot be sent to another process.
        """
        jobs = min(fitting(self.jobs, runners, self.notify_user, self.memory), max(1, len(groups)))
        for model, runner in runners.items():
            if reason := why_not_sendable(runner):
                raise PluginError(
                    f"model {model!r} cannot be sent to another process: {reason}; define it in a module that can be "
                    "imported, or run tasks in this process (--in-process, or the executor InProcess)"
                )
        with share(runners, self.scratch) as shared:
            policy = CrashPolicy(groups, "process")
            pool = _Pool(
                jobs, shared, policy, runners,
                task_timeout=self.task_timeout, notify_user=self.notify_user, spare=self._spare,
            )  # fmt: skip
            try:
                yield from pool.outcomes()
                if self._reuses_processes:
                    self._spare += pool.release()
            finally:  # also where nobody wants the rest
                pool.close()


def why_not_sendable(runner: TaskRunner) -> str | None:
    """Return why the models of a task runner cannot be sent to another process, or None where they can.

    A class of a script or a notebook is known there alone: another process would have to run that again to find it.
    """
    try:
        content = dump_object((runner.models, runner.model_writer))
    except Exception as error:  # noqa: BLE001 - which error it is depends on the object
        return " ".join(f"{type(error).__name__}: {error}".split())
    return "it is defined in a script or a notebook" if b"__main__" in content else None


@dataclass
class _Running:
    """What a worker runs, and until when it may."""

    numbered: NumberedGroup
    data: GroupData
    deadline: float


class _Pool:
    """The workers of one run."""

    def __init__(
        self, jobs: int, shared: SharedTrainers, policy: CrashPolicy, runners: Mapping[str, TaskRunner], *,
        task_timeout: float | None, notify_user: Callable[[str], None], spare: list[ChildProcess],
    ) -> None:  # fmt: skip
        self.spare = spare
        self.jobs, self.folder, self.policy, self.runners = jobs, shared.folder, policy, runners
        self.shared, self.notify_user = shared, notify_user
        self.task_timeout = float("inf") if task_timeout is None else task_timeout
        self.first_message = dump_object(shared)
        self.events: queue.SimpleQueue[tuple[ChildProcess, bytes | None]] = queue.SimpleQueue()
        self.starting: set[ChildProcess] = set()
        self.idle: list[ChildProcess] = []
        self.running: dict[ChildProcess, _Running] = {}

    def outcomes(self) -> Iterator[Outcome]:
        """Run all groups."""
        next_check = time.monotonic() + _CHECK_S
        while self.policy.pending or self.running:
            yield from self.assign()
            if not (self.starting or self.running):
                continue
            now = time.monotonic()
            deadline = min((running.deadline for running in self.running.values()), default=float("inf"))
            with suppress(queue.Empty):
                yield from self.collect(*self.events.get(timeout=max(0.0, min(next_check, deadline) - now)))
            if time.monotonic() >= min(next_check, deadline):
                yield from self.check()
                next_check = time.monotonic() + _CHECK_S

    def assign(self) -> Iterator[Outcome]:
        """Give groups to workers that have none, and start workers where some are missing."""
        while self.idle:
            numbered = self.policy.next_group([running.numbered[0] for running in self.running.values()])
            if numbered is None:
                break
            group = numbered[1]
            if restored := self.shared.restore(group[0].model, self.runners[group[0].model]):
                self.notify_user(restored_text(restored))
            try:
                data = self.runners[group[0].model].group_data(group)
                content = dump_object(data)
            except Exception as error:  # noqa: BLE001 - such as too little memory for it
                yield from (failure(task, error) for task in group)
                continue
            child = self.idle.pop()
            deadline = time.monotonic() + self.task_timeout * len(group)
            self.running[child] = _Running(numbered, data, deadline)
            child.send(content)
        workers = len(self.idle) + len(self.starting) + len(self.running)
        for _ in range(min(self.jobs - workers, self.policy.pending - len(self.idle) - len(self.starting))):
            self.starting.add(self.start_worker())

    def start_worker(self) -> ChildProcess:
        """Start to use a process for this run: one of an earlier run, or a new one."""
        while self.spare:
            child = self.spare.pop()
            if child.start_run(self.first_message, self.folder, self.events):
                return child
            child.kill()
        return ChildProcess(self.first_message, self.folder, self.events)

    def collect(self, child: ChildProcess, content: bytes | None) -> Iterator[Outcome]:
        """Take what a worker sent."""
        if child in self.starting:
            self.starting.remove(child)
            if content == READY:
                self.idle.append(child)
                return
            child.close(gone=content is None)
            if content is not None and content.startswith(REFUSED):
                reason = content.removeprefix(REFUSED).decode("utf-8", "replace")
                yield from self.policy.give_up(f"a worker process cannot use what it is sent: {reason}")
            elif self.policy.on_failed_start():
                yield from self.policy.give_up()
        elif child in self.idle:
            self.idle.remove(child)  # it ended, or sent something, without having anything to do
            child.kill()
        elif child in self.running:
            running = self.running.pop(child)
            try:
                if content is None:
                    raise ValueError("gone")
                n_classes = self.runners[running.data.tasks[0].model].n_classes
                outcomes = load_outcomes(content, running.data, n_classes)
            except ValueError:
                yield from self.on_worker_lost(running, child.close(gone=content is None), child.trace())
            else:
                self.policy.on_finished()
                self.idle.append(child)
                yield from outcomes

    def on_worker_lost(self, running: _Running, how: str, trace: str) -> Iterator[Outcome]:
        """Have what a lost worker was running run once more, or fail."""
        for lost in self.policy.on_worker_lost(running.numbered, how=how):
            yield Failure(lost.task, lost.error, trace)

    def check(self) -> Iterator[Outcome]:
        """Stop what has run for too long; notice workers that are gone while a process of theirs holds their pipes."""
        now = time.monotonic()
        for child, running in list(self.running.items()):
            if now >= running.deadline:
                del self.running[child]
                child.kill()
                text = f"stopped: not done after {self.task_timeout:g} s, the limit of a task"
                yield from (Failure(task, text) for task in running.numbered[1])
            elif not child.alive:
                yield from self.collect(child, None)
        for child in [*self.starting, *self.idle]:
            if not child.alive:
                yield from self.collect(child, None)

    def release(self) -> list[ChildProcess]:
        """Have workers close the files of this run, which will be removed; return those that did in time, for reuse.

        A worker that is still starting is waited for. Those that are returned do not belong to this run any more.
        """
        outstanding, reusable = {*self.idle, *self.starting}, list[ChildProcess]()
        for child in self.idle:
            child.send(END_OF_RUN)
        deadline = time.monotonic() + _RELEASE_S
        with suppress(queue.Empty):
            while outstanding:
                child, content = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
                if child in self.starting and content == READY:
                    child.send(END_OF_RUN)
                    continue
                if child in outstanding and content == RELEASED:
                    reusable.append(child)
                outstanding.discard(child)
        self.idle = [child for child in self.idle if child not in reusable]
        self.starting -= set(reusable)
        return reusable

    def close(self) -> None:
        """End all workers."""
        for child in (*self.starting, *self.idle, *self.running):
            child.kill()
