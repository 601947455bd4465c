"""Boards that cannot be are refused, with the place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mexbench.errors import BenchError
from mexbench.reports.leaderboards.definition import ExpectedSample, load, names, samples_digest
from tests.helpers import Ran


def test_a_board_reads_back_as_it_was_written(root: Path) -> None:
    board = load(root, "toy")
    assert (board.title, board.dataset, board.headline, board.epochs) == ("A toy", "megc2019_flow", "uf1", (1,))
    assert (board.protocol, board.classes) == ({"plugin": "loso"}, ("negative", "positive", "surprise"))
    assert len(board.questions) == 16
    assert {question.fold for question in board.questions} == {
        "casme2/sub01", "casme2/sub02", "smic/s01", "samm/006", "samm/007",
    }  # fmt: skip


def test_the_digest_of_the_list_ignores_order_and_nothing_else() -> None:
    one, other = ExpectedSample("f", "a", "a", "s", "d", "0"), ExpectedSample("f", "b", "b", "s", "d", "0")
    assert samples_digest([one, other]) == samples_digest([other, one])
    assert samples_digest([one]) != samples_digest([ExpectedSample("f", "a", "a", "t", "d", "0")])
    assert one.key == (0, "a")
    assert ExpectedSample("repeat 3 of x", "a", "a", "", "d", "0").key == (2, "a")
    assert ExpectedSample("f", "a", "c", "", "d", "0").group == "c"


@pytest.mark.parametrize(("old", "new", "message"), [
    ("schema: 1", "schema: 2", "schema: 2 is newer than this version reads (1): update mexbench"),
    ("schema: 1", "schema: one", "schema: expected an integer, got 'one'"),
    ("schema: 1\n", "", "'schema' is missing"),
    ('headline: "uf1"', "headline: auc", "headline: unknown headline 'auc'; choose from: accuracy, uar, uf1"),
    ('headline: "uf1"', "hedline: uf1", "hedline: unknown key (did you mean 'headline'?)"),
    ("epochs: [1]", 'epochs: ["1"]', "epochs[0]: expected an integer, got '1'"),
    ("epochs: [1]", "epochs: [1, 1]", "epochs: expected a list of different values, got [1, 1]"),
    ('{"plugin": "loso"}', "loso", "protocol: expected a mapping with 'plugin', such as {plugin: loso}, got 'loso'"),
    ('["negative", "positive", "surprise"]', '["negative"]', "classes: expected at least two"),
    ('"surprise"]', '"fear"]', "is none of negative, positive, fear"),
    ('title: "A toy"', "title: 3", "title: expected a string, got 3"),
    ('title: "A toy"', "title: ' '", "title: expected a string that is not blank, got ' '"),
    ('samples: "', 'samples: "0', "samples: samples/toy.csv has the digest "),
])  # fmt: skip
def test_bad_definitions(root: Path, bench: Callable[..., Ran], old: str, new: str, message: str) -> None:
    path = root / "toy.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(BenchError) as caught:
        load(root, "toy")
    assert message in str(caught.value)
    assert f"in {path}" in str(caught.value)
    assert bench("leaderboard", "verify", "--root", root).code == 2


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda text: "", "line 1: expected the columns fold, sample_id, clip_id, subject, dataset, truth, got none"),
    (lambda text: text.replace("fold,", "sample,", 1), "line 1: expected the columns"),
    (lambda text: text + "a,b\n", "line 18: expected fold, sample_id"),
    (lambda text: text + text.splitlines()[1] + "\n", "samples: samples/toy.csv has the digest"),
    (lambda text: "\n".join(text.splitlines()[:-1]), "samples: samples/toy.csv has the digest"),
])  # fmt: skip
def test_bad_lists(root: Path, spoil: Callable[[str], str], message: str) -> None:
    path = root / "samples" / "toy.csv"
    path.write_text(spoil(path.read_text()))
    with pytest.raises(BenchError) as caught:
        load(root, "toy")
    assert message in str(caught.value)


def test_a_board_that_is_half_there_is_an_error_and_not_passed_over(root: Path, bench: Callable[..., Ran]) -> None:
    (root / "claims.yaml").write_text("schema: 1\nsources: {}\nclaims: []\n")
    assert names(root) == ["toy"]
    (root / "samples" / "toy.csv").rename(root / "samples" / "lost.csv")
    assert names(root) == ["lost", "toy"]
    ran = bench("leaderboard", "verify", "--root", root)
    assert (ran.code, "toy.csv: is missing" in ran.err, "no leaderboard 'lost'" in ran.err) == (2, True, True)
    assert bench("leaderboard", "render", "--root", root).code == 2
