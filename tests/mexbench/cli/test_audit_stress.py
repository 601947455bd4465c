"""``bench audit --stress`` and ``--models`` as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import Ran

CONFIG = """\
dataset:
  plugin: casme2
  root: stand-in
  classes: 5
  stand_in: {subjects: 3, clips: 4, frames: 6, width: 160, height: 128}
frames: {unit: clip, at: [apex]}
preprocess: [grayscale, {plugin: resize, size: 16}]
protocol: loso
models: [svm, majority]
seeds: [0]
"""
QUICK = "dataset: {plugin: synthetic, subjects: 4, clips: 6}\nprotocol: loso\nmodels: [majority, svm]\nseeds: [0]\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "quick.yaml").write_text(QUICK)
    return tmp_path / "c.yaml"


def test_it_writes_a_table_and_curves_and_goes_on_where_it_stopped(config: Path, bench: Callable[..., Ran]) -> None:
    arguments = ("audit", config, "--stress", "--models", "svm", "--alterations", "brightness,noise")
    ran = bench(*arguments)
    assert (ran.code, ran.err.count("Traceback")) == (0, 0)
    assert "2 alterations x 1 model, 3 trainings to do" in ran.err
    folder = config.parent / "runs" / "c" / "audit"
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        "stress.md", "stress.json", "stress.png", "stress.svg",
    }  # fmt: skip
    report = json.loads((folder / "stress.json").read_text())
    assert [(row["model"], row["alteration"], row["status"]) for row in report["rows"]] == [
        ("svm", "brightness", "measured"), ("svm", "noise", "measured"),
    ]  # fmt: skip
    run = json.loads((folder.parent / "scores.json").read_text())
    assert [row["model"] for row in run["rows"]] == ["svm"], "the honest run has no other model"
    for row in report["rows"]:
        assert row["reproduced"]
        assert row["clean"]["uf1"] == pytest.approx(run["rows"][0]["uf1"])
        assert row["clean_ci"]["uf1"] == run["rows"][0]["ci"]["uf1"]
        assert len(row["levels"]) == 5
    page = (folder / "stress.md").read_text()
    assert "Synthetic data" in page
    assert "100 grey levels of 255" in page
    assert "brightness" in ran.out
    again = bench(*arguments)
    assert "2 alterations x 1 model, 0 trainings to do" in again.err
    assert again.out == ran.out

    more = bench("audit", config, "--stress", "--alterations", "brightness")
    assert more.code == 0
    assert "1 alteration x 2 models, 3 trainings to do" in more.err, "svm under brightness is kept"
    few = bench("audit", config, "--models", "svm", "--leaks", "precision-as-recall")
    assert few.code == 0, "a run folder with more models can be audited for one"
    assert (folder / "audit.json").exists()


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("c.yaml", ["--stress", "--alterations", "fog"], "error: --alterations: unknown alteration 'fog'"),
        ("c.yaml", ["--models", "cnn"], "error: --models: unknown model 'cnn'; choose from: majority, svm"),
        ("quick.yaml", ["--stress"], "error: --stress: a clip of synthetic is not a sequence of frames"),
        (
            "c.yaml",
            ["--stress", "--set", "target=action_units"],
            "error: bench audit --stress: what alterations cost is measured for classes, not with 'target: action_un",
        ),
    ],
)
def test_bad_input_is_one_error(
    config: Path, bench: Callable[..., Ran], name: str, arguments: list[str], text: str
) -> None:
    ran = bench("audit", config.parent / name, *arguments)
    assert ran.code == 2
    assert text in ran.err
    assert "Traceback" not in ran.err
    assert not (config.parent / "runs").exists()
