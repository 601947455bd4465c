"""The layers that the project promises, and what no module may do. ``pytest -s`` prints the figures."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter

import pytest

from tests import architecture
from tests.helpers import ROOT, SEARCH_PATH

MODULES = sorted(architecture.modules())
CORE = [module for module in MODULES if module.partition(".")[0] == "mexbench"]


def test_figures() -> None:
    print(f"\n{architecture.report()}")
    counts = Counter(module.partition(".")[0] for module in MODULES)
    assert counts["mexbench"] > 100
    assert counts["mexbench_plugins"] > 80


def test_lazy_and_type_checking_imports_count(monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
from typing import TYPE_CHECKING
from mexbench.errors import BenchError
if TYPE_CHECKING:
    from mexbench.data import cache
def lazy():
    import mexbench.registry.catalogue
    def inner():
        from mexbench.config.loader import load
"""
    monkeypatch.setattr(architecture, "tree", lambda _: ast.parse(source))
    assert set(architecture.imports("mexbench.files")) == {
        "mexbench.errors", "mexbench.data.cache", "mexbench.registry.catalogue", "mexbench.config.loader",
    }  # fmt: skip
    assert "mexbench.files -> mexbench.data.cache" in architecture.layer_violations()


def test_imports_go_down_the_layers() -> None:
    assert architecture.layer_violations() == []


def test_no_modules_import_one_another() -> None:
    assert architecture.circles() == []


def test_a_circle_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set[str](), "e": {"a"}, "f": {"g"}, "g": {"f"}}
    monkeypatch.setattr(architecture, "graph", lambda: edges)
    assert sorted(architecture.circles()) == [["a", "b", "c"], ["f", "g"]]


def test_plugins_use_the_public_modules_alone() -> None:
    assert architecture.private_imports() == []


def test_public_class_names_are_unique() -> None:
    assert architecture.duplicate_classes() == {}


def test_the_top_level_is_small() -> None:
    packages, modules = architecture.rooms()
    assert len(packages) <= 12, packages
    assert len(modules) <= 7, modules


@pytest.mark.parametrize("module", MODULES)
def test_only_its_command_imports_the_audit(module: str) -> None:
    """The leaks are in there: no ordinary run may reach one."""
    audit = "mexbench.studies.audit"
    reached = {target for target in architecture.imports(module) if target.startswith(audit)}
    allowed = module in {"mexbench.cli.audit", "mexbench.cli.audit_stress"} or module.startswith(audit)
    assert allowed or not reached
    text = architecture.modules()[module].read_text(encoding="utf-8")
    assert allowed or audit not in text  # nor by its name, for importlib


def test_importing_the_core_loads_nothing_heavy() -> None:
    modules = [module for module in CORE if not module.endswith("__main__")]
    probe = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "heavy = {'jax', 'flax', 'optax', 'sklearn', 'cv2', 'matplotlib', 'skops', 'safetensors', 'dask'}\n"
        "heavy |= {'pandas', 'torch', 'nbclient'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_help_loads_no_array_library_and_no_metadata() -> None:
    """It has to answer in a tenth of a second: these take longer, or half of that."""
    probe = (
        "import sys\nfrom mexbench.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'pydantic', 'yaml', 'importlib.metadata', 'rich', 'jax'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False, env={"PYTHONPATH": SEARCH_PATH}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "make a micro-expression clip from one still face" in done.stdout  # of the built-in plugins


@pytest.mark.parametrize("module", MODULES)
def test_nothing_executes_what_it_reads(module: str) -> None:
    calls = [node for node in ast.walk(architecture.tree(module)) if isinstance(node, ast.Call)]
    names = {ast.unparse(call.func) for call in calls}
    assert not names & {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "np.fromfile"}
    imported = {
        name
        for node in ast.walk(architecture.tree(module))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [str(node.module)] if isinstance(node, ast.ImportFrom)
            else []
        )
    }  # fmt: skip
    assert not imported & {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
    for call in calls:
        if ast.unparse(call.func) in {"np.load", "np.save"}:
            assert "allow_pickle=False" in ast.unparse(call)
