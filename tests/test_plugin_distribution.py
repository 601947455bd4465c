"""A contributor's distribution, outside the repository: built, installed with pip, listed and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import SEARCH_PATH

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "nearest-mean"
version = "1.2"

[project.entry-points.mexbench]
nearest_mean = "nearest_mean"
"""
SOURCE = '''
"""Nearest class mean."""
from dataclasses import dataclass

import numpy as np

from mexbench import hookimpl
from mexbench.interfaces import Model


@dataclass(frozen=True, kw_only=True)
class NearestMean(Model):
    """Assign a sample to the class whose mean is nearest.

    Args:
        power: Of the distance.
    """

    power: float = 2.0

    def fit(self, x, y, *, n_classes, groups, seed):
        means = {c: x[y == c].mean(axis=0) for c in np.unique(y)}

        def predict(test):
            scores = np.full((len(test), n_classes), -1e9)
            for c, mean in means.items():
                scores[:, c] = -(np.abs(test - mean) ** self.power).reshape(len(test), -1).sum(axis=1)
            return scores

        return predict


@hookimpl
def bench_models():
    return {"nearest_mean": "nearest_mean:NearestMean"}
'''
CONFIG = """
dataset: {plugin: synthetic, subjects: 4}
protocol: loso
models: [majority, {plugin: nearest_mean, power: 1.5}]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip installed the distribution: a folder of its own, which leaves this environment as it is."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "nearest_mean.py").write_text(SOURCE)
    return install(target, source)


def install(target: Path, *sources: Path) -> Path:
    """Install distributions into a folder, without the network: the build tool of the test extra builds them."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--target", str(target), *map(str, sources)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


def bench(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{SEARCH_PATH}"}
    command = [sys.executable, "-m", "mexbench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_distribution_is_listed_beside_the_built_in_plugins(site: Path) -> None:
    done = bench(site, "list", "models")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if "nearest_mean" in line)
    assert "Assign a sample to the class whose mean is nearest." in line
    assert line.endswith("nearest-mean 1.2")
    assert "svm" in done.stdout
    assert "power" in bench(site, "info", "nearest_mean").stdout


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_its_model_runs(site: Path, tmp_path: Path, jobs: str) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    done = bench(site, "run", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out"), "--jobs", jobs)
    assert done.returncode == 0, done.stderr
    rows = {row["model"]: row for row in json.loads((tmp_path / "out" / "scores.json").read_text())["rows"]}
    assert rows["nearest_mean"]["distribution"] == "nearest-mean 1.2"
    assert rows["nearest_mean"]["uf1"] > rows["majority"]["uf1"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["versions"]["nearest-mean"] == "1.2"


def test_a_typo_in_its_parameters_is_reported(site: Path, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG.replace("power", "pover"))
    done = bench(site, "run", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "models[1].pover: unknown parameter 'pover' (did you mean 'power'?)" in done.stderr
