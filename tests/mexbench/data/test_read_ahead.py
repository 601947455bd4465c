from __future__ import annotations

import threading

import pytest

from mexbench.data.read_ahead import read_ahead


def results(items: list[int], threads: int, **options: int) -> list[int]:
    return [get() for _, get in read_ahead(items, lambda item: item * item, lambda _: 1, threads=threads, **options)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_order_is_that_of_the_items(threads: int) -> None:
    items = list(range(50))
    assert results(items, threads) == [item * item for item in items]
    assert [item for item, _ in read_ahead(items, lambda _: 0, lambda _: 1, threads=threads)] == items
    assert results([], threads) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_comes_with_its_item(threads: int) -> None:
    def read(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    seen: list[object] = []
    for item, get in read_ahead(range(4), read, lambda _: 1, threads=threads):
        try:
            seen.append(get())
        except ValueError as error:
            seen.append((item, str(error)))
    assert seen == [0, 1, (2, "two"), 3]


def test_no_more_is_read_ahead_than_fits() -> None:
    """Items of 10 bytes, of which 30 may wait: three at a time, after a first one whose size nobody knew."""
    lock, begun, most, taken = threading.Lock(), 0, 0, 0

    def read(item: int) -> int:
        nonlocal begun, most
        with lock:
            begun += 1
            most = max(most, begun - taken)
        return item

    for _, get in read_ahead(range(40), read, lambda _: 10, threads=8, most_bytes=30):
        get()
        with lock:
            taken += 1
    assert begun == 40
    assert most <= 4


def test_whoever_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    reading = read_ahead(range(1000), lambda item: item, lambda _: 1, threads=4)
    next(reading)
    reading.close()
    assert threading.active_count() == before
