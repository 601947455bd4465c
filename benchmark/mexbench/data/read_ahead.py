"""Clips are read by all cores, ahead of what is done with them, and come in their order.

Threads do it: reading files, decoding images and digests leave Python's lock alone. What a data set reads is only read
by several threads if it says that it can be (``Dataset.reads_in_threads``).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Bytes that clips which were read ahead may take, where no limit of memory is given.
DEFAULT_BYTES = 2**28
#: Clips that are read ahead for each thread.
_AHEAD = 2


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_ahead(
    items: Sequence[Item], read: Callable[[Item], Result], size: Callable[[Result], int], *,
    threads: int, most_bytes: int = DEFAULT_BYTES,
) -> Generator[tuple[Item, Callable[[], Result]]]:  # fmt: skip
    """Yield every item, in order, with a function that returns what was read of it or raises what reading it raised.

    Args:
        items: What to read.
        read: Called with an item, in any thread.
        size: Bytes of what was read.
        threads: How many; 1 reads each item when it is asked for.
        most_bytes: What is read ahead may take about so many bytes: as large as the largest so far is what comes next.
    """
    largest, sized = 0, 0

    def result_of(future: Future[Result]) -> Result:
        nonlocal largest, sized
        result = future.result()
        largest, sized = max(largest, size(result)), sized + 1
        return result

    if threads <= 1:
        for item in items:
            yield item, lambda item=item: read(item)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="read")
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            # Until a first one was read, nobody knows how large they are.
            most = min(_AHEAD * threads, most_bytes // largest) if largest else 1 if not sized else _AHEAD * threads
            while len(waiting) >= max(1, most):
                first, future = waiting.popleft()
                yield first, lambda future=future: result_of(future)
            waiting.append((item, pool.submit(read, item)))
        while waiting:
            first, future = waiting.popleft()
            yield first, lambda future=future: result_of(future)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
