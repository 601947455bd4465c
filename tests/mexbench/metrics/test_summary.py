from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from mexbench.metrics.summary import Pool, Prediction, compare_rows, empty_figures, figures


def pool(
    truth: list[int], predicted: list[int], *, folds: str = "", seed: int = 0, repeat: int = 0, subjects: str = ""
) -> Pool:
    names = folds or "f" * len(truth)
    return Pool(
        seed,
        repeat,
        tuple(
            Prediction(f"toy/{i}", f"toy/{(subjects or names)[i]}", "toy", names[i], t, p)
            for i, (t, p) in enumerate(zip(truth, predicted, strict=True))
        ),
    )


def test_pooled_within_a_repeat_and_averaged_over_repeats() -> None:
    truth = [0, 0, 1, 1]
    runs = [[0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 0]]
    pools = [pool(truth, run, seed=i // 2, repeat=i % 2, folds="aabb") for i, run in enumerate(runs)]
    row = figures(pools, ("n", "p"))
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
    row = figures([pool(truth, predicted, folds="aaaabbbccc")], ("x", "y", "z"))
    whole = [f1_score(truth[s], predicted[s], average="macro") for s in (slice(0, 4), slice(7, 10))]
    mean = row["per_fold"]
    assert mean["uf1"] == pytest.approx(np.mean(whole))
    assert mean["accuracy"] == pytest.approx((3 / 4 + 1 + 2 / 3) / 3)
    assert (mean["folds"], mean["undefined_folds"]) == (3, 1)


def test_a_class_that_the_run_never_tests_makes_no_fold_undefined() -> None:
    row = figures([pool([0, 1, 0, 1], [0, 1, 1, 1], folds="aabb")], ("x", "y", "never"))
    assert row["per_fold"]["undefined_folds"] == 0
    assert figures([pool([0, 0, 1], [0, 0, 1], folds="aab")], ("x", "y"))["per_fold"]["uf1"] is None
    assert (
        figures([Pool(0, 0, tuple(Prediction(str(i), "s", "", "", i, i) for i in range(2)))], ("x", "y"))["per_fold"]
        is None
    )


def test_rows_are_compared_subject_by_subject() -> None:
    truth = [0, 1] * 12
    subjects = "".join(letter * 2 for letter in "abcdefghijkl")
    right, wrong = pool(truth, truth, subjects=subjects), pool(truth, [1 - t for t in truth], subjects=subjects)
    half = pool(truth, truth[:12] + [1 - t for t in truth[12:]], subjects=subjects)
    found, ranks = compare_rows({"wrong": [wrong], "right": [right], "half": [half], "copy": [right]}, 2)
    assert found[0]["models"] == ["right", "copy"]
    assert (found[0]["difference"], found[0]["ci"], found[0]["p"], found[0]["p_holm"]) == (0, [0, 0], 1, 1)
    assert ranks == {"right": [1, 2], "copy": [1, 2], "half": [3, 3], "wrong": [4, 4]}
    assert compare_rows({}, 2) == ([], {})
    assert compare_rows({"one": [right]}, 2) == ([], {"one": [1, 1]})
