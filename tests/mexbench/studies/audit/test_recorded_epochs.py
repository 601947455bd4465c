"""One training gives a run its last epoch, and its audit all of them; nothing else of the run changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.config.loader import load
from mexbench.evaluation import plan as planning
from mexbench.registry.catalogue import Catalogue
from mexbench.studies.audit.cases import cases
from mexbench.studies.audit.epoch_selection import EpochGlobal
from mexbench.studies.audit.fit_on_all import Scaler
from mexbench.studies.audit.recorded_epochs import recorder
from tests.helpers import Ran

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

CONFIG = """
dataset: {{plugin: features, table: table.csv, arrays: arrays.npy}}
protocol: loso
models: [majority, {model}]
seeds: [0]
"""


@pytest.fixture
def write_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write noise of four subjects in the shape of optical flow, and a config of one network."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [f"s{index},{index % 4},{'abc'[index % 3]}" for index in range(12)]
    (tmp_path / "table.csv").write_text("\n".join(["sample_id,subject,label", *rows]) + "\n")
    np.save(tmp_path / "arrays.npy", rng.random((12, 28, 28, 3), np.float32))

    def write(model: str) -> Path:
        (tmp_path / "config.yaml").write_text(CONFIG.format(model=f"{{plugin: {model}}}"))
        return tmp_path / "config.yaml"

    return write


def results(folder: Path) -> dict[str, Any]:
    """Return all that a run stored of its tasks, except times."""
    times = ("fit_s", "predict_s", "processor_s", "checksum")
    files = sorted((folder / "tasks").rglob("*.json"))
    return {
        str(path.relative_to(folder)): {k: v for k, v in json.loads(path.read_text()).items() if k not in times}
        for path in files
    }


@pytest.mark.parametrize(
    ("model", "options"),
    [("ststnet, epochs: 3", ()), ("rcn_a, epochs: 2, filters: 4, batch_size: 4", ("--jobs", "2"))],
)
def test_the_run_of_an_audit_equals_the_run_alone(
    tmp_path: Path, write_config: Callable[[str], Path], bench: Callable[..., Ran], model: str, options: tuple[str, ...]
) -> None:
    """Scores, learning curves, health and device: ststnet trains folds together, rcn_a one by one."""
    config = write_config(model)
    assert bench("run", config, "--out", tmp_path / "alone").code == 0
    ran = bench("audit", config, "--out", tmp_path / "audited", "--leaks", "epoch-per-subject,epoch-global", *options)
    assert ran.code == 0
    name = model.partition(",")[0]
    assert f"the honest run: (with the scores of every epoch: {name})" in ran.err
    assert "2 x 2 models, 4 tasks, 0 to do" in ran.err, "the leaks need no training of their own"
    stored = results(tmp_path / "audited")
    assert stored == results(tmp_path / "alone")
    assert {result["device"] for result in stored.values()} == {"cpu"}
    alone, audited = (tmp_path / folder / "predictions.csv" for folder in ("alone", "audited"))
    assert audited.read_bytes() == alone.read_bytes()


@pytest.mark.parametrize(
    ("recipe", "recorded"),
    [
        ("epochs: 2", ["rcn_a"]),
        ("epochs: 2, early_stopping: 1", []),
        ("tune: {values: {epochs: [1, 2]}, epochs: fixed, inner: 2}", []),
    ],
)
def test_a_training_that_may_end_early_or_is_tuned_is_not_recorded(
    tmp_path: Path, write_config: Callable[[str], Path], builtin: Catalogue, recipe: str, recorded: list[str]
) -> None:
    plan = planning.plan(load(write_config(f"rcn_a, {recipe}"), builtin))
    audit_cases = cases(plan.parts, plan.config)
    assert list(recorder(audit_cases, [EpochGlobal()], tmp_path).jobs) == recorded
    assert not recorder(audit_cases, [Scaler()], tmp_path).jobs, "a leak without epochs needs none"


def test_what_was_stopped_goes_on(
    tmp_path: Path, write_config: Callable[[str], Path], bench: Callable[..., Ran]
) -> None:
    """A fold whose honest result is gone is trained again, the others are not."""
    config = write_config("rcn_a, epochs: 2, filters: 4, batch_size: 4")
    arguments = ("audit", config, "--out", tmp_path / "audited", "--leaks", "epoch-global")
    assert bench(*arguments).code == 0
    before = results(tmp_path / "audited")
    (tmp_path / "audited" / next(name for name in before if "rcn_a" in name)).unlink()
    assert ", 1 to do" in bench(*arguments).err
    assert results(tmp_path / "audited") == before
