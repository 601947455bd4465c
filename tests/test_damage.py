"""What happens to disks: each kind of damage is noticed, named and mended by the same command."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mexbench import files
from mexbench.data.cache import Cache, CacheEntry
from mexbench.runs import provenance
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.task import Task
from tests import survival
from tests.helpers import Ran

Bench = Callable[..., Ran]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mexbench.cli.output.load_catalogue", survival.catalogue)
    (tmp_path / "c.yaml").write_text(survival.CONFIG)
    return tmp_path


@pytest.fixture
def whole(bench: Bench) -> bytes:
    """The predictions of a run that nothing happened to, in ``whole``."""
    assert bench("run", "c.yaml", "--out", "whole").code == 0
    return Path("whole/predictions.csv").read_bytes()


@pytest.fixture
def small_disk(place: Path) -> Iterator[Path]:
    disk = place / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(disk)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def remount(disk: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


def one_task(folder: str = "run") -> Path:
    return Path(folder) / "tasks" / "b" / "1" / "toy%2Fp2.json"


def test_a_full_disk(whole: bytes, bench: Bench, small_disk: Path) -> None:
    ran = bench("run", "c.yaml", "--out", small_disk / "run")
    done = len(list(small_disk.glob("run/tasks/*/*/*.json")))
    assert 0 < done < survival.TASKS
    assert ran.code == 2
    assert ran.err.splitlines()[-2].endswith("No space left on device")
    assert f"{done} of 16 tasks are done and kept in {small_disk / 'run'}; fix that" in ran.err
    assert [path.name for path in (small_disk / "run").rglob(".*")] == [".lock"]
    remount(small_disk, "size=1m")
    ran = bench("run", "c.yaml", "--out", small_disk / "run")
    assert (ran.code, f"{16 - done} to do" in ran.err) == (0, True)
    assert (small_disk / "run" / "predictions.csv").read_bytes() == whole


@pytest.mark.parametrize(("writes", "jobs"), [(0, 1), (1, 1), (9, 1), (9, 2), (17, 1), (19, 1)])
def test_a_disk_that_fills_up_at_any_moment(
    whole: bytes, bench: Bench, monkeypatch: pytest.MonkeyPatch, writes: int, jobs: int
) -> None:
    """After no write at all, the manifest, some tasks, all tasks, some reports."""
    count, real = 0, os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count > writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", fsync)
        ran = bench("run", "c.yaml", "--out", "run", "--jobs", jobs)
    done = min(max(writes - 1, 0), 16)
    assert ran.code == 2
    assert "error: No space left on device" in ran.err
    assert f"{done} of 16 tasks are done and kept in run; fix that, then the same command goes on" in ran.err
    assert [path.name for path in Path("run").rglob(".*")] == [".lock"]
    ran = bench("run", "c.yaml", "--out", "run")
    assert (ran.code, f"{16 - done} to do" in ran.err) == (0, True)
    assert Path("run/predictions.csv").read_bytes() == whole


@pytest.mark.usefixtures("few_subjects_suffice")
def test_a_run_folder_that_cannot_be_written(bench: Bench, small_disk: Path) -> None:
    remount(small_disk, "size=1m")
    folder = small_disk / "run"
    assert bench("run", "c.yaml", "--out", folder).code == 0
    remount(small_disk, "ro")
    ran = bench("run", "c.yaml", "--out", folder)
    assert (ran.code, ran.err) == (2, f"error: {folder}: cannot be written; choose another --out\n")
    ran = bench("run", "c.yaml", "--out", folder, "--recompute", "never")
    assert ran.code == 0
    assert f"warning: {folder} cannot be written: nothing is written" in ran.err
    assert ran.out.count("1-2") == 2


def test_the_cache_goes_while_clips_are_loaded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, place: Path, flow_pack: Path
) -> None:
    (place / "c.yaml").write_text(
        f"dataset: {{plugin: megc2019_flow, root: {flow_pack}, expect: any}}\n"
        "preprocess: [{plugin: resize, size: 9}]\nprotocol: loso\nmodels: [majority]"
    )
    monkeypatch.setenv("MEXBENCH_CACHE", str(place / "cache"))
    assert bench("run", "c.yaml", "--out", "whole").code == 0
    real, gone = Cache.get, []

    def get(self: Cache, key: str) -> CacheEntry | None:
        gone.append(len(self.entries()))
        if len(gone) == 4:
            shutil.rmtree(place / "cache")
        return real(self, key)

    monkeypatch.setattr(Cache, "get", get)
    assert bench("run", "c.yaml", "--out", "run").code == 0
    assert gone == [12, 12, 12, 12, *range(1, 9)]
    assert Path("run/predictions.csv").read_bytes() == Path("whole/predictions.csv").read_bytes()


def test_a_clock_that_is_set_back(whole: bytes, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    one_task("whole").unlink()
    monkeypatch.setattr(provenance, "now", lambda: "1999-12-31T23:59:59+00:00")
    ran = bench("run", "c.yaml", "--out", "whole")
    assert ran.code == 0
    assert "1 to do" in ran.err
    assert "in the future: the clock was set back" in ran.err
    assert Path("whole/predictions.csv").read_bytes() == whole


@pytest.mark.parametrize("damage", ["cut", "empty", "flip", "not text", "deep", "other run", "other fold"])
def test_a_file_of_a_task_that_is_not_what_it_was(whole: bytes, bench: Bench, damage: str) -> None:
    shutil.copytree("whole", "run")
    content = one_task().read_bytes()
    assert bench("run", "c.yaml", "--out", "other", "--set", "models.b.power=1").code == 0
    one_task().write_bytes(
        {
            "cut": content[:100],
            "empty": b"",
            "flip": content.replace(b"0.", b"1.", 1),
            "not text": b"\xff" + content[1:],
            "deep": b"[" * 100_000,
            "other run": one_task("other").read_bytes(),
            "other fold": one_task().with_name("toy%2Fp1.json").read_bytes(),
        }[damage]
    )
    foreign = damage.startswith("other")
    kind = "not of this run" if foreign else "damaged"
    for looks in (["--recompute", "never"], ["--dry-run"]):
        ran = bench("run", "c.yaml", "--out", "run", *looks)
        assert f"warning: 1 file {kind}" in ran.err
        assert f"left in place: {one_task()}" in ran.err
        assert one_task().exists()
    ran = bench("run", "c.yaml", "--out", "run")
    assert (ran.code, "1 to do" in ran.err) == (0, True)
    assert f"warning: 1 file {kind}" in ran.err
    assert str(one_task()) in ran.err
    assert one_task().with_suffix(".foreign" if foreign else ".damaged").exists()
    assert Path("run/predictions.csv").read_bytes() == whole
    assert "warning" not in bench("run", "c.yaml", "--out", "run").err


def test_no_flipped_bit_changes_a_result(whole: bytes) -> None:
    path, folder = one_task("whole"), RunFolder(Path("whole"), keep=True)
    content = path.read_bytes()
    task = Task("b", 1, "toy/p2", str(files.read_json(path)["fingerprint"]))
    true = folder.read_result(task)
    assert true is not None
    for position in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            result: Any = folder.read_result(task)
            assert result is None or result == true  # 1e-9 and 1E-9 are one number


def test_a_manifest_that_is_damaged(whole: bytes, bench: Bench) -> None:
    manifest = Path("whole/manifest.json")
    manifest.write_bytes(manifest.read_bytes()[:-50])
    ran = bench("run", "c.yaml", "--out", "whole")
    assert ran.code == 2
    assert "remove the manifest to check and reuse them" in ran.err
    manifest.unlink()
    ran = bench("run", "c.yaml", "--out", "whole")
    assert (ran.code, "0 to do" in ran.err) == (0, True)
    assert Path("whole/predictions.csv").read_bytes() == whole
