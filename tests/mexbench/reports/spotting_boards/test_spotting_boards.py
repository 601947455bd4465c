"""A board of spotters from a run: defined, submitted to, verified, altered, rendered, and a page of the site."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mexbench import cli
from mexbench.errors import BoardError
from mexbench.reports.spotting_boards.definition import load
from tests.helpers import Ran

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
        (["answers", 0, "video_id"], "x", "1 videos have no answer"),
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
    lines = [line.split("|") for line in page.splitlines() if line.count("|") == 13]
    ranks = {cells[2].strip(): cells[1].strip() for cells in lines[2:]}
    assert ranks == {"frame_difference": "1", "random_intervals": "-", "every_k_frames": "-"}
    assert bench("leaderboard", "render", "toy", "--root", root, "--check").code == 0
    (root / "toy.md").write_text(page.replace("Toys", "Boys"))
    assert bench("leaderboard", "render", "toy", "--root", root, "--check").code == cli.FAILED


def test_the_site_has_its_page(root: Path, bench: Bench, tmp_path: Path) -> None:
    ran = bench("site", "--root", root, "--out", tmp_path / "site")
    assert ran.code == 0, ran.err
    assert "1 leaderboards, 3 rows" in ran.err
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
