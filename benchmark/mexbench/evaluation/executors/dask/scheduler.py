"""Which worker of a Dask cluster runs which task group.

That is decided here, not by Dask's scheduler: so it is known what ran where when a worker died, whatever the settings
of that scheduler are, and the same policy holds as for processes.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mexbench.devices import Device
from mexbench.errors import ClusterError
from mexbench.evaluation.executors.crash_policy import CrashPolicy, NumberedGroup
from mexbench.evaluation.executors.dask import worker as dask_worker
from mexbench.evaluation.executors.dask.cluster import Link, mismatched_text, mismatched_workers
from mexbench.evaluation.executors.dask.worker import Recipe
from mexbench.evaluation.executors.shared_arrays import SharedTrainers, restored_text
from mexbench.evaluation.task_runner import TaskRunner, failure
from mexbench.runs.task import Outcome, Success

#: Seconds between two looks at which workers are there.
_CHECK_S = 1.0
#: Seconds of work that wait at a worker behind what it runs, so that short groups do not wait for messages, and how
#: many groups that may be. Long ones do not wait at one worker while another has nothing to do.
_AHEAD_S, _MOST_AHEAD = 0.1, 16
_PIECE = 2**24  # bytes of an array in one message: Dask holds a few copies of it
#: For how long a cluster of our own may have no worker.
_LONGEST_EMPTY_S = 60


def array_folders(shared: SharedTrainers) -> tuple[Path, ...]:
    """Return the folders of the arrays."""
    return tuple(dict.fromkeys(path.parent for path in shared.arrays().values()))


class DaskScheduler:
    """The workers of a cluster that take part in a run.

    Args:
        link: To Dask's scheduler.
        shared: What the tasks need, without a label.
        runners: Model -> what its tasks need.
        policy: What to run next.
        device: What networks compute on.
        notify_user: Called with what a user should know.
        ours: Whether this process started the workers.
    """

    def __init__(
        self, link: Link, shared: SharedTrainers, runners: Mapping[str, TaskRunner], policy: CrashPolicy, *,
        device: Device | None, notify_user: Callable[[str], None], ours: bool,
    ) -> None:  # fmt: skip
        self.link, self.shared, self.runners, self.policy = link, shared, runners, policy
        self.recipes = {name: Recipe.of(runner.models[name]) for name, runner in runners.items()}
        self.device: Device | None = device
        self.notify_user, self.ours = notify_user, ours
        self.run, self.nonce = secrets.token_hex(8), secrets.token_hex(8)
        # One beside each array: a worker may see the run folder and not the cache, or the other way round.
        self.nonces = {folder / f"nonce-{self.run}" for folder in (shared.folder, *array_folders(shared))}
        self.write_nonces()
        self.assigned: dict[str, dict[Any, NumberedGroup]] = {}  # worker's address -> future -> group, in order
        self.refused: set[str] = set()
        self.blind = ""  # why a worker that could not save models was refused
        self.events: queue.SimpleQueue[tuple[str, Any, Any]] = queue.SimpleQueue()
        self.submitted = 0
        self.seconds, self.finished = 0.0, 0
        self.checked, self.last_worker = float("-inf"), time.monotonic()

    def outcomes(self) -> Iterator[Outcome]:
        """Run all groups.

        Raises:
            ClusterError: The scheduler is gone, or no worker can be used.
            OSError: A message to the scheduler was lost.
        """
        while self.policy.pending or any(self.assigned.values()):
            if time.monotonic() - self.checked > _CHECK_S:
                yield from self.check_workers()
            self.assign()
            with suppress(queue.Empty):
                yield from self.collect(*self.events.get(timeout=_CHECK_S))

    def check_workers(self) -> Iterator[Outcome]:
        """See which workers have come and which have gone."""
        if not self.link.alive:
            raise self.gone()
        addresses = self.link.workers()
        for address in self.assigned.keys() - set(addresses):
            yield from self.on_worker_lost(address)
        self.add_workers([a for a in addresses if a not in self.assigned and a not in self.refused])
        self.checked = time.monotonic()
        if self.assigned:
            self.last_worker = self.checked
            return
        empty_for = self.checked - self.last_worker
        if self.policy.failed_too_often or (self.ours and empty_for > _LONGEST_EMPTY_S):
            yield from self.policy.give_up()
        elif self.refused.issuperset(addresses) and addresses:
            reason = f": {self.blind}" if self.blind else ""
            raise ClusterError(f"the Dask cluster at {self.link.address} has no worker that can be used{reason}")
        elif not self.ours and empty_for <= _CHECK_S:
            self.notify_user(f"waiting for workers of {self.link.address}; Ctrl-C gives up")

    def add_workers(self, addresses: list[str]) -> None:
        """Send new workers what they need; leave those out that compute with something else."""
        if not addresses:
            return
        mismatched = mismatched_workers(self.link, self.recipes, self.device, addresses, ours=self.ours)
        if mismatched:
            self.refused |= mismatched.keys()
            self.notify_user(
                f"warning: workers are not used, they differ from this process:{mismatched_text(mismatched)}"
            )
        for address in addresses:
            if address not in mismatched:
                self.restore(self.runners)
                try:
                    ready = self.prepare(address)
                except OSError:  # it is gone
                    self.policy.on_failed_start()
                else:
                    if ready:
                        self.assigned[address] = {}

    def write_nonces(self) -> None:
        """Write the files by which a worker is seen to share a disk."""
        for path in self.nonces:
            if not path.is_file():
                path.write_text(self.nonce, encoding="utf-8")

    def restore(self, models: Iterable[str]) -> None:
        """Write anew what somebody removed of the models' arrays.

        Raises:
            DataError: It cannot be written.
        """
        restored = [path for model in models for path in self.shared.restore(model, self.runners[model])]
        if restored:
            self.write_nonces()
            self.notify_user(restored_text(restored))

    def prepare(self, address: str) -> bool:
        """Send a worker the samples: the place of the files where it can read them, else what they hold.

        Returns:
            Whether it can be used: a worker that does not see the run folder cannot save models there.

        Raises:
            OSError: The worker is gone.
        """
        sees_run, sees = (
            all(self.call(address, dask_worker.reads, folder / f"nonce-{self.run}", self.nonce) for folder in folders)
            for folders in ((self.shared.folder,), array_folders(self.shared))
        )
        if not sees_run and any(light.model_writer for _, light in self.shared.light.values()):
            self.refused.add(address)
            self.blind = (
                f"worker {address} on {self.call(address, dask_worker.host)} does not see {self.shared.folder.parent}, "
                "where models are to be saved: leave --save-models out, or put --out on a disk that all workers share"
            )
            self.notify_user(f"warning: a worker is not used: {self.blind}")
            return False
        self.call(address, dask_worker.begin, self.run, self.shared, self.recipes, copy=not sees)
        for name, path in () if sees else self.shared.arrays().items():
            with path.open("rb") as stream:
                while piece := stream.read(_PIECE):
                    self.call(address, dask_worker.receive, self.run, name, piece)
        return True

    def call(self, address: str, function: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401
        """Call a function on a worker.

        Raises:
            OSError: The worker is gone.
            ClusterError: It raised something.
        """
        answer = self.link.ask(function, *arguments, workers=[address], **named).get(address)
        if isinstance(answer, OSError) or (answer is None and address not in self.link.workers()):
            raise OSError(f"worker {address} is gone")
        if isinstance(answer, Exception):
            raise ClusterError(f"worker {address}: {type(answer).__name__}: {answer}")
        return answer

    def assign(self) -> None:
        """Give each worker as many groups as it should have; what lost a worker runs alone on another one."""
        ahead = min(_MOST_AHEAD, int(_AHEAD_S * self.finished / self.seconds)) if self.seconds else 0
        for address, assigned in self.assigned.items():
            while len(assigned) <= ahead:
                numbered = self.policy.next_group([number for number, _ in assigned.values()])
                if numbered is None:
                    break
                self.submit(address, numbered)

    def submit(self, address: str, numbered: NumberedGroup) -> None:
        """Give a group to a worker, and to no other."""
        self.submitted += 1
        group = numbered[1]
        self.restore([group[0].model])
        future = self.link.submit(
            address, dask_worker.run_group, self.run, self.runners[group[0].model].group_data(group),
            key=f"bench-{self.run}-{self.submitted}",
            then=lambda future, result: self.events.put((address, future, result)),
        )  # fmt: skip
        self.assigned[address][future] = numbered

    def collect(self, address: str, future: Any, result: Any) -> Iterator[Outcome]:  # noqa: ANN401
        """Take what a worker gave."""
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        if future not in self.assigned.get(address, ()):  # of a worker that was lost
            return
        if isinstance(result, (CommClosedError, concurrent.futures.CancelledError, asyncio.CancelledError)):
            raise self.gone()
        if isinstance(result, (KilledWorker, dask_worker.NotBegun)):  # a new one has its address, or none
            yield from self.on_worker_lost(address)
            return
        _, group = self.assigned[address].pop(future)
        future.release()
        if isinstance(result, Exception):  # such as an outcome that cannot be sent
            yield from (failure(task, result) for task in group)
            return
        self.policy.on_finished()
        self.finished += 1
        self.seconds += sum(outcome.fit_s + outcome.predict_s for outcome in result if isinstance(outcome, Success))
        yield from result

    def on_worker_lost(self, address: str) -> Iterator[Outcome]:
        """Take back what a lost worker had."""
        assigned = self.assigned.pop(address)
        for future in assigned:
            future.release()
        if assigned:
            running, *queued = assigned.values()
            yield from self.policy.on_worker_lost(running, queued)

    def gone(self) -> ClusterError:
        """Return the error of a scheduler that is gone."""
        return ClusterError(f"the Dask scheduler at {self.link.address} is gone, or has dropped this run")

    def close(self) -> None:
        """Take back what still runs, and have the workers forget the run."""
        for path in self.nonces:
            with suppress(OSError):
                path.unlink()
        futures = [future for assigned in self.assigned.values() for future in assigned]
        if self.ours or not self.link.alive:  # our own workers end with the run
            return
        with suppress(OSError, TimeoutError):
            self.link.cancel(futures)
            self.link.ask(dask_worker.end, self.run)
