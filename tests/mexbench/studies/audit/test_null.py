"""The null line against slow simulations, arithmetic by hand, and the figures that it is known by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from mexbench.metrics.classification import confusion_matrix, uf1
from mexbench.registry.catalogue import Catalogue
from mexbench.studies.audit import epoch_selection as epochs
from mexbench.studies.audit import leak
from mexbench.studies.audit.cases import Case
from mexbench.studies.audit.epoch_selection import EarlyStopping, EpochGlobal, EpochLeak, EpochPerSubject
from mexbench.studies.audit.leak import draw, score_random
from mexbench.studies.audit.random_splits import ClipSplit
from tests.mexbench.studies.audit.toys import config, one_case

DATA = "{plugin: faces, subjects: 5, clips: 4, rare: 0.3}"
COIN = "{plugin: coin, epochs: 12}"


@pytest.fixture
def case(builtin: Catalogue) -> Case:
    return one_case(config(builtin, DATA, COIN))


def slow(case: Case, choose: Any, rng: np.random.Generator) -> float:  # noqa: ANN401
    """One random predictor, sample by sample and epoch by epoch."""
    share = [float((case.y == label).mean()) for label in (0, 1)]
    answers = [[rng.choice(2, p=share) for _ in case.y] for _ in range(12)]
    stored = np.zeros(len(case.y), dtype=int)
    for group in range(5):
        test = [index for index in range(len(case.y)) if case.groups[index] == group]
        hits = [sum(int(epoch[index] == case.y[index]) for index in test) for epoch in answers]
        for index in test:
            stored[index] = answers[choose(hits)][index]
    return float(uf1(confusion_matrix(case.y, stored, 2)))


def best(hits: list[int]) -> int:
    return hits.index(max(hits))


def patient(hits: list[int]) -> int:
    """Keras's rule, in a loop."""
    stored, waited = 0, 0
    for epoch in range(1, len(hits)):
        if hits[epoch] > hits[stored]:
            stored, waited = epoch, 0
        else:
            waited += 1
        if waited >= 3:
            break
    return stored


@pytest.mark.parametrize(("rule", "choose"), [(EpochPerSubject(), best), (EarlyStopping(), patient)])
def test_null_scores_of_rules_per_fold(
    case: Case,
    rule: EpochLeak,
    choose: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(epochs, "PATIENCE", 3)
    rng = np.random.default_rng(5)
    expected = [slow(case, choose, rng) for _ in range(300)]
    honest = np.zeros((1, len(case.y)), dtype=np.int64)
    scored = rule.null(case, honest, np.random.default_rng(6))
    assert scored is not None
    error = np.hypot(np.std(expected) / np.sqrt(300), np.std(scored["uf1"]) / np.sqrt(len(scored["uf1"])))
    assert abs(scored["uf1"].mean() - np.mean(expected)) < 4 * error
    assert len(scored["uf1"]) == len(scored["uar"]) == leak.SIMULATIONS


def test_null_scores_of_the_one_best_epoch(case: Case) -> None:
    """The greatest of twelve random predictors by UF1."""
    rng = np.random.default_rng(5)
    share = [float((case.y == label).mean()) for label in (0, 1)]
    expected = [
        max(f1_score(case.y, rng.choice(2, p=share, size=len(case.y)), average="macro") for _ in range(12))
        for _ in range(200)
    ]
    scored = EpochGlobal().null(case, np.zeros((1, len(case.y)), dtype=np.int64), np.random.default_rng(6))
    assert scored is not None
    error = np.hypot(np.std(expected) / np.sqrt(200), np.std(scored["uf1"]) / np.sqrt(leak.SIMULATIONS))
    assert abs(scored["uf1"].mean() - np.mean(expected)) < 4 * error


def test_simulations_in_pieces_have_the_same_distribution(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = np.zeros((1, len(case.y)), dtype=np.int64)
    full = EpochPerSubject().null(case, honest, np.random.default_rng(0))
    monkeypatch.setattr(epochs, "_AT_ONCE", 12 * 4 * 7)
    pieces = EpochPerSubject().null(case, honest, np.random.default_rng(0))
    assert full is not None
    assert pieces is not None
    assert pieces["uf1"].shape == full["uf1"].shape
    assert pieces["uf1"].mean() == pytest.approx(full["uf1"].mean(), abs=0.02)


def test_answers_have_the_frequencies_of_the_classes(case: Case) -> None:
    answers = draw(case, (4_000, len(case.y)), np.random.default_rng(0))
    assert answers.mean() == pytest.approx(case.y.mean(), abs=0.01)
    assert set(np.unique(answers)) == {0, 1}


def test_a_single_clip_is_right_in_some_epoch_with_the_exact_probability(builtin: Catalogue) -> None:
    """One clip for each of forty people: recall of class k is 1 - (1 - p_k) ^ epochs."""
    case = one_case(config(builtin, "{plugin: faces, subjects: 40, clips: 1, rare: 0.3}", "{plugin: coin, epochs: 3}"))
    share = np.bincount(case.y) / len(case.y)
    scored = EpochPerSubject().null(case, np.zeros((1, 40), dtype=np.int64), np.random.default_rng(1))
    assert scored is not None
    assert scored["uar"].mean() == pytest.approx(np.mean(1 - (1 - share) ** 3), abs=0.01)


def test_a_random_split_does_not_inflate_random_predictions(case: Case) -> None:
    honest = np.zeros((1, len(case.y)), dtype=np.int64)
    none = score_random(case, [np.arange(len(case.y))], np.random.default_rng(0))
    split = ClipSplit(repeats=5).null(case, honest, np.random.default_rng(0))
    assert split is not None
    assert split["uar"].mean() == pytest.approx(0.5, abs=0.03)
    assert none["uar"].mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("count", "low", "high"), [(1, 0.32, 0.345), (20, 0.63, 0.66), (800, 0.82, 0.84)])
def test_the_known_figures_of_the_composite(
    real_flow: Path, builtin: Catalogue, monkeypatch: pytest.MonkeyPatch, *, count: int, low: float, high: float
) -> None:
    """68 people, 442 clips: the best of 20 and of 800 random epochs for each person, chosen by accuracy."""
    monkeypatch.setattr(epochs, "SIMULATIONS", 60)
    data = f"{{plugin: megc2019_flow, root: {real_flow}}}"
    case = one_case(config(builtin, data, f"{{plugin: coin, epochs: {count}}}"))
    scored = EpochPerSubject().null(case, np.zeros((1, 442), dtype=np.int64), np.random.default_rng(0))
    assert scored is not None
    assert low < scored["uf1"].mean() < high
