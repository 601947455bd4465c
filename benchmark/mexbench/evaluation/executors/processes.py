"""Tasks in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from mexbench.devices import one_thread_in_children
from mexbench.evaluation.executors.base import Executor
from mexbench.evaluation.executors.memory import fitting
from mexbench.evaluation.executors.shared_arrays import Shared, share
from mexbench.evaluation.task_runner import TaskRunner, failure
from mexbench.runs.task import Failure, Outcome, TaskGroup

#: A unit and its place among all units, by which a worker says what it has begun.
Numbered = tuple[int, TaskGroup]

_MOST_FAILED_STARTS = 2


class Processes(Executor):
    """Several processes of this machine, which share one copy of the data through the file system's cache.

    When a process dies, the pool dies with it. A new one goes on; what was running then runs once more, alone, so
    that what kills its process is found out and takes nothing else with it.

    Args:
        jobs: How many processes.
        scratch: Where the copy of the data lies for as long as tasks run; None for the system's temporary folder.
        tell: Called with what a user should know.
    """

    def __init__(self, jobs: int, scratch: Path | None = None, tell: Callable[[str], None] = lambda _: None) -> None:
        self.jobs = jobs
        self.scratch = scratch
        self.tell = tell

    def run(self, units: Sequence[TaskGroup], workloads: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        """Run every task; one that ends its process twice fails by name."""
        most = fitting(self.jobs, workloads, self.tell)
        with share(workloads, self.scratch) as shared:
            _begun(shared).mkdir()
            waiting: deque[Numbered] = deque(enumerate(units))
            suspects: deque[Numbered] = deque()
            failed_starts = 0
            while waiting or suspects:
                alone = bool(suspects)
                queue = deque([suspects.popleft()]) if alone else waiting
                jobs = 1 if alone else min(most, len(queue))
                died, begun = yield from _run_in_pool(jobs, queue, shared)
                if alone:
                    suspects.extendleft(queue)
                    for _, unit in begun:
                        text = "its process died, and again when it ran alone (out of memory?)"
                        yield from (Failure(task, text) for task in unit)
                else:
                    suspects.extend(begun)
                failed_starts = failed_starts + 1 if died and not begun else 0
                if failed_starts == _MOST_FAILED_STARTS:
                    text = "not started: worker processes die before they begin anything"
                    yield from (Failure(task, text) for _, unit in (*suspects, *waiting) for task in unit)
                    return


def _run_in_pool(
    jobs: int, queue: deque[Numbered], shared: Shared
) -> Generator[Outcome, None, tuple[bool, list[Numbered]]]:
    """Run units until the queue is empty or a process dies; then what had not begun is in the queue again.

    Returns:
        Whether a process died, and the units that had begun and given nothing.
    """
    running: dict[Future[list[Outcome]], Numbered] = {}
    lost: list[Numbered] = []
    died = False
    others = set(multiprocessing.active_children())
    with one_thread_in_children():
        # A forked process inherits locks and threads of numeric libraries; a spawned one starts clean.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(shared,))
        try:
            while running or (queue and not died):
                while queue and not died and len(running) < 4 * jobs:  # some ahead; not all, for memory's sake
                    try:
                        with ignore_sigint():
                            running[pool.submit(_run_in_worker, queue[0])] = queue[0]
                        queue.popleft()
                    except BrokenProcessPool:
                        died = True
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    unit = running.pop(future)
                    try:
                        outcomes = future.result()
                    except BrokenProcessPool:
                        died = True
                        lost.append(unit)
                    except Exception as error:  # noqa: BLE001 - such as an outcome that cannot be sent
                        yield from (failure(task, error) for task in unit[1])
                    else:
                        yield from outcomes
        except BaseException:  # stopped, or nobody wants the rest: a training may take hours
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return died, _sort_out(lost, queue, shared)


def _begun(shared: Shared) -> Path:
    """Return where each worker writes which unit it has begun, in a file named after its process."""
    return shared.folder / "begun"


def _sort_out(lost: list[Numbered], queue: deque[Numbered], shared: Shared) -> list[Numbered]:
    """Return the lost units that had begun; put the others back where they were."""
    numbers = {path.read_text() for path in _begun(shared).iterdir()}
    for path in _begun(shared).iterdir():
        path.unlink()
    queue.extendleft(found for found in sorted(lost, reverse=True) if str(found[0]) not in numbers)
    return [found for found in sorted(lost) if str(found[0]) in numbers]


@contextmanager
def ignore_sigint() -> Iterator[None]:
    """Start processes that Ctrl-C, which a terminal sends to all, never reaches: it is this process's to handle."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_shared: Shared | None = None  # of this worker process, set once when it starts
_workloads: dict[str, TaskRunner] = {}


def _start_worker(shared: Shared) -> None:
    global _shared  # noqa: PLW0603 - a process pool gives a worker no other place
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _shared = shared


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: after ``kill -9`` nobody else would."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_in_worker(numbered: Numbered) -> list[Outcome]:
    if _shared is None:
        raise RuntimeError("this is no worker process")
    number, unit = numbered
    (_begun(_shared) / str(os.getpid())).write_text(str(number))
    model = unit[0].model
    if model not in _workloads:
        _workloads[model] = _shared.workload(model)
    return _workloads[model].run_group(unit)
