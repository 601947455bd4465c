from __future__ import annotations

import errno
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mexbench.data import cache as cache_module
from mexbench.data.cache import Cache, CacheEntry, default_root
from mexbench.interfaces import Clip


def entry(value: float, size: int = 8) -> CacheEntry:
    clip = Clip(frames=np.full((1, size), value), fps=200.0, onset_index=0, apex_index=3, notes=("a", "b"))
    return CacheEntry(clip, raw_digests=(f"raw{value}",), raw_hashes=("ff", ""))


def test_an_entry_round_trips(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.get("ab12") is None
    cache.put("ab12", entry(1.5))
    result = cache.get("ab12")
    assert result is not None
    np.testing.assert_array_equal(result.clip.frames, np.full((1, 8), 1.5))
    assert (
        result.raw_digests,
        result.raw_hashes,
        result.clip.fps,
        result.clip.apex_index,
        result.clip.offset_index,
    ) == (
        ("raw1.5",),
        ("ff", ""),
        200.0,
        3,
        None,
    )
    assert result.clip.notes == ("a", "b")


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b[:-1] + b"x", lambda b: b"", lambda b: b"{}\n"]
)
def test_a_damaged_entry_is_removed_and_not_trusted(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    cache = Cache(tmp_path)
    cache.put("ab12", entry(1))
    (path,) = cache.entries()
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get("ab12") is None
    assert cache.entries() == []
    cache.put("ab12", entry(2))
    result = cache.get("ab12")
    assert result is not None
    assert result.clip.frames[0, 0] == 2


def test_every_flipped_bit_makes_a_damaged_entry(tmp_path: Path) -> None:
    """Header, key, digests and pixels: not one bit of the file may change without being noticed."""
    cache = Cache(tmp_path)
    cache.put("ab12", entry(1.5))
    (path,) = cache.entries()
    content = path.read_bytes()
    assert b'"<f8"' in content
    for place in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert cache.get("ab12") is None, place
        assert not path.exists()


@pytest.mark.parametrize(
    ("before", "after"), [(b'"<f8"', b'">f8"'), (b'"raw1.5"', b'"raw1.6"'), (b'"ff"', b'"fe"'), (b"200.0", b"100.0")]
)
def test_a_changed_header_is_not_trusted(tmp_path: Path, before: bytes, after: bytes) -> None:
    cache = Cache(tmp_path)
    cache.put("ab12", entry(1.5))
    (path,) = cache.entries()
    assert before in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(before, after))
    assert cache.get("ab12") is None


def test_an_entry_under_another_key_is_not_trusted(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("ab12", entry(1))
    cache.put("ab34", entry(2))
    (tmp_path / "ab" / "ab34.clip").write_bytes((tmp_path / "ab" / "ab12.clip").read_bytes())
    assert cache.get("ab34") is None


@pytest.mark.parametrize(
    "header", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"dtype": "O"}', b'{"dtype": "<f8,"}']
)
def test_a_header_that_does_not_parse_is_a_damaged_entry(tmp_path: Path, header: bytes) -> None:
    cache = Cache(tmp_path)
    content = header + b"\n" + bytes(64)
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "ab12.clip").write_bytes(cache_module._checksum("ab12", content) + b"\n" + content)
    assert cache.get("ab12") is None
    assert cache.entries() == []


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("ab12", entry(1))
    (path,) = cache.entries()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert cache.get("ab12") is None


def test_links_lead_neither_reading_nor_writing_nor_clearing_out_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEXBENCH_CACHE", str(tmp_path / "cache"))
    precious = tmp_path / "precious"
    other = Cache(precious)
    other.put("ab12", entry(1))
    (precious / "ab" / ".tmp-x").write_text("x")
    (precious / "program").write_text("x")
    before = {path: path.read_bytes() for path in precious.rglob("*") if path.is_file()}
    cache = Cache(tmp_path / "cache")
    cache.put("cd34", entry(2))
    (cache.root / "ab").symlink_to(precious / "ab")
    (cache.root / "jax").symlink_to(precious)
    (cache.root / "cd" / "cd56.clip").symlink_to(precious / "ab" / "ab12.clip")
    assert cache.get("ab12") is None
    cache.put("ab99", entry(3))
    assert cache.trouble is not None
    assert "ab: is a symbolic link, which is not followed" in cache.trouble
    assert [path.name for path in cache.entries()] == ["cd34.clip"]
    assert cache_module.programs() == []
    assert cache.clear() == 1
    assert {path: path.read_bytes() for path in precious.rglob("*") if path.is_file()} == before
    assert (cache.root / "ab").is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_or_a_device_is_not_an_entry(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (tmp_path / "ab").mkdir()
    os.mkfifo(tmp_path / "ab" / "ab12.clip")
    (tmp_path / "ab" / "ab34.clip").symlink_to("/dev/zero")
    assert (cache.get("ab12"), cache.get("ab34")) == (None, None)
    assert cache.entries() == []
    assert cache.clear() == 0


def test_no_pickle_is_loaded(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    clip = Clip(frames=np.array([[{"any": "object"}]], dtype=object))
    with pytest.raises(ValueError, match="Python objects"):
        cache.put("ab12", CacheEntry(clip, ("x",)))
    assert cache.get("ab12") is None


def test_the_least_recently_used_entries_are_evicted(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=10 * 1024)
    for index in range(4):
        cache.put(f"{index}0", entry(index, size=256))  # 2 KiB and a header each
        for path in cache.entries():
            os.utime(path, (100 + index, 100 + index)) if path.name.startswith(str(index)) else None
    assert cache.get("00") is not None  # now the youngest
    cache.put("40", entry(4, size=256))
    remaining = {path.name[0] for path in cache.entries()}
    assert "0" in remaining
    assert "4" in remaining
    assert "1" not in remaining
    assert sum(path.stat().st_size for path in cache.entries()) <= cache.limit


def test_a_read_only_folder_is_noted_and_ignored(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file")
    cache.put("ab12", entry(1))
    assert cache.trouble is not None
    assert "are not kept for the next run" in cache.trouble
    assert cache.get("ab12") is None


def test_a_full_disk_is_noted_and_leaves_no_partial_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, mode: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "chmod", full)  # the last call before the entry gets its name
    cache = Cache(tmp_path)
    cache.put("ab12", entry(1))
    assert cache.trouble is not None
    assert "No space left on device" in cache.trouble
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def fill(root: Path) -> bool:
    """Write and read the same entries as another process does at the same time."""
    cache = Cache(root, limit=40 * 1024)  # so that each evicts what the other may be reading
    right = True
    for _ in range(5):
        for value in range(20):
            result = cache.get(f"{value:02}")
            right &= result is None or result.clip.frames[0, 0] == value
            cache.put(f"{value:02}", entry(value, size=256))
    return right and cache.trouble is None


def test_two_processes_may_share_it(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(fill, [tmp_path, tmp_path])) == [True, True]
    assert not list(tmp_path.rglob(".tmp-*"))


def test_clear_removes_entries_and_nothing_else(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for key in ("ab12", "cd34"):
        cache.put(key, entry(1))
    (tmp_path / "ab" / "note.txt").touch()
    (tmp_path / "ab" / ".tmp-x").touch()
    assert cache.size() == sum(path.stat().st_size for path in cache.entries()) > 2 * 64
    assert cache.clear() == 2
    assert (cache.entries(), cache.size()) == ([], 0)
    assert [path.name for path in (tmp_path / "ab").iterdir()] == ["note.txt"]


def test_the_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEXBENCH_CACHE", "/somewhere")
    assert default_root() == Path("/somewhere")
    monkeypatch.delenv("MEXBENCH_CACHE")
    assert "mexbench" in str(default_root())
