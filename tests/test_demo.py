"""What 'make demo' shows: the same models under LOSO and under a split that leaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mexbench.config.loader import load
from mexbench.config.shipped import find_shipped_config
from mexbench.registry.catalogue import Catalogue
from tests.helpers import ROOT, Ran

CONFIGS = ROOT / "configs"
SMALL = "dataset.stand_in={subjects: 4, clips: 8, frames: 6, width: 240, height: 200}"  # each class on both sides
KEPT = "models=[{plugin: svm, frames: {unit: frame, count: 3}, preprocess: [{plugin: resize, size: 16}]}, majority]"


@pytest.fixture
def demo_row(bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    monkeypatch.setenv("MEXBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VGG16_WEIGHTS", "auto")
    out = tmp_path / "run"
    ran = bench("run", CONFIGS / "demo.yaml", "--out", out, "--in-process", "--figures", "--set", SMALL, "--set", KEPT)
    assert ran.code == 0, ran.err
    assert (out / "figures" / "scores.png").stat().st_size > 0
    return {row["model"]: row for row in json.loads((out / "scores.json").read_text())["rows"]}


@pytest.mark.usefixtures("few_subjects_suffice")  # the cast is smaller here than the demo's
def test_random_frames_are_flagged_and_loso_is_not(demo_row: Mapping[str, Any]) -> None:
    leak, honest = demo_row["svm under random 70-30"], demo_row["svm under loso"]
    assert any(flag.startswith("leak:") for flag in leak["flags"])
    assert leak["rank"] is None
    assert not any(flag.startswith("leak:") for flag in honest["flags"])
    assert honest["rank"] is not None
    assert leak["uf1"] > honest["uf1"]  # frames of one clip are nearly equal


def test_every_model_runs_under_both_protocols(builtin: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VGG16_WEIGHTS", raising=False)
    config = load(CONFIGS / "demo.yaml", builtin)
    assert {model.plugin for model in config.models} == {
        "svm", "ann", "decision_tree", "cnn", "cnn_lstm", "au_cnn", "hybrid_micronet", "majority",
    }  # fmt: skip
    for model in config.models:
        assert {f"{model.name} under loso", f"{model.name} under random 70-30"} <= set(config.rows)


def test_make_demo_names_what_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipe = makefile.partition("demo: $(VENV)/.installed\n")[2].partition("\n\n")[0]
    assert "bench run configs/demo.yaml --jobs 2 --figures" in recipe
    assert "runs/demo/figures/scores.png" in recipe
    assert "bench audit configs/quickstart.yaml" in recipe
    assert find_shipped_config("quickstart").is_file()
    assert ".[figures]" in makefile  # for the picture
    assert "pip install --quiet" in makefile


@pytest.mark.parametrize(
    ("profile", "epochs", "seeds"),
    [("full", [10, 45, 50, 45], (0, 1, 2)), ("reduced", [10, 5, 10, 45], (0, 1, 2)), ("quick", [2] * 4, (0,))],
)
def test_the_papers_networks_on_flow(
    builtin: Catalogue, monkeypatch: pytest.MonkeyPatch, *, profile: str, epochs: list[int], seeds: tuple[int, ...]
) -> None:
    monkeypatch.setenv("MEGC2019_FLOW_ROOT", "/data")
    monkeypatch.delenv("VGG16_WEIGHTS", raising=False)
    config = load(CONFIGS / "papers_on_flow.yaml", builtin, [f"profile={profile}"])
    networks: list[Any] = [model.instance for model in config.models if model.plugin != "majority"]
    assert [network.epochs for network in networks] == epochs
    assert config.seeds == seeds
    sizes = [[getattr(step.instance, "size", None) for step in config.inputs[name].preprocess] for name in (
        "hybrid_micronet", "au_cnn", "cnn_lstm")]  # fmt: skip
    assert sizes == [[224, None], [128], [48]]


@pytest.mark.parametrize("name", ["loso_casme2", "loso_samm"])
@pytest.mark.parametrize("profile", ["quick", "paper"])
def test_networks_are_shown_motion(
    builtin: Catalogue, monkeypatch: pytest.MonkeyPatch, *, name: str, profile: str
) -> None:
    for variable in ("CASME2_ROOT", "SAMM_ROOT", "VGG16_WEIGHTS"):
        monkeypatch.delenv(variable, raising=False)
    config = load(CONFIGS / f"{name}.yaml", builtin, [f"profile={profile}"])
    for model in config.models:
        steps = {step.plugin for step in config.inputs.get(model.name, config.input).preprocess}
        assert steps & {"difference", "optical_flow"}, model.name
