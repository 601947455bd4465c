"""The second real pack: a linear SVM on CausalNet's onset-to-apex maps, held against scikit-learn alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tests.helpers import ROOT, Ran

NAMES = ("negative", "positive", "surprise")


def generated(root: Path) -> Path:
    """Four subjects of three data sets with maps of noise, and a second map that must not be read."""
    rng = np.random.default_rng(4)
    root.mkdir()
    lines = ["dataset,sub,filename_o,label"]
    for dataset, subject in (("casme2", "sub01"), ("smic", "s02"), ("samm", "007"), ("casme2", "sub02")):
        for clip in range(6):
            label = clip % 3
            lines.append(f"{dataset},{subject},c{clip},{label}")
            for suffix in ("", "_1"):
                image = rng.integers(0, 256, (28, 28, 3), dtype=np.uint8)
                image[:9, :9, label] //= 3
                cv2.imwrite(str(root / f"{subject}_c{clip}{suffix} .png"), image)
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


def by_scikit_learn(root: Path) -> dict[str, tuple[str, str]]:
    """Sample id -> class and prediction, by a loop that shares no code with the benchmark."""
    with (root / "labels.csv").open(encoding="utf-8-sig") as stream:
        lines = sorted(csv.DictReader(stream), key=lambda line: (line["sub"], line["filename_o"]))
    images = [cv2.imread(str(root / f"{line['sub']}_{line['filename_o']} .png")) for line in lines]
    x = np.stack([image.reshape(-1) for image in images if image is not None]).astype(np.float64)
    y, groups = np.array([int(line["label"]) for line in lines]), [line["sub"] for line in lines]
    predicted = np.empty_like(y)
    for train, test in LeaveOneGroupOut().split(x, y, groups):
        model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=0.001, class_weight="balanced"))
        predicted[test] = model.fit(x[train], y[train]).predict(x[test])
    return {
        f"{line['sub']}/{line['filename_o']}": (NAMES[truth], NAMES[guess])
        for line, truth, guess in zip(lines, y, predicted, strict=True)
    }


def by_bench(bench: Callable[..., Ran], root: Path, out: Path, *changes: str) -> dict[str, tuple[str, str]]:
    settings = [part for change in changes for part in ("--set", change)]
    config = ROOT / "configs" / "loso_causalnet_maps.yaml"
    ran = bench("run", config, "--out", out, "--set", f"dataset.root={root}", *settings)
    assert ran.code == 0, ran.err
    with (out / "predictions.csv").open() as stream:
        return {
            row["sample_id"].partition("/")[2]: (row["y_true"], row["y_pred"])
            for row in csv.DictReader(stream)
            if row["model"] == "svm-linear"
        }


def test_generated_maps_give_the_predictions_of_scikit_learn(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    root = generated(tmp_path / "maps")
    expected = by_scikit_learn(root)
    assert by_bench(bench, root, tmp_path / "out", "dataset.expect=any") == expected
    assert len(expected) == 24
    assert len({guess for _, guess in expected.values()}) > 1


def test_the_published_maps_give_the_predictions_of_scikit_learn(
    shared_data: Path, tmp_path: Path, bench: Callable[..., Ran]
) -> None:
    root = shared_data / "causalnet_maps"
    expected = by_scikit_learn(root)
    assert by_bench(bench, root, tmp_path / "out") == expected
    assert len(expected) == 442
    row = next(
        row
        for row in json.loads((tmp_path / "out" / "scores.json").read_text())["rows"]
        if row["model"] == "svm-linear"
    )
    truth, guesses = zip(*expected.values(), strict=True)
    assert row["uf1"] == pytest.approx(f1_score(truth, guesses, average="macro"))
    assert row["uar"] == pytest.approx(recall_score(truth, guesses, average="macro"))
