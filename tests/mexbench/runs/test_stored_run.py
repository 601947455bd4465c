"""A run folder read again: its rows, and its config without a path of the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mexbench.errors import RunFolderError
from mexbench.runs.stored_run import StoredRun, read_run
from tests.helpers import Ran

CONFIG = """\
dataset: {plugin: synthetic, subjects: 3}
protocol: [loso, {plugin: kfold, name: twice, k: 3, repeats: 2}]
models: [majority, {plugin: svm, C: 2.0}]
seeds: [3, 1]
"""


@pytest.fixture
def run(tmp_path: Path, bench: Callable[..., Ran]) -> StoredRun:
    (tmp_path / "c.yaml").write_text(CONFIG)
    assert bench("run", tmp_path / "c.yaml", "--out", tmp_path / "out").code == 0
    return read_run(tmp_path / "out")


def test_rows_of_several_protocols_have_their_own_config(run: StoredRun) -> None:
    assert list(run.rows) == ["majority under loso", "majority under twice", "svm under loso", "svm under twice"]
    made = run.row_config("svm under twice")
    assert (made.model["name"], made.model["C"]) == ("svm", 2.0)
    assert (made.protocol["plugin"], made.protocol["k"]) == ("kfold", 3)
    assert [block["plugin"] for block in made.config["models"]] == ["svm"]
    assert made.config["protocol"]["plugin"] == "kfold"
    assert made.identity["model"]["C"] == 2.0
    assert run.part("svm under twice")["rows"] == ["majority under twice", "svm under twice"]
    with pytest.raises(RunFolderError, match="does not say what 'cnn' is"):
        run.row_config("cnn")


def test_pools_give_the_confusion_that_the_run_reported(run: StoredRun) -> None:
    for row, reported in run.rows.items():
        table = run.predictions[row]
        assert list(table.runs) == [(one["seed"], one["repeat"]) for one in reported["per_seed"]]
        counts = table.counts().sum(axis=1)
        assert counts.tolist() == [one["confusion"] for one in reported["per_seed"]]


def test_paths_in_a_config_become_variables() -> None:
    dataset = {"plugin": "casme2", "root": "/home/me/CASME2", "classes": 5}
    other = {"plugin": "samm", "root": "stand-in", "cache": None}
    step = {"plugin": "embed", "weights": "C:\\me\\w.npz", "size": 3}
    config = {
        "dataset": [dataset, other],
        "preprocess": [step],
        "protocol": {"plugin": "loso"},
        "models": [{"plugin": "cnn", "name": "net", "start": "~/w", "frames": None, "preprocess": [step]}],
        "seeds": [0],
    }
    plain = {"plugin": "embed", "size": 3}
    identity = {
        "dataset": {"members": [{"plugin": "casme2", "classes": 5}, {"plugin": "samm"}], "title": "both"},
        "preprocess": [plain],
        "protocol": {"plugin": "loso"},
        "models": {"net": {"plugin": "cnn", "preprocess": [plain]}},
        "seeds": [0],
    }
    run = StoredRun(Path("x"), {"config": config, "identity": identity}, {"classes": [], "rows": []}, {})
    shown = run.row_config("net").config
    hidden = {"plugin": "embed", "weights": "${EMBED_WEIGHTS}", "size": 3}
    assert shown["dataset"] == [
        {"plugin": "casme2", "root": "${CASME2_ROOT}", "classes": 5},
        {"plugin": "samm", "root": "${SAMM_ROOT:-stand-in}", "cache": None},
    ]
    assert shown["preprocess"] == [hidden]
    assert shown["models"][0]["preprocess"] == [hidden]
    assert shown["models"][0]["start"] == "${CNN_START}"


@pytest.mark.parametrize(
    ("name", "old", "new", "text"),
    [
        ("manifest.json", b'"started"', b'"begun"', "manifest.json: is damaged: started: Field required"),
        ("manifest.json", b'"svm under loso"', b'"svm"', "has nothing about the rows svm under loso"),
        ("scores.json", b'"classes": [', b'"classes": [3,', "scores.json: is damaged: classes.0: .* valid string"),
        ("scores.json", b'"done": 6,', b'"done": "x",', "scores.json: is damaged: rows.0.tasks.done"),
        ("predictions.csv", b"synthetic/s01", b"\xff", "predictions.csv: is damaged: 'utf-8' codec"),
    ],
)
def test_damaged_reports_are_one_clear_error(run: StoredRun, name: str, old: bytes, new: bytes, text: str) -> None:
    content = (run.path / name).read_bytes()
    (run.path / name).write_bytes(content.replace(old, new, 1))
    with pytest.raises(RunFolderError, match=text):
        read_run(run.path)
