"""From a finished run to a board and its submissions."""

from __future__ import annotations

import getpass
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mexbench.config import document
from mexbench.config import loader as config_reader
from mexbench.metrics.classification import SCORES
from mexbench.registry.catalogue import load_catalogue
from mexbench.reports.leaderboards import submission as files
from mexbench.reports.leaderboards.definition import load, truth_digest
from mexbench.reports.leaderboards.submission import Submission
from tests.helpers import ROOT, Ran


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """The run, to be spoilt."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def without_results(root: Path) -> Path:
    shutil.rmtree(root / "results")
    return root


def test_a_submission_holds_the_runs_figures(finished: Path, submission: Submission) -> None:
    rows = {row["model"]: row for row in json.loads((finished / "scores.json").read_text())["rows"]}
    for key in (*SCORES, "ci", "per_class", "by_dataset", "confusion", "spread", "per_seed", "n_samples", "n_subjects"):
        assert submission.figures[key] == rows["svm-linear"][key], key
    assert submission.seeds == (0, 1)
    assert len(submission.predictions) == 16
    assert submission.model.parameters is None
    assert submission.origin.epoch == 1
    assert submission.costs.predict_ms_per_sample == rows["svm-linear"]["predict_ms_per_sample"]


def test_truth_is_not_in_clear_and_can_be_found_by_trying(root: Path, submission: Submission) -> None:
    board = load(root, "toy")
    answer = submission.predictions[0]
    assert answer.truth not in board.classes
    fits = [name for name in board.classes if truth_digest(board.fingerprint, answer.sample_id, name) == answer.truth]
    assert fits == ["negative"]  # the class of casme2/sub01's first clip in the pack
    assert [board.truths[f"casme2/sub01/c0{i}"] for i in range(4)] == [0, 1, 2, 0]


def test_a_submission_has_no_path_of_the_machine(finished: Path, root: Path) -> None:
    manifest = (finished / "manifest.json").read_text()
    assert "home-of-somebody" in manifest
    for path in (*root.rglob("*.json"), *root.rglob("*.csv"), *root.rglob("*.yaml")):
        text = path.read_text()
        assert "home-of-somebody" not in text
        assert str(Path.home()) + "/" not in text
        assert f"/{getpass.getuser()}/" not in text
        assert json.loads(manifest)["machine"]["platform"] not in text


def test_the_config_in_a_submission_makes_the_run_again(submission: Submission, finished: Path) -> None:
    config = submission.origin.config
    assert config["dataset"]["root"] == "${MEGC2019_FLOW_ROOT}"
    assert [model["name"] for model in config["models"]] == ["svm-linear"]
    text = yaml.safe_dump(config)
    read = document.parse(text, "again.yaml", {"MEGC2019_FLOW_ROOT": str(finished.parent / "pack")})
    again = config_reader.from_document(read, load_catalogue(), name="again")
    identity = json.loads((finished / "manifest.json").read_text())["identity"]
    del identity["models"]["majority"]
    assert again.identity() == identity


def test_a_row_is_replaced_by_itself_and_not_by_another_model_of_the_name(
    finished: Path, root: Path, linear: Path, bench: Callable[..., Ran]
) -> None:
    before = linear.read_bytes()
    ran = bench("leaderboard", "submit", finished, "toy", "--root", root, "--row", "svm-linear")
    assert (ran.code, f"{linear}: same\n1 row" in ran.err, linear.read_bytes()) == (0, True, before)
    rewrite(linear, lambda data: data["costs"].update(fit_s=1.0))
    altered = linear.read_bytes()
    ran = bench("leaderboard", "submit", finished, "toy", "--root", root)  # nobody to ask
    assert (ran.code, linear.read_bytes()) == (2, altered)
    figures = files.read(linear).figures
    assert f"1 row would be replaced:\n  {linear}: UF1 {100 * figures['uf1']:.2f} -> " in ran.err
    assert ran.err.endswith("error: nothing is written: 'bench leaderboard submit --yes' replaces without asking\n")
    assert f"{linear}: replaced" in bench("leaderboard", "submit", finished, "toy", "--root", root, "--yes").err
    assert linear.read_bytes() == before
    rewrite(linear, lambda data: data["origin"]["config"]["models"][0].update(C=2.0))
    edited = linear.read_bytes()
    ran = bench("leaderboard", "submit", finished, "toy", "--root", root)
    assert (ran.code, "holds another model of the name 'svm-linear'" in ran.err) == (2, True)
    assert linear.read_bytes() == edited


def test_a_run_folder_of_an_older_version_can_be_submitted(copied: Path, root: Path, bench: Callable[..., Ran]) -> None:
    """Before runs had parts, what they say of samples stood at the top of the manifest, and no epoch did."""

    def age(manifest: dict[str, Any]) -> None:
        (part,) = manifest.pop("parts")
        del part["rows"], manifest["epoch"]
        manifest |= part

    before = {path.name: path.read_bytes() for path in root.rglob("*.json")}
    rewrite(copied / "manifest.json", age)
    rewrite(copied / "scores.json", lambda scores: [row.pop("protocol") for row in scores["rows"]])
    ran = bench("leaderboard", "submit", copied, "toy", "--root", without_results(root))
    assert ran.code == 0, ran.err
    assert {path.name: path.read_bytes() for path in root.rglob("*.json")} == before


def refusals(run: Path) -> dict[str, tuple[Callable[[], object], str]]:
    table = run / "predictions.csv"

    def unfinished() -> None:
        (run / "scores.json").unlink()

    def incomplete() -> None:
        rewrite(run / "scores.json", lambda scores: scores["rows"][1]["tasks"].update(done=9))

    def flipped() -> None:
        lines = table.read_text().splitlines()
        cells = lines[-1].split(",")
        cells[-3:] = ["9", "0", "0"] if np.argmax([float(c) for c in cells[-3:]]) else ["0", "9", "0"]
        table.write_text("\n".join([*lines[:-1], ",".join(cells)]) + "\n")

    def without_a_fold() -> None:
        lines = table.read_text().splitlines(keepends=True)
        table.write_text("".join(line for line in lines if ",samm/007," not in line))

    return {
        "no run": (lambda: shutil.rmtree(run), "is not a run folder: it has no manifest.json"),
        "unfinished": (unfinished, "the run in it has not ended (scores.json missing)"),
        "incomplete": (incomplete, "is incomplete: svm-linear (9 of 10 tasks); finish it with the same 'bench run'"),
        "altered": (flipped, "svm-linear: scores.json and predictions.csv disagree: accuracy: the file says"),
        "a fold taken out": (without_a_fold, "svm-linear: fold 'samm/007' is missing: no prediction for 2 samples"),
        "damaged": (lambda: (run / "scores.json").write_text("{"), "scores.json: is damaged"),
        "cut": (
            lambda: table.write_text(table.read_text()[:-30]),
            "predictions.csv, line 65: is damaged",
        ),
        "no columns": (lambda: table.write_text("a,b\n1,2\n"), "is damaged: lacks the columns model, seed"),
    }


@pytest.mark.parametrize(
    "case", ["no run", "unfinished", "incomplete", "altered", "a fold taken out", "damaged", "cut", "no columns"]
)
def test_damaged_runs_are_rejected(case: str, copied: Path, root: Path, bench: Callable[..., Ran]) -> None:
    spoil, message = refusals(copied)[case]
    spoil()
    ran = bench("leaderboard", "submit", copied, "toy", "--root", without_results(root))
    assert (ran.code, message in ran.err, (root / "results").exists()) == (2, True, False), ran.err


def test_unknown_rows_and_runs_of_other_data_are_rejected(
    finished: Path, root: Path, tmp_path: Path, bench: Callable[..., Ran]
) -> None:
    ran = bench("leaderboard", "submit", finished, "toy", "--root", root, "--row", "svm-liner")
    assert (ran.code, "unknown row 'svm-liner' (did you mean 'svm-linear'?)" in ran.err) == (2, True)
    (tmp_path / "c.yaml").write_text(
        "dataset: {plugin: synthetic, subjects: 3}\nprotocol: {plugin: kfold, k: 3}\nmodels: [majority]\n"
    )
    assert bench("run", tmp_path / "c.yaml", "--out", tmp_path / "other").code == 0
    ran = bench("leaderboard", "submit", tmp_path / "other", "toy", "--root", root)
    assert ran.code == 2
    for line in ("majority: data set fingerprint ", "protocol: plugin is 'kfold', the board's is 'loso'", "and 7 more"):
        assert line in ran.err


def test_parameters_of_networks_are_counted(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    from mexbench.reports.leaderboards.submit import _parameters

    block = {"plugin": "ststnet", "name": "x", "epochs": 3, "frames": None}
    expected = bench("info", "ststnet", "--classes", "3").out.split("total")[1].split()[-1].replace(",", "")
    assert _parameters(block, load_catalogue(), 3) == int(expected) > 1000
    assert _parameters({"plugin": "not_installed", "name": "x"}, load_catalogue(), 3) is None


def test_boards_of_synthetic_data_and_of_one_of_several_protocols(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    (tmp_path / "c.yaml").write_text(
        "dataset: {plugin: synthetic, subjects: 3}\nmodels: [majority, svm]\n"
        "protocol: [loso, {plugin: kfold, name: three, k: 3}]\n"
    )
    run, root = tmp_path / "run", tmp_path / "boards"
    assert bench("run", tmp_path / "c.yaml", "--out", run).code == 0
    ran = bench("leaderboard", "define", run, "all", "--root", root)
    assert (ran.code, "define a board from a run of one" in ran.err) == (2, True)
    (tmp_path / "one.yaml").write_text("dataset: {plugin: synthetic, subjects: 3}\nmodels: [svm]\nprotocol: loso\n")
    assert bench("run", tmp_path / "one.yaml", "--out", tmp_path / "one").code == 0
    assert bench("leaderboard", "define", tmp_path / "one", "made-up", "--root", root).code == 0
    assert load(root, "made-up").flags == ("synthetic",)
    assert bench("leaderboard", "submit", run, "made-up", "--root", root).code == 0
    result = [files.read(path) for path in sorted(root.glob("results/made-up/*.json"))]
    assert [(one.model.name, one.origin.protocol["plugin"]) for one in result] == [
        ("majority", "loso"),
        ("svm", "loso"),
    ]
    assert bench("leaderboard", "render", "--root", root).code == 0
    assert "## Synthetic" in (root / "made-up.md").read_text()
    assert "## Honest" not in (root / "made-up.md").read_text()
    ran = bench("leaderboard", "define", tmp_path / "one", "made-up", "--root", root)
    assert (ran.code, "exists; a board that changes is another board" in ran.err) == (2, True)
    for name in ("../x", "claims", ".x"):
        assert bench("leaderboard", "define", tmp_path / "one", name, "--root", root).code == 2


@pytest.mark.parametrize(("name", "file"), [
    ("svm-linear", "svm-linear.json"),
    ("a b=1,2", "a b=1,2.json"),
    ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.json"),
    ("..", "%2E..json"),
    ("<b>|", "%3Cb%3E%7C.json"),
])  # fmt: skip
def test_a_name_becomes_one_file(name: str, file: str) -> None:
    assert files.file_name(name) == file
    assert len(files.file_name("x" * 500)) < 200
    assert files.file_name("x" * 500) != files.file_name("x" * 501)


def test_the_shipped_boards_verify_and_their_pages_are_fresh(bench: Callable[..., Ran]) -> None:
    root = ROOT / "leaderboards"
    ran = bench("leaderboard", "verify", "--root", root)
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert ran.err.startswith("figures follow from predictions; stated by the submitter: code, commit, device, ")
    ran = bench("leaderboard", "render", "--check", "--root", root)
    assert ran.code == 0, ran.err


@pytest.fixture
def changed(tmp_path: Path, finished: Path) -> Path:
    """The run, as if its linear machine had another C than the plugin's own."""
    run = Path(shutil.copytree(finished, tmp_path / "changed"))

    def alter(manifest: dict[str, Any]) -> None:
        for model in manifest["config"]["models"]:
            if model["name"] == "svm-linear":
                model["C"] = 0.001

    rewrite(run / "manifest.json", alter)
    return run


def test_values_that_differ_from_the_defaults_must_be_explained(
    changed: Path, root: Path, bench: Callable[..., Ran]
) -> None:
    without_results(root)
    ran = bench("leaderboard", "submit", changed, "toy", "--root", root)
    assert ran.code == 2
    assert "svm-linear: C: 0.001 differ from the defaults of svm: say how they were chosen" in ran.err
    assert "--selection: inner (by data without a test sample)" in ran.err
    assert not (root / "results").exists()


def test_a_row_chosen_with_test_scores_in_view_is_flagged_and_not_ranked(
    changed: Path, root: Path, bench: Callable[..., Ran]
) -> None:
    without_results(root)
    bench("leaderboard", "submit", changed, "toy", "--root", root, "--selection", "seen-test")
    stored = files.read(next((root / "results").rglob("svm-linear.json")))
    assert "selection:seen-test" in stored.flags
    assert stored.origin.config["models"][0]["selection"] == "seen-test"
    bench("leaderboard", "render", "--root", root)
    lines = (root / "toy.md").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("| - ") and "| svm-linear" in line]
    assert "selection:seen-test" in line


def test_the_flag_cannot_be_taken_off(changed: Path, root: Path, bench: Callable[..., Ran]) -> None:
    without_results(root)
    bench("leaderboard", "submit", changed, "toy", "--root", root, "--selection", "seen-test")
    path = next((root / "results").rglob("svm-linear.json"))
    rewrite(path, lambda data: data["flags"].remove("selection:seen-test"))
    ran = bench("leaderboard", "verify", "toy", "--root", root)
    assert ran.code == 1
    assert "'selection:seen-test' is missing" in ran.err
