from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mexbench.errors import PluginError
from mexbench.registry.catalogue import Catalogue, load_catalogue

Install = Callable[..., None]
MODEL = """
import dataclasses
from mexbench import hookimpl
from mexbench.interfaces import Model

@dataclasses.dataclass(frozen=True, kw_only=True)
class Mine(Model):
    '''Mine.'''
    def fit(self, x, y, *, n_classes, groups, seed): ...
"""
HOOK = "@hookimpl\ndef bench_models():\n    return {'mine': Mine}\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with one module and its entry point where Python finds it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, source: str) -> None:
        module = name.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n")
        (info / "entry_points.txt").write_text(f"[mexbench]\nit = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


def the_rest_works(catalogue: Catalogue) -> bool:
    return {"majority", "svm"} <= set(catalogue.names("model")) and catalogue.get("protocol", "loso").load() is not None


def problem(catalogue: Catalogue) -> str:
    (result,) = catalogue.problems
    assert the_rest_works(catalogue)
    return str(result)


def test_the_built_in_plugins_come_through_the_entry_point() -> None:
    catalogue = load_catalogue()
    assert catalogue.problems == ()
    assert {entry.distribution.partition(" ")[0] for entry in catalogue.entries} == {"mexbench"}
    assert catalogue.names("protocol") == ["case_study", "cross_dataset", "fixed_split", "holdout", "kfold", "loso"]


def test_a_third_party_plugin_comes_through_the_same_hook(install: Install) -> None:
    install("other-models", MODEL + HOOK)
    catalogue = load_catalogue()
    assert catalogue.problems == ()
    assert catalogue.get("model", "mine").distribution == "other-models 2.0"
    assert catalogue.get("model", "mine").load().__name__ == "Mine"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "import nonsense_that_is_not_there",
            "cannot be imported: ModuleNotFoundError: No module named 'nonsense_that",
        ),
        ("def f(:", "cannot be imported: SyntaxError"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        (
            MODEL + HOOK.replace("bench_models", "bench_modles"),
            "unknown hook 'bench_modles' (did you mean 'bench_models'?)",
        ),
        (MODEL + HOOK.replace("@hookimpl\n", ""), "'bench_models' is not marked: put @mexbench.hookimpl above it"),
        (
            MODEL + HOOK.replace("bench_models()", "bench_models(nothing)"),
            "cannot be registered: PluginValidationError",
        ),
        (MODEL + HOOK.replace("{'mine': Mine}", "1 / 0"), "bench_models failed: ZeroDivisionError"),
        (
            MODEL + HOOK.replace("{'mine': Mine}", "[Mine]"),
            "must return a mapping of names to 'module:Class', got list",
        ),
        (MODEL + HOOK.replace("'mine'", "'My Model'"), "offers 'My Model': a name has small letters"),
        (MODEL + HOOK.replace(": Mine", ": 'mine'"), "offers 'mine' as 'mine': expected a class or the text"),
        (MODEL, "has no hook; known hooks: bench_datasets"),
    ],
)
def test_a_broken_distribution_is_named_and_harms_no_other(install: Install, source: str, message: str) -> None:
    install("broken-dist", source)
    text = problem(load_catalogue())
    assert text.startswith("plugin distribution broken-dist 2.0: ")
    assert message in text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (MODEL + HOOK.replace("Mine}", "'broken_dist:Nothing'}"), "cannot be imported: AttributeError"),
        (MODEL + HOOK.replace("Mine}", "'no_such_module:X'}"), "cannot be imported: ModuleNotFoundError"),
        (MODEL + HOOK.replace("Mine}", "int}"), "is not a subclass of mexbench.interfaces.Model"),
        (MODEL.replace("def fit", "def fitt") + HOOK, "does not implement fit"),
        (MODEL.replace("frozen=True, ", "") + HOOK, "is a dataclass that is not frozen"),
        (
            MODEL.replace("@dataclasses", "def no(x): ...\n# ").replace("'''Mine.'''", "size: int = 3") + HOOK,
            "declares 'size' without @dataclass(frozen=True, kw_only=True)",
        ),
        (MODEL.replace("'''Mine.'''", "name: str = ''") + HOOK, "has a parameter 'name', which is a reserved word"),
        (MODEL.replace("'''Mine.'''", "f: 'Nothing' = None") + HOOK, "has a parameter of a type that cannot be used"),
    ],
)  # fmt: skip
def test_a_broken_plugin_is_reported_when_it_is_loaded(install: Install, source: str, message: str) -> None:
    install("broken-dist", source)
    catalogue = load_catalogue()
    assert the_rest_works(catalogue)
    with pytest.raises(PluginError) as caught:
        catalogue.get("model", "mine").load()
    assert str(caught.value).startswith("plugin distribution broken-dist 2.0: model 'mine' (")
    assert message in str(caught.value)


def test_a_third_party_plugin_cannot_take_a_built_in_name(install: Install) -> None:
    install("greedy", MODEL + HOOK.replace("'mine'", "'svm'"))
    catalogue = load_catalogue()
    assert catalogue.get("model", "svm").location == "mexbench_plugins.models.svm:SVM"
    start = "plugin distribution greedy 2.0: model 'svm' (greedy:Mine) has the name of one in mexbench"
    assert problem(catalogue).startswith(start)


def test_a_name_that_two_distributions_claim_is_disputed(install: Install) -> None:
    install("aaa", MODEL + HOOK)
    install("bbb", MODEL + HOOK)
    catalogue = load_catalogue()
    assert "bbb 2.0: model 'mine'" in problem(catalogue)
    with pytest.raises(PluginError, match=r"'mine' is claimed by aaa 2.0, bbb 2.0: uninstall"):
        catalogue.get("model", "mine")


def test_an_unknown_name_lists_choices_and_what_may_have_hidden_it(install: Install) -> None:
    install("broken-dist", "import nonsense_that_is_not_there")
    with pytest.raises(PluginError) as caught:
        load_catalogue().get("model", "svn")
    assert "unknown model 'svn' (did you mean 'svm'?); choose from: always_present, ann, au_cnn, " in str(caught.value)
    assert "not available: plugin distribution broken-dist 2.0" in str(caught.value)


def test_two_calls_are_independent(install: Install) -> None:
    before = len(load_catalogue().entries)
    install("other-models", MODEL + HOOK)
    assert len(load_catalogue().entries) == before + 1
    assert len(load_catalogue().entries) == before + 1


@pytest.mark.parametrize(
    ("hook", "watching", "problem_text"),
    [
        ("def bench_task_done(task): ...", ["watch-dist 2.0"], None),
        ("def bench_run_done(run): ...", ["watch-dist 2.0"], None),
        ("def bench_task_down(task): ...", [], "unknown hook 'bench_task_down' (did you mean 'bench_task_done'?)"),
        ("def bench_task_done(tusk): ...", [], "cannot be registered: PluginValidationError"),
    ],
)
def test_a_module_with_run_hooks_is_a_listener(
    install: Install, hook: str, watching: list[str], problem_text: str | None
) -> None:
    install("watch-dist", f"from mexbench import hookimpl\n@hookimpl\n{hook}\n")
    catalogue = load_catalogue()
    assert [name for name, _ in catalogue.run_listeners] == watching
    assert the_rest_works(catalogue)
    assert [str(problem_text) in str(problem) for problem in catalogue.problems] == [True] * (problem_text is not None)
