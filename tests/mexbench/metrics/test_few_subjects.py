"""Below a number of test subjects there is no interval and no rank, wherever either would be printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mexbench
from mexbench.interfaces import Interval, ScoredInterval
from mexbench.metrics.few_subjects import MIN_SUBJECTS, why_none
from mexbench.metrics.predictions import Predictions
from mexbench.metrics.significance import permutation_test
from mexbench.metrics.spotting.scores import SpottedVideo
from mexbench.metrics.spotting.summary import SpottingPool, confidence, difference
from mexbench.metrics.summary import compare_rows, figures
from mexbench.reports.leaderboards.ranking import Counts, rank
from tests.helpers import Ran

CONFIG = """
dataset: {plugin: synthetic, subjects: 8, clips: 6}
protocol: {plugin: holdout, test_share: 0.1, stratified: false}
models: [majority, svm]
"""


def table(subjects: int, wrong: int = 0) -> Predictions:
    """Two clips of each subject, one of each class; the first clip of each is predicted wrongly ``wrong`` times."""
    truth = [0, 1] * subjects
    predicted = [1 if index % 2 == 0 and index < 2 * wrong else label for index, label in enumerate(truth)]
    return Predictions.from_columns(
        sample=[f"c{i}" for i in range(2 * subjects)],
        subject=[f"s{i // 2}" for i in range(2 * subjects)],
        truth=truth,
        predicted=predicted,
        n_classes=2,
    )


def test_the_number_is_the_least_that_can_show_a_difference() -> None:
    for subjects, p in ((MIN_SUBJECTS - 1, 2 / 2**5), (MIN_SUBJECTS, 2 / 2**6)):
        right, wrong = (table(subjects, w).counts() for w in (0, subjects))
        assert permutation_test(right, wrong) == pytest.approx(p)
        assert (p > 0.05) == (subjects < MIN_SUBJECTS)


@pytest.mark.parametrize("subjects", [1, 2, MIN_SUBJECTS - 1, MIN_SUBJECTS])
def test_a_row_has_an_interval_from_that_number_on(subjects: int) -> None:
    row = figures(table(subjects, 1), ["a", "b"])
    assert row["n_subjects"] == subjects
    assert all((bounds is None) == (subjects < MIN_SUBJECTS) for bounds in row["ci"].values())
    comparisons, ranks = compare_rows({"x": table(subjects), "y": table(subjects, subjects)})
    if subjects < MIN_SUBJECTS:
        assert (comparisons, ranks) == ([], {"x": None, "y": None})
    else:
        assert ranks == {"x": [1, 1], "y": [2, 2]}
    board = rank({"x": Counts(((0, 0),), table(subjects).counts()), "y": Counts(((0, 0),), table(subjects).counts())},
                 "uf1")  # fmt: skip
    assert board.order == ("x", "y")
    assert board.ranks == ({} if subjects < MIN_SUBJECTS else {"x": (1, 2), "y": (1, 2)})


def test_action_units_have_no_interval_either() -> None:
    units = Predictions.from_columns(
        sample=["a", "b"], subject=["s", "s"], truth=np.array([[True], [False]]), scores=np.array([[0.9], [0.2]])
    )  # fmt: skip
    row = figures(units, ["AU1"])
    assert row["f1"] == 1
    assert set(row["ci"].values()) == {None}
    assert set(row["units"]["AU1"]["ci"].values()) == {None}


def test_spotters_have_no_interval_either() -> None:
    def video(subject: int, *, hit: bool) -> SpottedVideo:
        true = Interval(onset=1, apex=3, offset=9, kind="micro", emotion=None)
        spotted = (ScoredInterval(onset=1, offset=9, kind="micro", score=1.0, apex=None),) if hit else ()
        return SpottedVideo(
            video_id=f"v{subject}", group=f"s{subject}", member="m", fold="f", fps=30.0, n_frames=100,
            truth=(true,), predicted=spotted,
        )  # fmt: skip

    for subjects in (1, MIN_SUBJECTS):
        hit, miss = ([SpottingPool(0, 0, tuple(video(s, hit=one) for s in range(subjects)))] for one in (True, False))
        few = subjects < MIN_SUBJECTS
        assert (confidence(hit)["f1"] is None) == few
        compared = difference(hit, miss)
        assert compared is not None
        assert compared["difference"] == 1
        assert (compared["ci"] is None) == few


def test_the_reason_names_both_numbers() -> None:
    assert why_none([0, MIN_SUBJECTS, 68]) == ""
    assert why_none([1]).startswith("No interval and no rank with 1 tested subject: it takes at least 6,")
    assert why_none([3, 1, 3], "clip", "no interval").startswith("No interval with 1 or 3 tested clips:")


def test_every_page_of_a_run_says_why(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    ran = bench("run", tmp_path / "c.yaml", "--out", tmp_path / "run", "--in-process")
    assert ran.code == 0, ran.err
    rows = json.loads((tmp_path / "run" / "scores.json").read_text())["rows"]
    assert [(row["n_subjects"], row["rank"], set(row["ci"].values())) for row in rows] == [(1, None, {None})] * 2
    reason = "No interval and no rank with 1 tested subject"
    assert reason in ran.out
    assert "[" not in ran.out.partition(reason)[0]
    page = (tmp_path / "run" / "leaderboard.md").read_text()
    assert reason in page
    assert "## Comparisons" not in page
    loaded = mexbench.load_run(tmp_path / "run")
    assert reason in loaded.table()
    assert reason in loaded.to_latex()
    assert reason in loaded._repr_html_()
    assert loaded.scores["uf1_low"].isna().tolist() == [True, True]
    pytest.importorskip("matplotlib")
    axes = loaded.plot.scores().axes[0]
    assert len(axes.get_yticks()) == 2  # both rows are drawn, without whiskers
    assert "No interval with 1 tested subject" in " ".join(axes.get_xlabel().split())
    ran = bench("compare", tmp_path / "run", tmp_path / "run")
    assert "No interval with 1 tested subject" in ran.out
    assert "[" not in ran.out
    root = tmp_path / "boards"
    assert bench("leaderboard", "define", tmp_path / "run", "toy", "--root", root).code == 0
    assert bench("leaderboard", "submit", tmp_path / "run", "toy", "--root", root).code == 0
    assert bench("leaderboard", "render", "toy", "--root", root).code == 0
    assert reason in (root / "toy.md").read_text()
    assert bench("site", "--root", root, "--out", tmp_path / "site").code == 0
    assert reason in (tmp_path / "site" / "boards" / "toy.html").read_text()
    ran = bench("score", tmp_path / "run" / "predictions.csv")
    assert reason in ran.out


def test_subjects_that_nobody_knows_are_not_counted(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    path = tmp_path / "p.csv"
    path.write_text("sample_id,y_true,y_pred\n" + "".join(f"c{i},{'ab'[i % 2]},a\n" for i in range(9)))
    ran = bench("score", path, "--json", tmp_path / "s.json")
    assert (ran.code, "9 subjects" in ran.out) == (0, False)
    assert "unknown subjects" in ran.out
    row = json.loads((tmp_path / "s.json").read_text())["rows"][0]
    assert (row["n_subjects"], row["n_groups"]) == (None, 9)
    assert row["ci"]["uf1"] is not None  # over nine clips, and flagged
