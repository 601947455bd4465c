from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mexbench.config import shipped
from mexbench.config.loader import load
from mexbench.config.shipped import description, find_config, find_leaderboards, shipped_configs
from mexbench.errors import ConfigError
from mexbench.registry.catalogue import Catalogue
from tests.helpers import ROOT


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without configs and leaderboards."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_config_of_the_checkout_has_a_name() -> None:
    configs = shipped_configs()
    assert set(configs.values()) == set((ROOT / "configs").rglob("*.yaml"))
    assert configs["quickstart"] == ROOT / "configs" / "quickstart.yaml"
    assert configs["papers/au_cnn_2024_table5"] == ROOT / "configs" / "papers" / "au_cnn_2024_table5.yaml"
    assert list(configs)[-1].startswith("papers/")  # last, in lists that are cut


def test_a_config_is_loaded_by_name(empty: Path, builtin: Catalogue) -> None:
    by_name, by_path = (load(Path(name), builtin) for name in ("quickstart", ROOT / "configs" / "quickstart.yaml"))
    assert (by_name.name, by_name.fingerprint) == ("quickstart", by_path.fingerprint)
    assert load(Path("quickstart"), builtin, ["seeds=[7]"]).seeds == (7,)


@pytest.mark.parametrize("name", ["quickstart", "papers/au_cnn_2024_table5"])
def test_a_file_wins_over_a_name(empty: Path, name: str) -> None:
    (empty / name).parent.mkdir(exist_ok=True)
    (empty / name).write_text("mine")
    assert find_config(Path(name)).read_text() == "mine"


def test_a_folder_does_not_win_over_a_name(empty: Path) -> None:
    (empty / "quickstart").mkdir()
    assert find_config(Path("quickstart")) == ROOT / "configs" / "quickstart.yaml"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "quikstart",
            r"^quikstart: neither a file nor .* \(did you mean 'quickstart'\?\); choose from: action_units, .*, ",
        ),
        ("quikstart", r", \w+ and \d+ more; 'bench configs' lists them all$"),
        ("papers/au_cnn_2024_table9", r"\(did you mean 'papers/au_cnn_2024_table\d'\?\)"),
        (
            "configs/quickstart.yaml",
            "^configs/quickstart.yaml: file not found; the shipped config 'quickstart' is run by",
        ),
    ],
)
def test_an_unknown_name_lists_the_choices(empty: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_config(Path(name))


def test_a_missing_file_beside_others_is_left_to_the_reader(empty: Path, builtin: Catalogue) -> None:
    (empty / "mine.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"quickstart\.yaml: file not found; files beside it: mine\.yaml"):
        load(Path("quickstart.yaml"), builtin)


def test_descriptions_are_the_first_sentences() -> None:
    texts = {name: description(path) for name, path in shipped_configs().items()}
    assert texts["quickstart"] == (
        "For newcomers without data: Gaussian features with a strong subject effect, made by the program"
    )
    assert texts["loso_samm"].endswith("classical baselines")
    assert all(20 < len(text) < 160 for text in texts.values()), texts


def test_leaderboards_are_those_given_then_local_then_shipped(empty: Path) -> None:
    assert find_leaderboards(None) == (ROOT / "leaderboards", True)
    (empty / "leaderboards" / "results").mkdir(parents=True)  # as 'bench leaderboard submit' makes it
    assert find_leaderboards(None) == (ROOT / "leaderboards", True)
    shutil.copy(ROOT / "leaderboards" / "claims.yaml", empty / "leaderboards")
    assert find_leaderboards(None) == (Path("leaderboards"), False)
    assert find_leaderboards(empty) == (empty, False)


def test_an_installation_without_its_data_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped.resources, "files", lambda _: tmp_path / "lib" / "mexbench")
    with pytest.raises(ConfigError, match=r"has no folder 'configs' \(looked in .*lib/mexbench/shipped/configs and"):
        shipped_configs()
