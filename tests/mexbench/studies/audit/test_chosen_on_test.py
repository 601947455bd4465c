"""Choices made on test scores: the authors' own rules, and the planted cheat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.metrics.classification import scores
from mexbench.registry.catalogue import Catalogue
from mexbench.studies.audit.chosen_on_test import (
    AuthorsRule,
    SettingsOnTest,
    best_index,
    known_methods,
    watched_epochs,
)
from mexbench.studies.audit.epoch_selection import EpochRun
from mexbench.studies.claims.methods import CodePlace, MethodCode
from tests.mexbench.studies.audit.toys import audit, config, one_case

NOISE = "{plugin: faces, subjects: 8, clips: 6, features: 300}"


def method(**changes: Any) -> MethodCode:  # noqa: ANN401
    values: dict[str, Any] = {
        "id": "coin", "title": "Coin (2020)", "repository": "a/b", "commit": None, "date": "2020-01",
        "selection": "test-subject", "places": (CodePlace(file="x.py", lines="1", what="w"),), "note": None,
        "plugins": ("coin",),
    }  # fmt: skip
    return MethodCode(**{**values, **changes})


def row(measured: Any) -> dict[str, Any]:  # noqa: ANN401
    (scored,) = measured.rows()
    return scored


def test_a_planted_cheat_is_shown(tmp_path: Path, builtin: Catalogue) -> None:
    """On data without any signal, the best of twelve seeds of a coin looks better than the honest choice of one."""
    values = ", ".join(f"{index}" for index in range(1, 13))
    model = f"{{plugin: coin, tune: {{values: {{epochs: [{values}]}}, epochs: fixed, inner: 3}}}}"
    measured = audit(tmp_path, config(builtin, NOISE, model), SettingsOnTest())
    scored = row(measured)
    assert scored["status"] == "measured"
    assert scored["note"] == "12 candidates"
    assert scored["inflation"]["uf1"] > 0.03
    assert scored["null"]["uf1"][0] > measured.null(measured.cases[0])["uf1"][0] + 0.05, (
        "choosing lifts a random predictor too"
    )
    (case,) = measured.cases
    predicted = [case.predicted(job.done(measured.root), case.repeats) for job in measured.jobs()]
    best = max(float(scores(case.counts(one).sum(axis=1))["uf1"].mean()) for one in predicted)
    assert scored["leaky"]["uf1"] == pytest.approx(best)


def test_a_penalty_chosen_on_test_scores_is_shown(tmp_path: Path, builtin: Catalogue) -> None:
    """The C of an SVM, chosen on noise: by LOSO's own scores it is the best of all, and the honest choice is not it."""
    model = "{plugin: svm, tune: {values: {C: [0.01, 0.1, 1.0, 10.0, 100.0], kernel: [linear, rbf]}, inner: 3}}"
    data = NOISE.replace("300", "60")
    measured = audit(tmp_path, config(builtin, data, model), SettingsOnTest())
    scored = row(measured)
    (case,) = measured.cases
    predicted = [case.predicted(job.done(measured.root), case.repeats) for job in measured.jobs()]
    pooled = [float(scores(case.counts(one).sum(axis=1))["uf1"].mean()) for one in predicted]
    assert scored["note"] == "10 candidates"
    assert scored["leaky"]["uf1"] == pytest.approx(max(pooled))
    assert scored["inflation"]["uf1"] == pytest.approx(max(pooled) - scored["honest"]["uf1"])
    assert scored["inflation"]["uf1"] > 0.05


def test_a_model_without_a_search_has_no_settings_to_choose(tmp_path: Path, builtin: Catalogue) -> None:
    measured = audit(tmp_path, config(builtin, NOISE, "{plugin: coin, epochs: 2}"), SettingsOnTest())
    assert row(measured)["why"] == "coin has no 'tune' block: there is nothing to choose"


def test_the_authors_rule_takes_each_subjects_best_epoch(tmp_path: Path, builtin: Catalogue) -> None:
    measured = audit(
        tmp_path, config(builtin, NOISE, "{plugin: coin, epochs: 8}"), AuthorsRule(methods=(method(ties="last"),))
    )
    scored = row(measured)
    assert scored["status"] == "measured"
    assert scored["inflation"]["uf1"] > 0.1
    assert scored["note"] == "8 epochs; best accuracy on each test subject, among equals the later (a/b, 2020-01)"
    low, _ = scored["ci"]["uf1"]
    assert low > 0
    assert scored["null"]["uf1"][0] == pytest.approx(scored["leaky"]["uf1"], abs=0.15)


@pytest.mark.parametrize("ties", ["first", "last"])
def test_the_epoch_of_each_rule_by_hand(tmp_path: Path, builtin: Catalogue, ties: Any) -> None:  # noqa: ANN401
    case = one_case(config(builtin, "{plugin: faces, subjects: 4, clips: 6}", "{plugin: coin, epochs: 4}"))
    first, second = (np.flatnonzero(case.groups == group)[:2] for group in (0, 1))
    right = {  # which epochs answer the first and the second clip of a subject rightly
        0: [[0, 1, 1, 0], [1, 1, 1, 0]],
        1: [[1, 0, 0, 1], [1, 0, 0, 1]],
    }
    n = len(case.classes)
    values = []
    for group, test in enumerate((first, second)):
        answer = np.where(np.array(right[group]) == 1, case.y[test][:, None], (case.y[test][:, None] + 1) % n)
        values.append(np.eye(n)[answer])
    run = EpochRun([first, second], values)
    by_subject = AuthorsRule(methods=(method(ties=ties),)).choose(case, run)
    assert by_subject == ([1, 0] if ties == "first" else [2, 3])
    mean = AuthorsRule(methods=(method(selection="test-mean", ties=ties),)).choose(case, run)
    assert mean == [0, 0]  # .75 in the first epoch, .5 in all others
    every = AuthorsRule(methods=(method(selection="test-mean", ties=ties, every=2),)).choose(case, run)
    assert every == ([1, 1] if ties == "first" else [3, 3])


def test_clean_and_unlisted_codes_have_no_rule(tmp_path: Path, builtin: Catalogue) -> None:
    run_config = config(builtin, NOISE, "{plugin: coin, epochs: 2}")
    clean = row(audit(tmp_path / "a", run_config, AuthorsRule(methods=(method(selection="fixed"),))))
    assert clean["why"] == "its public code (a/b, 2020-01) chooses no epoch on a test side: fixed"
    unlisted = row(audit(tmp_path / "b", run_config, AuthorsRule(methods=())))
    assert unlisted["why"] == "no public code of coin is listed in methods.yaml"


def test_the_shipped_methods_name_their_plugins_once() -> None:
    plugins = [plugin for one in known_methods() for plugin in one.plugins]
    assert len(plugins) == len(set(plugins))
    assert {"htnet", "causalnet", "ststnet", "rcn_a", "dual_inception", "off_tanet"} <= set(plugins)
    by_id = {one.id: one for one in known_methods()}
    assert by_id["ststnet"].clean
    assert by_id["rcn"].clean
    assert (by_id["htnet"].selection, by_id["htnet"].ties) == ("test-subject", "last")


def test_epochs_that_are_watched() -> None:
    assert watched_epochs(45, 20).tolist() == [19, 39]
    assert watched_epochs(3, 20).tolist() == [2]
    assert best_index(np.array([[1, 3, 3, 2]]), "first").tolist() == [1]
    assert best_index(np.array([[1, 3, 3, 2]]), "last").tolist() == [2]
