from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import f1_score

from mexbench.metrics.classification import subject_bootstrap
from mexbench.metrics.predictions import UNKNOWN, Predictions
from mexbench.metrics.summary import ACTION_UNITS, compare_rows, empty_figures, figures

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")


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


def test_scores_by_fold_exclude_folds_that_lack_a_class() -> None:
    # Folds a and c test all three classes, b lacks class 2.
    truth = [0, 1, 2, 2, 0, 1, 1, 0, 1, 2]
    predicted = [0, 1, 2, 1, 0, 1, 1, 1, 1, 2]
    row = figures(table(truth, predicted, folds="aaaabbbccc", n_classes=3), ("x", "y", "z"))
    full = [f1_score(truth[s], predicted[s], average="macro") for s in (slice(0, 4), slice(7, 10))]
    mean = row["per_fold"]
    assert mean["uf1"] == pytest.approx(np.mean(full))
    assert mean["uar"] == pytest.approx(((1 + 1 + 1 / 2) / 3 + (0 + 1 + 1) / 3) / 2)
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
    result, ranks = compare_rows({"wrong": wrong, "right": right, "half": half, "copy": right})
    assert result[0]["models"] == ["right", "copy"]
    assert (result[0]["difference"], result[0]["ci"], result[0]["p"], result[0]["p_holm"]) == (0, [0, 0], 1, 1)
    assert ranks == {"right": [1, 2], "copy": [1, 2], "half": [3, 3], "wrong": [4, 4]}
    assert compare_rows({}) == ([], {})
    assert compare_rows({"one": right}) == ([], {"one": [1, 1]})


def test_figures_of_two_seeds_and_two_data_sets_by_hand() -> None:
    """Six samples of three subjects, the last two of another data set; one prediction of each seed is wrong."""
    predictions = Predictions.from_columns(
        seed=[4] * 6 + [1] * 6,
        sample=list("abcdef") * 2,
        subject=["s1", "s1", "s2", "s2", "s3", "s3"] * 2,
        dataset=["x"] * 4 + ["y"] * 2 + ["x"] * 4 + ["y"] * 2,
        fold="all",
        truth=[0, 0, 1, 1, 0, 1] * 2,
        predicted=[0, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1, 1],
        n_classes=2,
    )
    row = figures(predictions, ("n", "p"))
    uf1 = (2 * 2 / (3 + 2) + 2 * 3 / (3 + 4)) / 2  # the same for both seeds
    assert row["uf1"] == pytest.approx(uf1)
    assert row["accuracy"] == pytest.approx(5 / 6)
    assert row["spread"]["uf1"] == 0
    assert row["confusion"] == [[4, 2], [0, 6]]
    assert [(run["seed"], run["confusion"]) for run in row["per_seed"]] == [
        (4, [[2, 1], [0, 3]]),
        (1, [[2, 1], [0, 3]]),
    ]
    assert row["per_class"] == {
        "n": pytest.approx({"precision": 1, "recall": 2 / 3, "f1": 0.8, "support": 3, "predicted": 2}),
        "p": pytest.approx({"precision": 0.75, "recall": 1, "f1": 6 / 7, "support": 3, "predicted": 4}),
    }
    of_x, of_y = row["by_dataset"]["x"], row["by_dataset"]["y"]
    assert of_x == pytest.approx(
        {"uf1": (1 + (2 / 3 + 4 / 5) / 2) / 2, "uar": 0.875, "accuracy": 0.875, "n_samples": 4}
    )
    assert of_y == pytest.approx({"uf1": (1 + 1 / 3) / 2, "uar": 0.75, "accuracy": 0.75, "n_samples": 2})
    assert (row["seeds"], row["repeats"], row["n_samples"], row["n_subjects"]) == ([4, 1], 1, 6, 3)
    counts = predictions.counts()
    assert row["ci"] == {name: list(interval) for name, interval in subject_bootstrap(counts).items()}


def test_samples_without_a_class_are_no_part_of_the_figures() -> None:
    known = table([0, 1, 1], [0, 1, 0], subjects="aab")
    more = table([0, 1, 1, UNKNOWN], [0, 1, 0, 1], subjects="aabc")
    assert figures(more, ("x", "y")) == figures(known, ("x", "y"))
    unlabelled = figures(table([UNKNOWN], [1], seeds=[3], repeats=[0]), ("x", "y"))
    assert unlabelled == {**empty_figures(), "seeds": [3], "repeats": 1}


def test_a_model_without_predictions_has_no_scores() -> None:
    scores = ("accuracy", "uf1", "uar", "macro_precision", "weighted_precision", "weighted_recall", "weighted_f1")
    rest = {"by_dataset": {}, "per_seed": [], "n_samples": 0, "n_subjects": 0, "seeds": [], "repeats": 0}
    assert empty_figures() == {
        **dict.fromkeys(scores),
        "spread": dict.fromkeys(scores),
        "ci": {"uf1": None, "uar": None, "accuracy": None},
        "rank": None, "per_fold": None, "per_class": {}, "confusion": None, **rest,
    }  # fmt: skip
    averages = {"f1": None, "macro_f1": None}
    assert empty_figures(ACTION_UNITS) == {
        **averages, "spread": averages, "ci": averages, "units": {}, "never_shown": [], **rest,
    }  # fmt: skip
    empty_figures()["by_dataset"]["x"] = 1
    assert empty_figures()["by_dataset"] == {}
