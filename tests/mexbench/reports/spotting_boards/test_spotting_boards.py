"""A board of spotters from a run: defined, submitted to, verified, altered, rendered, and a page of the site."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import mexbench
from mexbench import cli
from mexbench.errors import BoardError, ConfigError
from mexbench.registry.catalogue import load_catalogue
from mexbench.reports.leaderboards import from_run
from mexbench.reports.spotting_boards.definition import load
from mexbench.reports.spotting_boards.page import board_rows, markdown
from mexbench.reports.spotting_boards.submission import board_figures, read, verify_board
from tests.helpers import ROOT, Ran

Bench = Callable[..., Ran]


def alter(path: Path, *keys: str | int, value: object) -> None:
    content = json.loads(path.read_text())
    inside = content
    for key in keys[:-1]:
        inside = inside[key]
    inside[keys[-1]] = value
    path.write_text(json.dumps(content))


def test_a_run_becomes_a_board_whose_rows_verify(made: Path, root: Path, bench: Bench) -> None:
    board = load(root, "toy")
    assert [len(video.truth) for video in board.videos] == [2] * 6
    assert (board.flags, board.protocol) == (("synthetic",), {"plugin": "loso"})
    ran = bench("leaderboard", "verify", "toy", "--root", root)
    assert (ran.code, ran.out.strip()) == (0, "3 of 3 submissions verify")
    scores = json.loads((made / "run" / "scores.json").read_text())["rows"]
    for row in scores:
        stored = json.loads((root / "spotting/results/toy" / f"{row['model']}.json").read_text())
        assert stored["figures"]["f1"] == pytest.approx(row["f1"])
        assert stored["figures"]["ci"] == row["ci"]


def test_a_submission_twice_is_the_same_but_for_nothing(made: Path, root: Path, bench: Bench) -> None:
    ran = bench("leaderboard", "submit", made / "run", "toy", "--root", root, "--row", "every_k_frames")
    assert ran.code == 0
    assert "every_k_frames.json: same" in ran.err


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["figures", "f1"], 0.99, "f1: the file says 0.99, its predictions give"),
        (["answers", 0, "spotted"], [], "the intervals are not those that were submitted: their digest differs"),
        (["answers", 0, "spotted"], [["micro", 1, None, 61, 0.5]], "spotted 1-61 in frames 1 to 60"),
        (["answers", 0, "video_id"], "x", "no answer for 1 video"),
        (["flags"], ["synthetic"], "flags: 'null-model' is missing, which 'random_intervals' with"),
        (["flags"], ["null-model"], "flags: 'synthetic' is missing, which every row of this board has"),
        (["flags"], ["synthetic", "null-model", "\u202eok"], "flags[2]: has characters that are not seen"),
        (["model", "name"], "Every_k_frames", "must be called 'Every_k_frames.json'"),
        (["model", "name"], "no<script>", "model.name: expected letters, digits"),
        (["model", "plugin"], "mdmd", "model.plugin: is 'mdmd', and 'origin.config' has 'random_intervals'"),
        (["origin", "started"], "yesterday", "origin.started: expected a date and time"),
        (["origin", "config", "profile"], "quick", "flags: no profile, where 'origin.config' has the profile 'quick'"),
        (["origin", "classes"], ["joy"], "classes joy, the board's are"),
        (["seeds"], [2**70], "seeds: expected numbers up to"),
        (["origin", "fingerprint"], "0", "it was made on other data"),
        (["origin", "epoch"], 1, "code of epoch 1; the board accepts"),
        (["origin", "protocol"], {"plugin": "kfold"}, "protocol: plugin is 'kfold', the board's is 'loso'"),
        (["seeds"], [], "seeds: expected different numbers"),
    ],
)
def test_an_altered_submission_does_not_verify(
    keys: list[str | int], value: object, message: str, root: Path, bench: Bench
) -> None:
    alter(root / "spotting/results/toy/random_intervals.json", *keys, value=value)
    ran = bench("leaderboard", "verify", "toy", "--root", root)
    assert ran.code == cli.FAILED
    assert message in ran.err
    assert "2 of 3 submissions verify" in ran.out
    assert bench("leaderboard", "render", "toy", "--root", root).code == cli.FAILED
    assert not (root / "toy.md").exists()


def test_a_file_that_is_no_submission_cannot_be_read(root: Path, bench: Bench) -> None:
    (root / "spotting/results/toy/x.json").write_text('{"schema": 1}')
    ran = bench("leaderboard", "verify", "toy", "--root", root)
    assert ran.code == cli.BAD_INPUT
    assert "x.json:\n  board: is missing (and 8 more)" in ran.err


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["videos", 0, "truth"], [["micro", 70, 71, 72, ""]], "the interval 70-72 cannot be"),
        (["videos", 0, "truth"], [["mini", 1, 2, 3, ""]], "videos"),
        (["videos"], [], "expected different videos, at least one"),
        (["name"], "other", "name: expected 'toy', got 'other'"),
        (["schema"], 2, r"schema 2 is newer than this version reads \(1\): update mexbench"),
    ],
)
def test_an_altered_definition_is_refused(keys: list[str | int], value: object, message: str, root: Path) -> None:
    alter(root / "spotting/toy.json", *keys, value=value)
    with pytest.raises(BoardError, match=message):
        load(root, "toy")


def test_the_page_ranks_spotters_and_no_null_model(root: Path, bench: Bench) -> None:
    assert bench("leaderboard", "render", "toy", "--root", root).code == 0
    page = (root / "toy.md").read_text()
    assert page.startswith("# Toys\n")
    assert "videos: 6 of 6 subjects, 0.6 minutes; micro 6, macro 6; 0 without any" in page
    table = page.partition("\n| rank ")[2].partition("\n\n")[0]
    lines = [line.split("|") for line in table.splitlines()[2:]]
    ranks = {cells[2].strip(): cells[1].strip() for cells in lines}
    assert ranks == {"frame_difference": "1", "random_intervals": "-", "every_k_frames": "-"}
    assert bench("leaderboard", "render", "toy", "--root", root, "--check").code == 0
    (root / "toy.md").write_text(page.replace("Toys", "Boys"))
    assert bench("leaderboard", "render", "toy", "--root", root, "--check").code == cli.FAILED


def test_five_subjects_have_no_interval_and_no_rank(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers about the sixth are taken out, and the figures are those of the other five."""
    monkeypatch.setattr("mexbench.metrics.few_subjects.MIN_SUBJECTS", 6)  # as it is outside of these tests
    board = load(root, "toy")
    five = replace(board, videos=board.videos[:5])
    verified, entries = verify_board(root, "toy"), []
    for one in verified:
        assert one.entry is not None
        known = {video.video_id for video in five.videos}
        answers = tuple(answer for answer in one.entry.answers if answer.video_id in known)
        entry = replace(one.entry, answers=answers)
        entries.append(replace(one, entry=replace(entry, figures=board_figures(five, entry))))
    rows = board_rows(five, entries)
    assert {row.rank for row in rows.rows} == {None}
    assert {row.scores["ci"]["f1"] for row in rows.rows} == {None}
    text = markdown(rows)
    assert "No interval and no rank with 5 tested subjects: it takes at least 6" in text
    lines = [one for one in text.splitlines() if re.match(r"\| -\s+\| frame_difference", one)]
    assert lines
    assert not [one for one in lines if "[" in one]
    assert "No interval" not in markdown(board_rows(board, verified))


def test_the_site_has_its_page(root: Path, bench: Bench, tmp_path: Path) -> None:
    ran = bench("site", "--root", root, "--out", tmp_path / "site")
    assert ran.code == 0, ran.err
    assert "1 leaderboard, 3 rows" in ran.err
    assert '<a href="boards/toy.html">Toys</a>' in (tmp_path / "site" / "index.html").read_text()
    page = (tmp_path / "site" / "boards" / "toy.html").read_text()
    assert "<h1>Toys</h1>" in page
    assert page.count("<caption>") == 6
    assert "say nothing about real faces" in page
    alter(root / "spotting/results/toy/random_intervals.json", "figures", "f1", value=0.99)
    assert bench("site", "--root", root, "--out", tmp_path / "other").code == cli.FAILED


def test_other_runs_and_boards_are_refused_with_one_message(
    made: Path, root: Path, bench: Bench, tmp_path: Path
) -> None:
    assert "exists; a board that changes" in bench("leaderboard", "define", made / "run", "toy", "--root", root).err
    run = Path(shutil.copytree(made / "run", tmp_path / "run"))
    lines = (run / "predictions.csv").read_text().splitlines(keepends=True)
    (run / "predictions.csv").write_text("".join(lines[:-1]))
    ran = bench("leaderboard", "submit", run, "toy", "--root", root)
    assert ran.code == cli.BAD_INPUT
    assert "scores.json and predictions.csv disagree" in ran.err
    ran = bench("leaderboard", "submit", tmp_path, "toy", "--root", root)
    assert "is not a run of spotters" in ran.err
    ran = bench("leaderboard", "submit", made / "run", "other", "--root", root)
    assert "no leaderboard of spotters 'other'; there are: 'toy'" in ran.err or "there are: toy" in ran.err


def test_two_runs_of_spotters_are_not_compared_as_classes(made: Path, bench: Bench) -> None:
    ran = bench("compare", made / "run", made / "run")
    assert ran.code == cli.BAD_INPUT
    assert "is a run with 'target: spotting'; this command takes runs that predict a class for each sample." in ran.err
    assert "submit" not in ran.err


def test_options_of_boards_of_classes_are_refused(made: Path, root: Path, bench: Bench) -> None:
    for arguments, message in (
        (("define", made / "run", "more", "--headline", "uar"), "--headline uar: a leaderboard of spotters is ranked"),
        (("define", made / "run", "more", "--keep-names"), "--keep-names: leaderboards of spotters are of made-up"),
        (("submit", made / "run", "toy", "--keep-names"), "--keep-names: leaderboards of spotters are of made-up"),
    ):
        ran = bench("leaderboard", *arguments, "--root", root)
        assert (ran.code, message in ran.err) == (cli.BAD_INPUT, True), ran.err


def test_an_audit_of_spotters_refuses_what_it_does_not_have(made: Path, bench: Bench) -> None:
    ran = bench("audit", made / "c.yaml", "--out", made / "other", "--info-sheet", "--jobs", 2, "--leaks", "all")
    assert ran.code == cli.BAD_INPUT
    assert "--leaks, --jobs, --info-sheet: not for an audit of 'target: spotting'" in ran.err


def test_a_row_is_replaced_after_a_question_alone(made: Path, root: Path, bench: Bench) -> None:
    path = root / "spotting/results/toy/frame_difference.json"
    before = path.read_bytes()
    alter(path, "costs", "fit_s", value=99.0)
    altered = path.read_bytes()
    ran = bench("leaderboard", "submit", made / "run", "toy", "--root", root)  # nobody to ask
    assert (ran.code, path.read_bytes()) == (cli.BAD_INPUT, altered)
    assert f"1 row would be replaced:\n  {path}: F1 " in ran.err
    assert bench("leaderboard", "submit", made / "run", "toy", "--root", root, "--yes").code == 0
    assert path.read_bytes() == before
    alter(path, "origin", "config", "models", 0, "grid", value=4)
    ran = bench("leaderboard", "submit", made / "run", "toy", "--root", root, "--yes")
    assert "holds another model of the name 'frame_difference'" in ran.err


def test_one_file_is_verified_against_the_board_that_it_names(root: Path, bench: Bench) -> None:
    path = root / "spotting/results/toy/frame_difference.json"
    ran = bench("leaderboard", "verify", path, "--root", root)
    assert (ran.code, ran.out.strip()) == (0, "1 of 1 submission verifies")
    alter(path, "answers_digest", value="0")
    ran = bench("leaderboard", "verify", path, "--root", root)
    assert (ran.code, "their digest differs" in ran.err) == (cli.FAILED, True)


@pytest.mark.parametrize(
    "place", ["spotting", "spotting/toy.json", "spotting/results", "spotting/results/toy",
              "spotting/results/toy/frame_difference.json"],
)  # fmt: skip
def test_a_link_below_a_board_is_refused(place: str, made: Path, root: Path, bench: Bench) -> None:
    path = root / place
    target = root.parent / "elsewhere"
    path.rename(target)
    path.symlink_to(target)
    for arguments in (("verify", "toy"), ("render", "toy"), ("submit", made / "run", "toy")):
        ran = bench("leaderboard", *arguments, "--root", root)
        assert (ran.code != 0, "symbolic link, which is not followed" in ran.err) == (True, True), ran.err


def test_a_row_chosen_with_test_scores_in_view_has_no_rank(made: Path, root: Path, bench: Bench) -> None:
    path = root / "spotting/results/toy/frame_difference.json"
    alter(path, "origin", "config", "models", 0, "selection", value="seen-test")
    assert "'selection:seen-test' is missing" in bench("leaderboard", "verify", "toy", "--root", root).err
    alter(path, "flags", value=["synthetic", "selection:seen-test"])
    assert bench("leaderboard", "render", "toy", "--root", root).code == 0
    table = (root / "toy.md").read_text().split("| rank")[1].splitlines()
    lines = [line.split("|") for line in table[2:] if line.startswith("|") and "frame_difference" in line]
    assert [cells[1].strip() for cells in lines[:1]] == ["-"]


def test_a_name_is_free_for_one_kind_of_board_alone(made: Path, root: Path, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("dataset: {plugin: synthetic, subjects: 3}\nprotocol: loso\nmodels: [majority]\n")
    assert bench("run", tmp_path / "c.yaml", "--out", tmp_path / "run").code == 0
    ran = bench("leaderboard", "define", tmp_path / "run", "toy", "--root", root)
    assert (ran.code, "toy.json: exists; a board that changes" in ran.err) == (cli.BAD_INPUT, True), ran.err
    assert bench("leaderboard", "define", tmp_path / "run", "classes", "--root", root).code == 0
    assert "exists; a board" in bench("leaderboard", "define", made / "run", "classes", "--root", root).err
    assert bench("leaderboard", "verify", "--root", root).out.strip() == "3 of 3 submissions verify"


def test_a_run_of_spotters_as_an_object(made: Path) -> None:
    run = mexbench.load_run(made / "run")
    report = {row["model"]: row for row in run.report["rows"]}
    scores = run.scores.set_index("model")
    assert list(scores.index) == sorted(report, key=lambda name: -report[name]["f1"])
    for name, row in report.items():
        assert scores.loc[name, ["f1", "f1_low", "f1_micro_high", "recall", "n_videos"]].tolist() == pytest.approx(
            [row["f1"], row["ci"]["f1"][0], row["ci"]["f1_micro"][1], row["recall"], 6]
        )
    predictions = run.predictions
    assert predictions.to_csv(index=False) == (made / "run" / "predictions.csv").read_text()
    counts = report["frame_difference"]["counts"]
    hits = predictions.query("model == 'frame_difference'").groupby("type")["true_onset"].count()
    assert hits.to_dict() == {kind: one["tp"] for kind, one in counts.items()}
    assert "frame_difference" in run._repr_html_()
    assert r"frame\_difference & 72.73" in run.to_latex()
    with pytest.raises(ConfigError, match="spotted intervals have no confusion matrix"):
        run.plot.confusion("frame_difference")


def test_the_figure_of_a_run_has_every_row(made: Path) -> None:
    pytest.importorskip("matplotlib")
    figure = mexbench.load_run(made / "run").plot.scores("f1_micro")
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels[0] == "frame_difference"
    assert sorted(labels) == ["every_k_frames", "frame_difference", "random_intervals"]
    assert axes.get_xlabel().startswith("micro F1 x 100")
    with pytest.raises(ConfigError, match="unknown metric 'uf1'"):
        mexbench.load_run(made / "run").plot.scores("uf1")


def test_saved_spotters_are_not_scored_as_classes(made: Path, bench: Bench) -> None:
    ran = bench("evaluate-saved", made / "run", made / "c.yaml")
    assert ran.code == cli.BAD_INPUT
    assert "scores saved models of classes, not with 'target: spotting'" in ran.err


def test_no_shipped_row_lacks_a_declaration() -> None:
    """A spotter may call a parameter like a block of the config, such as ``frames``: that is no changed value."""
    paths = sorted((ROOT / "leaderboards" / "spotting" / "results" / "spotting_standin").glob("*.json"))
    assert len(paths) == 7
    assert [from_run._undeclared(read(path), load_catalogue()) for path in paths] == [None] * 7
