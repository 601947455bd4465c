from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from mexbench.data import stored_arrays
from mexbench.data.stored_arrays import ArrayWriter, arrays_root, file_of, remove_abandoned, stored_rows
from mexbench.errors import DataError


def files() -> list[str]:
    return sorted(path.name for path in arrays_root().glob("process-*/*.npy"))


@pytest.mark.parametrize("dtype", ["uint8", "bool", "float16", ">f4", "<f8", "int64"])
def test_rows_come_back_as_numpy_reads_them(dtype: str) -> None:
    rows = np.arange(24).reshape(4, 2, 3).astype(dtype)
    writer = ArrayWriter(4)
    writer.append(rows[:1])
    writer.append(np.asfortranarray(rows[1:]))
    array = writer.finish()
    path = file_of(array)
    assert path is not None
    assert array.dtype == np.stack(list(rows)).dtype
    assert np.array_equal(array, rows)
    assert np.array_equal(np.load(path), rows)
    assert not array.flags.writeable
    assert array.offset == 4096


def test_a_file_goes_with_its_array() -> None:
    writer = ArrayWriter(1)
    writer.append(np.ones((1, 2)))
    array = writer.finish()
    view = array[:1]
    assert files() == ["1.npy"]
    del array
    gc.collect()
    assert files() == ["1.npy"]
    assert view.sum() == 2
    del view
    gc.collect()
    assert files() == []


def test_other_rows_are_refused() -> None:
    writer = ArrayWriter(3)
    writer.append(np.ones((1, 2), np.uint8))
    for rows in (np.ones((1, 3), np.uint8), np.ones((1, 2), np.uint16)):
        assert not writer.takes(rows)
        with pytest.raises(ValueError, match=r"expected rows \(2,\) uint8, got"):
            writer.append(rows)
    writer.discard()
    assert files() == []


def test_some_rows_in_another_order() -> None:
    array = np.arange(12, dtype=np.float32).reshape(6, 2)
    assert np.array_equal(stored_rows(array, [5, 0, 0]), array[[5, 0, 0]])


def test_only_a_file_that_holds_all_of_an_array_and_nothing_else_counts(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(6))
    array = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert file_of(array) == tmp_path / "x.npy"
    assert file_of(array[:3]) is None
    assert file_of(np.arange(6)) is None
    (tmp_path / "x.npy").unlink()
    assert file_of(array) is None


Usage = namedtuple("Usage", "total used free")


def test_a_disk_without_room_is_refused_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 2**27))
    writer = ArrayWriter(200)
    text = "200 samples of 1 MB need 0.20 GB, and 0.13 GB are free; free disk space there, or set MEXBENCH_CACHE"
    with pytest.raises(DataError, match=text):
        writer.append(np.zeros((1, 1000, 1000), np.uint8))
    assert files() == []


def test_a_disk_that_fills_up_leaves_nothing() -> None:
    """As where another program takes what was free: /dev/full gives the error of a full disk."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    writer = ArrayWriter(2)
    writer.append(np.zeros((1, 4)))
    assert writer._stream is not None
    writer._stream.close()
    writer._stream = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115
    with pytest.raises(DataError, match="cannot be written: No space left on device; free disk space"):
        writer.append(np.zeros((1, 4)))
    assert files() == []


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEXBENCH_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    root = arrays_root()
    assert root.parent.parent == tmp_path
    assert root.is_dir()


CHILD = """
import sys, time
import numpy as np
from mexbench.data.stored_arrays import ArrayWriter
writer = ArrayWriter(1)
writer.append(np.ones((1, 9)))
array = writer.finish()
print("written", flush=True)
if sys.argv[1] == "wait":
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_what_a_killed_process_left_is_removed_by_the_next_one_and_what_a_living_one_has_is_kept() -> None:
    root = arrays_root()

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        return process

    killed, living = start(), start()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert len(list(root.glob("process-*"))) == 2
    remove_abandoned(root)
    (left,) = root.glob("process-*")
    assert (left / "1.npy").is_file()
    living.communicate("")
    assert list(root.glob("process-*")) == []
    subprocess.run([sys.executable, "-c", CHILD, "end"], check=True, capture_output=True)
    assert list(root.glob("process-*")) == []


def test_each_place_of_the_cache_has_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = []
    for name in ("a", "b"):
        monkeypatch.setenv("MEXBENCH_CACHE", str(tmp_path / name))
        writer = ArrayWriter(1)
        writer.append(np.ones((1, 2)))
        arrays.append(writer.finish())
    paths = [file_of(array) for array in arrays]
    assert [path.relative_to(tmp_path).parts[:2] for path in paths if path] == [("a", "arrays"), ("b", "arrays")]
    del arrays
    gc.collect()
    assert list((tmp_path / "a" / "arrays").iterdir()) == []
    assert stored_arrays.arrays_root() == tmp_path / "b" / "arrays"
