"""Every kind of distribution that ``bench new`` writes: installed with pip, listed, checked and run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mexbench.registry import scaffold
from tests.helpers import Ran
from tests.test_plugin_distribution import bench as bench_with
from tests.test_plugin_distribution import install

NAMES = {kind: f"my_{kind}" for kind in scaffold.KINDS}
CONFIG = """
dataset: {{plugin: my_dataset, root: {root}}}
preprocess: [{{plugin: my_preprocessor, gamma: 1.5}}]
protocol: {{plugin: my_protocol, people: 1}}
models: [majority, my_model]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a distribution of each kind."""
    folder = tmp_path_factory.mktemp("made")
    for kind, name in NAMES.items():
        done = bench_with(folder, "new", kind, name, "--out", str(folder / name))
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.startswith(f"written to {folder / name}: pyproject.toml, {name}.py, test_{name}.py\n")
        assert f"  pytest {folder / name}\n  bench test-plugin {folder / name}" in done.stderr
        assert f"\n  pip install --editable {folder / name}\n" in done.stderr
    return folder


@pytest.fixture(scope="module")
def site(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("site"), *(made / name for name in NAMES.values()))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stills(tmp_path_factory.mktemp("data"))


def write_stills(root: Path) -> Path:
    """Write three people in the layout that the template of a data set reads: SUBJECT/EMOTION/CLIP.png."""
    rng = np.random.default_rng(0)
    for subject in ("s1", "s2", "s3"):
        for clip, emotion in (("a", "sadness"), ("b", "sadness"), ("c", "happiness")):
            path = root / subject / emotion / f"{clip}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), rng.integers(0, 100, (8, 8, 3), np.uint8) + np.uint8(150 * (emotion == "happiness")))
    return root


def test_plugins_of_every_kind_are_listed(site: Path) -> None:
    done = bench_with(site, "list")
    assert (done.returncode, done.stderr) == (0, "")
    for kind, name in NAMES.items():
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"{kind} ") and f" {name} " in line]
        assert line.endswith(f"my-{kind} 0.1.0")
    assert sorted(path.name for path in site.glob("*.py")) == sorted(f"{name}.py" for name in NAMES.values())


@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_plugins_of_every_kind_conform(kind: str, made: Path, site: Path, data: Path) -> None:
    given = ["--set", f"root={data}"] if kind == "dataset" else []
    done = bench_with(site, "test-plugin", NAMES[kind], *given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept" in done.stdout
    assert "broken" not in done.stdout
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(made / NAMES[kind])]
    done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_plugins_of_every_kind_run_together(site: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG.format(root=data))
    done = bench_with(site, "run", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out"), "--observe", "my_observer")
    assert done.returncode == 0, done.stderr
    assert "my_observer: 2 rows, 0 failed tasks" in done.stderr
    rows = {row["model"]: row for row in json.loads((tmp_path / "out" / "scores.json").read_text())["rows"]}
    # Happy pictures are bright, sad ones dark.
    assert (rows["my_model"]["uf1"], rows["my_model"]["folds"], rows["my_model"]["n_samples"]) == (1.0, 3, 9)
    assert rows["majority"]["accuracy"] == pytest.approx(6 / 9)


@pytest.mark.parametrize("template", ["clips", "features"])
def test_the_other_templates_of_data_sets_conform(template: str, tmp_path: Path) -> None:
    folder = tmp_path / "my_data"
    assert (
        bench_with(tmp_path, "new", "dataset", "my_data", "--template", template, "--out", str(folder)).returncode == 0
    )
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_a_folder_is_checked_without_being_installed(
    bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert bench("new", "model", "my_unpacked").code == 0
    ran = bench("test-plugin", "./my_unpacked")
    assert ran.code == 0
    assert ran.out.splitlines()[0].split() == ["model", "my_unpacked,", "my-unpacked", "0.1.0", "(not", "installed)"]
    assert ran.out.endswith("10 kept, 5 n/a\n")
    assert "n/a      detects action units" in ran.out
    ran = bench("test-plugin", "my_unpacked")
    assert (ran.code, "is not installed" in ran.err, "bench test-plugin ./my_unpacked" in ran.err) == (2, True, True)


def test_a_folder_that_is_not_a_plugin_is_refused(
    bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for content, message in (
        (None, "has no pyproject.toml; give a folder as 'bench new' writes one"),
        ("[project", "invalid TOML"),
        ("[project]\nname = 'x'\n", "has no entry point; expected a table [project.entry-points.mexbench]"),
        ("[project.entry-points.mexbench]\nx = 'no_such_module'\n", "offers no plugin that can be checked"),
    ):
        Path("folder").mkdir(exist_ok=True)
        if content is not None:
            Path("folder/pyproject.toml").write_text(content)
        ran = bench("test-plugin", "./folder")
        assert (ran.code, message in ran.err) == (2, True), ran.err
    ran = bench("test-plugin", "./nothing")
    assert (ran.code, ran.err.startswith("error: ./nothing: not a folder")) == (2, True)


def test_a_name_that_is_installed_already_is_refused(site: Path, tmp_path: Path) -> None:
    done = bench_with(site, "new", "protocol", "my_model", "--out", str(tmp_path / "x"))
    messages = "error: 'my_model' is the name of a model in my-model 0.1.0 (my_model:MyModel); choose another name\n"
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (2, messages, [])


def test_invalid_input_is_rejected(bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = bench("new", "modle", "x")
    assert (ran.code, "invalid choice: 'modle'" in ran.err) == (2, True)
    assert bench("new", "model", "class").err == "error: 'class' is a reserved word of Python; choose another name\n"
    assert bench("new", "model", "my_model").code == 0
    before = {path: path.read_bytes() for path in Path("my_model").iterdir()}
    ran = bench("new", "model", "my_model")
    messages = "error: my_model: exists already, and nothing is overwritten; choose another --out\n"
    assert (ran.code, ran.err) == (2, messages)
    assert {path: path.read_bytes() for path in Path("my_model").iterdir()} == before
