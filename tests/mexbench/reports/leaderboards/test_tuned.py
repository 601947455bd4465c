"""Rows that were tuned: what was chosen in each fold goes with the submission, is checked, and is shown."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.errors import RunFolderError
from mexbench.reports.leaderboards.tuned import Choice, SubmittedTuning, read_tuning, tuned_table
from tests.helpers import Ran

CONFIG = """\
dataset: {{plugin: megc2019_flow, root: {pack}, expect: any}}
preprocess: []
protocol: loso
models:
  - plugin: decision_tree
    name: tree
    tune: {{values: {{max_depth: [1, null], criterion: [gini, entropy]}}, inner: 2}}
  - majority
seeds: [0, 1]
"""


@pytest.fixture
def board(flow_pack: Path, tmp_path: Path, bench: Callable[..., Ran]) -> Path:
    """A board with one tuned row and one that is not."""
    (tmp_path / "c.yaml").write_text(CONFIG.format(pack=flow_pack))
    assert bench("run", tmp_path / "c.yaml", "--out", tmp_path / "run").code == 0
    root = tmp_path / "boards"
    defined = bench("leaderboard", "define", tmp_path / "run", "toy", "--title", "Toy", "--root", root)
    assert defined.code == 0, defined.err
    submitted = bench("leaderboard", "submit", tmp_path / "run", "toy", "--root", root, "--yes")
    assert submitted.code == 0, submitted.err
    return root


def entry(board: Path, name: str = "tree") -> dict[str, Any]:
    return json.loads((board / "results" / "toy" / f"{name}.json").read_text())


def test_a_submission_holds_the_choice_of_every_fold(board: Path) -> None:
    tuning = entry(board)["tuning"]
    with (board.parent / "run" / "tuning.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert (tuning["metric"], tuning["candidates"], tuning["fits"]) == ("uf1", 4, 8 * len(lines))
    assert {(c["seed"], c["fold"]): c["values"]["criterion"] for c in tuning["choices"]} == {
        (int(line["seed"]), line["fold"]): line["criterion"] for line in lines
    }
    assert {c["values"]["max_depth"] for c in tuning["choices"]} <= {1, None}
    assert len(tuning["choices"]) == 8
    assert "tuning" not in entry(board, "majority")


def test_pages_show_which_folds_chose_what(board: Path, bench: Callable[..., Ran]) -> None:
    assert bench("leaderboard", "render", "--root", board).code == 0
    page = (board / "toy.md").read_text()
    assert "## Chosen inside each training side" in page
    lines = [line for line in page.splitlines() if line.startswith("| tree ") and "criterion " in line]
    assert sum(int(line.split("|")[3]) for line in lines) == 8
    assert bench("leaderboard", "verify", "toy", "--root", board).code == 0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda tuning: tuning["choices"].pop(), "1 are not so"),
        (lambda tuning: tuning["choices"][0].update(fold="nobody"), "2 are not so"),
        (lambda tuning: tuning["choices"][0]["values"].update(max_depth=2), "max_depth: 2 is not a candidate"),
        (lambda tuning: tuning["choices"][0]["values"].pop("criterion"), "chose ['max_depth']"),
    ],
)
def test_choices_that_cannot_be_are_refused(
    board: Path, bench: Callable[..., Ran], change: Callable[[dict[str, Any]], object], text: str
) -> None:
    data = entry(board)
    change(data["tuning"])
    (board / "results" / "toy" / "tree.json").write_text(json.dumps(data))
    done = bench("leaderboard", "verify", "toy", "--root", board)
    assert (done.code, text in done.err + done.out) == (1, True), done.err + done.out


def test_a_tuned_row_without_its_choices_is_refused(board: Path, bench: Callable[..., Ran]) -> None:
    data = entry(board)
    choices = data.pop("tuning")
    (board / "results" / "toy" / "tree.json").write_text(json.dumps(data))
    done = bench("leaderboard", "verify", "toy", "--root", board)
    assert (done.code, "tuning: is missing" in done.err + done.out) == (1, True)
    other = entry(board, "majority") | {"tuning": choices}
    (board / "results" / "toy" / "majority.json").write_text(json.dumps(other))
    done = bench("leaderboard", "verify", "toy", "--root", board)
    assert "has no 'tune' block" in done.err + done.out


def test_folds_called_after_people_have_their_pseudonyms(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    people, labels = ["Ada", "Bob", "Cyd", "Dee"], [0, 1, 0, 1]
    lines = [f"{who}/{clip},{who},{label}" for who in people for clip, label in enumerate(labels)]
    (tmp_path / "table.csv").write_text("\n".join(["sample_id,subject,label", *lines]))
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(len(lines), 4)))
    (tmp_path / "c.yaml").write_text(
        f"dataset: {{plugin: features, table: {tmp_path / 'table.csv'}, arrays: {tmp_path / 'x.npy'}}}\n"
        "protocol: loso\n"
        "models:\n  - {plugin: decision_tree, name: tree, tune: {values: {max_depth: [1, 2]}, inner: 2}}\n"
    )
    root, run = tmp_path / "boards", tmp_path / "run"
    assert bench("run", tmp_path / "c.yaml", "--out", run).code == 0
    for command in (["define", run, "toy"], ["submit", run, "toy", "--yes"], ["render"], ["verify"]):
        done = bench("leaderboard", *command, "--root", root)
        assert done.code == 0, done.err
    choices = entry(root)["tuning"]["choices"]
    assert {choice["fold"] for choice in choices} == {line[0] for line in entry(root)["predictions"]}
    assert len(choices) == 4
    texts = [path.read_text() for path in root.rglob("*") if path.is_file()]
    assert not [text for text in texts for who in people if who in text]


def test_the_table_groups_folds_by_their_choice() -> None:
    choices = [
        Choice(seed=seed, fold=fold, values={"C": c}, inner_score=score)
        for seed, fold, c, score in [(0, "a", 1.0, 0.5), (1, "a", 1.0, 0.7), (0, "b", 0.1, 0.4), (1, "b", 1.0, 0.6)]
    ]
    table = tuned_table(
        [("svm", SubmittedTuning(metric="uf1", candidates=2, fits=8, seconds=1.0, choices=(*choices,)))]
    )
    assert table.rows == [
        ["svm", "C 1.0", "3", "uf1 60.00", "a (x2) b"],
        ["svm", "C 0.1", "1", "uf1 40.00", "b"],
    ]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    assert read_tuning(tmp_path, "svm") is None
    (tmp_path / "tuning.csv").write_text(
        "model,seed,fold,C,metric,inner_score,candidates,fits,seconds\nsvm,x,a,1,uf1,.5,2,8,1\n"
    )
    with pytest.raises(RunFolderError, match=r"tuning.csv, line 2: is damaged"):
        read_tuning(tmp_path, "svm")
