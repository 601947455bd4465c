"""The config of a page is read back to what it was, whatever it holds, and its commands are safe to paste."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.config.document import parse
from mexbench.reports.leaderboards import submission as files
from mexbench.reports.leaderboards.rows import BoardRows
from mexbench.reports.site.config_text import commands, yaml_text
from tests.helpers import Ran

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="$"), max_size=12)
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT,
    st.sampled_from(["off", "yes", "1e-3", "010", "0o7", "null", "~", "1_000", "<<", "=", "1:30", "2026-11-20", ".5"]),
)  # fmt: skip
VALUES = st.recursive(PLAIN, lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXT, inside, max_size=3))


@given(st.dictionaries(TEXT.filter(lambda key: key != "<<"), VALUES, max_size=4))
def test_yaml_is_read_back_to_the_same_values(config: dict[str, Any]) -> None:
    values = parse(yaml_text(config), "row.yaml", {}).data
    assert values == config
    assert repr(values) == repr(config)  # 1 is not 1.0 and not true


def test_repeated_blocks_are_written_out() -> None:
    steps = [{"plugin": "face"}]
    assert yaml_text({"a": steps, "b": steps}) == "a:\n- plugin: face\nb:\n- plugin: face\n"


def test_the_config_runs_again_and_predicts_the_same(
    board: BoardRows, root: Path, finished: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = root.parent
    (row,) = (row for row in board.rows if row.name == "svm-linear")
    (home / "row.yaml").write_text(yaml_text(row.entry.origin.config))
    lines = commands(row, "toy", yaml_text(row.entry.origin.config)).splitlines()
    assert [line for line in lines if line.startswith(("export", "bench"))] == [
        "export MEGC2019_FLOW_ROOT=/path/to/it",
        "bench run row.yaml --out runs/again",
        "bench leaderboard submit runs/again toy",
        "bench leaderboard verify leaderboards/results/toy/svm-linear.json",
    ]
    monkeypatch.setenv("MEGC2019_FLOW_ROOT", str(finished.parent / "pack"))
    monkeypatch.setattr("mexbench.runs.provenance.EPOCH", 1)
    monkeypatch.chdir(home)
    assert bench("run", "row.yaml", "--out", "runs/again").code == 0
    assert bench("leaderboard", "submit", "runs/again", "toy", "--root", root, "--yes").code == 0
    again = files.read(root / "results" / "toy" / "svm-linear.json")
    assert again.predictions_digest == row.entry.predictions_digest
    assert again.figures == row.entry.figures


def test_names_in_commands_are_quoted(board: BoardRows) -> None:
    row = replace(board.rows[0], file="results/toy/$(touch x); y.json")
    text = commands(row, "toy; rm -rf ~", "")
    assert "submit runs/again 'toy; rm -rf ~'" in text
    assert "verify 'leaderboards/results/toy/$(touch x); y.json'" in text


@pytest.mark.parametrize(
    ("commit", "first"), [("abc", "git checkout abc"), ("abc-dirty", "git checkout abc"), (None, "export")]
)
def test_the_commit_where_it_is_known(board: BoardRows, commit: str | None, first: str) -> None:
    entry = board.rows[0].entry
    row = replace(board.rows[0], entry=replace(entry, origin=replace(entry.origin, commit=commit)))
    assert commands(row, "toy", yaml_text(row.entry.origin.config)).startswith(first)
