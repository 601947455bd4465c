"""Whoever reads what a command prints may go: the work is done all the same, and its exit code says so."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mexbench import cli
from tests import films

CONFIG = "dataset: {plugin: synthetic, subjects: 3, clips: 6}\nprotocol: loso\nmodels: [{model}]\n"
CSV = "sample_id,subject,y_true,y_pred\n" + "".join(f"c{i},s{i % 6},{'ab'[i % 2]},a\n" for i in range(24))

Closed = Callable[..., int]


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Closed]:
    """Run a command both of whose outputs are pipes that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out, os.fdopen(os.dup(writing), "w") as err:

        def run(*arguments: object) -> int:
            with monkeypatch.context() as patch:
                patch.setattr(sys, "stdout", out)
                patch.setattr(sys, "stderr", err)
                return cli.main([str(argument) for argument in arguments])

        yield run


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG.replace("{model}", "majority, svm"))
    return path


def test_run(config: Path, closed: Closed, tmp_path: Path) -> None:
    assert closed("run", config, "--out", "run") == cli.OK
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["tasks"] == {"done": 6, "total": 6}


def test_check_and_what_only_prints(config: Path, closed: Closed) -> None:
    assert closed("check", config) == cli.OK
    assert closed("list") == cli.OK
    assert closed("check", config, "--set", "models=[{plugin: cnn}]", "--set", "dataset.subjects=1") == cli.BAD_INPUT


def test_audit(config: Path, closed: Closed, tmp_path: Path) -> None:
    assert closed("audit", config, "--leaks", "f1-over-folds", "--repeats", 2, "--in-process") == cli.OK
    assert (tmp_path / "runs" / "c" / "audit" / "audit.md").is_file()


def test_score(closed: Closed, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(CSV)
    assert closed("score", tmp_path / "p.csv", "--json", tmp_path / "s.json") == cli.OK
    assert json.loads((tmp_path / "s.json").read_text())["rows"][0]["n_samples"] == 24


def test_leaderboard_and_site(config: Path, closed: Closed, tmp_path: Path) -> None:
    root = tmp_path / "boards"
    assert closed("run", config, "--out", "run", "--in-process") == cli.OK
    assert closed("leaderboard", "define", "run", "toy", "--root", root) == cli.OK
    assert closed("leaderboard", "submit", "run", "toy", "--root", root) == cli.OK
    assert closed("site", "--root", root, "--out", tmp_path / "site") == cli.OK
    assert (tmp_path / "site" / "rows" / "toy" / "svm.html").is_file()


def test_synth_and_predict(config: Path, closed: Closed, tmp_path: Path) -> None:
    timing = ("--size", "240x180", "--lead", 2, "--rise", 5, "--fall", 6, "--tail", 1)
    assert closed("synth", "--face", "builtin:3", "--aus", "12", "--out", "smile.mp4", *timing) == cli.OK
    assert (tmp_path / "smile.json").is_file()
    config.write_text(
        "dataset: {plugin: casme2, root: stand-in, classes: 5,\n"
        "          stand_in: {subjects: 3, clips: 4, width: 160, height: 128, frames: 6}}\n"
        "frames: {unit: frame, count: 2}\npreprocess: [grayscale, {plugin: resize, size: 8}]\n"
        "protocol: loso\nmodels: [majority]\n"
    )
    assert closed("run", config, "--out", "run", "--in-process", "--save-models", "all") == cli.OK
    films.person(tmp_path / "a.mp4", 1)
    model = tmp_path / "run" / "models" / "majority" / "all" / "0"
    assert closed("predict", tmp_path / "a.mp4", "--model", model, "--out", "seen") == cli.OK
    assert (tmp_path / "seen" / "clips.csv").is_file()
    assert closed("analyse", "case-study", "seen/clips.csv", "--out", "study.md") == cli.OK
    assert (tmp_path / "study.md").is_file()
    assert closed("analyse", "agreement", "seen/clips.csv", "seen/clips.csv", "--out", "agreement.md") == cli.OK
    assert (tmp_path / "agreement.md").is_file()


def test_compare(config: Path, closed: Closed, tmp_path: Path) -> None:
    assert closed("run", config, "--out", "run", "--in-process") == cli.OK
    assert closed("compare", "run", "run", "--csv", "differences.csv") == cli.OK
    assert (tmp_path / "differences.csv").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_the_output_is_named(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert cli.main(["run", str(config), "--out", "run", "--in-process"]) == cli.BAD_INPUT
    assert "error: the output could not be written: No space left on device" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["complete"] is True  # the work is done
