"""Who does what of a run on a Dask cluster.

Which worker does which unit is decided here, not by the scheduler: so it is known what ran where when a worker died,
whatever the scheduler's own settings, and a unit that ends its worker twice is found out and takes no other with it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mexbench.devices import Device
from mexbench.errors import ClusterError
from mexbench.evaluation.executors.dask import worker as dask_worker
from mexbench.evaluation.executors.dask.cluster import Link, strangers, strangers_text
from mexbench.evaluation.executors.dask.worker import Recipe
from mexbench.evaluation.executors.shared_arrays import Shared
from mexbench.evaluation.task_runner import failure
from mexbench.runs.task import Failure, Outcome, Success, TaskGroup

#: A unit and its place among all units.
Numbered = tuple[int, TaskGroup]

#: Seconds between two looks at who is there.
_LOOK = 1.0
#: Seconds of work that wait at a worker behind what it does, so that short units do not wait for messages, and how many
#: units that may be. Long units do not wait at one worker while another has nothing to do.
_AHEAD_S, _MOST_AHEAD = 0.1, 16
_PIECE = 2**26  # bytes of an array in one message
#: How often workers may die before they begin anything, and for how long a cluster of our own may have none.
_MOST_FAILED_STARTS, _LONGEST_EMPTY_S = 2, 60


class DaskScheduler:
    """The workers of a cluster that take part in a run.

    Args:
        link: To the scheduler.
        shared: What the tasks need.
        recipes: Model's name -> the model.
        device: What networks compute on.
        tell: Called with what a user should know.
        ours: Whether this process started the workers.
    """

    def __init__(
        self, link: Link, shared: Shared, recipes: Mapping[str, Recipe], device: Device | None,
        tell: Callable[[str], None], *, ours: bool,
    ) -> None:  # fmt: skip
        self.link, self.shared, self.recipes = link, shared, recipes
        self.device: Device | None = device
        self.tell, self.ours = tell, ours
        self.run, self.nonce = secrets.token_hex(8), secrets.token_hex(8)
        (shared.folder / "nonce").write_text(self.nonce, encoding="utf-8")
        self.waiting: deque[Numbered] = deque()
        self.suspects: deque[Numbered] = deque()  # their worker died: each runs once more, alone
        self.suspected: set[int] = set()
        self.given: dict[str, dict[Any, Numbered]] = {}  # worker's address -> future -> unit, in order
        self.refused: set[str] = set()
        self.events: queue.SimpleQueue[tuple[str, Any, Any]] = queue.SimpleQueue()
        self.submitted = self.failed_starts = 0
        self.seconds, self.done = 0.0, 0
        self.looked, self.manned = float("-inf"), time.monotonic()

    def outcomes(self, units: Sequence[TaskGroup]) -> Iterator[Outcome]:
        """Do all units.

        Raises:
            ClusterError: The scheduler is gone, or no worker can be used.
            OSError: A message to the scheduler was lost.
        """
        self.waiting.extend(enumerate(units))
        while self.waiting or self.suspects or any(self.given.values()):
            if time.monotonic() - self.looked > _LOOK:
                yield from self.look()
            self.give()
            with suppress(queue.Empty):
                yield from self.take(*self.events.get(timeout=_LOOK))

    def look(self) -> Iterator[Outcome]:
        """See who came and who went."""
        if not self.link.alive:
            raise self.gone()
        there = self.link.workers()
        for address in self.given.keys() - set(there):
            yield from self.bury(address)
        self.hire([address for address in there if address not in self.given and address not in self.refused])
        self.looked = time.monotonic()
        if self.given:
            self.manned = self.looked
            return
        empty_for = self.looked - self.manned
        if self.failed_starts >= _MOST_FAILED_STARTS or (self.ours and empty_for > _LONGEST_EMPTY_S):
            text = "not started: workers die before they begin anything"
            yield from (Failure(task, text) for _, unit in (*self.suspects, *self.waiting) for task in unit)
            self.suspects.clear()
            self.waiting.clear()
        elif self.refused.issuperset(there) and there:
            raise ClusterError(f"the Dask cluster at {self.link.address} has no worker that can be used")
        elif not self.ours and empty_for <= _LOOK:
            self.tell(f"waiting for workers of {self.link.address}; Ctrl-C gives up")

    def hire(self, addresses: list[str]) -> None:
        """Give new workers what they need; leave those alone that compute with something else."""
        if not addresses:
            return
        found = strangers(self.link, self.recipes, self.device, addresses, ours=self.ours)
        if found:
            self.refused |= found.keys()
            self.tell(f"warning: workers are not used, they differ from this process:{strangers_text(found)}")
        for address in addresses:
            if address not in found:
                try:
                    self.prepare(address)
                except OSError:  # it is gone
                    self.failed_starts += 1
                else:
                    self.given[address] = {}

    def prepare(self, address: str) -> None:
        """Hand a worker the data: the place of the files where it can read them, else what they hold.

        Raises:
            OSError: The worker is gone.
        """
        sees = self.call(address, dask_worker.reads, self.shared.folder / "nonce", self.nonce)
        if not sees and any(light.model_writer for _, light in self.shared.light.values()):
            raise ClusterError(
                f"worker {address} on {self.call(address, dask_worker.host)} does not see {self.shared.folder.parent}, "
                "where models are to be kept: leave --save-models out, or put --out on a disk that all workers share"
            )
        self.call(address, dask_worker.begin, self.run, self.shared, self.recipes, copy=not sees)
        for name in () if sees else self.shared.arrays():
            with (self.shared.folder / name).open("rb") as stream:
                while piece := stream.read(_PIECE):
                    self.call(address, dask_worker.receive, self.run, str(name), piece)

    def call(self, address: str, function: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401
        """Call a function on a worker.

        Raises:
            OSError: The worker is gone.
            ClusterError: It raised something.
        """
        found = self.link.ask(function, *arguments, workers=[address], **named).get(address)
        if isinstance(found, OSError) or (found is None and address not in self.link.workers()):
            raise OSError(f"worker {address} is gone")
        if isinstance(found, Exception):
            raise ClusterError(f"worker {address}: {type(found).__name__}: {found}")
        return found

    def give(self) -> None:
        """Give each worker what it should have; a suspect to one that has nothing, and nothing beside it."""
        ahead = min(_MOST_AHEAD, int(_AHEAD_S * self.done / self.seconds)) if self.seconds else 0
        for address, given in self.given.items():
            if self.suspects:
                if not given:
                    self.submit(address, self.suspects.popleft())
            elif self.suspected.isdisjoint(number for number, _ in given.values()):
                while self.waiting and len(given) <= ahead:
                    self.submit(address, self.waiting.popleft())

    def submit(self, address: str, numbered: Numbered) -> None:
        """Give a unit to a worker, and to no other."""
        self.submitted += 1
        future = self.link.submit(
            address, dask_worker.work, self.run, numbered[1], key=f"bench-{self.run}-{self.submitted}",
            then=lambda future, found: self.events.put((address, future, found)),
        )  # fmt: skip
        self.given[address][future] = numbered

    def take(self, address: str, future: Any, found: Any) -> Iterator[Outcome]:  # noqa: ANN401
        """Take what a worker gave."""
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        if future not in self.given.get(address, ()):  # of a worker that is buried
            return
        if isinstance(found, (CommClosedError, concurrent.futures.CancelledError, asyncio.CancelledError)):
            raise self.gone()
        if isinstance(found, (KilledWorker, dask_worker.NotBegun)):  # it came back under its old address, or did not
            yield from self.bury(address)
            return
        _, unit = self.given[address].pop(future)
        future.release()
        if isinstance(found, Exception):  # such as an outcome that cannot be sent
            yield from (failure(task, found) for task in unit)
            return
        self.failed_starts, self.done = 0, self.done + 1
        self.seconds += sum(outcome.fit_s + outcome.predict_s for outcome in found if isinstance(outcome, Success))
        yield from found

    def bury(self, address: str) -> Iterator[Outcome]:
        """Take back what a dead worker had: what it did is suspect, what waited is not."""
        given = self.given.pop(address)
        for future in given:
            future.release()
        if not given:
            return
        (number, unit), *others = given.values()
        self.waiting.extendleft(reversed(others))
        if number in self.suspected:
            text = "its worker died, and again when it ran alone (out of memory?)"
            yield from (Failure(task, text) for task in unit)
        else:
            self.suspected.add(number)
            self.suspects.append((number, unit))

    def gone(self) -> ClusterError:
        """Return the error of a scheduler that is gone."""
        return ClusterError(f"the Dask scheduler at {self.link.address} is gone, or has dropped this run")

    def dismiss(self) -> None:
        """Take back what still runs, and have the workers forget the run."""
        futures = [future for given in self.given.values() for future in given]
        if self.ours or not self.link.alive:  # our own workers end with the run
            return
        with suppress(OSError, TimeoutError):
            self.link.cancel(futures)
            self.link.ask(dask_worker.end, self.run)
