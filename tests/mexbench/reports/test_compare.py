"""Two runs side by side, against a count by hand and the statistics of a run's own page."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench.reports.compare import chosen_rows, compare_runs, run_differences
from mexbench.runs.stored_run import StoredRun, read_run
from tests.helpers import Ran

CONFIG = "dataset: {plugin: synthetic, subjects: 6, clips: 6}\nprotocol: loso\nmodels: [majority, svm]\nseeds: [0, 1]\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mexbench import cli

    home = tmp_path_factory.mktemp("runs")
    (home / "c.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEXBENCH_CACHE", str(home / "cache"))
        run = ["run", str(home / "c.yaml"), "--out"]
        assert cli.main([*run, str(home / "a")]) == 0
        assert cli.main([*run, str(home / "b"), "--set", "models.svm.kernel=rbf", "--set", "seeds=[1, 2]"]) == 0
    return home


@pytest.fixture
def first(made: Path) -> StoredRun:
    return read_run(made / "a")


@pytest.fixture
def second(made: Path) -> StoredRun:
    return read_run(made / "b")


def predicted_lines(run: StoredRun) -> list[dict[str, str]]:
    return list(csv.DictReader((run.path / "predictions.csv").read_text().splitlines()))


def test_two_rows_of_a_run_compare_as_on_its_page(first: StoredRun) -> None:
    (expected,) = json.loads((first.path / "scores.json").read_text())["comparisons"]
    better, worse = expected["models"]
    result = compare_runs(first, first, (better, worse))
    score = result.scores[0]
    assert score.name == "uf1"
    assert score.first - score.second == pytest.approx(expected["difference"])
    assert score.interval is not None
    assert list(score.interval) == pytest.approx(expected["ci"])
    assert score.p == expected["p"]
    assert result.alone == (0, 0)
    assert {d.what for d in result.config} >= {"model.plugin", "model.kernel"}


def test_predictions_of_both_runs_are_compared(first: StoredRun, second: StoredRun) -> None:
    result = compare_runs(first, second, ("svm", "svm"))
    assert result.runs == ((1, 0),)
    assert result.shared == 36
    assert [(d.what, d.first, d.second) for d in result.config] == [
        ("model.kernel", "linear", "rbf"), ("seeds", "[0, 1]", "[1, 2]"),
    ]  # fmt: skip
    ours, theirs = (
        {line["sample_id"]: line for line in predicted_lines(run) if (line["model"], line["seed"]) == ("svm", "1")}
        for run in (first, second)
    )
    expected = {(name, line["y_true"], line["y_pred"], theirs[name]["y_pred"]) for name, line in ours.items()}
    assert {(d.sample_id, d.truth, d.first, d.second) for d in result.disagreements} == {
        one for one in expected if one[2] != one[3]
    }
    assert sum(result.kinds().values()) == len(result.disagreements) > 0
    assert run_differences(first, second) == []


def test_samples_of_one_run_alone_are_counted_and_not_scored(first: StoredRun, second: StoredRun) -> None:
    table = second.predictions["svm"]
    fewer = {"svm": table.select(table.fold != "synthetic/s01")}
    lost = len(second.predictions["svm"]) - len(fewer["svm"])
    result = compare_runs(first, replace(second, predictions=fewer), ("svm", "svm"))
    assert lost > 0
    assert (result.shared, result.alone) == (36 - lost // 2, (lost // 2, 0))


def test_runs_with_nothing_in_common_are_rejected(first: StoredRun, second: StoredRun, made: Path) -> None:
    predictions = second.predictions["svm"]
    relabelled = replace(predictions, truth=(predictions.truth == 0).astype(int))
    elsewhere = replace(predictions, sample=np.array([f"x/{name}" for name in predictions.sample], dtype=object))
    later = replace(predictions, seed=predictions.seed + 10)
    for changed, message in (
        (relabelled, "36 samples have another truth or subject in the two runs"),
        (elsewhere, f"no sample in common: {made}/a, svm, and {made}/b, svm"),
        (later, f"no seed in common: {made}/a, svm, has seed 0, seed 1; {made}/b, svm, has seed 11, seed 12"),
    ):
        with pytest.raises(DataError) as caught:
            compare_runs(first, replace(second, predictions={"svm": changed}), ("svm", "svm"))
        assert message in str(caught.value)
    with pytest.raises(DataError, match="the runs have different classes, a, b and "):
        compare_runs(replace(first, scores={**first.scores, "classes": ["a", "b"]}), second, ("svm", "svm"))


def test_rows_of_the_same_name_are_chosen(first: StoredRun, second: StoredRun) -> None:
    assert chosen_rows(first, second) == [("majority", "majority"), ("svm", "svm")]
    assert chosen_rows(first, second, ["svm", "majority"]) == [("svm", "majority")]

    def named(run: StoredRun, *names: str) -> StoredRun:
        return replace(run, scores={**run.scores, "rows": [{"model": name} for name in names]})

    assert chosen_rows(named(first, "a"), named(second, "b")) == [("a", "b")]
    with pytest.raises(DataError, match=r"no row has the same name in both runs.*--rows ROW_A ROW_B"):
        chosen_rows(named(first, "a", "c"), named(second, "b"))
    with pytest.raises(DataError, match="unknown row 'svn'"):
        chosen_rows(first, second, ["svn", "svm"])


def test_compare_prints_and_writes_the_disagreements(made: Path, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    table = tmp_path / "d.csv"
    ran = bench("compare", made / "a", made / "b", "--limit", "1", "--csv", table)
    assert ran.code == 0
    assert "code and machine: the same in both" in ran.out
    assert "== svm: 36 predictions of both" in ran.out
    assert "every sample is predicted alike" in ran.out  # majority
    lines = list(csv.DictReader(table.read_text().splitlines()))
    result = compare_runs(read_run(made / "a"), read_run(made / "b"), ("svm", "svm"))
    assert [line["sample_id"] for line in lines] == [d.sample_id for d in result.disagreements]
    assert f"and {len(lines) - 1} more: --limit or --csv FILE shows them" in ran.out
    ran = bench("compare", made / "a", tmp_path)
    assert (ran.code, "is not a run folder" in ran.err) == (2, True)
    copy = Path(shutil.copytree(made / "a", tmp_path / "copy"))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["git_commit"], manifest["versions"]["numpy"] = "0" * 40, "1.0"
    manifest["machine"]["threads"] = "PJRT_NPROC=8"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    out = bench("compare", made / "a", copy).out
    assert "versions.numpy" in out
    assert {"threads", "one", "PJRT_NPROC=8"} <= set(out.split())  # a table, or lines where the terminal is narrow
    assert "git_commit" in out
