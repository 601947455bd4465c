from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mexbench import files


def test_a_file_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.txt"
    files.write_text(path, "old")

    def crash() -> None:
        with files.replacing(path) as stream:
            stream.write(b"half of the new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["x.txt"]


def test_json_rejects_nan_and_infinity(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_json_round_trip_keeps_every_digit(tmp_path: Path) -> None:
    value = {"a": 0.1 + 0.2, "b": 1e-300, "ü": ["é"]}
    files.write_json(tmp_path / "x.json", value)
    assert files.read_json(tmp_path / "x.json") == value


def test_a_file_gets_the_permissions_of_the_umask(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    files.write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_arrays_round_trip_bit_by_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "a/b": rng.normal(size=(3, 4)).T,  # not contiguous
        "bytes": rng.integers(0, 256, 5, dtype=np.uint8),
        "flags": np.array([True, False]),
        "half": np.array([0.1], np.float16),
        "one": np.array(1e-300),
    }
    files.write_arrays(tmp_path / "x.safetensors", arrays)
    result = files.read_arrays(tmp_path / "x.safetensors")
    assert result.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (result[name].dtype, result[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(result[name], array)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.array([1.0, np.inf]), "array 'x' holds numbers that are NaN or infinite"),
        (np.array([object()]), "array 'x' is object, expected numbers"),
        (np.array(["a"]), "array 'x' is <U1, expected numbers"),
    ],
)
def test_arrays_that_are_not_finite_numbers_are_not_written(tmp_path: Path, array: np.ndarray, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        files.write_arrays(tmp_path / "x", {"x": array})
    assert list(tmp_path.iterdir()) == []


def test_invalid_array_files_are_rejected(tmp_path: Path) -> None:
    files.write_arrays(tmp_path / "x", {"x": np.zeros(100)})
    full = (tmp_path / "x").read_bytes()
    for content in (b"", b"text", full[:50], full[:-8], b"\xff" * 8 + full[8:]):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(ValueError, match="x: invalid safetensors file"):
            files.read_arrays(tmp_path / "x")


def test_a_folder_is_replaced_completely_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"

    def write(name: str, *, fail: bool = False) -> None:
        with files.replacing_folder(path) as folder:
            (folder / name).write_text(name)
            if fail:
                raise RuntimeError

    write("old")
    with pytest.raises(RuntimeError):
        write("new", fail=True)
    assert [p.name for p in path.iterdir()] == ["old"]
    write("new")
    assert [p.name for p in path.iterdir()] == ["new"]
    assert [p.name for p in path.parent.iterdir()] == ["folder"]
    (tmp_path / "usual").mkdir()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
