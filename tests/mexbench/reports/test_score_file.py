from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from mexbench.errors import DataError
from mexbench.reports.score_file import score
from mexbench.runs.predictions_csv import read, read_ids
from tests.helpers import Ran


def predictions(seed: int = 0) -> list[tuple[str, str, str, int, int]]:
    """Data set, subject, clip, truth, prediction."""
    rng = np.random.default_rng(seed)
    rows = []
    for dataset, prefix in (("casme2", "sub"), ("smic", "s")):
        for subject in range(12):
            for clip in range(int(rng.integers(1, 9))):
                truth = int(rng.integers(3))
                output = truth if rng.random() < 0.6 else int(rng.integers(3))
                rows.append((dataset, f"{prefix}{subject:02}", f"clip_{clip}", truth, output))
    return rows


def log(rows: Sequence[tuple[str, str, str, int, int]]) -> str:
    lines, before = [], None
    for dataset, subject, clip, truth, output in rows:
        if (dataset, subject) != before:
            before = dataset, subject
            lines.append(f"{dataset} {subject}")
        lines.append(f"{clip} {truth} {output}")
    return "\n".join(lines) + "\n"


def scored(folder: Path, text: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    (folder / "file.log").write_text(text)
    return score(read(folder / "file.log"), **options)


def test_scores_of_a_log_equal_those_of_scikit_learn(tmp_path: Path) -> None:
    rows = predictions()
    truth, output = [row[3] for row in rows], [row[4] for row in rows]
    result = scored(tmp_path, log(rows))
    (row,) = result["rows"]
    assert row["accuracy"] == pytest.approx(sk.accuracy_score(truth, output))
    assert row["uf1"] == pytest.approx(sk.f1_score(truth, output, average="macro"))
    assert row["uar"] == pytest.approx(sk.recall_score(truth, output, average="macro"))
    assert row["macro_precision"] == pytest.approx(sk.precision_score(truth, output, average="macro"))
    assert row["weighted_f1"] == pytest.approx(sk.f1_score(truth, output, average="weighted"))
    assert row["confusion"] == sk.confusion_matrix(truth, output).tolist()
    for member in ("casme2", "smic"):
        inside = [(r[3], r[4]) for r in rows if r[0] == member]
        expected = sk.f1_score(*zip(*inside, strict=True), average="macro")
        assert row["by_dataset"][member]["uf1"] == pytest.approx(expected)
    assert (row["n_samples"], row["n_subjects"], row["folds"]) == (len(rows), 24, None)
    assert row["ci"]["uf1"][0] < row["uf1"] < row["ci"]["uf1"][1]
    assert result["intervals"]["unit"] == "subject"
    assert result["flags"] == row["flags"] == ["unverified"]
    assert result["classes"] == ["negative", "positive", "surprise"]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_lines_changes_no_score(tmp_path: Path, seed: int) -> None:
    rows = predictions()
    shuffled = [rows[index] for index in np.random.default_rng(seed).permutation(len(rows))]
    assert scored(tmp_path, log(shuffled)) == scored(tmp_path, log(rows))


def test_every_file_format_gives_the_same_scores(tmp_path: Path) -> None:
    rows = predictions()
    names = ("negative", "positive", "surprise")
    by_name = "\n".join(f"{d}/{s}/{c},{names[t]},{names[p]},{d}/{s},{d}" for d, s, c, t, p in rows)
    by_float = "\n".join(f"{d}/{s}/{c},{t}.0,{p}.0,{d}/{s},{d}" for d, s, c, t, p in rows)
    expected = scored(tmp_path, log(rows))["rows"]
    for body in (by_name, by_float):
        result = scored(tmp_path, f"id,truth,pred,subject,dataset\n{body}", classes=names)
        assert result["rows"] == expected
    implied = scored(tmp_path, f"id,truth,pred,subject,dataset\n{by_float}")
    assert implied["classes"] == ["0", "1", "2"]
    assert implied["rows"][0]["uf1"] == expected[0]["uf1"]


def test_predictions_without_subjects_are_flagged(tmp_path: Path) -> None:
    result = scored(tmp_path, "id,truth,pred\na,x,x\nb,y,x\nc,y,y\n")
    assert result["flags"] == ["unverified", "unknown-subjects"]
    assert result["intervals"]["unit"] == "sample"
    assert result["support"] == {"x": 1, "y": 2}
    result = scored(tmp_path, "id,clip_id,truth,pred\nc#1,c,x,x\nc#2,c,x,y\nd#1,d,y,y\n")
    assert (result["intervals"]["unit"], result["rows"][0]["n_subjects"], result["rows"][0]["n_groups"]) == (
        "clip",
        None,
        2,
    )


def test_models_and_repeats_of_predictions_csv_are_scored_apart(tmp_path: Path) -> None:
    header = "model,seed,fold,sample_id,subject,dataset,y_true,y_pred,score_n,score_p\n"
    body = "".join(
        f'{model},0,"repeat {repeat}, fold {fold}",d/s{i}/c,d/s{i},d,{"np"[i % 2]},{"np"[(i % 2) ^ (i == wrong)]},0,1\n'
        for model, wrong in (("a", 9), ("b", 2))
        for repeat in (1, 2)
        for fold in (1, 2)
        for i in (range(2) if fold == 1 else range(2, 4))
    )
    result = scored(tmp_path, header + body)
    good, bad = result["rows"]
    assert (good["uf1"], good["repeats"], good["folds"], good["n_samples"]) == (1, 2, 4, 4)
    assert bad["per_fold"]["accuracy"] == 0.75
    assert result["comparisons"][0]["models"] == ["a", "b"]
    with pytest.raises(
        DataError, match="model 'b', seed 0, lacks 2 samples that another model predicts: d/s2/c, d/s3/c"
    ):
        scored(tmp_path, header + body.rpartition("b,0,")[0].rpartition("b,0,")[0])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("smic s01\na 0 1\nb 1 1\na 0 0\n", {}, "predicted twice: smic/s01/a (lines 2 and 4)"),
        ("smic s01\na 0 1\nsmic s01\na 0 0\n", {}, "predicted twice: smic/s01/a (lines 2 and 4)"),
        ("smic s01\na 0 3\n", {}, "line 2: the prediction of smic/s01/a is '3'; the classes are negative, positive"),
        ("smic s01\na -1 0\n", {}, "the truth of smic/s01/a is '-1'"),
        ("smic s01\na 0 1.5\n", {}, "the prediction of smic/s01/a is '1.5'"),
        ("smic s01\na nan 1\n", {}, "line 2: the truth of smic/s01/a is missing"),
        ("id,truth,pred\na,x,x\nb,y,NaN\n", {}, "line 3: the prediction of b is missing; the classes are x, y"),
        ("id,truth,pred\na,x,x\nb,y,\n", {}, "the prediction of b is missing"),
        ("id,truth,pred\na,x,x\nb,y,z\n", {}, "the prediction of b is 'z'; the classes are x, y (give --classes"),
        ("id,truth,pred\na,x,x\nb,x,x\n", {}, "needs at least two different classes, got x; give --classes"),
        ("id,truth,pred\na,x,x\n", {"classes": ["x", "x"]}, "needs at least two different classes"),
        ("id,truth,pred,model\na,x,x,m\nb,y,y,m\na,y,x,n\nb,y,y,n\n", {}, "sample a has two truths or two subjects"),
        (
            "smic s01\na 0 1\nb 1 1\nc 2 2\n",
            {"expected": {"smic/s01/a": None, "smic/s01/b": "2", "smic/s01/z": None}},
            "not the expected 3 samples: 1 missing: smic/s01/z; 1 unknown: smic/s01/c; "
            "1 with another truth: smic/s01/b",
        ),
    ],
)
def test_invalid_samples_and_labels_are_named(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        scored(tmp_path, text, **options)
    assert message in str(caught.value)


def test_score_prints_tables_and_writes_json(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    path = tmp_path / "challenge.log"
    path.write_bytes(b"\xef\xbb\xbf" + log(predictions()).replace("\n", " \r\n").encode())
    ran = bench("score", path, "--json", tmp_path / "out.json")
    assert ran.code == 0, ran.err
    (row,) = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert f"{100 * row['uf1']:.2f}" in ran.out
    assert "unverified" in ran.out
    assert "casme2 UF1 / UAR" in ran.out
    assert "flagged unverified: from a file alone" in ran.err
    (tmp_path / "ids.txt").write_text("smic/s01/clip_0\n")
    ran = bench("score", path, "--against", tmp_path / "ids.txt")
    assert (ran.code, "unknown: casme2/sub00/clip_0" in ran.err, "Traceback" in ran.err) == (2, True, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.csv"], "No such file"),
        (["."], "Is a directory"),
        (["empty.csv"], "is empty"),
        (["good.csv", "--classes", "x,,y"], "--classes x,,y: expected names"),
        (["good.csv", "--classes", "a,b"], "the truth of 1 is 'x'; the classes are a, b"),
        (["good.csv", "--against", "empty.csv"], "empty.csv: is empty"),
    ],
)
def test_bad_input_gives_one_error(
    tmp_path: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.csv").touch()
    Path("good.csv").write_text("id,truth,pred\n1,x,x\n2,y,x\n")
    ran = bench("score", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert ran.err.count("error:") == 1


def test_predictions_csv_of_a_run_gives_the_scores_of_the_run(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    text = (
        "dataset: {plugin: synthetic, subjects: 8, clips: 6}\n"
        "protocol: {plugin: kfold, k: 3, repeats: 2, stratified: false}\n"
        "models: [majority, svm, decision_tree]\nseeds: [0, 1]\n"
    )
    (tmp_path / "c.yaml").write_text(text)
    assert bench("run", tmp_path / "c.yaml", "--out", tmp_path / "out").code == 0
    run = json.loads((tmp_path / "out" / "scores.json").read_text())
    file = read(tmp_path / "out" / "predictions.csv")
    result = score(file, expected=read_ids(tmp_path / "out" / "predictions.csv"))
    assert result["comparisons"] == run["comparisons"]
    assert result["classes"] == run["classes"]
    for ours, theirs in zip(result["rows"], run["rows"], strict=True):
        assert {**ours, "flags": 0} == {**{key: theirs[key] for key in ours}, "flags": 0}
        assert (theirs["repeats"], theirs["folds"], len(theirs["per_seed"])) == (2, 6, 4)
