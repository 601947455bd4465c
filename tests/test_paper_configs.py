"""``configs/papers``: one config per published table, whose header states what the paper claims."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mexbench.config import loader as config_reader
from mexbench.registry.catalogue import Catalogue
from mexbench_plugins.datasets._io.synthetic_fallback import StandInDataset
from tests.helpers import ROOT

CONFIGS = sorted((ROOT / "configs" / "papers").glob("*.yaml"))
CLAIMS = {claim["id"]: claim for claim in yaml.safe_load((ROOT / "leaderboards" / "claims.yaml").read_text())["claims"]}


def header(path: Path) -> str:
    lines = (line.removeprefix("#").strip() for line in path.read_text().splitlines() if line.startswith("#"))
    return " ".join(lines)


def claimed(path: Path) -> dict[str, dict[str, str]]:
    result = re.findall(r"(paper\d\S*): ((?:\w+ [\d.]+(?:, )?)+)", header(path))
    return {name: dict(part.split(" ") for part in figures.strip().rstrip(",").split(", ")) for name, figures in result}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_header_states_the_published_figures(path: Path) -> None:
    assert f"configs/papers/{path.name}" in header(path)
    assert all(f"{word}:" in header(path) for word in ("Source", "Data", "Command", "Claimed"))
    assert claimed(path)
    for name, figures in claimed(path).items():
        printed = {
            key: value["printed"] if isinstance(value, dict) else value
            for key, value in CLAIMS[name]["figures"].items()
        }
        assert figures == printed, name


def test_every_published_table_has_its_config() -> None:
    tables = {path.stem.removesuffix("_casme2").removesuffix("_samm") for path in CONFIGS}
    assert tables == {
        "hybridmicronet_2023_table3",
        "hybridmicronet_2023_figure3",
        "au_cnn_2024_action_units",
        "cnn_lstm_2024_lbp_histogram",
        *(f"au_cnn_2024_table{number}" for number in range(3, 9)),
        "cnn_lstm_2024_table1",
        *(f"hybridmicronet_2026_table{number}" for number in (1, 2, 3)),
    }
    stated = {name for path in CONFIGS for name in claimed(path)}
    # Table 9 of paper 2 repeats the proposed method's accuracy beside those of other authors: nothing to run again.
    ablations = {name for name in CLAIMS if re.match(r"paper2-table[3-8]|paper5-table", name)}
    assert ablations <= stated


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_block_states_the_published_figures(path: Path) -> None:
    rows = yaml.safe_load(path.read_text())["paper"]["rows"]
    for row in rows:
        claim = CLAIMS[row["claim"]]
        printed = {
            name: figure if isinstance(figure, dict) else {"printed": figure}
            for name, figure in claim["figures"].items()
        }
        percent = {
            name: float(figure["printed"]) * (100 if figure.get("unit", claim["unit"]) == "fraction" else 1)
            for name, figure in printed.items()
        }
        stated = {name: row[name] for name in ("accuracy", "precision", "recall", "f1") if name in row}
        assert stated == pytest.approx(percent), row["claim"]
    assert {row["claim"] for row in rows} == set(claimed(path))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_quick_profile_is_small_and_needs_no_data(
    path: Path, builtin: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("CASME2_ROOT", "SAMM_ROOT", "IMAGE_FOLDER_ROOT", "VGG16_WEIGHTS"):
        monkeypatch.delenv(variable, raising=False)
    config = config_reader.load(path, builtin, ["profile=quick"])
    dataset = config.dataset.instance
    assert isinstance(dataset, StandInDataset)
    assert dataset.is_stand_in
    assert dataset.stand_in.subjects * dataset.stand_in.clips <= 16
    assert config.input.frames is not None
    assert config.input.frames.count == 2
    assert len(config.seeds) == 1
    assert max((getattr(model.instance, "epochs", 1) for model in config.models), default=1) <= 3


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_papers_split_stands_beside_loso(path: Path, builtin: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_FOLDER_ROOT", "/data")
    config = config_reader.load(path, builtin)
    result = {protocol.plugin: protocol.instance.subject_independent for protocol in config.protocols}
    # The image folder names no subjects: there is no LOSO on it.
    assert result == {"holdout": False, **({"loso": True} if path.stem != "cnn_lstm_2024_table1" else {})}
