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
