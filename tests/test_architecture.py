"""The layers that the project promises."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

CORE = sorted((ROOT / "benchmark").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_there_is_something_to_look_at() -> None:
    assert len(CORE) > 20
    assert len(PLUGINS) > 8


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_imports_no_plugin(path: Path) -> None:
    assert not {name for name in imports(path) if name.partition(".")[0] == "mexbench_plugins"}


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_use_what_a_stranger_may_use(path: Path) -> None:
    allowed = {"mexbench", "mexbench.interfaces", "mexbench.errors", "mexbench.files", "mexbench.fingerprint"}
    allowed |= {"mexbench.data.cache", "mexbench.cli", "mexbench.cli.output", "mexbench.interfaces.observer"}
    allowed |= {"mexbench.metrics.spotting", "mexbench.interfaces.video"}  # a threshold is chosen by its score
    allowed |= {"mexbench.data.video.reader", "mexbench.data.video.clip_list"}  # one reader of films for everybody
    assert {name for name in imports(path) if name.partition(".")[0] == "mexbench"} <= allowed


@pytest.mark.parametrize("path", [*CORE, *PLUGINS], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_but_its_command_reaches_the_audit(path: Path) -> None:
    """The leaks live there: no ordinary run may come near one."""
    name = path.relative_to(ROOT).as_posix()
    reached = {found for found in imports(path) if found.startswith("mexbench.studies.audit")}
    assert (
        not reached or name == "benchmark/mexbench/cli/audit.py" or name.startswith("benchmark/mexbench/studies/audit/")
    )
    assert "mexbench.studies.audit" not in path.read_text(encoding="utf-8") or reached


def test_importing_the_core_loads_nothing_heavy() -> None:
    modules = [
        ".".join(path.relative_to(ROOT / "benchmark").with_suffix("").parts).removesuffix(".__init__")
        for path in CORE
        if path.name != "__main__.py"
    ]
    probe = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "heavy = {'jax', 'flax', 'optax', 'sklearn', 'cv2', 'matplotlib', 'skops', 'safetensors', 'dask'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", [*CORE, *PLUGINS], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_fit_a_readers_head(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 330, f"{path} has {lines} lines: split it"


@pytest.mark.parametrize("path", [*CORE, *PLUGINS], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_executes_what_it_reads(path: Path) -> None:
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert not calls & {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "np.fromfile"}
    assert not {
        name for name in imports(path) if name in {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
    }
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"np.load", "np.save"}:
            assert "allow_pickle=False" in ast.unparse(node)
