"""The built wheel, and any installation in a folder whose names collide with those of a checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers import ROOT, SEARCH_PATH


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without the network by the build tool of the test extra."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (path,) = folder.glob("mexbench-*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip installed the wheel: a folder of its own, which leaves this environment as it is."""
    target = tmp_path_factory.mktemp("site")
    pip("install", "--target", str(target), str(wheel))
    return target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with a package ``plugins`` and a module ``benchmark``, as many a research project has."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "__init__.py").write_text("raise ImportError('the wrong package')\n")
    (tmp_path / "benchmark.py").write_text("raise ImportError('the wrong module')\n")
    return tmp_path


def pip(command: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, "--quiet", "--no-deps", "--no-index", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def run(folder: Path, search_path: str, *command: str) -> subprocess.CompletedProcess[str]:
    remaining = {
        key: value for key, value in os.environ.items() if not key.startswith(("CASME2", "MEGC2019", "PYTHON"))
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder, env={**remaining, "PYTHONPATH": search_path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def check_a_users_first_commands(folder: Path, search_path: str) -> None:
    """List the models, run a shipped config, write a plugin and run its tests."""
    done = run(folder, search_path, "-m", "mexbench", "list", "models")
    assert (done.returncode, done.stderr) == (0, "")
    assert "off_apexnet" in done.stdout
    done = run(folder, search_path, "-m", "mexbench", "run", "quickstart", "--set", "models=[majority, svm]")
    assert done.returncode == 0, done.stderr
    rows = json.loads((folder / "runs" / "quickstart" / "scores.json").read_text())["rows"]
    assert [(row["model"], row["seeds"], row["n_samples"]) for row in rows] == [
        ("majority", [0, 1, 2], 192), ("svm", [0, 1, 2], 192),
    ]  # fmt: skip
    assert rows[1]["uf1"] > rows[0]["uf1"]
    done = run(folder, search_path, "-m", "mexbench", "new", "model", "my_model")
    assert done.returncode == 0, done.stderr
    done = run(folder, search_path, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "my_model")
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_names_of_other_projects_do_not_collide(folder: Path) -> None:
    check_a_users_first_commands(folder, SEARCH_PATH)


def test_the_wheel_works_in_any_folder(site: Path, folder: Path) -> None:
    done = run(folder, str(site), "-c", "import mexbench, mexbench_plugins as p; print(mexbench.__file__, p.__file__)")
    assert done.stdout.split() == [str(site / name / "__init__.py") for name in ("mexbench", "mexbench_plugins")]
    check_a_users_first_commands(folder, str(site))


def test_the_wheel_has_configs_definitions_and_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"mexbench/py.typed", "mexbench_plugins/py.typed"} <= names
    shipped = {name.removeprefix("mexbench/shipped/") for name in names if name.startswith("mexbench/shipped/")}
    expected = {path for path in (ROOT / "configs").rglob("*") if path.suffix in (".yaml", ".py")}
    boards = ROOT / "leaderboards"
    expected |= {*boards.glob("*.yaml"), *(boards / "samples").glob("*.csv"), *(boards / "spotting").glob("*.json")}
    expected |= {boards / "claims.json", *(boards / "audits").glob("*.json")}
    assert shipped == {path.relative_to(ROOT).as_posix() for path in expected}
    assert {name.partition("/")[0] for name in names} == {"mexbench", "mexbench_plugins", "mexbench-0.1.0.dist-info"}


def test_the_wheel_finds_its_configs_and_leaderboards(site: Path, folder: Path) -> None:
    done = run(folder, str(site), "-m", "mexbench", "configs", "--copy", "loso_casme2")
    assert done.returncode == 0, done.stderr
    assert (folder / "loso_casme2.yaml").read_bytes() == (ROOT / "configs" / "loso_casme2.yaml").read_bytes()
    done = run(folder, str(site), "-m", "mexbench", "run", "loso_megc2019_flow", "--dry-run")
    assert done.returncode == 2
    assert "environment variable MEGC2019_FLOW_ROOT is not set" in done.stderr
    done = run(folder, str(site), "-m", "mexbench", "leaderboard", "verify")
    assert (done.returncode, done.stdout) == (0, "0 of 0 submissions verify\n")
