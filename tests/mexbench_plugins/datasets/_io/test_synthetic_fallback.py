"""Made-up data comes through the loaders of the real data, and is never taken for it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import build
from mexbench_plugins.datasets._io.synthetic_fallback import StandInDataset
from mexbench_plugins.datasets.casme2 import FIVE, Casme2
from mexbench_plugins.datasets.samm import Samm
from tests.helpers import ROOT, Ran, config_of

SMALL = {"subjects": 4, "clips": 4, "width": 240, "height": 200, "frames": 7}
CONFIG = ROOT / "configs" / "loso_casme2.yaml"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stand-in")


@pytest.fixture(autouse=True)
def _built_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEXBENCH_CACHE", str(cache))


def stand_in(cls: type[StandInDataset]) -> StandInDataset:
    dataset, errors = build(cls, {"root": "stand-in", "stand_in": SMALL})
    assert errors == []
    assert dataset is not None
    return dataset


@pytest.mark.parametrize(("cls", "name"), [(Casme2, "casme2-synthetic"), (Samm, "samm-synthetic")])
def test_stand_in_is_read_like_the_original_under_another_name(cls: type[StandInDataset], name: str) -> None:
    data = stand_in(cls)
    samples = data.samples()
    assert len(samples) == 16
    assert {sample.dataset for sample in samples} == {name}
    assert all(sample.sample_id.startswith(f"{name}/") for sample in samples)
    assert len({sample.subject for sample in samples}) == 4
    assert [issue for issue in data.data_issues() if issue.excluded] == []
    assert data.applied_corrections() == ()
    assert data.display_name() == name
    assert data.flags() == ("synthetic",)
    assert data.notice() is not None
    for sample in samples:
        assert sample.onset is not None
        assert sample.apex is not None
        assert sample.offset is not None
        assert sample.onset < sample.apex < sample.offset
        assert sample.aus
    clip = data.load(samples[0])
    assert clip.frames.shape[1:] == ((200, 240, 3) if cls is Casme2 else (200, 240, 1))


def test_the_original_has_no_notice(tmp_path: Path) -> None:
    data = Casme2(root=tmp_path)
    assert (data.notice(), data.display_name(), data.flags()) == (None, None, ())


def test_its_clips_show_the_emotions_of_the_sheet() -> None:
    data = stand_in(Casme2)
    counts = Counter(sample.emotion for sample in data.samples())
    assert set(counts) <= {*FIVE, "sadness", "fear"}
    assert counts.most_common(1)[0][0] == "others"  # as in the real sheet


SETTINGS = [f"dataset.stand_in.{name}={value}" for name, value in SMALL.items()]
ARGUMENTS = [argument for setting in SETTINGS for argument in ("--set", setting)]


def test_without_data_the_config_runs_and_every_output_says_so(
    bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CASME2_ROOT", raising=False)
    models = "models=[majority, {plugin: svm, class_weight: balanced}]"
    ran = bench("run", CONFIG, "--out", tmp_path / "out", "--set", models, *ARGUMENTS)
    assert ran.code == 0, ran.err
    assert "This is not CASME-II." in ran.err
    assert "set CASME2_ROOT to its" in ran.err
    assert "casme2-synthetic: " in ran.err
    assert "synthetic data: these figures say nothing about real faces" in ran.out
    page = (tmp_path / "out" / "leaderboard.md").read_text()
    assert "Dataset **casme2-synthetic**" in page
    assert "> **Synthetic data:**" in page
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["dataset"] == "casme2-synthetic"
    assert all("synthetic" in row["flags"] for row in scores["rows"])
    predictions = (tmp_path / "out" / "predictions.csv").read_text().splitlines()[1:]
    assert all("casme2-synthetic/" in line for line in predictions)
    assert (
        json.loads((tmp_path / "out" / "manifest.json").read_text())["identity"]["dataset"]["title"]
        == "casme2-synthetic"
    )


def test_wrong_root_is_an_error_without_fallback(
    bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASME2_ROOT", str(tmp_path / "nothing"))
    ran = bench("run", CONFIG, "--out", tmp_path / "out")
    assert ran.code == 2
    assert f"{tmp_path / 'nothing'}: " in ran.err
    assert "CASME2-coding" in ran.err
    assert not (tmp_path / "out").exists()


def test_synthetic_run_is_not_continued_with_real_data(builtin: Catalogue) -> None:
    def identity(root: str) -> object:
        text = f"dataset: {{plugin: casme2, root: {root}}}\nprotocol: loso\nmodels: [majority]"
        return config_of(text, builtin).identity()

    assert identity("/a") == identity("/b")
    assert identity("/a") != identity("stand-in")


def test_misspelt_option_is_reported(bench: Callable[..., Ran], tmp_path: Path) -> None:
    ran = bench("check", CONFIG, "--set", "dataset.stand_in.subject=3")
    assert ran.code == 2
    assert "dataset.stand_in.subject: unknown parameter 'subject' (did you mean 'subjects'?)" in ran.err
    assert "stand_in.subjects" in bench("info", "casme2").out
