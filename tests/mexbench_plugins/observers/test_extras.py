"""An observer whose package is missing says so before anything runs; nothing is imported for a run that names none."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import SEARCH_PATH, Ran

CONFIG = "dataset: {plugin: synthetic, subjects: 3, clips: 6}\nprotocol: loso\nmodels: [majority]\n"


@pytest.mark.parametrize(("name", "module"), [("mlflow", "mlflow"), ("tensorboard", "tensorboardX")])
def test_missing_package_is_reported(
    name: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Callable[..., Ran]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda asked, *rest: None if asked == module else find(asked, *rest)
    )
    (tmp_path / "c.yaml").write_text(CONFIG)
    ran = bench("run", tmp_path / "c.yaml", "--out", tmp_path / "run", "--observe", name)
    assert ran.err == (
        f"error: observer {name!r} needs {module}, which is not installed; "
        f"in a clone of mexbench: pip install '.[{name}]'\n"
    )
    assert (ran.code, (tmp_path / "run").exists()) == (2, False)


def test_listing_imports_no_optional_package(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    listed = bench("list", "observers").out
    assert "Log to MLflow" in listed
    assert "Write TensorBoard's events" in listed
    (tmp_path / "c.yaml").write_text(CONFIG)
    program = (
        "import sys\nfrom mexbench.cli import main\nassert main(['run', 'c.yaml']) == 0\nassert main(['list']) == 0\n"
        "sys.exit(f'{found}' if (found := {'mlflow', 'tensorboardX'} & set(sys.modules)) else 0)"
    )
    environment = {"PYTHONPATH": SEARCH_PATH, "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
