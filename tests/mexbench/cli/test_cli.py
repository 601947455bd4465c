from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.data.cache import Cache, CacheEntry
from mexbench.evaluation import run as engine
from mexbench.interfaces import Clip
from mexbench.runs import provenance
from tests.helpers import ROOT, Ran

QUICK = "dataset: {plugin: synthetic, subjects: 3, clips: 6}\nprotocol: loso\nmodels: [majority, svm]\nseeds: [0, 1]\n"


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.yaml").write_text(QUICK)
    return tmp_path / "quick.yaml"


def read(path: Path) -> Any:  # noqa: ANN401
    return json.loads(path.read_text())


def test_run_writes_the_whole_folder(quick: Path, bench: Callable[..., Ran]) -> None:
    ran = bench("run", quick)
    assert (ran.code, ran.err.count("Traceback")) == (0, 0)
    folder = quick.parent / "runs" / "quick"
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json", "predictions.csv", "scores.json", "leaderboard.md", "tasks", "figures", ".lock",
    }  # fmt: skip
    assert len(list(folder.glob("tasks/*/*/*.json"))) == 2 * 2 * 3
    assert "svm" in ran.out
    assert "synthetic data: these figures say nothing about real faces" in ran.out
    assert "Synthetic data" in (folder / "leaderboard.md").read_text()


def test_scores_have_the_documented_shape(quick: Path, bench: Callable[..., Ran]) -> None:
    bench("run", quick, "--out", "out")
    scores = read(quick.parent / "out" / "scores.json")
    assert {"complete", "tasks", "classes", "rows"} <= scores.keys()
    assert scores["complete"] is True
    assert scores["tasks"] == {"done": 12, "total": 12}
    for row in scores["rows"]:
        assert {
            "model", "accuracy", "uf1", "uar", "macro_precision", "weighted_precision", "weighted_recall",
            "weighted_f1", "ci", "by_dataset", "per_class", "confusion", "n_samples", "n_subjects", "folds", "seeds",
            "fit_s", "processor_s", "predict_ms_per_sample", "flags",
        } <= row.keys()  # fmt: skip
        assert row["ci"].keys() == {"uf1", "uar", "accuracy"}
        assert row["by_dataset"]["synthetic"].keys() == {"uf1", "uar", "accuracy", "n_samples"}
        assert row["flags"] == ["synthetic"]


def test_the_manifest_says_where_it_comes_from(
    quick: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/bench", "run", "quick.yaml", "--set", "seeds=[0, 1]"])
    bench("run", quick, "--out", "out")
    manifest = read(quick.parent / "out" / "manifest.json")
    assert manifest["command"] == "bench run quick.yaml --set 'seeds=[0, 1]'"
    assert manifest["config"]["models"][1]["C"] == 1.0
    assert manifest["config"]["dataset"]["subjects"] == 3
    assert manifest["plugins"]["svm"].startswith("mexbench ")
    assert {"numpy", "scikit-learn", "python", "mexbench"} <= manifest["versions"].keys()
    assert manifest["machine"]["cpus"] == os.cpu_count()
    assert manifest["device"]
    assert manifest["epoch"] == provenance.EPOCH
    assert manifest["started"] <= manifest["ended"] <= provenance.now()
    assert len(manifest["config_fingerprint"]) == len(manifest["parts"][0]["dataset_fingerprint"]) == 32


def test_a_rerun_changes_no_byte(quick: Path, bench: Callable[..., Ran]) -> None:
    bench("run", quick, "--out", "out")
    before = {path: path.read_bytes() for path in (quick.parent / "out").rglob("*") if path.is_file()}
    ran = bench("run", quick, "--out", "out")
    assert "0 to do" in ran.err
    assert {path: path.read_bytes() for path in (quick.parent / "out").rglob("*") if path.is_file()} == before


def test_jobs_change_no_prediction(quick: Path, bench: Callable[..., Ran]) -> None:
    assert bench("run", quick, "--out", "one", "--set", "models=[svm, decision_tree]").code == 0
    assert bench("run", quick, "--out", "two", "--set", "models=[svm, decision_tree]", "--jobs", 2).code == 0
    one, two = ((quick.parent / name / "predictions.csv").read_bytes() for name in ("one", "two"))
    assert one == two


def test_dry_run_writes_nothing(quick: Path, bench: Callable[..., Ran]) -> None:
    ran = bench("run", quick, "--dry-run")
    assert ran.code == 0
    assert "3 folds x 2 models x 2 seeds = 12 tasks, 12 to do" in ran.err
    assert not (quick.parent / "runs").exists()


def test_recompute_never_exits_with_1_and_says_what_is_missing(quick: Path, bench: Callable[..., Ran]) -> None:
    ran = bench("run", quick, "--out", "out", "--recompute", "never")
    assert ran.code == 1
    assert "incomplete: 12 of 12 tasks have no result" in ran.err
    assert "Incomplete:" in (quick.parent / "out" / "leaderboard.md").read_text()


def test_a_failing_model_exits_with_1_named_and_the_rest_is_kept(
    quick: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mexbench_plugins.models.svm import SVM

    def fit(*_: object, **__: object) -> None:
        raise MemoryError("too big")

    monkeypatch.setattr(SVM, "fit", fit)
    ran = bench("run", quick, "--out", "out", "--in-process")
    assert ran.code == 1
    assert "failed: svm, seed 0, fold synthetic/s01: MemoryError: too big" in ran.err
    assert "6 of 12 tasks have no result" in ran.err
    rows = {row["model"]: row for row in read(quick.parent / "out" / "scores.json")["rows"]}
    assert rows["majority"]["flags"] == ["synthetic"]
    assert rows["svm"]["uf1"] is None
    monkeypatch.undo()
    monkeypatch.chdir(quick.parent)
    ran = bench("run", quick, "--out", "out")
    assert ran.code == 0
    assert "6 to do" in ran.err
    assert not list((quick.parent / "out").rglob("*.error.txt"))


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(
    quick: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    original = engine.RunFolder.write_result

    def write(self: Any, *arguments: Any) -> None:  # noqa: ANN401
        original(self, *arguments)
        written.append(arguments)
        if len(written) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(engine.RunFolder, "write_result", write)
    ran = bench("run", quick, "--out", "out")
    assert ran.code == 130
    assert "5 of 12 tasks are done and kept; the same command goes on from here" in ran.err
    assert read(quick.parent / "out" / "scores.json")["complete"] is False
    assert "7 to do" in bench("run", quick, "--out", "out").err


def test_a_model_may_be_added_and_a_changed_one_is_refused(quick: Path, bench: Callable[..., Ran]) -> None:
    bench("run", quick, "--out", "out")
    ran = bench("run", quick, "--out", "out", "--set", "models=[majority, svm, decision_tree]")
    assert (ran.code, "6 to do" in ran.err) == (0, True)
    ran = bench("run", quick, "--out", "out", "--set", "models=[majority, {plugin: svm, C: 2}, decision_tree]")
    assert ran.code == 2
    assert "models.svm.C: was 1.0, now 2.0" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "the following arguments are required: CONFIG"),
        (["run", "quick.yml"], "quick.yml: file not found (did you mean 'quick.yaml'?)"),
        (["run", "quick.yaml", "--jobs", "0"], "expected a whole number from 1, got '0'"),
        (["run", "quick.yaml", "--set", "seeds"], "--set seeds: expected KEY=VALUE"),
        (["run", "quick.yaml", "--set", "models[1].c=3"], "unknown parameter 'c'"),
        (["run", "quick.yaml", "--set", "models[1].C=-3"], "expected float (> 0), got -3\n  in --set models[1].C=-3"),
        (["run", "quick.yaml", "--out", "quick.yaml"], "quick.yaml: is a file, not a folder; choose another --out"),
        (["run", "quick.yaml", "--recompute", "all"], "invalid choice: 'all'"),
        (["check", "nothing.yaml"], "nothing.yaml: file not found"),
        (["info", "svn"], "unknown plugin 'svn' (did you mean 'svm'?)"),
        (["list", "things"], "invalid choice: 'things'"),
        (["rum"], "unknown command 'rum' (did you mean 'run'?)"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_error(
    quick: Path, bench: Callable[..., Ran], arguments: list[str], message: str
) -> None:
    ran = bench(*arguments)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not (quick.parent / "runs").exists() or not list((quick.parent / "runs").rglob("*.json"))


def test_list(bench: Callable[..., Ran]) -> None:
    ran = bench("list", "models")
    assert ran.code == 0
    assert [line.split()[1] for line in ran.out.splitlines()[2:] if line.startswith("model")] == [
        "always_present", "ann", "au_cnn", "causalnet", "cnn", "cnn_lstm", "decision_tree", "dual_inception",
        "every_k_frames", "facs_rules", "frame_difference", "generated_flow_svm", "gradient_boosting", "htnet",
        "hybrid_micronet", "hybrid_micronet_au", "knn", "lbp_chi2", "lda", "logistic_regression", "lstm_spotter",
        "macnn", "majority", "mdmd", "micro_attention", "off_apexnet", "off_tanet", "random_convolutions",
        "random_intervals", "rcn_a", "softnet", "ststnet", "svm",
    ]  # fmt: skip
    assert bench("list", "model").out == ran.out
    assert {"dataset", "model", "protocol"} <= {
        line.split()[0] for line in bench("list").out.splitlines() if line.strip()
    }


def test_info(bench: Callable[..., Ran]) -> None:
    ran = bench("info", "svm")
    assert ran.code == 0
    for text in (
        "svm (model)",
        "mexbench_plugins.models.svm:SVM",
        '"linear"; choices: "linear",',
        "default/choices",
        "float (> 0)  ",
        "balanced",
        "mexbench",
    ):
        assert text in ran.out
    assert "(required)" in bench("info", "megc2019_flow").out
    assert "no parameters" in bench("info", "loso").out


def test_info_shows_the_layers_of_a_network(bench: Callable[..., Ran]) -> None:
    lines = bench("info", "hybrid_micronet", "--classes", 5).out.splitlines()
    assert lines[-1].split() == ["total", "421,237"]
    assert bench("info", "hybrid_micronet", "--classes", 7).out.splitlines()[-1].split() == ["total", "421,303"]
    assert "svm has no layers to show" in bench("info", "svm", "--classes", 5).out
    assert bench("info", "hybrid_micronet", "--classes", 1).code == 2


def test_cache(bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEXBENCH_CACHE", str(tmp_path))
    Cache(tmp_path).put("ab12", CacheEntry(Clip(frames=np.zeros((1, 1000))), ("x",)))
    shown = bench("cache", "info").out
    assert str(tmp_path) in shown
    assert shown.splitlines()[1].split() == ["entries", "1"]
    assert "8.0 KiB" in shown
    assert shown.splitlines()[4].split() == ["compiled", "0", "B"]
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "jit_step-cache").write_bytes(bytes(2048))
    assert bench("cache", "info").out.splitlines()[4].split() == ["compiled", "2.0", "KiB"]
    assert "removed 1 entry, 1 compiled program from" in bench("cache", "clear").out
    assert [line.split()[-2:] for line in bench("cache", "info").out.splitlines()[2::2]] == [["0", "B"]] * 2
    assert bench("cache", "clean").code == 2


def test_schema_and_sys_info(bench: Callable[..., Ran]) -> None:
    assert json.loads(bench("schema").out)["title"] == "mexbench config"
    ran = bench("sys-info")
    assert ran.code == 0
    for text in ("mexbench", "numpy", "jax devices", "python"):
        assert text in ran.out


def bench_process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
    command = [sys.executable, "-m", "mexbench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, **options)


def test_the_reader_of_our_output_may_go(tmp_path: Path) -> None:
    command = f"{sys.executable} -W error -m mexbench list | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stderr == ""


def test_help_loads_nothing_heavy() -> None:
    probe = (
        "import sys; from mexbench import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'jax', 'sklearn', 'cv2', 'numpy', 'pydantic', 'flax', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "Exit codes: 0 done" in done.stdout


@pytest.mark.parametrize("arguments", [["list"], ["info", "svm"], ["info", "ststnet"], ["check", "quickstart"]])
def test_commands_that_compute_nothing_load_no_numeric_library(arguments: list[str]) -> None:
    probe = (
        "import sys; from mexbench import cli\n"
        f"code = cli.main({arguments})\n"
        "heavy = {'jax', 'flax', 'optax', 'sklearn', 'cv2', 'torch', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_version() -> None:
    done = bench_process("--version")
    assert done.stdout.split() == ["mexbench", provenance.own_version()]
