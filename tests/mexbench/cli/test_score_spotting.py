"""``bench score`` on files of intervals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import Ran

Bench = Callable[..., Ran]
LOG = "2\n15_a 10 49 12 50 TP\n15_a 11 50 12 50 TP\n15_b - - 5 15 FP\n"
TRUTH = "subject,video,onset,offset,emotion\n1,a,1,10,joy\n1,b,1,10,fear\n2,a,1,10,joy\n"
PREDICTED = "subject,video,onset,offset,emotion\n1,a,1,10,joy\n1,b,1,10,joy\n1,c,1,9,joy\n"


def test_a_log_is_recounted_and_compared_with_print(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(LOG)
    out = tmp_path / "out.json"
    ran = bench("score", tmp_path / "log.txt", "--printed", "2:f1_macro=1.33,tp=3", "--json", out)
    assert ran.code == 0, ran.err
    assert "CAS(ME)^2: 2 videos, 1 of them without expression" in ran.out
    assert "f1_macro: 1.33 is what found gives; it is 0.6667 by one_to_one, 1.0000 by lines" in ran.out
    assert "line 2, 3: 15_a: 12-50 is TP of 10-49 and TP of 11-50" in ran.out
    (block,) = json.loads(out.read_text())["blocks"]
    assert block["figures"]["counts"]["macro"] == {"tp": 1, "fp": 0, "fn": 1}


def test_strs_is_printed_correct_and_as_the_script_has_it(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "gt.csv").write_text(TRUTH)
    (tmp_path / "pred.csv").write_text(PREDICTED)
    ran = bench("score", tmp_path / "pred.csv", "--truth", tmp_path / "gt.csv", "--json", tmp_path / "out.json")
    assert ran.code == 0, ran.err
    result = json.loads((tmp_path / "out.json").read_text())
    assert (result["correct"]["f1_spotting"], result["as_printed"]["f1_spotting"]) == (pytest.approx(4 / 6), 1)
    assert [bool(one["effect"]) for one in result["differences"]] == [True, True, True, False, False]
    assert "not counted: 1 false alarm" in ran.out
    assert "not counted as missed: 1 true interval of 1 subject" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--printed", "2:f1"], "--printed 2:f1: expected BLOCK:NAME=VALUE"),
        (["--printed", "1:f1=.1"], "has no block '1'"),
        (["--printed", "2:f2=.1"], "unknown figure 'f2'"),
        (["--micro-frames", "16"], "--micro-frames 16: expected BLOCK=N"),
    ],
)
def test_bad_arguments_are_refused(bench: Bench, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "log.txt").write_text(LOG)
    ran = bench("score", tmp_path / "log.txt", *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_an_annotation_of_other_videos_is_refused(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(LOG)
    (tmp_path / "info.txt").write_text("s99 z micro-expression 1 2 3\n")
    ran = bench("score", tmp_path / "log.txt", "--truth", tmp_path / "info.txt")
    assert ran.code == 2
    assert "names none of the log's videos; it has 99_z" in ran.err


def test_strs_predictions_need_their_truth(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "pred.csv").write_text(PREDICTED)
    ran = bench("score", tmp_path / "pred.csv")
    assert ran.code == 2
    assert "give the one gt.csv with --truth" in ran.err


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("log.txt", "--classes a,b", "--classes cannot be given with a MEGC2020 spotting log"),
        ("pred.csv", "--printed 2:f1=.1 --truth gt.csv", "--printed cannot be given with a spot-then-recognise CSV"),
        ("pred.csv", "--against pred.csv --truth gt.csv", "--against cannot be given with a spot-then-recognise CSV"),
        ("classes.csv", "--truth gt.csv --matching greedy", "--truth, --matching cannot be given with predictions of"),
    ],
)
def test_options_that_do_not_apply_are_refused(
    bench: Bench, tmp_path: Path, name: str, arguments: str, message: str
) -> None:
    texts = {"log.txt": LOG, "pred.csv": PREDICTED, "gt.csv": TRUTH, "classes.csv": "sample,truth,prediction\n1,a,a\n"}
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    ran = bench("score", tmp_path / name, *arguments.split())
    assert (ran.code, message in ran.err) == (2, True), ran.err
