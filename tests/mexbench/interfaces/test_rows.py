from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.interfaces import Rows, rows, select_rows
from mexbench.interfaces.rows import drop_pages, read_rows

X = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
COPIES = np.stack([100 + X, 200 + X], axis=1)
POSITIONS = np.array([4, 1, 1, 5])


def mapped(folder: Path, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    np.save(folder / "x.npy", array)
    return np.load(folder / "x.npy", mmap_mode="r")


@pytest.mark.parametrize("on_disk", [False, True])
def test_rows_are_what_indexing_gives(tmp_path: Path, on_disk: bool) -> None:
    view = Rows(mapped(tmp_path, X) if on_disk else X, POSITIONS)
    expected = X[POSITIONS]
    assert (len(view), view.shape, view.ndim, view.dtype, view.nbytes) == (4, (4, 2, 2), 3, np.uint8, 16)
    for key in (slice(1, 3), slice(None), [3, 0], np.array([2, 2]), np.array([True, False, True, False]), 2, -1):
        assert np.array_equal(view[key], expected[key])
        assert type(view[key]) is np.ndarray
    assert np.array_equal(np.asarray(view), expected)
    assert np.asarray(view, dtype=np.float32).dtype == np.float32
    assert [row.tolist() for row in view[:]] == expected.tolist()


def test_what_is_read_is_a_new_array() -> None:
    view = Rows(X, POSITIONS)
    view[:][:] = 0
    view[1][:] = 0
    assert X.sum() == 276


def test_each_sample_is_followed_by_its_copies() -> None:
    view = Rows(X, np.array([4, 1]), COPIES)
    expected = np.stack([X[4], 100 + X[4], 200 + X[4], X[1], 100 + X[1], 200 + X[1]])
    assert view.shape == (6, 2, 2)
    assert np.array_equal(view[:], expected)
    assert np.array_equal(view[[5, 0]], expected[[5, 0]])
    assert np.array_equal(view.select(np.array([3, 1, 0]))[1:], expected[[1, 0]])


@given(st.lists(st.integers(0, 5), max_size=8), st.data())
def test_a_selection_of_a_selection(positions: list[int], data: st.DataObject) -> None:
    view, expected = Rows(X, np.array(positions, np.intp)), X[np.array(positions, np.intp)]
    chosen = data.draw(st.lists(st.integers(0, max(0, len(positions) - 1)), max_size=6 if positions else 0))
    index = np.array(chosen, np.intp)
    assert np.array_equal(view.select(index)[:], expected[index])
    assert np.array_equal(select_rows(view, index)[:], select_rows(expected, index))


def test_rows_are_not_cut_before_they_are_read() -> None:
    with pytest.raises(TypeError, match="rows are read first"):
        Rows(X, POSITIONS)[:, 0]  # pyright: ignore[reportArgumentType] - what is refused
    with pytest.raises(ValueError, match="without reading them"):
        np.array(Rows(X, POSITIONS), copy=False)


def test_a_position_that_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError):
        Rows(X, POSITIONS)[[4]]


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="pages cannot be handed back here")
def test_what_was_read_does_not_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file of 8 MB, read by pieces of 1 MB, no more than some pieces are in this process's memory."""
    monkeypatch.setattr(rows, "_READ_AT_ONCE", 2**20)
    array = mapped(tmp_path, np.random.default_rng(0).integers(0, 256, (2048, 4096), np.uint8))
    result = read_rows(array, np.arange(2048))
    assert np.array_equal(result, np.load(tmp_path / "x.npy"))
    assert resident(tmp_path / "x.npy") <= 2**21
    assert array[5:600].sum() > 0
    assert resident(tmp_path / "x.npy") > 2**21
    drop_pages(array)
    assert resident(tmp_path / "x.npy") == 0
    assert np.array_equal(array[7], result[7])


def resident(path: Path) -> int:
    """Return the bytes of a file that this process has in memory, as Linux counts them."""
    if not Path("/proc/self/smaps").exists():
        pytest.skip("reads /proc")
    lines = Path("/proc/self/smaps").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.endswith(str(path)))
    return next(int(line.split()[1]) * 1024 for line in lines[start:] if line.startswith("Rss:"))


def test_pages_that_were_changed_are_never_dropped(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    array = np.load(tmp_path / "x.npy", mmap_mode="c")
    array[0] = 77
    drop_pages(array)
    assert np.array_equal(array[0], np.full((2, 2), 77))
