from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import RunFolderError
from mexbench.files import write_json
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.task import Failure, Success, Task

TASK = Task("svm linear", 3, "casme2/sub01", "print")
DONE = Success(TASK, np.array([[0.1 + 0.2, -1e-17], [2.0, 3.0]]), fit_s=1.5, predict_s=0.5, warnings=("W: x",))
IDENTITY = {"dataset": {"plugin": "a"}, "models": {"svm": {"C": 1}}, "seeds": [0]}


def stored(tmp_path: Path) -> tuple[RunFolder, Path]:
    folder = RunFolder(tmp_path / "run")
    folder.write_result(DONE, ["s2", "s1"])
    (path,) = (tmp_path / "run" / "tasks").glob("*/*/*")
    return folder, path


def test_round_trip_by_sample_id(tmp_path: Path) -> None:
    folder, path = stored(tmp_path)
    assert path.relative_to(folder.path).as_posix() == "tasks/svm linear/3/casme2%2Fsub01.json"
    result = folder.read_result(TASK)
    assert result is not None
    assert result.scores == {"s2": [0.1 + 0.2, -1e-17], "s1": [2.0, 3.0]}
    assert (result.fit_s, result.predict_s, result.warnings) == (1.5, 0.5, ("W: x",))


def test_learning_curves_lie_under_the_checksum_and_may_be_absent(tmp_path: Path) -> None:
    folder, path = stored(tmp_path)
    assert "history" not in json.loads(path.read_text())  # as in folders of earlier versions
    result = folder.read_result(TASK)
    assert result is not None
    assert result.history == ()
    history = ({"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": 0.25})
    folder.write_result(replace(DONE, history=history), ["s2", "s1"])
    result = folder.read_result(TASK)
    assert result is not None
    assert result.history == history
    path.write_text(path.read_text().replace("0.25", "0.26"))
    assert folder.read_result(TASK) is None


def test_what_is_of_another_task_is_not_used(tmp_path: Path) -> None:
    folder, path = stored(tmp_path)
    assert folder.read_result(replace(TASK, fold="casme2/sub02")) is None
    assert folder.unusable == {}
    remaining = RunFolder(folder.path, keep=True)
    assert remaining.read_result(replace(TASK, fingerprint="other data")) is None
    assert remaining.unusable == {path: "foreign"}
    assert path.exists()
    assert folder.read_result(replace(TASK, fingerprint="other data")) is None
    assert folder.unusable == {path: "foreign"}
    assert not path.exists()
    assert path.with_suffix(".foreign").exists()


def test_results_that_changed_places_are_not_used(tmp_path: Path) -> None:
    folder, path = stored(tmp_path)
    other = replace(TASK, fold="casme2/sub02", fingerprint="other print")
    folder.write_result(replace(DONE, task=other), ["s3", "s4"])
    beside = path.with_name("casme2%2Fsub02.json")
    one, two = path.read_bytes(), beside.read_bytes()
    path.write_bytes(two)
    beside.write_bytes(one)
    assert folder.read_result(TASK) is None
    assert folder.read_result(other) is None
    assert folder.unusable == {path: "foreign", beside: "foreign"}


@pytest.mark.parametrize(
    "damage",
    [lambda t: t[: len(t) // 2], lambda t: t.replace("3.0", "4.0"), lambda t: "", lambda t: "[1]", lambda t: "{}"],
    ids=["cut", "changed", "empty", "list", "object"],
)
def test_a_damaged_result_is_noticed_set_aside_and_counts_as_missing(
    tmp_path: Path, damage: Callable[[str], str]
) -> None:
    folder, path = stored(tmp_path)
    path.write_text(damage(path.read_text()))
    assert folder.read_result(TASK) is None
    assert folder.unusable == {path: "damaged"}
    assert not path.exists()
    assert path.with_suffix(".damaged").exists()


def test_a_failure_leaves_its_traceback_until_the_task_succeeds(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_failure(Failure(TASK, "E: x", "Traceback ..."))
    assert folder.error_path(TASK).read_text() == "E: x\n\nTraceback ..."
    assert folder.read_result(TASK) is None
    folder.write_result(DONE, ["s2", "s1"])
    assert not folder.error_path(TASK).exists()


def test_names_cannot_climb_out_or_grow_too_long(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    for fold in ("../../../up", "..", "x" * 500, "y" * 499 + "z", "a\0b", "é/ü"):
        task = replace(TASK, fold=fold)
        folder.write_result(replace(DONE, task=task), ["s2", "s1"])
        assert folder.read_result(task) is not None
    assert len(list((tmp_path / "run" / "tasks" / "svm linear" / "3").iterdir())) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def folder_with(tmp_path: Path, identity: object) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.check(IDENTITY)
    assert not folder.path.exists()
    write_json(folder.manifest, {"identity": identity})
    return folder


def test_the_same_run_and_a_grown_one_may_go_on(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, IDENTITY)
    folder.check(IDENTITY)
    folder.check({**IDENTITY, "models": {"svm": {"C": 1}, "ann": {}}, "seeds": [0, 1]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": {"svm": {"C": 2}}}, "models.svm.C: was 1, now 2"),
        ({"models": {"ann": {}}}, "models.svm: was {'C': 1}, now absent"),
        ({"dataset": {"plugin": "b"}}, "dataset.plugin: was 'a', now 'b'"),
        ({"dataset": {"plugin": "a", "x": 1}}, "dataset.x: was absent, now 1"),
        ({"seeds": [1]}, "seeds: was [0], now [1]"),
    ],
)
def test_another_run_is_refused_with_the_difference(tmp_path: Path, change: dict[str, object], message: str) -> None:
    folder = folder_with(tmp_path, IDENTITY)
    with pytest.raises(RunFolderError) as caught:
        folder.check({**IDENTITY, **change})
    assert message in str(caught.value)
    assert "choose another --out" in str(caught.value)
    folder.check({**IDENTITY, **change}, replace=True)


def test_folders_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in ("file", "file/run"):
        with pytest.raises(RunFolderError, match="file: is a file, not a folder"):
            RunFolder(tmp_path / path).check(IDENTITY)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").touch()
    with pytest.raises(RunFolderError, match=r"has files \(chapter1.tex\) and is not a run folder"):
        RunFolder(tmp_path / "thesis").check(IDENTITY)


def test_a_damaged_manifest_is_told_and_results_are_kept(tmp_path: Path) -> None:
    folder, path = stored(tmp_path)
    folder.manifest.write_text("{")
    with pytest.raises(RunFolderError, match="is damaged"):
        folder.check(IDENTITY)
    assert path.exists()
    assert folder.read_manifest() == {}
    (folder.path / "leaderboard.md").touch()
    (folder.path / "models").mkdir()
    folder.manifest.unlink()  # as the text advises
    folder.check(IDENTITY)
    (folder.path / "chapter1.tex").touch()
    with pytest.raises(RunFolderError, match=r"has files \(chapter1.tex\) and is not a run folder"):
        folder.check(IDENTITY)


def test_what_a_killed_process_had_begun_is_removed_and_nothing_else(tmp_path: Path) -> None:
    folder, path = stored(tmp_path)
    (path.parent / ".tmp-x").write_text("half")
    (folder.path / "models" / "svm" / ".tmp-y" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (folder.path / ".tmp-z").symlink_to(tmp_path / "elsewhere")
    folder.remove_temporaries()
    assert {p.relative_to(folder.path).as_posix() for p in folder.path.rglob("*") if not p.is_dir()} == {
        path.relative_to(folder.path).as_posix()
    }
    assert (tmp_path / "elsewhere").is_dir()
    assert folder.read_result(TASK) is not None


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    folder, path = stored(tmp_path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert json.loads(path.read_text())["checksum"]
    assert folder.unusable == {}


SPECIAL = {
    "link to a file": lambda path: path.symlink_to("/etc/hostname"),
    "link to a folder": lambda path: path.symlink_to("/etc"),
    "broken link": lambda path: path.symlink_to("nowhere"),
    "pipe": os.mkfifo,
}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize(
    "place", ["manifest.json", "tasks", "tasks/a", "tasks/a/0/f.json", "models", ".tmp-x", ".lock"]
)
def test_links_and_pipes_below_a_run_folder_are_refused(tmp_path: Path, kind: str, place: str) -> None:
    path = tmp_path / "run" / place
    path.parent.mkdir(parents=True)
    SPECIAL[kind](path)
    what = "not a plain file" if kind == "pipe" else "a symbolic link"
    for keep in (True, False):
        with pytest.raises(RunFolderError, match=rf"has what a run folder must not have: {place} \({what}\); no link"):
            RunFolder(tmp_path / "run", keep=keep).check({})


@pytest.mark.parametrize("kind", SPECIAL)
def test_a_result_that_is_not_a_plain_file_is_set_aside_unread(tmp_path: Path, kind: str) -> None:
    """As where somebody puts it there after the run has begun."""
    folder, task = RunFolder(tmp_path), Task("a", 0, "f", "x")
    (tmp_path / "tasks/a/0").mkdir(parents=True)
    SPECIAL[kind](tmp_path / "tasks/a/0/f.json")
    assert folder.read_result(task) is None
    assert folder.unusable == {tmp_path / "tasks/a/0/f.json": "damaged"}
    assert not os.path.lexists(tmp_path / "tasks/a/0/f.json")


def test_a_run_folder_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to("disk")
    RunFolder(tmp_path / "run").check({})
