"""What the command line says before it does anything: help, completion, suggestions, narrow terminals."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mexbench import cli
from mexbench.config.document import parse
from mexbench.errors import ConfigError, suggest
from mexbench.tables import Table
from tests.helpers import Ran


def test_every_command_is_in_one_group_and_in_the_help(bench: Callable[..., Ran]) -> None:
    grouped = [name for names in cli.GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(cli.COMMANDS)
    ran = bench("--help")
    assert ran.code == 0
    listed = [line.split()[0] for line in ran.out.splitlines() if line.startswith("  ") and line[2:3].isalpha()]
    assert listed[: len(grouped)] == grouped
    assert "Exit codes: 0 done" in ran.out
    assert "Exit codes: 0 done" in bench("run", "--help").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "unknown command 'rnu' (did you mean 'run'?)"),
        (["train"], "unknown command 'train' (did you mean 'run'?)"),
        (
            ["run", "x.yaml", "--jbos", "2"],
            "unknown option '--jbos' (did you mean '--jobs'?); 'bench run --help' lists",
        ),
        (["list", "models", "more"], "unexpected argument 'more'; 'bench list --help' shows what the command takes"),
        (
            ["run", "quickstart", "--set", "models=[majority,", "svm]"],
            "'svm]' is the rest of a value that the shell has split: put it in quotes, as in --set 'models=[",
        ),
    ],
)
def test_what_is_not_understood_is_explained(arguments: list[str], message: str, bench: Callable[..., Ran]) -> None:
    ran = bench(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_synonyms_are_suggested_where_the_name_exists() -> None:
    assert suggest("lr", ["learning_rate", "epochs"]) == " (did you mean 'learning_rate'?)"
    assert suggest("lr", ["epochs"]) == ""
    assert suggest("datasets", ["dataset", "models"]) == " (did you mean 'dataset'?)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset: {plugin: casme2, root: ${ROOT}}", 'needs quotes: "${NAME}"'),
        ("models: [a, b\nseeds: [0]", "']' or a comma is missing"),
        ("dataset: casme2\n  root: x", "'root: x' is indented otherwise than the line above it"),
        ("models:\n  - svm\n - ann", "'- ann' is not aligned"),
    ],
)
def test_yaml_errors_are_in_plain_words(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text, "c.yaml", {"ROOT": "/data"})
    assert message in str(error.value)
    assert str(error.value).startswith("c.yaml, line ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_has_every_command_and_is_valid(shell: str, bench: Callable[..., Ran]) -> None:
    ran = bench("completion", shell)
    assert ran.code == 0
    assert [name for name in cli.COMMANDS if name not in ran.out] == []
    assert "save-models" in ran.out
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=ran.out, text=True, check=False).returncode == 0


def test_a_table_that_is_too_wide_is_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(["model", "UF1"], [["svm", "70.00 [60.00, 80.00]"], ["ann", "-"]])
    monkeypatch.setenv("COLUMNS", "60")
    assert table.text().splitlines()[0] == "model    UF1"
    monkeypatch.setenv("COLUMNS", "20")
    assert table.text() == "model  svm\nUF1    70.00 [60.00, 80.00]\n\nmodel  ann\nUF1    -"


def test_every_printed_table_ends_with_chance(
    bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text("dataset: {plugin: synthetic, subjects: 4}\nprotocol: loso\nmodels: [majority]\n")
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = bench("run", tmp_path / "c.yaml", "--out", tmp_path / "out").out.splitlines()
    (chance,) = [line.split() for line in lines if line.split()[1:2] == ["chance"]]
    (majority,) = [line.split() for line in lines if line.split()[1:2] == ["majority"]]
    assert chance[0] == "-"
    assert chance[3] == "33.33"  # three classes
    assert len(majority) > len(chance)


def test_sys_info_lists_extras(bench: Callable[..., Ran]) -> None:
    (line,) = [line for line in bench("sys-info").out.splitlines() if line.startswith("extras")]
    assert "; not installed: " in line
    assert "figures" in line


def test_info_has_no_marks_of_code(bench: Callable[..., Ran]) -> None:
    assert "``" not in bench("info", "features").out
