"""A submission that says what is not so is refused, with the line that says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import f1_score

from mexbench.reports.leaderboards.definition import load
from mexbench.reports.leaderboards.submission import Submission, SubmittedPrediction, predictions_digest
from mexbench.reports.leaderboards.submission_checks import differences
from mexbench.reports.leaderboards.verify import predictions
from mexbench.runs.provenance import EPOCH
from tests.helpers import Ran

Edit = Callable[[dict[str, Any]], object]
FOLD, ID, SUBJECT, TRUTH, SCORES = range(5)


def rows_of(data: dict[str, Any], subject: str) -> list[list[Any]]:
    return [row for row in data["predictions"] if row[SUBJECT] == subject]


def edit_a_prediction(data: dict[str, Any]) -> None:
    scores = data["predictions"][0][SCORES]
    scores[0] = [max(scores[0]) + 1 if i != scores[0].index(max(scores[0])) else 0.0 for i in range(3)]


def edit_a_prediction_and_its_digest(data: dict[str, Any]) -> None:
    edit_a_prediction(data)
    data["predictions_digest"] = predictions_digest([SubmittedPrediction(*row) for row in data["predictions"]])


def drop_a_fold(data: dict[str, Any]) -> None:
    data["predictions"] = [row for row in data["predictions"] if row[FOLD] != "casme2/sub02"]


def drop_a_sample(data: dict[str, Any]) -> None:
    data["predictions"].remove(rows_of(data, "casme2/sub02")[0])


def merge_two_subjects(data: dict[str, Any]) -> None:
    for row in rows_of(data, "casme2/sub02"):
        row[SUBJECT] = row[FOLD] = "casme2/sub01"


def split_a_subject(data: dict[str, Any]) -> None:
    rows_of(data, "casme2/sub02")[0][FOLD] = "casme2/sub01"


def change(*path: str, to: object) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        *way, last = path
        for key in way:
            data = data[key]
        data[last] = to

    return edit


def append_unknown_sample(data: dict[str, Any]) -> None:
    data["predictions"].append(["x", "casme2/sub09/x", "casme2/sub09", "0" * 16, [[1, 0, 0], [1, 0, 0]]])


def lose_a_seed(data: dict[str, Any]) -> None:
    data["predictions"][0][SCORES].pop()


CASES: dict[str, tuple[Edit, list[str]]] = {
    "one prediction edited": (
        edit_a_prediction,
        ["the predictions are not those that were submitted: their digest differs", "uf1: the file says 0."],
    ),
    "its digest as well": (edit_a_prediction_and_its_digest, ["uf1: the file says 0.", "accuracy: the file says 0."]),
    "one fold missing": (drop_a_fold, ["fold 'casme2/sub02' is missing: no prediction for 3 samples"]),
    "one sample missing": (
        drop_a_sample,
        ["fold 'casme2/sub02': no prediction for 1 of its 3 samples: casme2/sub02/c00"],
    ),
    "two subjects merged": (
        merge_two_subjects,
        [
            "subject: 3 samples of 'casme2/sub02' listed under 'casme2/sub01': casme2/sub02/",
            "fold: 3 samples of 'casme2/sub02' listed under 'casme2/sub01': casme2/sub02/",
        ],
    ),
    "a subject in two folds": (
        split_a_subject,
        [
            "fold: 1 sample of 'casme2/sub02' listed under 'casme2/sub01': casme2/sub02/c00",
            "folds are not disjoint by subject: 1 subject is tested in several, such as 'casme2/sub02' in "
            "'casme2/sub01', 'casme2/sub02', and the flag 'leak:subject' is missing",
        ],
    ),
    "a score typed in": (
        change("figures", "uf1", to=0.99),
        ["uf1: the file says 0.99, its predictions give 0."],
    ),
    "an interval typed in": (
        change("figures", "ci", "uf1", to=[0.98, 0.99]),
        ["ci.uf1[0]: the file says 0.98, its predictions give 0."],
    ),
    "a figure that is none": (change("figures", "auc", to=1.0), ["auc: is not a figure of a submission"]),
    "a foreign data set": (
        change("origin", "fingerprint", to="0" * 32),
        ["data set fingerprint 00000000000000000000000000000000 (megc2019_flow), the board's is "],
    ),
    "a stand-in for the data": (
        change("origin", "dataset", to="casme2-synthetic"),
        ["data set 'casme2-synthetic', the board's is 'megc2019_flow'"],
    ),
    "another board's": (change("board", to="other"), ["it is a submission to the board 'other', not to 'toy'"]),
    "other classes": (
        change("origin", "classes", to=["sad", "positive", "surprise"]),
        ["classes sad, positive, surprise, the board's are negative, positive, surprise"],
    ),
    "another protocol": (
        change("origin", "protocol", to={"plugin": "kfold", "k": 5}),
        ["protocol: plugin is 'kfold', the board's is 'loso'", "protocol: k is 5, the board's is 'absent'"],
    ),
    "another epoch": (change("origin", "epoch", to=2), ["code of epoch 2; the board accepts 1"]),
    "an unknown sample": (append_unknown_sample, ["1 sample that the board does not ask for: casme2/sub09/x"]),
    "a sample twice": (
        lambda data: data["predictions"].append(data["predictions"][0]),
        ["predicted twice: casme2/sub01/c00"],
    ),
    "another truth": (
        lambda data: data["predictions"][0].__setitem__(TRUTH, "0" * 16),
        ["the truth of 1 sample is not the board's: casme2/sub01/c00"],
    ),
    "a seed's scores lost": (lose_a_seed, ["1 sample does not have 3 scores for each of 2 seeds: casme2/sub01/c00"]),
    "a seed twice": (change("seeds", to=[1, 1]), ["seeds: expected different numbers, at least one, got [1, 1]"]),
    "unfinished": (change("flags", to=["incomplete"]), ["flags: 'incomplete': finish the run first"]),
    "a nameless sample": (
        lambda data: data["predictions"][0].__setitem__(SUBJECT, ""),
        ["subject: 1 sample of 'casme2/sub01' listed under 'unknown'", "flags: 'unknown-subjects' is missing"],
    ),
    "a name that clears the screen": (
        change("model", "name", to="\x1b[2Jsvm"),
        [r"the file of the model '\x1b[2Jsvm' must be called '%1B%5B2Jsvm.json'"],
    ),
    "no name": (
        change("model", "name", to=""),
        ["the file of the model '' must be called '.json'", "model.name: expected letters, digits, spaces"],
    ),
    "a score that is true": (change("figures", "uf1", to=True), ["uf1: the file says True, its predictions give 0."]),
    "a matrix that is a text": (
        change("figures", "confusion", to="<b>"),
        ["confusion: the file says '<b>', its predictions give [["],
    ),
    "another model's file": (
        change("model", "name", to="majority"),
        ["the file of the model 'majority' must be called 'majority.json'"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_altered_submissions_are_rejected_with_a_reason(
    case: str, edited: Callable[[Edit], Path], root: Path, bench: Callable[..., Ran]
) -> None:
    edit, lines = CASES[case]
    path = edited(edit)
    ran = bench("leaderboard", "verify", "--root", root)
    assert (ran.code, ran.out) == (1, "1 of 2 submissions verify\n")
    output = ran.err.splitlines()
    assert output[0] == f"{path}:"
    for line in lines:
        assert any(text.startswith(f"  {line}") for text in output), (line, ran.err)
    before = sorted(root.glob("*.md"))
    ran = bench("leaderboard", "render", "--root", root)
    assert (ran.code, sorted(root.glob("*.md"))) == (1, before)
    assert "toy: has submissions that do not verify, so its page is not written" in ran.err


BAD: dict[str, tuple[Callable[[str], str], str]] = {
    "no JSON": (lambda text: text[:-20], "invalid JSON: "),
    "empty": (lambda _: "", "invalid JSON: EOF while parsing a value"),
    "newer": (
        lambda text: text.replace('"schema": 1', '"schema": 2'),
        "schema 2 is newer than this version reads (1): update mexbench",
    ),
    "newer, with other keys": (
        lambda text: text.replace('"schema": 1', '"schema": 7, "colour": 1'),
        "schema 7 is newer than this version reads (1): update mexbench",
    ),
    "a list": (lambda _: "[1, 2]", "is not a submission: expected 'schema': 1, got None"),
    "NaN": (
        lambda text: json.dumps(change_first_score(json.loads(text), float("nan"))),
        "predictions[0][4][0][0]: input should be a finite number, got nan",
    ),
    "infinite": (
        lambda text: json.dumps(change_first_score(json.loads(text), float("inf"))),
        "predictions[0][4][0][0]: input should be a finite number, got inf",
    ),
    "a text": (
        lambda text: json.dumps(change_first_score(json.loads(text), "0.5")),
        "predictions[0][4][0][0]: input should be a valid number, got '0.5'",
    ),
    "an unknown key": (
        lambda text: text.replace('"board"', '"colour": 1, "board"'),
        "colour: is not a key of a submission",
    ),
    "nested too deeply": (lambda _: "[" * 100_000, "invalid JSON: recursion limit exceeded"),
    "a lone surrogate": (
        lambda text: text.replace('"svm-linear"', '"\\ud800"', 1),
        "invalid JSON: unexpected end of hex",
    ),
    "true for a number": (
        lambda text: text.replace('"schema": 1', '"schema": true'),
        "schema: input should be a valid integer, got True",
    ),
    "a schema without end": (
        lambda text: text.replace('"schema": 1', f'"schema": 1{"0" * 400}'),
        "schema 1000",
    ),
    "a seed that is none": (
        lambda text: json.dumps({**json.loads(text), "seeds": [True, 1]}),
        "seeds[0]: input should be a valid integer, got True",
    ),
    "a key missing": (lambda text: text.replace('"costs"', '"cost"'), "costs: is missing (and 1 more)"),
}


def change_first_score(data: dict[str, Any], value: object) -> dict[str, Any]:
    data["predictions"][0][SCORES][0][0] = value
    return data


@pytest.mark.parametrize("case", BAD)
def test_unreadable_submissions_exit_with_2(case: str, linear: Path, root: Path, bench: Callable[..., Ran]) -> None:
    spoil, line = BAD[case]
    linear.write_text(spoil(linear.read_text()))
    ran = bench("leaderboard", "verify", "toy", "--root", root)
    assert (ran.code, ran.out) == (2, "1 of 2 submissions verify\n")
    assert line in ran.err
    ran = bench("leaderboard", "verify", linear, "--root", root)
    assert (ran.code, ran.err.startswith(f"error: {linear}: ")) == (2, True)


def test_a_single_file_is_verified_and_unknown_names_are_errors(
    linear: Path, root: Path, bench: Callable[..., Ran]
) -> None:
    assert bench("leaderboard", "verify", linear, "--root", root).out == "1 of 1 submission verifies\n"
    ran = bench("leaderboard", "verify", linear.with_name("none.json"), "--root", root)
    assert (ran.code, "No such file" in ran.err) == (2, True)
    ran = bench("leaderboard", "verify", "toi", "--root", root)
    assert (ran.code, "no leaderboard 'toi' (did you mean 'toy'?)" in ran.err) == (2, True)
    ran = bench("leaderboard", "verify", "--root", root / "results")
    assert (ran.code, "has no leaderboards" in ran.err) == (2, True)


def test_a_board_name_that_is_a_path_is_rejected(
    edited: Callable[[Edit], Path], root: Path, bench: Callable[..., Ran]
) -> None:
    path = edited(change("board", to="../../secret"))
    ran = bench("leaderboard", "verify", path, "--root", root)
    assert (ran.code, "no leaderboard '../../secret'" in ran.err) == (2, True)


def test_submissions_to_a_synthetic_board_need_the_flag(root: Path, bench: Callable[..., Ran]) -> None:
    path = root / "toy.yaml"
    path.write_text(path.read_text().replace("flags: []", 'flags: ["synthetic"]'))
    ran = bench("leaderboard", "verify", "--root", root)
    assert ran.code == 1
    assert ran.err.count("flags: 'synthetic' is missing, which every row of this board has") == 2


def test_figures_are_those_of_an_independent_implementation(root: Path, submission: Submission) -> None:
    board = load(root, "toy")
    pools = predictions(board, submission).pools().values()
    by_pool = [f1_score(pool.truth, pool.predicted, average="macro") for pool in pools]
    assert len(by_pool) == 2
    assert submission.figures["uf1"] == pytest.approx(sum(by_pool) / 2)


def test_differences_name_the_key_and_are_limited() -> None:
    assert differences({"a": [1, {"b": 2.0}]}, {"a": [1, {"b": 2.0 + 1e-12}]}) == []
    assert differences({"a": [1, {"b": 2.0}]}, {"a": [1, {"b": 2.1}]}) == [
        "a[1].b: the file says 2.0, its predictions give 2.1"
    ]
    assert differences({"a": float("nan")}, {"a": 1.0}) == ["a: the file says nan, its predictions give 1.0"]
    assert differences({"a": None}, {"a": 1.0}) == ["a: the file says None, its predictions give 1.0"]
    assert differences({}, {"a": 1.0}) == ["a: is missing"]
    many = differences([0.0] * 40, [1.0] * 40)
    assert (len(many), many[-1]) == (13, "and 28 more figures differ")


def flagged(*flags: str, **config: object) -> Edit:
    """State these flags, and change the config that the row says it was made with."""

    def edit(data: dict[str, Any]) -> None:
        data["flags"] = list(flags)
        data["origin"]["config"] |= config

    return edit


RANDOM_FEATURES = [{"plugin": "vgg16", "weights": "${VGG16_WEIGHTS:-auto}"}]
STATED: dict[str, tuple[Edit, str]] = {
    "random weights, not said": (
        flagged(preprocess=RANDOM_FEATURES),
        "flags: 'random-vgg16' is missing, which 'vgg16' with the parameters of 'origin.config' has",
    ),
    "units of the annotation, not said": (
        flagged(preprocess=[{"plugin": "action_units", "origin": "annotation"}]),
        "flags: 'coded-aus' is missing",
    ),
    "a profile, not said": (flagged(profile="quick"), "flags: no profile, where 'origin.config' has the profile"),
    "local code": (flagged("local-code"), "flags: 'local-code': no leaderboard takes a row of code that nobody"),
    "a flag with a hidden character": (flagged("leak\u200b:subject"), "flags: expected different words, got"),
    "an unknown parameter": (
        flagged(models=[{"plugin": "svm", "name": "svm-linear", "D": 1}]),
        "origin.config: models[0].D: unknown parameter 'D'",
    ),
    "a parameter out of range": (
        flagged(models=[{"plugin": "svm", "name": "svm-linear", "C": -1.0}]),
        "origin.config: models[0].C: expected float (> 0), got -1.0",
    ),
    "another plugin's parameters": (
        flagged(models=[{"plugin": "ann", "name": "svm-linear"}]),
        "model.plugin: is 'svm', and 'origin.config' has 'ann'",
    ),
    "two models": (flagged(models=[{"plugin": "svm"}] * 2), "origin.config: models: expected a mapping"),
    "other seeds": (flagged(seeds=[7, 8]), "seeds: [0, 1], and 'origin.config' has [7, 8]"),
    "a device that turns the text round": (
        change("origin", "device", to="gpu\u202e"), "origin.device: has characters that are not seen: 'gpu\\u202e'"
    ),
    "a version without width": (change("origin", "versions", to={"nu\u200bmpy": "2"}), "'origin.versions.nu"),
    "a date that is none": (change("origin", "started", to="yesterday"), "origin.started: expected a date and time"),
    "an end before the start": (
        change("origin", "ended", to="2001-01-01T00:00:00+00:00"), "origin.ended: is before it started"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STATED)
def test_what_follows_from_board_and_parameters_is_decided_here(
    case: str, edited: Callable[[Edit], Path], root: Path, bench: Callable[..., Ran], linear: Path
) -> None:
    board = root / "toy.yaml"
    board.write_text(board.read_text().replace("epochs: [1]", f"epochs: [{EPOCH}]"))
    for path in (linear, linear.with_name("majority.json")):
        path.write_text(path.read_text().replace('"epoch": 1', f'"epoch": {EPOCH}'))
    assert bench("leaderboard", "verify", "--root", root).code == 0
    edit, line = STATED[case]
    edited(edit)
    ran = bench("leaderboard", "verify", "--root", root)
    assert (ran.code, ran.out) == (1, "1 of 2 submissions verify\n")
    assert f"\n  {line}" in ran.err


@pytest.mark.parametrize("flag", ["leak:subject", "leak:near-duplicate", "synthetic", "unknown-subjects"])
def test_a_flag_of_the_board_cannot_be_left_out(flag: str, root: Path, bench: Callable[..., Ran]) -> None:
    path = root / "toy.yaml"
    path.write_text(path.read_text().replace("flags: []", f'flags: ["{flag}"]'))
    ran = bench("leaderboard", "verify", "--root", root)
    assert (ran.code, ran.out) == (1, "0 of 2 submissions verify\n")
    assert ran.err.count(f"flags: {flag!r} is missing, which every row of this board has") == 2


def test_names_that_differ_in_case_alone_do_not_verify(root: Path, linear: Path, bench: Callable[..., Ran]) -> None:
    data = json.loads(linear.read_text())
    data["model"]["name"] = "SVM-linear"
    linear.with_name("SVM-linear.json").write_text(json.dumps(data))
    ran = bench("leaderboard", "verify", "--root", root)
    assert (ran.code, ran.out) == (1, "2 of 3 submissions verify\n")
    assert "model.name: 'svm-linear' differs from 'SVM-linear', another row of this board, in case alone" in ran.err


def test_a_submission_that_is_a_link_is_not_followed(root: Path, linear: Path, bench: Callable[..., Ran]) -> None:
    target = linear.rename(root / "elsewhere.json")
    linear.symlink_to(target)
    ran = bench("leaderboard", "verify", "--root", root)
    assert (ran.code, ran.out) == (2, "1 of 2 submissions verify\n")
    assert "cannot be read: a symbolic link, which is not followed here" in ran.err
