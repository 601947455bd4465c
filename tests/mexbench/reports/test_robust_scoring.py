"""Files of other programs: logs of STSTNet, lists of samples, tables that are too large, cells that are too long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench.metrics import significance
from mexbench.metrics.predictions import Predictions
from mexbench.metrics.significance import compare, compare_with_best, rank_ranges, ranks
from mexbench.metrics.summary import compare_rows
from mexbench.reports import score_file
from mexbench.runs.predictions_csv import read, read_ids
from tests.helpers import Ran

Bench = Callable[..., Ran]

LOG = """lr=5e-05, epochs=800
Subject: s01
Predicted   : [0, 1, 2]
Ground Truth: [0, 1, 1]
Evaluation until this subject:
UF1: 0.5556 | UAR: 0.75
Subject: sub17
Predicted   : [2 0
 0 1]
Ground Truth: [2. 0. 1.
 1.]
Final Evaluation:
UF1: 0.7 | UAR: 0.7
"""


def test_a_log_of_ststnet_is_scored(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "log.txt").write_text(LOG)
    file = read(tmp_path / "log.txt")
    assert file.format == "STSTNet log"
    assert [(line.sample, line.subject, line.truth, line.prediction) for line in file.lines] == [
        ("s01/1", "s01", "0", "0"), ("s01/2", "s01", "1", "1"), ("s01/3", "s01", "1", "2"),
        ("sub17/1", "sub17", "2.", "2"), ("sub17/2", "sub17", "0.", "0"), ("sub17/3", "sub17", "1.", "0"),
        ("sub17/4", "sub17", "1.", "1"),
    ]  # fmt: skip
    scores = score_file.score(file)
    row = scores["rows"][0]
    assert scores["classes"] == ["negative", "positive", "surprise"]
    assert (row["n_samples"], row["n_subjects"], scores["flags"]) == (7, 2, ["unverified"])
    assert row["confusion"] == [[2, 0, 0], [1, 2, 1], [0, 0, 1]]
    assert row["accuracy"] == pytest.approx(5 / 7)
    assert row["uar"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    ran = bench("score", tmp_path / "log.txt")
    assert ran.code == 0
    assert "STSTNet log, 7 samples" in ran.err
    assert "macro precision" in ran.out
    assert f"{100 * (2 / 3 + 1 + 1 / 2) / 3:.2f}" in ran.out  # by hand, from the matrix above


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Subject: a\nPredicted: [0, 1]\nGround Truth: [0]\n", "line 1: subject 'a' has 2 predictions and 1 truth"),
        ("Subject: a\nPredicted: [0]\nSubject: b\n", "line 3: subject 'a' has predicted alone before this line"),
        ("Subject: a\nPredicted: [0]\n", "ends within subject 'a'"),
        ("Subject: a\nPredicted: [0]\nPredicted: [0]\n", "line 3: expected 'Subject: NAME', then 'Predicted"),
        ("Predicted: [0]\nGround Truth: [0]\nSubject: a\n", "line 1: expected 'Subject: NAME'"),
        ("Subject: a\nPredicted: [x]\nGround Truth: [0]\n", "line 2: expected 'Subject: NAME'"),
        ("Subject:\nPredicted: [0]\nGround Truth: [0]\n", "line 1: names no subject"),
        ("Subject: a\nPredicted: [0]\nGround Truth: [7]\nSubject: b\nPredicted: [0]\nGround Truth: [0]\n",
         "the truth of a/1 is '7'"),
        ("Subject: a\nPredicted: [0]\nGround Truth: [0]\nSubject: a\nPredicted: [0]\nGround Truth: [0]\n",
         "predicted twice: a/1"),
    ],
)  # fmt: skip
def test_damaged_logs_of_ststnet_are_rejected(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        score_file.score(read(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sample_id,subject\na,s\nb,s\n", {"a": None, "b": None}),
        ("subject;sample_id;label\ns;a;x\ns;b;y\n", {"a": "x", "b": "y"}),
        ("model,sample_id,seed\nm,a,0\nm,a,1\n", {"a": None}),
        ("fold,sample_id,truth\nf,a,0123456789abcdef\n", {"a": None}),  # a board's list has digests
        ("sample_id\na\nb\n", {"a": None, "b": None}),
    ],
)
def test_any_table_with_a_column_of_samples_is_a_list(
    text: str, expected: dict[str, str | None], tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    assert read_ids(path) == expected


def test_a_list_that_contradicts_itself_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("sample_id,label\na,x\na,y\n")
    with pytest.raises(DataError, match="line 3: a has another truth than in a line before"):
        read_ids(path)


def test_against_names_what_is_missing(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "p.csv").write_text("sample_id,subject,y_true,y_pred\na,s,x,x\nb,t,y,x\n")
    (tmp_path / "list.csv").write_text("subject,sample_id\ns,a\nt,b\nt,c\n")
    ran = bench("score", tmp_path / "p.csv", "--against", tmp_path / "list.csv")
    assert (ran.code, "1 missing: c" in ran.err) == (2, True)


LONG = "x" * 131_073


@pytest.mark.parametrize(
    "text",
    [
        f"sample_id,y_true,y_pred\na,{LONG},x\n",
        f"{LONG},y_true,y_pred\na,x,x\n",
        f"sample_id,subject\na,{LONG}\n",
        f"subject,video,onset,offset,emotion\na,{LONG},1,2,x\n",
    ],
)
def test_a_cell_that_is_too_long_is_one_error(text: str, tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "p.csv").write_text("sample_id,subject,y_true,y_pred\na,s,x,x\nb,t,y,x\n")
    (tmp_path / "long.csv").write_text(text)
    ran = bench("score", tmp_path / "p.csv", "--against", tmp_path / "long.csv")
    assert (ran.code, "Traceback" in ran.err, len(ran.err) < 2000) == (2, False, True)
    ran = bench("score", tmp_path / "long.csv", "--truth", tmp_path / "long.csv")
    assert (ran.code, "Traceback" in ran.err, len(ran.err) < 2000) == (2, False, True)


def test_too_many_classes_and_models_are_refused_before_anything_is_counted(tmp_path: Path, bench: Bench) -> None:
    path = tmp_path / "p.csv"
    path.write_text("sample_id,subject,y_true,y_pred\n" + "".join(f"{i},s{i % 9},l{i},l{i}\n" for i in range(3000)))
    ran = bench("score", path)
    assert (ran.code, "3000 classes (l0, l1, l10 and 2997 more); at most 200 are scored" in ran.err) == (2, True)
    path.write_text("sample_id,subject,y_true,y_pred,model\n" + "".join(
        f"{i},s{i},{'ab'[i % 2]},a,m{model}\n" for model in range(1500) for i in range(7)
    ))  # fmt: skip
    ran = bench("score", path)
    assert (ran.code, "1500 models; at most 1000 are scored together" in ran.err) == (2, True)
    path.write_text("sample_id,subject,y_true,y_pred,seed\n" + "".join(
        f"{i},s{i},l{i},l{i},{seed}\n" for seed in range(9) for i in range(150)
    ))  # fmt: skip
    ran = bench("score", path)
    assert (ran.code, "9 seeds and repeats of a model with 150 classes need 435,375,000" in ran.err) == (2, True)


def test_many_models_are_compared_with_the_best_and_ranked_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    shared = rng.integers(0, 2, 60)
    tables = {}
    for index in range(12):
        predicted = np.where(rng.random(60) < 0.5 + index / 24, shared, 1 - shared)
        tables[f"m{index}"] = Predictions.from_columns(
            sample=[f"c{i}" for i in range(60)], subject=[f"s{i // 5}" for i in range(60)], truth=shared,
            predicted=predicted, n_classes=2,
        )  # fmt: skip
    counts = {name: table.counts() for name, table in tables.items()}
    every = compare(counts)
    few, ranges = compare_with_best(counts)
    best = every[0].first
    with_best = {one.second: one for one in every if one.first == best}
    assert len(few) == 11
    assert ranges == ranks(list(tables), every)
    for one in few:
        assert (one.first, one.difference, one.p) == (best, with_best[one.second].difference, with_best[one.second].p)
        assert one.interval == pytest.approx(with_best[one.second].interval)
        assert one.p_holm <= with_best[one.second].p_holm  # of eleven tests, not of sixty-six
    monkeypatch.setattr("mexbench.metrics.summary.ALL_PAIRS", 11)
    comparisons, ranked = compare_rows(tables)
    assert len(comparisons) == 11
    assert ranked == {name: list(pair) for name, pair in ranges.items()}


def test_the_ends_of_an_interval_are_those_of_the_quantiles() -> None:
    values = np.random.default_rng(3).normal(size=(40, 2000))
    for ours, theirs in zip(significance._interval_bounds(values), np.quantile(values, [0.025, 0.975], axis=1),
                            strict=True):  # fmt: skip
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert len(rank_ranges(values)) == 40
