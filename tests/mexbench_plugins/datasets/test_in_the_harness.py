"""The loaders as a user meets them: through the catalogue, a config and the command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mexbench import cli
from mexbench.registry.catalogue import load_catalogue
from mexbench.registry.parameters import check_declaration, json_schema, parameters
from mexbench_plugins.datasets.casme import Casme
from mexbench_plugins.datasets.casme2 import Casme2
from mexbench_plugins.datasets.casme3 import Casme3
from mexbench_plugins.datasets.casme_squared import CasmeSquared
from mexbench_plugins.datasets.dfme import Dfme
from mexbench_plugins.datasets.fourdme import FourDme
from mexbench_plugins.datasets.image_folder import ImageFolder
from mexbench_plugins.datasets.mmew import Mmew
from mexbench_plugins.datasets.samm import Samm
from mexbench_plugins.datasets.samm_long import SammLong
from mexbench_plugins.datasets.smic import Smic
from mexbench_plugins.datasets.smic_long import SmicLong
from tests.mexbench_plugins.datasets.layouts import write_casme2

LOADERS = {
    "casme": Casme, "casme2": Casme2, "casme3": Casme3, "casme_squared": CasmeSquared, "dfme": Dfme,
    "fourdme": FourDme, "image_folder": ImageFolder, "mmew": Mmew, "samm": Samm, "samm_long": SammLong, "smic": Smic,
    "smic_long": SmicLong,
}  # fmt: skip


@pytest.mark.parametrize("name", LOADERS)
def test_the_catalogue_and_the_declaration(name: str) -> None:
    entry = next(entry for entry in load_catalogue().entries if entry.name == name)
    cls = LOADERS[name]
    assert entry.load() is cls
    assert check_declaration(cls) is None
    assert all(parameter.doc for parameter in parameters(cls))
    assert parameters(cls)[0].name == "root"
    assert parameters(cls)[0].required
    assert parameters(cls)[0].is_path
    assert cls.source
    assert cls.licence
    json.dumps(json_schema(cls))


@pytest.mark.parametrize("name", LOADERS)
def test_the_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", name]) == cli.OK
    out = capsys.readouterr().out
    assert f"{name} (dataset)" in out
    assert "(required)" in out
    assert ("checked   on " in out) == (name != "image_folder")
    assert ("no copy" in out) == (name in {"casme", "dfme", "fourdme", "mmew", "samm", "smic", "smic_long"})


def test_a_check_of_casme2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MEXBENCH_CACHE", str(tmp_path / "cache"))
    rows: list[Sequence[object]] = []
    for subject in (1, 2, 3):
        for clip, emotion in enumerate(["disgust", "happiness", "fear"]):
            onset = 40 * subject + 10 * clip
            rows.append((subject, f"EP0{clip}", onset, onset + 1, onset + 2, 4, emotion))
    write_casme2(tmp_path / "data", rows)
    config = tmp_path / "loso.yaml"
    config.write_text(
        f"dataset: {{plugin: casme2, root: {tmp_path / 'data'}, classes: 5}}\nprotocol: loso\nmodels: [majority]\n",
        encoding="utf-8",
    )
    code = cli.main(["check", str(config)])
    captured = capsys.readouterr()
    assert (code, captured.err.count("error")) == (cli.OK, 0), captured.err
    assert "excluded, no class for 'fear': 3 clips" in captured.out
    assert "casme2" in captured.out
    assert "loso: 3 folds" in captured.out
