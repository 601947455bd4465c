"""Paths with ``~``, some models of a run alone, releases of Python, and values that no config may have."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

import mexbench
from mexbench import devices, fingerprint
from mexbench.data.cache import default_root
from mexbench.errors import PluginError
from mexbench.files import read_json
from mexbench.runs.provenance import only_patch_of_python, version_changes
from mexbench_plugins.observers.mlflow import MLflow
from tests.helpers import Ran

Bench = Callable[..., Ran]
CONFIG = "dataset: {plugin: synthetic, subjects: 6, clips: 4}\nprotocol: loso\nmodels: [majority, decision_tree]\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


def test_the_home_folder_is_written_out_in_every_path(
    config: Path, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    config.rename(home / "c.yaml")
    assert bench("run", "~/c.yaml", "--in-process", "--out=~/run").code == 0
    assert (home / "run" / "scores.json").is_file()
    assert mexbench.load_run("~/run").complete
    assert bench("compare", "~/run", "~/run", "--csv=~/d.csv").code == 0
    assert (home / "d.csv").is_file()
    assert bench("score", "~/run/predictions.csv", "--json=~/s.json", "--against=~/run/predictions.csv").code == 0
    assert bench("leaderboard", "define", "~/run", "toy", "--root=~/boards").code == 0
    assert bench("leaderboard", "submit", "~/run", "toy", "--root=~/boards").code == 0
    assert bench("leaderboard", "verify", "~/boards/results/toy/majority.json", "--root=~/boards").code == 0
    assert bench("site", "--root=~/boards", "--out=~/site").code == 0
    monkeypatch.setenv("MEXBENCH_CACHE", "~/cache")
    assert default_root() == home / "cache"
    ran = bench("check", "~/c.yaml", "--set", "dataset={plugin: image_folder, root: ~/pictures}")
    assert f"{home / 'pictures'}" in ran.err
    assert not list(tmp_path.rglob("~*"))


def test_a_process_without_a_home_folder_has_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEXBENCH_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: "~/.cache/mexbench")
    assert default_root().is_absolute()
    assert "~" not in str(default_root())


def test_some_models_of_a_run_alone(config: Path, bench: Bench, tmp_path: Path) -> None:
    ran = bench("run", config, "--in-process", "--out", "run", "--only", "majority")
    assert ran.code == 0, ran.err
    assert "--only: not run, and with the results that they had: decision_tree" in ran.err
    rows = {row["model"]: row["tasks"] for row in json.loads((tmp_path / "run/scores.json").read_text())["rows"]}
    assert rows == {"majority": {"done": 6, "total": 6}, "decision_tree": {"done": 0, "total": 6}}
    stored = {path: path.read_bytes() for path in (tmp_path / "run/tasks/majority").rglob("*.json")}
    ran = bench("run", config, "--in-process", "--out", "run", "--only", "decision_tree", "--recompute", "always")
    assert ran.code == 0
    assert {path: path.read_bytes() for path in stored} == stored
    rows = {row["model"]: row["tasks"] for row in json.loads((tmp_path / "run/scores.json").read_text())["rows"]}
    assert rows == {"majority": {"done": 6, "total": 6}, "decision_tree": {"done": 6, "total": 6}}
    ran = bench("run", config, "--out", "run", "--only", "svm")
    assert (ran.code, "--only: unknown model 'svm'; choose from: decision_tree, majority" in ran.err) == (2, True)


@pytest.mark.parametrize(("scope", "folders"), [("task", ["0"]), ("all", ["all"])])
def test_models_are_saved_of_the_rows_that_run(
    config: Path, bench: Bench, tmp_path: Path, scope: str, folders: list[str]
) -> None:
    ran = bench("run", config, "--in-process", "--out", "run", "--only", "majority", "--save-models", scope)
    assert ran.code == 0, ran.err
    assert [path.name for path in (tmp_path / "run" / "models").iterdir()] == ["majority"]
    assert [path.name for path in (tmp_path / "run" / "models" / "majority").iterdir()] == folders
    rows = {row["model"]: row["tasks"] for row in json.loads((tmp_path / "run/scores.json").read_text())["rows"]}
    assert rows == {"majority": {"done": 6, "total": 6}, "decision_tree": {"done": 0, "total": 6}}
    ran = bench("run", config, "--in-process", "--out", "run", "--save-models", scope)
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in (tmp_path / "run" / "models").iterdir()) == ["decision_tree", "majority"]
    text = "6 to do" if scope == "task" else "models on all samples: 2, 1 to train"
    assert text in ran.err, "what is saved of the first run stays"


def test_a_narrower_list_of_models_is_answered_with_only(config: Path, bench: Bench) -> None:
    assert bench("run", config, "--in-process", "--out", "run").code == 0
    ran = bench("run", config, "--in-process", "--out", "run", "--set", "models=[majority]")
    assert ran.code == 2
    assert "models.decision_tree: was" in ran.err
    assert "keep them in the config, and give '--only MODEL' to run some of them alone" in ran.err
    assert "recompute always" not in ran.err
    ran = bench("run", config, "--in-process", "--out", "run", "--set", "dataset.clips=5")
    assert "give '--recompute always' to replace it" in ran.err


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def become(version: str) -> None:
        monkeypatch.setattr(platform, "python_version", lambda: version)
        fingerprint.versions.cache_clear()

    return become


def test_a_patch_release_of_python_keeps_every_result(
    config: Path, bench: Bench, python: Callable[[str], None], tmp_path: Path
) -> None:
    try:
        python("3.11.7")
        assert bench("run", config, "--in-process", "--out", "run").code == 0
        stored = {path: path.read_bytes() for path in (tmp_path / "run/tasks").rglob("*.json")}
        python("3.11.8")
        ran = bench("run", config, "--in-process", "--out", "run")
        assert ran.code == 0
        assert "python 3.11.7, now 3.11.8: results are kept, since a patch release of Python changes none" in ran.err
        assert {path: path.read_bytes() for path in stored} == stored
        python("3.12.0")
        ran = bench("run", config, "--in-process", "--out", "run")
        assert "python 3.11.8, now 3.12.0; results made with the others count as missing" in ran.err
        assert "12 to do" in ran.err
    finally:
        fingerprint.versions.cache_clear()


def test_a_run_that_goes_on_with_other_threads_says_so_and_keeps_every_result(
    config: Path, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in devices.ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    assert bench("run", config, "--in-process", "--out", "run").code == 0
    assert read_json(tmp_path / "run/manifest.json")["machine"]["threads"] == "one"
    stored = {path: path.read_bytes() for path in (tmp_path / "run/tasks").rglob("*.json")}
    assert "threads" not in bench("run", config, "--in-process", "--out", "run").err
    monkeypatch.setenv("PJRT_NPROC", "8")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ran = bench("run", config, "--in-process", "--out", "run")
    assert ran.code == 0
    assert (
        "warning: the threads of a task differ from those that this run began with: one, now PJRT_NPROC=8;" in ran.err
    )
    assert read_json(tmp_path / "run/manifest.json")["machine"]["threads"] == "PJRT_NPROC=8"
    assert {path: path.read_bytes() for path in stored} == stored


def test_changes_of_versions_are_listed() -> None:
    before = {"python": "3.11.7", "numpy": "2.0"}
    assert version_changes(before, {"python": "3.11.7", "numpy": "2.1", "jax": "1"}) == [
        "numpy 2.0, now 2.1", "jax absent, now 1",
    ]  # fmt: skip
    assert only_patch_of_python(before, {"python": "3.11.9", "numpy": "2.0"})
    assert not only_patch_of_python(before, {"python": "3.12.0", "numpy": "2.0"})
    assert not only_patch_of_python(before, {"python": "3.11.9", "numpy": "2.1"})
    assert not only_patch_of_python(before, before)
    assert version_changes(None, before) == []


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("models=[{plugin: svm, C: .inf}]", "models[0].C: expected float (> 0), got Infinity; every number must be"),
        ("models=[{plugin: svm, C: .nan}]", "models[0].C: expected float (> 0), got NaN; every number must be finite"),
        ("models=[{plugin: ann, hidden_layer_sizes: [.inf]}]", "got [Infinity]; every number must be finite"),
        ("seeds=3", "seeds: expected a list of seeds, got 3: [3] is"),
        (f"seeds=[{'9' * 5000}]", "--set"),
        (f"seeds={'9' * 5000}", "--set"),
        (f"seeds=[0x{'f' * 5000}]", "more than 1024 bits"),
        (f"dataset.subjects={'9' * 5000}", "--set"),
    ],
)
def test_values_that_no_config_may_have(assignment: str, message: str, config: Path, bench: Bench) -> None:
    ran = bench("check", config, "--set", assignment)
    assert (ran.code, "Traceback" in ran.err) == (2, False)
    assert message in ran.err


def test_a_seed_of_5000_digits_is_one_error_in_every_file(bench: Bench, tmp_path: Path) -> None:
    digits = "9" * 5000
    (tmp_path / "c.yaml").write_text(f"{CONFIG}seeds: [{digits}]\n")
    (tmp_path / "p.csv").write_text(f"sample_id,subject,y_true,y_pred,seed\na,s,x,x,{digits}\n")
    (tmp_path / "log.txt").write_text(f"1\ns_1 1 {digits} - - FN\n")
    for arguments in (
        ["check", tmp_path / "c.yaml"],
        ["score", tmp_path / "p.csv"],
        ["score", tmp_path / "log.txt"],
        ["score", tmp_path / "log.txt", "--micro-frames", f"1={digits}"],
    ):
        ran = bench(*arguments)
        assert (ran.code, "Traceback" in ran.err) == (2, False), arguments


def test_mlflow_needs_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mexbench_plugins.observers.mlflow.check_installed", lambda *_, **__: None)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(PluginError, match="MLFLOW_TRACKING_URI is not set"):
        MLflow().prepare()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    MLflow().prepare()


def test_class_names_on_a_terminal_that_has_ascii_alone(bench: Bench, tmp_path: Path) -> None:
    import subprocess
    import sys

    from tests.helpers import SEARCH_PATH

    path = tmp_path / "p.csv"
    path.write_text("sample_id,subject,y_true,y_pred\n" + "".join(f"c{i},s{i},{'喜悲'[i % 2]},喜\n" for i in range(8)))
    done = subprocess.run(
        [sys.executable, "-m", "mexbench", "score", str(path)], capture_output=True, check=False,
        env={"PYTHONPATH": SEARCH_PATH, "PYTHONIOENCODING": "ascii", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert rb"\u559c" in done.stdout
