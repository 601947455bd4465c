"""A run whose network trains its folds together, as on a GPU, against the run that trains them one by one."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.studies.audit import epoch_selection
from mexbench_plugins.models._nn import fold_vmap, network_model
from tests.helpers import Ran

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

CONFIG = """
dataset: {plugin: features, table: table.csv, arrays: arrays.npy}
protocol: loso
models:
  - {plugin: cnn, name: plain, filters: [4], hidden: 4, epochs: 2, batch_size: 4}
  - {plugin: cnn, name: stopping, filters: [4], hidden: 4, epochs: 2, batch_size: 4, early_stopping: 2}
  - plugin: cnn
    name: tuned
    filters: [4]
    hidden: 4
    epochs: 2
    batch_size: 4
    selection: inner
    tune: {values: {learning_rate: [0.001, 0.01]}, metric: uf1, inner: 2, budget: 4}
seeds: [0]
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Noise of four subjects with three to six images each, and three rows of one network."""
    monkeypatch.chdir(tmp_path)
    subjects = np.repeat(np.arange(4), [3, 4, 5, 6])
    rows = [f"s{index:02},{subject},{'abc'[index % 3]}" for index, subject in enumerate(subjects)]
    (tmp_path / "table.csv").write_text("\n".join(["sample_id,subject,label", *rows]) + "\n")
    np.save(tmp_path / "arrays.npy", np.random.default_rng(0).random((18, 8, 8, 3), np.float32))
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path / "config.yaml"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let networks believe in a GPU, where an epoch is one program; return how many folds each training had."""
    trained: list[int] = []
    train, each_epoch = fold_vmap.train, fold_vmap.after_each_epoch

    def counted(function: Callable[[fold_vmap.Folds], Any]) -> Callable[[fold_vmap.Folds], Any]:
        def run(folds: fold_vmap.Folds) -> Any:  # noqa: ANN401
            trained.append(len(folds.masks))
            return function(folds)

        return run

    monkeypatch.setattr(network_model, "backend", lambda: "gpu")
    monkeypatch.setattr(fold_vmap, "train", counted(train))
    monkeypatch.setattr(fold_vmap, "after_each_epoch", counted(each_epoch))
    monkeypatch.setattr(fold_vmap, "free_bytes", lambda: 10**9)
    return trained


def scores(folder: Path) -> dict[tuple[str, ...], list[float]]:
    """Return each prediction's scores by model, fold and sample."""
    with (folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name.startswith("score")]
    assert columns, rows[0]
    return {(row["model"], row["fold"], row["sample_id"]): [float(row[name]) for name in columns] for row in rows}


def tasks(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((folder / "tasks").rglob("*.json"))]


def test_a_run_with_folds_together_is_the_run_of_folds_one_by_one(
    tmp_path: Path, config: Path, bench: Callable[..., Ran], request: pytest.FixtureRequest
) -> None:
    """Plain rows by all folds at once, rows that stop early by none, a tuned row by its inner folds."""
    assert bench("run", config, "--in-process", "--out", tmp_path / "alone").code == 0
    trained = request.getfixturevalue("gpu")
    ran = bench("run", config, "--in-process", "--out", tmp_path / "together", "--save-models", "task")
    assert ran.code == 0, ran.err
    assert [task["warnings"] for task in tasks(tmp_path / "together")] == [[]] * 12
    assert sorted(trained) == [2] * 8 + [4], "2 candidates in 4 tuned folds, 2 inner folds each; the plain row"
    alone, together = scores(tmp_path / "alone"), scores(tmp_path / "together")
    assert alone.keys() == together.keys()
    np.testing.assert_allclose(list(together.values()), list(alone.values()), atol=2e-5)
    for task, expected in zip(tasks(tmp_path / "together"), tasks(tmp_path / "alone"), strict=True):
        assert task["processor_s"] > 0
        assert task["health"].keys() == expected["health"].keys() != set()
        assert [row.keys() for row in task["history"]] == [row.keys() for row in expected["history"]] != []
    assert len(list((tmp_path / "together").rglob("*.safetensors"))) == 12


def test_an_audit_stores_the_epochs_of_folds_together(
    tmp_path: Path, config: Path, bench: Callable[..., Ran], gpu: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last epoch is the run, to the last byte; where the epochs are too large to be stored, rounding aside."""
    text = config.read_text()
    config.write_text(text[: text.index("  - {plugin: cnn, name: stopping")] + "seeds: [0]\n")
    assert bench("run", config, "--in-process", "--out", tmp_path / "alone").code == 0
    leaks = ("--leaks", "epoch-per-subject,epoch-global")
    assert bench("audit", config, "--in-process", "--out", tmp_path / "audited", *leaks).code == 0
    assert gpu == [4, 4]
    alone, audited = (tmp_path / folder / "predictions.csv" for folder in ("alone", "audited"))
    assert audited.read_bytes() == alone.read_bytes()
    monkeypatch.setattr(epoch_selection, "_MOST_STORED", 0)
    assert bench("audit", config, "--in-process", "--out", tmp_path / "lazily", *leaks).code == 0
    assert gpu == [4, 4]
    np.testing.assert_allclose(
        list(scores(tmp_path / "lazily").values()), list(scores(tmp_path / "alone").values()), atol=2e-5
    )
