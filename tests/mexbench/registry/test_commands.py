"""Commands of plugin distributions, each installed as one module with an entry point."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mexbench.registry.catalogue import load_catalogue
from mexbench.registry.commands import PluginCommand, find_commands, read_commands
from tests.helpers import Ran

HOOK = """
from mexbench import hookimpl

@hookimpl
def bench_commands():
    return {returned}
"""
COMMAND = """
from mexbench.errors import DataError

def add_arguments(parser):
    parser.add_argument("number", type=int)

def run(options):
    if options.number < 0:
        raise DataError(f"number {options.number} is negative")
    print(options.number + 1)
    return 0
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with one module and its entry point where Python finds it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, source: str, **modules: str) -> None:
        module = name.replace("-", "_")
        for file, text in {module: source, **modules}.items():
            (tmp_path / f"{file}.py").write_text(text)
            monkeypatch.delitem(sys.modules, file, raising=False)
        info = tmp_path / f"{module}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n")
        (info / "entry_points.txt").write_text(
            f"[console_scripts]\nx = y:z\n\n[mexbench]\nit = {module}\n\n[other]\na = b\n"
        )

    return install


def offering(returned: object) -> str:
    return HOOK.format(returned=returned)


ADD_ONE = offering({"add-one": ("add_one_command", "add one to a number")})


def test_a_command_is_listed_and_runs(install: Install, bench: Callable[..., Ran]) -> None:
    install("adder", ADD_ONE, add_one_command=COMMAND)
    ran = bench("--help")
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"^Of plugins:\n(  .*\n)*?  add-one +add one to a number$", ran.out, re.MULTILINE)
    assert "add_one_command" not in sys.modules
    assert (bench("add-one", "41").out, bench("add-one", "41").code) == ("42\n", 0)
    assert bench("add-one", "--help").out.startswith("usage: bench add-one [-h] number\n\nAdd one to a number.")
    ran = bench("add-one", "--", "-1")
    assert (ran.code, ran.err) == (2, "error: number -1 is negative\n")
    assert load_catalogue().problems == ()


def test_synth_comes_through_the_hook() -> None:
    commands, problems = find_commands(reserved=())
    assert problems == []
    assert commands["synth"].module == "mexbench_plugins.synth.command"
    assert commands["synth"].distribution.startswith("mexbench ")


def test_a_module_without_the_hook_is_not_imported(install: Install, bench: Callable[..., Ran]) -> None:
    install("heavy", "raise SystemExit('imported')")
    assert (bench("--help").code, bench("--help").err) == (0, "")
    assert "heavy" not in sys.modules


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise ValueError('oops')  # bench_commands", "entry point 'broken': bench_commands failed: ValueError: oops"),
        (offering(["x"]), "must return a mapping of names to ('module', 'summary'), got list"),
        (offering({"Add One": ("m", "s")}), "offers 'Add One': a command's name has small letters, digits and '-'"),
        (offering({"add": "m"}), "offers 'add' as 'm': expected ('module', 'summary')"),
        (offering({"add": ("m:f", "s")}), "offers 'add' as ('m:f', 's'): expected ('module', 'summary')"),
        (offering({"add": ("m", "")}), "offers 'add' as ('m', ''): expected ('module', 'summary')"),
        (
            offering({"run": ("m", "s")}),
            "command 'run' (m) cannot be used: the name is also that of a built-in command",
        ),
        (offering({"synth": ("m", "s")}), "command 'synth' (m) cannot be used: the name is also that of"),
    ],
)
def test_a_broken_offer_is_reported_and_the_others_work(
    install: Install, bench: Callable[..., Ran], source: str, message: str
) -> None:
    install("broken", source)
    ran = bench("--help")
    assert ran.code == 0
    assert "error: plugin distribution broken 2.0: " in ran.err
    assert message in ran.err
    assert "run a config: train, test" in ran.out
    assert bench("configs").code == 0


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("import nonsense_that_is_not_there", "cannot be imported: ModuleNotFoundError"),
        ("def add_arguments(parser): ...", "has no function 'run'"),
    ],
)
def test_a_command_that_cannot_be_imported_names_its_distribution(
    install: Install, bench: Callable[..., Ran], module: str, message: str
) -> None:
    install("adder", ADD_ONE, add_one_command=module)
    ran = bench("add-one", "1")
    assert ran.code == 2
    assert ran.err.startswith(f"error: plugin distribution adder 2.0: command 'add-one' (add_one_command) {message}")


def test_the_catalogue_checks_what_the_hook_returns(install: Install) -> None:
    install("broken", offering({"add": "m"}))
    (problem,) = load_catalogue().problems
    assert "bench_commands offers 'add' as 'm': expected ('module', 'summary')" in str(problem)


def test_read_commands() -> None:
    commands, errors = read_commands({"a": ("p.m", "s"), "b": ("1", "s")}, "d 1")
    assert commands == [PluginCommand("a", "p.m", "s", "d 1")]
    assert errors == ["offers 'b' as ('1', 's'): expected ('module', 'summary')"]
