"""``bench audit`` as a user types it."""

from __future__ import annotations

import builtins
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mexbench.runs.run_folder import RunFolder
from mexbench.studies.audit.audit import LEAKS
from mexbench.studies.audit.info_sheet import BLANK
from mexbench.studies.audit.taxonomy import TAXONOMY
from tests.helpers import Ran

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

QUICK = "dataset: {plugin: synthetic, subjects: 4, clips: 6}\nprotocol: loso\nmodels: [majority, svm]\nseeds: [0]\n"
FEW = "clip-split,oversampling,epoch-global,f1-over-folds,precision-as-recall"


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.yaml").write_text(QUICK)
    return tmp_path / "quick.yaml"


def read(path: Path) -> Any:  # noqa: ANN401
    return json.loads(path.read_text())


def test_it_writes_a_table_a_chart_and_the_sheet_and_goes_on_where_it_stopped(
    quick: Path, bench: Callable[..., Ran]
) -> None:
    ran = bench("audit", quick, "--leaks", FEW, "--repeats", 2, "--info-sheet")
    assert (ran.code, ran.err.count("Traceback")) == (0, 0)
    folder = quick.parent / "runs" / "quick" / "audit"
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        "audit.md", "audit.json", "inflation.png", "inflation.svg", "info_sheet.md",
    }  # fmt: skip
    report = read(folder / "audit.json")
    rows = {(row["model"], row["leak"]): row for row in report["rows"]}
    assert len(rows) == 2 * 5
    assert rows["svm", "epoch-global"]["why"] == "svm has no epochs"
    assert rows["svm", "clip-split"]["taxonomy"] == "L3.2"
    assert rows["svm", "oversampling"]["against"].startswith("as many copies")
    assert rows["majority", "oversampling"]["null"] == report["null"]["majority"]
    for name in ("uf1", "uar"):
        result = rows["svm", "clip-split"]
        assert result["inflation"][name] == pytest.approx(result["leaky"][name] - result["honest"][name])
        assert result["ci"][name][0] <= result["inflation"][name] <= result["ci"][name][1]
    scores = read(folder.parent / "scores.json")
    for row in scores["rows"]:
        assert rows[row["model"], "f1-over-folds"]["honest"]["uf1"] == pytest.approx(row["uf1"])
    assert "No figure in a column 'leaky' is a result" in (folder / "audit.md").read_text()
    assert "Synthetic data" in (folder / "audit.md").read_text()

    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = bench("audit", quick, "--leaks", FEW, "--repeats", 2, "--info-sheet")
    assert again.err.count("0 to do") == 2, "neither honest nor leaky tasks are done twice"
    assert again.out == ran.out
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_planted_group_is_scored_by_itself(
    tmp_path: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Of eight people six smile with a high number; of the other two, p6 and p7, high is a frown: the model, which
    # learns from the six, is always right about these and always wrong about the two.
    lines = ["sample_id,subject,label"]
    values = ["sample_id,v"]
    for person, clip in itertools.product(range(8), range(4)):
        high = clip % 2 == 0
        label = "smile" if high == (person < 6) else "frown"
        lines.append(f"p{person}/{clip},p{person},{label}")
        values.append(f"p{person}/{clip},{5 + person / 100 if high else -5 + person / 100}")
    Path("table.csv").write_text("\n".join(lines) + "\n")
    Path("x.csv").write_text("\n".join(values) + "\n")
    Path("own.yaml").write_text(
        "dataset: {plugin: features, table: table.csv, arrays: x.csv}\nprotocol: loso\nmodels: [svm, majority]\n"
    )
    groups = [f"p{person},{'x' if person < 6 else 'y'},{'f' if person % 2 else 'm'}" for person in range(7)]
    Path("people.csv").write_text("\n".join(["subject,ethnicity,sex", *groups]) + "\n")  # p7 is not in it
    ran = bench("audit", "own.yaml", "--leaks", "none", "--groups", "people.csv")
    assert ran.code == 0, ran.err
    folder = tmp_path / "runs" / "own" / "audit"
    rows = {(row["model"], row["column"], row["group"]): row for row in read(folder / "audit.json")["groups"]}
    x, y, unknown = (rows["svm", "ethnicity", name] for name in ("x", "y", "(not given)"))
    assert [(row["n_subjects"], row["n_samples"]) for row in (x, y, unknown)] == [(6, 24), (1, 4), (1, 4)]
    assert (x["uf1"], x["uar"], x["accuracy"]) == (1, 1, 1)
    assert (y["uf1"], y["uar"], y["accuracy"]) == (0, 0, 0)
    men = rows["svm", "sex", "m"]  # p0, p2, p4: 12 right; p6: 4 wrong; 6 of 8 right in each class, as in F1
    assert (men["accuracy"], men["uf1"], men["uar"]) == pytest.approx((12 / 16, 6 / 8, 6 / 8))
    page = (folder / "audit.md").read_text()
    assert "**By ethnicity**" in page
    assert "**Small groups say nothing:**" in page
    refused = bench("audit", "own.yaml", "--leaks", "none", "--groups", "nobody.csv")
    assert (refused.code, "--groups nobody.csv: cannot be read" in refused.err) == (2, True)


def test_what_bench_run_has_done_is_used(quick: Path, bench: Callable[..., Ran]) -> None:
    bench("run", quick)
    assert "8 tasks, 0 to do" in bench("audit", quick, "--leaks", "none").err
    assert "8 tasks, 0 to do" in bench("run", quick).err, "and the run folder stays a run folder"


def test_jobs_change_nothing(quick: Path, bench: Callable[..., Ran]) -> None:
    result = []
    for jobs in (1, 2):
        assert bench("audit", quick, "--leaks", "scaler,oversampling", "--jobs", jobs, "--out", f"out{jobs}").code == 0
        result.append(read(quick.parent / f"out{jobs}" / "audit" / "audit.json")["rows"])
    assert result[0] == result[1]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--leaks", "clipsplit"], "error: --leaks: unknown leak 'clipsplit' (did you mean 'clip-split'?)"),
        (["--leaks", ""], "error: --leaks: unknown leak ''"),
        (["--set", "protocol={plugin: holdout, group: clip}"], "error: protocol 'holdout' does not keep people apart"),
        (["--repeats", "0"], "expected a whole number from 1, got '0'"),
        (["--jobs", "many"], "expected a whole number from 1, got 'many'"),
        (["--set", "models=[]"], "expected at least one model"),
    ],
)
def test_bad_input_is_one_error(quick: Path, bench: Callable[..., Ran], arguments: list[str], text: str) -> None:
    ran = bench("audit", quick, *arguments)
    assert ran.code == 2
    assert text in ran.err
    assert "Traceback" not in ran.err
    assert not (quick.parent / "runs").exists()


def test_people_without_names_cannot_be_audited(quick: Path, bench: Callable[..., Ran], tmp_path: Path) -> None:
    """By LOSO they are refused before; a holdout of clips in place of people is refused as what it is."""
    import cv2
    import numpy as np

    for name in ("sad/a.png", "sad/b.png", "glad/c.png", "glad/d.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        picture = np.random.default_rng(len(name) + ord(name[-5])).integers(0, 255, (8, 9, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "images" / name), picture)
    quick.write_text(f"dataset: {{plugin: image_folder, root: {tmp_path / 'images'}}}\nprotocol: loso\nmodels: [svm]\n")
    ran = bench("audit", quick)
    assert ran.code == 2
    assert "subject" in ran.err


def test_ctrl_c_keeps_what_is_done(quick: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    bench("run", quick)
    original, count = RunFolder.write_result, 0

    def write(self: Any, *arguments: Any) -> None:  # noqa: ANN401
        nonlocal count
        original(self, *arguments)
        count += 1
        if count == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "write_result", write)
    ran = bench("audit", quick, "--leaks", "oversampling")
    assert ran.code == 130
    assert "stopped: 2 of 16 tasks are done and kept; the same command goes on from here" in ran.err
    monkeypatch.undo()
    monkeypatch.chdir(quick.parent)
    assert "16 tasks, 13 to do" in bench("audit", quick, "--leaks", "oversampling").err


def test_a_failing_leak_is_named_and_exits_with_1(
    quick: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench("run", quick)
    from mexbench_plugins.models.svm import SVM

    def fit(*_: object, **__: object) -> None:
        raise MemoryError("too big")

    monkeypatch.setattr(SVM, "fit", fit)
    ran = bench("audit", quick, "--in-process", "--leaks", "clip-split,precision-as-recall", "--repeats", 1)
    assert ran.code == 1
    assert "failed: clip-split/leaky: svm, seed 0, fold repeat 1: MemoryError: too big" in ran.err
    rows = read(quick.parent / "runs" / "quick" / "audit" / "audit.json")["rows"]
    status = {(row["model"], row["leak"]): row["status"] for row in rows}
    assert status["svm", "clip-split"] == "failed"
    assert status["majority", "clip-split"] == status["svm", "precision-as-recall"] == "measured"


def test_several_protocols_and_the_leaky_one_is_left_alone(quick: Path, bench: Callable[..., Ran]) -> None:
    quick.write_text(QUICK.replace("protocol: loso", "protocol: [loso, {plugin: holdout, group: clip}]"))
    ran = bench("audit", quick, "--leaks", "precision-as-recall", "--info-sheet")
    assert ran.code == 0
    assert "not audited, leaky itself: the rows under holdout" in ran.err
    report = read(quick.parent / "runs" / "quick" / "audit" / "audit.json")
    assert report["models"] == ["majority under loso", "svm under loso"]


def test_without_matplotlib_there_is_no_chart_and_it_says_so(
    quick: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def absent(name: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    ran = bench("audit", quick, "--leaks", "precision-as-recall")
    assert ran.code == 0
    assert (
        "no bar chart: it needs matplotlib, which is not installed; in a clone of mexbench: pip install '.[figures]'"
        in ran.err
    )
    assert not (quick.parent / "runs" / "quick" / "audit" / "inflation.png").exists()


def test_the_info_sheet_has_the_values_of_the_run_and_of_the_audit(quick: Path, bench: Callable[..., Ran]) -> None:
    bench("audit", quick, "--leaks", "precision-as-recall", "--info-sheet")
    run = quick.parent / "runs" / "quick"
    sheet = (run / "audit" / "info_sheet.md").read_text()
    scores, report = read(run / "scores.json"), read(run / "audit" / "audit.json")
    for number, name in TAXONOMY.items():
        assert number == "L2" or f"({number} {name})" in sheet
    support = ", ".join(f"{name} {count}" for name, count in scores["support"].items())
    assert sum(scores["support"].values()) == 24
    assert f"synthetic: 24 samples of 24 clips and 4 subjects; {support}. " in sheet
    # 4 subjects of 6 clips, one held out at a time
    assert "4 folds, training sides of 18 to 18 samples, test sides of 6 to 6" in sheet
    assert "an array (1, 24) of float32: one clip, as the data set gives it" in sheet
    for row in scores["rows"]:
        values = [100 * value for name in ("uf1", "uar") for value in (row[name], *row["ci"][name])]
        line = "UF1 {:.2f} [{:.2f}, {:.2f}], UAR {:.2f} [{:.2f}, {:.2f}]".format(*values)
        assert f"- {row['model']}: {line}\n" in sheet
    for row in report["rows"]:
        added = f"- {row['model']}, precision-as-recall ({row['kind']}): UAR {100 * row['inflation']['uar']:+.2f}"
        assert f"{added}\n" in sheet
    assert f"Config fingerprint: `{report['config_fingerprint']}`. Commit: {report['commit']}." in sheet
    assert sheet.count(BLANK) == 7


def test_no_ordinary_command_knows_a_leak(quick: Path, bench: Callable[..., Ran]) -> None:
    """Neither as a protocol nor as a step: a config that names one is refused."""
    listed = bench("list").out.split()
    for leak in LEAKS:
        assert leak.name not in listed
        for key, kind in (("protocol", "protocol"), ("preprocess.0", "preprocessor"), ("models.0", "model")):
            ran = bench("run", quick, "--set", "preprocess=[clahe]", "--set", f"{key}={leak.name}")
            assert (ran.code, f"unknown {kind} {leak.name!r}" in ran.err) == (2, True), ran.err
    assert not (quick.parent / "runs").exists()


def test_it_keeps_others_out_of_the_run_folder_while_it_trains(
    quick: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []

    def train(*_: object) -> None:
        held.append((quick.parent / "run" / ".holder").read_text())
        raise KeyboardInterrupt

    monkeypatch.setattr("mexbench.studies.audit.audit.Audit.train", train)
    assert bench("audit", quick, "--out", "run", "--leaks", "clip-split", "--repeats", 1).code == 130
    assert held[0].startswith("process ")
    assert not (quick.parent / "run" / ".holder").exists()


def test_the_device_is_that_of_every_training(
    quick: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setattr("mexbench.devices.backend", lambda: "cpu")
    refused = bench("audit", quick, "--leaks", "none", "--device", "gpu")
    assert refused.code == 2
    assert "error: --device gpu: JAX finds no GPU, only cpu" in refused.err
    assert bench("audit", quick, "--leaks", "none", "--device", "cpu", "--jobs", 1).code == 0
    assert os.environ.pop("JAX_PLATFORMS") == "cpu"
