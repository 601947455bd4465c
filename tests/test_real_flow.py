"""The first real leaderboard: the MEGC2019 flow pack through the whole program, held against independent code."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mexbench import cli
from mexbench.interfaces import Sample
from mexbench_plugins.datasets.megc2019_flow import Megc2019Flow
from tests.helpers import ROOT, Ran

CONFIG = ROOT / "configs" / "loso_megc2019_flow.yaml"


@pytest.fixture(scope="module")
def both_models(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of majority and the linear SVM, which several tests read and none changes."""
    folder = tmp_path_factory.mktemp("flow") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEGC2019_FLOW_ROOT", str(shared_data / "megc2019_flow" / "norm_u_v_os"))
        assert cli.main(["run", str(CONFIG), "--out", str(folder), "--set", f"models=[majority, {LINEAR}]"]) == 0
    return folder


LINEAR = "{plugin: svm, name: svm-linear, kernel: linear, C: 0.001, class_weight: balanced}"


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["complete"] is True
    return {row["model"]: row for row in scores["rows"]}


def test_majority(both_models: Path) -> None:
    row = rows(both_models)["majority"]
    assert (round(row["accuracy"], 4), round(row["uf1"], 4), round(row["uar"], 4)) == (0.5656, 0.2408, 0.3333)
    assert (row["n_samples"], row["n_subjects"], row["folds"]) == (442, 68, 68)
    assert {name: result["n_samples"] for name, result in row["by_dataset"].items()} == {
        "smic": 164, "casme2": 145, "samm": 133,
    }  # fmt: skip


def test_a_linear_svm_agrees_with_an_independent_loop_prediction_by_prediction(
    both_models: Path, real_flow: Path
) -> None:
    files = sorted(real_flow.glob("*/u_test/*/*.png"))
    images = [cv2.imread(str(file)) for file in files]
    x = np.stack([image.reshape(-1) for image in images if image is not None]).astype(np.float64)
    y = np.array([int(file.parent.name) for file in files])
    groups = [file.parts[-4] for file in files]
    predicted = np.empty_like(y)
    for train, test in LeaveOneGroupOut().split(x, y, groups):
        model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=0.001, class_weight="balanced"))
        predicted[test] = model.fit(x[train], y[train]).predict(x[test])
    names = ("negative", "positive", "surprise")
    keys = [f"{file.parts[-4]}/{file.stem.strip().removeprefix(file.parts[-4] + '_')}" for file in files]
    expected = {key: (names[t], names[p]) for key, t, p in zip(keys, y, predicted, strict=True)}

    with (both_models / "predictions.csv").open() as stream:
        linear = [row for row in csv.DictReader(stream) if row["model"] == "svm-linear"]
    result = {row["sample_id"].partition("/")[2]: (row["y_true"], row["y_pred"]) for row in linear}
    assert result == expected
    row = rows(both_models)["svm-linear"]
    assert row["uf1"] == pytest.approx(f1_score(y, predicted, average="macro"))
    assert row["uar"] == pytest.approx(recall_score(y, predicted, average="macro"))
    for member, pattern in (("casme2", "sub"), ("smic", "s0 s1 s2"), ("samm", "0")):
        inside = [i for i, group in enumerate(groups) if group.startswith(tuple(pattern.split()))]
        assert row["by_dataset"][member]["uf1"] == pytest.approx(
            f1_score(y[inside], predicted[inside], average="macro")
        )


def test_the_order_on_disk_changes_no_digit(
    both_models: Path, real_flow: Path, tmp_path: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Megc2019Flow.samples

    def shuffled(self: Megc2019Flow) -> Sequence[Sample]:
        result = list(original(self))
        return [result[index] for index in np.random.default_rng(5).permutation(len(result))]

    monkeypatch.setattr(Megc2019Flow, "samples", shuffled)
    monkeypatch.setenv("MEGC2019_FLOW_ROOT", str(real_flow))
    after = tmp_path / "out"
    ran = bench("run", CONFIG, "--out", after, "--set", f"models=[majority, {LINEAR}]")
    assert ran.code == 0, ran.err
    assert (both_models / "predictions.csv").read_bytes() == (after / "predictions.csv").read_bytes()
    timing = {"fit_s", "predict_ms_per_sample", "processor_s"}
    for name, row in rows(both_models).items():
        other = rows(after)[name]
        assert {k: v for k, v in row.items() if k not in timing} == {k: v for k, v in other.items() if k not in timing}


def across(bench: Callable[..., Ran], out: Path, config: str, *overrides: str) -> dict[str, Any]:
    extra = [part for override in overrides for part in ("--set", override)]
    ran = bench("run", ROOT / "configs" / config, "--out", out, "--set", f"models=[majority, {LINEAR}]", *extra)
    assert ran.code == 0, ran.err
    return json.loads((out / "scores.json").read_text())


@pytest.fixture
def flow_root(real_flow: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEGC2019_FLOW_ROOT", str(real_flow))
    return real_flow


def test_leaving_each_data_set_out(flow_root: Path, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    scores = across(bench, tmp_path / "out", "lodo_megc2019_flow.yaml")
    majority, linear = scores["rows"]
    assert scores["parts"][0]["folds"] == ["samm+smic to casme2", "casme2+smic to samm", "casme2+samm to smic"]
    assert (round(majority["accuracy"], 4), round(majority["uf1"], 4)) == (0.5656, 0.2408)
    assert (majority["n_samples"], majority["folds"], majority["per_fold"]["undefined_folds"]) == (442, 3, 0)
    assert majority["uf1"] < 0.5 < linear["uf1"]
    (result,) = scores["comparisons"]
    assert result["models"] == ["svm-linear", "majority"]
    assert result["p"] == 1 / 2001
    assert result["ci"][0] > 0.3
    assert [row["rank"] for row in (linear, majority)] == [[1, 1], [2, 2]]
    assert scores["flags"] == []


def test_from_smic_to_casme2_equals_an_independent_fit(
    flow_root: Path, tmp_path: Path, bench: Callable[..., Ran]
) -> None:
    scores = across(bench, tmp_path / "out", "cross_smic_casme2_flow.yaml")
    sides: dict[str, tuple[list[Any], list[int]]] = {"s": ([], []), "sub": ([], [])}
    for file in sorted(flow_root.glob("s*/u_test/*/*.png")):
        x, y = sides["sub" if file.parts[-4].startswith("sub") else "s"]
        image = cv2.imread(str(file))
        assert image is not None
        x.append(image.reshape(-1).astype(np.float64))
        y.append(int(file.parent.name))
    model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=0.001, class_weight="balanced")).fit(*sides["s"])
    truth = sides["sub"][1]
    expected = f1_score(truth, model.predict(sides["sub"][0]), average="macro")
    majority, linear = scores["rows"]
    assert linear["uf1"] == pytest.approx(expected)
    assert (linear["n_samples"], linear["n_subjects"]) == (145, 24)
    assert round(majority["accuracy"], 4) == round(88 / 145, 4) == 0.6069
    assert "smic to casme2; 145 tested" in (tmp_path / "out" / "leaderboard.md").read_text()
    back = across(bench, tmp_path / "both", "cross_smic_casme2_flow.yaml", "protocol.mode=both_ways")
    assert back["rows"][0]["n_samples"] == 145 + 164
    assert back["rows"][1]["by_dataset"]["casme2"]["uf1"] == linear["by_dataset"]["casme2"]["uf1"]


def test_most_people_show_too_few_classes_for_scores_by_fold(both_models: Path) -> None:
    mean = rows(both_models)["majority"]["per_fold"]
    assert mean["folds"] == 68
    assert 23 <= mean["undefined_folds"] < 68  # twenty-three people have clips of one class alone
