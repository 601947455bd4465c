from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import BenchError, ConfigError
from mexbench.interfaces import Model
from mexbench.registry.catalogue import load_catalogue
from mexbench.runs.saved_model import can_save
from mexbench_plugins.datasets.casme2 import Casme2
from mexbench_plugins.datasets.dfme import Dfme
from mexbench_plugins.datasets.samm import Samm
from tests.fuzz import saved_models
from tests.fuzz.input_surfaces import OtherSheets, Sheets
from tests.fuzz.mutation import of_json
from tests.fuzz.run import CORPUS, failure, fuzz
from tests.fuzz.surface import Surface
from tests.fuzz.surfaces import SURFACES

CASES = 100


@pytest.mark.parametrize("name", SURFACES)
def test_a_hundred_cases(name: str) -> None:
    assert [text for _, text in fuzz(name, CASES)] == []


@pytest.mark.parametrize("name", SURFACES)
def test_what_was_found_once(name: str, tmp_path: Path) -> None:
    surface = SURFACES[name](tmp_path / "work")
    for path in (CORPUS / name).glob("*"):
        assert failure(surface, path.read_bytes()) is None, path


@pytest.mark.parametrize("name", [name for name in SURFACES if name != "run-folders"])
def test_mutation_starts_from_files_that_can_be_read(name: str, tmp_path: Path) -> None:
    surface = SURFACES[name](tmp_path / "work")
    for content in surface.seeds:
        surface.read(content)


def test_the_sheets_are_read_to_the_end(tmp_path: Path) -> None:
    """Subject 26.0 of the fourth row, as pandas writes whole numbers, is subject 26."""
    surface = Sheets(tmp_path / "work")
    for content, dataset, count in zip(surface.seeds, (Casme2, Samm), (4, 2), strict=True):
        surface.read(content)
        assert len(dataset(root=tmp_path / "work" / dataset.dataset).samples()) == count
    other = OtherSheets(tmp_path / "other")
    for content, count in zip(other.seeds, (4, 4, 3, 3), strict=True):
        other.read(content)
        root = tmp_path / "other"
        read = Casme2(root=root / "casme2") if count == 4 else Dfme(root=root / "dfme", part="training")
        assert len(read.samples()) == count


@pytest.mark.parametrize("name", [name for name in SURFACES if name not in ("cache-entries", "submissions")])
def test_each_case_is_read_anew(name: str, tmp_path: Path) -> None:
    """What a surface read before is not given for the next file, such as by a loader that keeps its samples."""
    surface = SURFACES[name](tmp_path / "work")
    surface.read(surface.seeds[-1])
    with pytest.raises(BenchError):
        surface.read(b"garbage")


class Bad(Surface):
    """Do what a fuzzer must notice."""

    def read(self, content: bytes) -> None:
        if content == b"bug":
            raise KeyError("bug")
        if content == b"hang":
            while True:
                time.process_time()
        raise ConfigError("as it should be")


def test_the_fuzzer_sees_a_bug_and_a_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.run.SECONDS", 0.1)
    surface = Bad(tmp_path / "work")
    assert failure(surface, b"fine") is None
    assert "KeyError: 'bug'" in (failure(surface, b"bug") or "")
    assert "Hang" in (failure(surface, b"hang") or "")


def test_mutation_changes_values_and_keeps_most_files_whole() -> None:
    content = json.dumps({"a": [1, 2, {"b": "c"}], "d": None}).encode()
    created = [of_json(np.random.default_rng(seed), content) for seed in range(200)]
    assert len(set(created)) > 100
    full = 0
    for result in created:
        try:
            full += json.loads(result) is not None
        except ValueError:
            continue
    assert full > 100


@pytest.mark.parametrize(
    "family",
    [
        "majority",
        "svm",
        "decision_tree",
        "ann",
        "units",
        "cnn",
        "lbp_chi2",
        "random_intervals",
        "facs_rules",
        "generated_flow_svm",
    ],
)
def test_mutated_saved_models_have_a_clear_outcome(family: str) -> None:
    outcomes, failures = saved_models.fuzz(family, 40)
    assert failures == []
    assert outcomes.total() == 40
    assert outcomes["damaged, refused"] > 0
    assert outcomes["forged, refused"] > 0


def test_every_model_that_can_be_saved_is_a_family() -> None:
    """A new model belongs into the fuzz as well."""
    catalogue = load_catalogue()
    models = {name: catalogue.get("model", name).load()() for name in catalogue.names("model")}
    names = {name for name, model in models.items() if isinstance(model, Model) and can_save(model)}
    assert names == {plugin for plugin, _, _ in saved_models.FAMILIES.values()}
