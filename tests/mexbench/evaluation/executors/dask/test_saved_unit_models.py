"""Models of action units, tuned ones among them, that workers of a Dask cluster train and save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mexbench.evaluation.executors.dask import worker as dask_worker
from mexbench.registry.catalogue import load_catalogue
from mexbench.runs import saved_model as saved
from tests.clusters import dask_cluster
from tests.helpers import Ran
from tests.mexbench.evaluation.executors.dask.test_executor import blind

CONFIG = """
target: action_units
dataset: {plugin: casme2, root: stand-in, stand_in: {subjects: 3, clips: 4, width: 240, height: 200, frames: 7}}
frames: {unit: clip, at: [apex]}
preprocess: [grayscale, {plugin: resize, size: 16}]
protocol: loso
models:
  - {plugin: svm, tune: {values: {C: [0.01, 1]}, inner: 2}}
  - always_present
"""


def saved_scores(folder: Path) -> dict[str, list[list[float]]]:
    """Return model -> what it says about some noise."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 1, 16, 16, 1), dtype=np.uint8)
    return {
        name: saved.load(folder / name / "all" / "0", load_catalogue(), target="action_units")(noise).tolist()
        for name in ("svm", "always_present")
    }


def test_saved_models_are_those_of_one_process(
    tmp_path: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "units.yaml").write_text(CONFIG)
    for name, options in (("one", ["--in-process"]), ("dask", ["--executor", "dask", "--jobs", "1"])):
        ran = bench("run", tmp_path / "units.yaml", "--out", tmp_path / name, "--save-models", "all", *options)
        assert ran.code == 0, ran.err
    assert (tmp_path / "one" / "predictions.csv").read_bytes() == (tmp_path / "dask" / "predictions.csv").read_bytes()
    assert saved_scores(tmp_path / "dask" / "models") == saved_scores(tmp_path / "one" / "models")

    # Workers that share no disk cannot save them, which is known before hours of training and not after them.
    monkeypatch.setattr(dask_worker, "reads", blind)
    with dask_cluster(tmp_path, workers=1) as cluster:
        options = ["--executor", "dask", "--scheduler", cluster.address]
        ran = bench("run", tmp_path / "units.yaml", "--out", tmp_path / "blind", "--save-models", "all", *options)
        assert ran.code == 2
        assert "where models are to be saved: leave --save-models out, or put --out on a disk that all" in ran.err
        assert "0 of 6 tasks are done and kept" in ran.err
        assert "Traceback" not in ran.err
        ran = bench("run", tmp_path / "units.yaml", "--out", tmp_path / "blind", *options)
    assert ran.code == 0, ran.err
    assert (tmp_path / "one" / "predictions.csv").read_bytes() == (tmp_path / "blind" / "predictions.csv").read_bytes()
