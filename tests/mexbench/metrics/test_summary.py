from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import f1_score

from mexbench.metrics.predictions import Predictions
from mexbench.metrics.summary import compare_rows, empty_figures, figures


def table(
    truth: list[int],
    *runs: list[int],
    folds: str = "",
    seeds: Sequence[int] = (0,),
    repeats: Sequence[int] = (0,),
    subjects: str = "",
    n_classes: int = 2,
) -> Predictions:
    """A table with a seed and a repeat for each run of predicted classes; folds and subjects have one letter."""
    n = len(truth)
    return Predictions.from_columns(
        seed=[seed for seed in seeds for _ in truth],
        repeat=[repeat for repeat in repeats for _ in truth],
        sample=[f"toy/{i}" for i in range(n)] * len(runs),
        subject=[f"toy/{name}" for name in (subjects or folds or "f" * n)] * len(runs),
        fold=list(folds or "f" * n) * len(runs),
        dataset="toy",
        truth=truth * len(runs),
        predicted=[predicted for run in runs for predicted in run],
        n_classes=n_classes,
    )


def test_pooled_within_a_repeat_and_averaged_over_repeats() -> None:
    truth = [0, 0, 1, 1]
    runs = [[0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 0]]
    row = figures(table(truth, *runs, seeds=[0, 0, 1, 1], repeats=[0, 1, 0, 1], folds="aabb"), ("n", "p"))
    expected = [f1_score(truth, run, average="macro") for run in runs]
    assert row["uf1"] == pytest.approx(np.mean(expected))
    assert row["spread"]["uf1"] == pytest.approx(np.std(expected, ddof=1))
    assert [(one["seed"], one["repeat"]) for one in row["per_seed"]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert (row["seeds"], row["repeats"], row["n_samples"], row["n_subjects"]) == ([0, 1], 2, 4, 2)
    assert row.keys() == empty_figures().keys()


def test_scores_by_fold_and_folds_that_have_none() -> None:
    # Folds a and c test all three classes, b lacks class 2.
    truth = [0, 1, 2, 2, 0, 1, 1, 0, 1, 2]
    predicted = [0, 1, 2, 1, 0, 1, 1, 1, 1, 2]
    row = figures(table(truth, predicted, folds="aaaabbbccc", n_classes=3), ("x", "y", "z"))
    whole = [f1_score(truth[s], predicted[s], average="macro") for s in (slice(0, 4), slice(7, 10))]
    mean = row["per_fold"]
    assert mean["uf1"] == pytest.approx(np.mean(whole))
    assert mean["accuracy"] == pytest.approx((3 / 4 + 1 + 2 / 3) / 3)
    assert (mean["folds"], mean["undefined_folds"]) == (3, 1)


def test_a_class_that_the_run_never_tests_makes_no_fold_undefined() -> None:
    row = figures(table([0, 1, 0, 1], [0, 1, 1, 1], folds="aabb", n_classes=3), ("x", "y", "never"))
    assert row["per_fold"]["undefined_folds"] == 0
    assert figures(table([0, 0, 1], [0, 0, 1], folds="aab"), ("x", "y"))["per_fold"]["uf1"] is None
    unknown_folds = Predictions.from_columns(sample=["0", "1"], truth=[0, 1], predicted=[0, 1], n_classes=2)
    assert figures(unknown_folds, ("x", "y"))["per_fold"] is None


def test_rows_are_compared_subject_by_subject() -> None:
    truth = [0, 1] * 12
    subjects = "".join(letter * 2 for letter in "abcdefghijkl")
    right, wrong = (table(truth, predicted, subjects=subjects) for predicted in (truth, [1 - t for t in truth]))
    half = table(truth, truth[:12] + [1 - t for t in truth[12:]], subjects=subjects)
    found, ranks = compare_rows({"wrong": wrong, "right": right, "half": half, "copy": right})
    assert found[0]["models"] == ["right", "copy"]
    assert (found[0]["difference"], found[0]["ci"], found[0]["p"], found[0]["p_holm"]) == (0, [0, 0], 1, 1)
    assert ranks == {"right": [1, 2], "copy": [1, 2], "half": [3, 3], "wrong": [4, 4]}
    assert compare_rows({}) == ([], {})
    assert compare_rows({"one": right}) == ([], {"one": [1, 1]})
