"""``configs/action_units.yaml``, made small: detectors against constant answers on people whom they have not seen."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mexbench.interfaces import UNIT_NAMES
from tests.helpers import ROOT, Ran
from tests.mexbench.metrics.test_action_units import reference

SMALL = "{subjects: 5, clips: 10, width: 240, height: 200, frames: 7}"


@pytest.mark.usefixtures("few_subjects_suffice")
def test_a_detector_beats_the_constant_answers_in_loso_and_scores_as_scikit_learn_says(
    bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CASME2_ROOT", raising=False)
    ran = bench(
        "run", ROOT / "configs" / "action_units.yaml", "--out", tmp_path / "run", "--set", "profiles={demo: {}}",
        "--set", f"dataset={{plugin: casme2, root: stand-in, stand_in: {SMALL}}}", "--set",
        "models=[{plugin: svm, class_weight: balanced, C: 0.01}, majority, always_present]",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    rows = {row["model"]: row for row in json.loads((tmp_path / "run" / "scores.json").read_text())["rows"]}
    for average in ("f1", "macro_f1"):
        low = rows["svm"]["ci"][average][0]
        assert low > max(rows[name]["ci"][average][1] for name in ("majority", "always_present"))
    with (tmp_path / "run" / "predictions.csv").open(newline="") as stream:
        messages = [row for row in csv.DictReader(stream) if row["model"] == "svm"]
    truth, output = (
        np.array([[unit in row[column].split("+") for unit in UNIT_NAMES] for row in messages])
        for column in ("units_true", "units_pred")
    )
    for index, unit in enumerate(UNIT_NAMES):
        figures = rows["svm"]["units"][unit]
        if unit in rows["svm"]["never_shown"]:
            assert not truth[:, index].any()
            continue
        _, _, f1 = reference(truth[:, index], output[:, index])
        _, _, macro = reference(truth[:, index], output[:, index], "macro")
        assert (figures["f1"], figures["macro_f1"]) == pytest.approx((f1, macro))
