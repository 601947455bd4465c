"""State dictionaries of PyTorch: read as PyTorch reads them, and hostile ones refused without running anything."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench.runs.torch_state import read_state


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:  # noqa: ANN401
        return Path.touch, (self.path,)


def test_a_hostile_pickle_is_refused_without_executing(tmp_path: Path) -> None:
    path, trap = tmp_path / "sub01.pth", tmp_path / "executed"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"fc.weight": Hostile(trap)}, protocol=2))
    with pytest.raises(DataError, match=r"nothing was run|instruction"):
        read_state(path)
    assert not trap.exists()


def test_older_formats_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "old.pth").write_bytes(pickle.dumps({"a": 1}, protocol=2))
    with pytest.raises(DataError, match="older formats are not read"):
        read_state(tmp_path / "old.pth")


def archive_of(path: Path, pickled: bytes, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, content in entries.items():
            archive.writestr(f"archive/data/{name.removeprefix('_')}", content)
    return path


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def storage(key: str, count: int) -> bytes:
    parts = text("storage"), b"ctorch\nFloatStorage\n", text(key), text("cpu"), b"J" + count.to_bytes(4, "little")
    return b"(" + b"".join(parts) + b"tQ"


def tensor(key: str, count: int, shape: bytes) -> bytes:
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    return rebuild + b"(" + storage(key, count) + b"K\x00" + shape + b"tR"


def test_a_tensor_written_by_hand_is_read(tmp_path: Path) -> None:
    numbers = np.arange(3, dtype="<f4")
    pickled = b"\x80\x02}" + text("a") + tensor("0", 3, b"(K\x03t(K\x01t") + b"s."
    path = archive_of(tmp_path / "a.pth", pickled, _0=numbers.tobytes())
    np.testing.assert_array_equal(read_state(path)["a"], numbers)


@pytest.mark.parametrize(
    ("pickled", "reason"),
    [
        # A pair of pairs of pairs ...: 2 ** 60 of them as text.
        (b"\x80\x02)" + b"q\x00h\x00h\x00\x86" * 60 + b")R.", "names 'tuple'"),
        (
            b"\x80\x02}"
            + text("a")
            + tensor("0", 1, b"(" + b"K\x02" * 50_000 + b"t(" + b"K\x01" * 50_000 + b"t")
            + b"s.",
            "more than 8 axes",
        ),
        # Many tensors of one storage.
        (
            b"\x80\x02}("
            + b"".join(text(f"{i}") + tensor("0", 2**19, b"(J\x00\x00\x08\x00t(K\x01t") for i in range(2000))
            + b"u.",
            "more than 1 GiB together",
        ),
    ],
)
def test_nothing_costs_more_than_the_size_of_the_file(tmp_path: Path, pickled: bytes, reason: str) -> None:
    path = archive_of(tmp_path / "bomb.pth", pickled, _0=bytes(2**21))
    with pytest.raises(DataError, match=reason):
        read_state(path)


def test_a_compressed_archive_and_too_many_entries_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "zip.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/data/0", bytes(2**24))
    with pytest.raises(DataError, match="compressed entries"):
        read_state(tmp_path / "zip.pth")
    (tmp_path / "many.pth").write_bytes(b"PK\x03\x04" + b"PK\x01\x02" * 30_000)
    with pytest.raises(DataError, match="more entries than"):
        read_state(tmp_path / "many.pth")
    (tmp_path / "short.pth").write_bytes((tmp_path / "zip.pth").read_bytes()[:-30])
    with pytest.raises(DataError, match="cut short or damaged"):
        read_state(tmp_path / "short.pth")


def test_arrays_are_those_of_pytorch_and_mutations_never_escape(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.BatchNorm2d(5), torch.nn.Linear(4, 3))
    path = tmp_path / "sub01.pth"
    torch.save(network.state_dict(), path)
    state, expected = read_state(path), network.state_dict()
    assert state.keys() == expected.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(array, expected[name].numpy())
    original, rng = path.read_bytes(), np.random.default_rng(0)
    with zipfile.ZipFile(io.BytesIO(original)) as archive:
        pickled = archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))
    for number in range(500):
        content = bytearray(original)
        at = original.index(pickled) if number % 2 else 0
        for _ in range(int(rng.integers(1, 4))):
            content[at + int(rng.integers(len(pickled) if number % 2 else len(original)))] = int(rng.integers(256))
        path.write_bytes(bytes(content))
        try:
            read_state(path)
        except DataError:
            continue
