from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import openpyxl
import pytest

from mexbench.errors import ConfigError, DataError
from mexbench_plugins.synth import emotions, layouts, standin
from mexbench_plugins.synth.action_units import parse
from mexbench_plugins.synth.actors import scenes

TINY = standin.StandIn(subjects=2, clips=2, width=160, height=120, frames=6)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEXBENCH_CACHE", str(tmp_path))
    return tmp_path / "stand-in"


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.jpg")}


def test_samm_has_the_original_layout(cache: Path) -> None:
    options = dataclasses.replace(TINY, subjects=3, clips=6)
    root = standin.stand_in_root("samm", options)
    sheet = openpyxl.load_workbook(root / "SAMM_Micro_FACS_Codes_v2.xlsx")["MICRO_ONLY"]
    lines = list(sheet.iter_rows(values_only=True))
    assert all(line[1] is None for line in lines[:13])
    assert lines[13] == layouts.SammLayout.header
    assert len(lines) == 14 + 18
    for line in lines[14:]:
        subject, name, code, onset, apex, offset, duration = line[:7]
        assert isinstance(onset, int)
        assert isinstance(apex, int)
        assert isinstance(offset, int)
        assert onset < apex < offset
        assert duration == offset - onset + 1
        assert str(name).split("_")[:2] == [subject, str(code)]
        names = {path.name for path in (root / str(subject) / str(name)).iterdir()}
        assert names == {f"{subject}_{number:05}.jpg" for number in range(onset, offset + 1)}
    image = cv2.imread(str(next(root.glob("006/*/*.jpg"))), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image.shape == (120, 160)
    assert {str(line[9]) for line in lines[14:]} >= {"Anger", "Other", "Happiness"}


def test_stand_in_is_built_once_with_a_message(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = standin.stand_in_root("casme2", TINY)
    assert root.parent == cache
    assert "building a stand-in for casme2, once: 4 clips of 2 procedural faces" in capsys.readouterr().err
    stamp = (root / standin.MARKER).stat().st_mtime_ns
    assert standin.stand_in_root("casme2", TINY) == root
    assert (root / standin.MARKER).stat().st_mtime_ns == stamp
    assert capsys.readouterr().err == ""
    about = json.loads((root / standin.MARKER).read_text())
    assert about["files"] == len(content(root)) + 1
    assert "no person was recorded" in about["note"]
    assert [path.name for path in cache.iterdir()] == [root.name]


def test_options_determine_the_folder(cache: Path) -> None:
    one = standin.stand_in_root("casme2", TINY)
    assert standin.stand_in_root("casme2", dataclasses.replace(TINY, seed=1)) != one
    assert standin.stand_in_root("samm", TINY) != one


def test_the_same_options_make_the_same_pixels(cache: Path) -> None:
    root = standin.stand_in_root("casme2", TINY)
    first = content(root)
    shutil.rmtree(root)
    assert content(standin.stand_in_root("casme2", TINY)) == first


def test_damaged_stand_in_is_rebuilt(cache: Path) -> None:
    root = standin.stand_in_root("casme2", TINY)
    complete = content(root)
    next(root.rglob("*.jpg")).unlink()
    assert content(standin.stand_in_root("casme2", TINY)) == complete
    (root / standin.MARKER).write_text("{")
    assert content(standin.stand_in_root("casme2", TINY)) == complete
    assert [path.name for path in cache.iterdir()] == [root.name]


def test_interrupted_build_leaves_no_partial_data_set(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(layouts.Casme2Layout, "write_sheet", stop)
        with pytest.raises(KeyboardInterrupt):
            standin.stand_in_root("casme2", TINY)
    assert list(cache.iterdir()) == []
    assert standin.stand_in_root("casme2", TINY).is_dir()


def test_concurrent_builds_share_the_first_result(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = standin.stand_in_root("casme2", TINY)
    stamp = (root / standin.MARKER).stat().st_mtime_ns
    answers = iter([False])  # when it started, nothing was there yet
    real = standin._is_complete
    monkeypatch.setattr(standin, "_is_complete", lambda path, key: next(answers, None) is None and real(path, key))
    assert standin.stand_in_root("casme2", TINY) == root
    assert (root / standin.MARKER).stat().st_mtime_ns == stamp
    assert [path.name for path in cache.iterdir()] == [root.name]


def test_temporary_folders_of_killed_processes_are_removed_after_a_day(cache: Path) -> None:
    old, young = cache / ".tmp-old", cache / ".tmp-young"
    old.mkdir(parents=True)
    young.mkdir()
    os.utime(old, (0, 0))
    standin.stand_in_root("casme2", TINY)
    assert not old.exists()
    assert young.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MEXBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"stand-in for casme2 cannot be built in .* set MEXBENCH_CACHE to another"):
        standin.stand_in_root("casme2", TINY)


@pytest.mark.parametrize(
    "wrong", [{"subjects": 1}, {"quality": 101}, {"intensity": 0.0}, {"frames": 3}, {"width": 170}]
)
def test_a_bad_option_is_named(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"stand-in: {name} = "):
        standin.StandIn(**wrong)


@pytest.mark.parametrize(
    ("aus", "code"),
    [("6+12", 1), ("L1+R2", 2), ("4+7", 3), ("4+9", 4), ("15+17", 5), ("1+2+4", 6), ("R14", 7), ("7+4", 3)],
)
def test_objective_classes_follow_the_paper(aus: str, code: int) -> None:
    assert layouts.objective_class(parse(aus)) == code


def test_data_sets_share_no_identities() -> None:
    options = standin.StandIn(subjects=5, clips=2, width=160, height=120)
    casts = [{scene.take.face.seed for scene in scenes(options, words)} for words in (emotions.CASME2, emotions.SAMM)]
    assert [len(cast) for cast in casts] == [5, 5]
    assert casts[0].isdisjoint(casts[1])
