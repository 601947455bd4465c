from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mexbench.config.from_values import load_config
from mexbench.config.run_config import RunConfig
from mexbench.config.tuning import Tuning
from mexbench.errors import ConfigError, ProtocolError
from mexbench.evaluation import plan as planning
from mexbench.registry.catalogue import load_catalogue


def config(*models: Any, **more: Any) -> RunConfig:  # noqa: ANN401
    keys = {"dataset": {"plugin": "synthetic", "subjects": 4}, "protocol": "loso", "models": list(models), **more}
    return load_config(keys, load_catalogue(), {})


def tuned(tune: Any, **block: Any) -> RunConfig:  # noqa: ANN401
    return config({"plugin": "svm", **block, "tune": tune})


def test_defaults_are_filled_in_and_part_of_the_fingerprint() -> None:
    loaded = tuned({"values": {"C": [0.1, 1.0]}})
    (model,) = loaded.models
    assert model.tuning is not None
    assert model.resolved()["tune"] == {
        "values": {"C": [0.1, 1.0]}, "search": "grid", "budget": None, "metric": "uf1", "inner": 5, "epochs": "fixed",
        "every": 1, "seed": 0,
    }  # fmt: skip
    assert "C" not in model.resolved()
    assert loaded.fingerprint != tuned({"values": {"C": [0.1, 2.0]}}).fingerprint
    assert load_config(loaded.resolved(), load_catalogue(), {}).fingerprint == loaded.fingerprint


@pytest.mark.parametrize(
    ("tune", "error"),
    [
        ({"values": {"C": [1.0]}, "inners": 3}, "unknown parameter 'inners' (did you mean 'inner'?)"),
        ({"values": {"C": [1.0]}, "inner": "five"}, 'expected int (>= 2), got "five"'),
        ({"values": {"C": [1.0]}, "inner": 1}, "expected int (>= 2), got 1"),
        ({"values": {"D": [1.0]}}, "unknown parameter 'D'"),
        ({"values": {"C": []}}, "values.C: expected at least one value"),
        ({"values": {"C": [1.0, 1.0]}}, "values.C: duplicate value 1.0"),
        ({"values": {"C": ["a"]}}, '{"C": "a"}: expected float (> 0), got "a"'),
        ({"values": {"C": {"low": 1, "high": 2}}}, "a range needs search: random"),
        ({"values": {"C": {"low": 2, "high": 1}}, "search": "random", "budget": 9}, "low must be below high"),
        ({"values": {"C": {"low": 0, "high": 1, "scale": "log"}}, "search": "random", "budget": 9}, "above 0 on a log"),
        ({"values": {"C": {"low": 1, "hi": 2}}, "search": "random", "budget": 9}, "unknown key 'hi'"),
        ({"values": {"C": [1.0]}, "search": "random"}, "search: random needs a budget"),
        ({"values": {"C": [0.1, 1.0]}, "budget": 9}, "on 5 inner folds are 10 trainings, and the budget is 9"),
        ({"values": {"C": [0.1, 1.0]}, "budget": 4}, "4 trainings are less than one candidate takes on 5 folds"),
        ({"values": {"C": [1.0]}, "metric": "macro_f1"}, "unknown metric 'macro_f1'"),
        ({"values": {"C": [1.0]}, "epochs": "curve"}, "curve needs a model that can show each epoch"),
        ({}, "nothing to choose"),
        ("grid", "expected a mapping such as"),
    ],
)
def test_an_invalid_block_is_refused_with_its_place(tune: Any, error: str) -> None:  # noqa: ANN401
    with pytest.raises(ConfigError) as raised:
        tuned(tune)
    assert error in str(raised.value)
    assert "models[0].tune" in str(raised.value)


def test_a_parameter_is_given_in_one_place() -> None:
    with pytest.raises(ConfigError, match="C is set beside 'tune' as well"):
        tuned({"values": {"C": [0.1, 1.0]}}, C=1.0)


def test_spotters_are_not_tuned() -> None:
    with pytest.raises(ConfigError, match="models of 'target: spotting' are not tuned"):
        config(
            {"plugin": "frame_difference", "tune": {"values": {}}},
            dataset="synthetic_long", target="spotting",
        )  # fmt: skip


def test_epochs_of_a_network_are_chosen_by_the_curve_unless_it_stops_early() -> None:
    (model,) = config({"plugin": "ststnet", "epochs": 9, "tune": {}}).models
    assert model.tuning is not None
    assert (model.tuning.epochs, model.tuning.candidates) == ("curve", ({},))
    with pytest.raises(ConfigError, match="so does the model's early_stopping"):
        config({"plugin": "ststnet", "early_stopping": 5, "tune": {}})
    with pytest.raises(ConfigError, match="the learning curve chooses the epochs"):
        config({"plugin": "ststnet", "tune": {"values": {"epochs": [3, 5]}}})


def test_a_grid_has_every_combination_in_order() -> None:
    grid = Tuning(values={"a": [1, 2], "b": ["x", None]})
    assert [list(one.values()) for one in grid.candidates] == [[1, "x"], [1, None], [2, "x"], [2, None]]


def test_a_random_search_draws_what_the_budget_allows_without_repetition() -> None:
    search = Tuning(values={"a": list(range(30))}, search="random", budget=52, inner=5)
    drawn = [one["a"] for one in search.candidates]
    assert len(set(drawn)) == len(drawn) == 10
    assert drawn == [one["a"] for one in Tuning(**search.resolved()).candidates]
    assert drawn != [one["a"] for one in Tuning(**{**search.resolved(), "seed": 1}).candidates]


def test_ranges_stay_inside_their_ends() -> None:
    values = {"a": {"low": 0.001, "high": 10.0, "scale": "log"}, "b": {"low": 1, "high": 3}}
    drawn = Tuning(values=values, search="random", budget=1000, inner=5).candidates
    assert len(drawn) == 200
    assert all(0.001 <= one["a"] <= 10 for one in drawn)
    assert {one["b"] for one in drawn} == {1, 2, 3}
    below = sum(one["a"] < 0.1 for one in drawn)  # half of a log range of four decades
    assert 70 < below < 130


def test_few_whole_numbers_are_each_drawn_once() -> None:
    drawn = Tuning(values={"a": {"low": 1, "high": 3}}, search="random", budget=100, inner=5).candidates
    assert sorted(one["a"] for one in drawn) == [1, 2, 3]


def test_too_few_subjects_for_the_inner_folds_are_refused_before_pixels_are_read() -> None:
    loaded = tuned({"values": {"C": [0.1, 1.0]}, "inner": 4})
    (part,), (data,) = loaded.parts, planning.read(loaded)
    with pytest.raises(ProtocolError, match=r"tuned on 4 inner folds, and the training side of fold .* has 3 subjects"):
        planning.split(part, data)


def test_selection_is_declared_and_flags_what_has_seen_the_test_side() -> None:
    (model,) = config({"plugin": "svm", "C": 0.5, "selection": "seen-test"}).models
    assert model.flags() == ("selection:seen-test",)
    assert model.resolved()["selection"] == "seen-test"
    (plain,) = config({"plugin": "svm", "C": 0.5}).models
    assert plain.identity() == model.identity()
    with pytest.raises(ConfigError, match="unknown selection 'guess'"):
        config({"plugin": "svm", "selection": "guess"})


def test_the_shipped_search_of_the_svm_has_24_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEGC2019_FLOW_ROOT", "x")
    path = Path(__file__).parents[3] / "configs/tuned_svm_flow.yaml"
    (model,) = load_config(path, load_catalogue(), {}).models
    assert model.tuning is not None
    assert len(model.tuning.candidates) == 24
