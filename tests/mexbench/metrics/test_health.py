"""The flags of a row's trainings, by hand."""

from __future__ import annotations

import pytest

from mexbench.metrics.health import health_flags, mean_health

SOUND = {
    "train_accuracy": 0.9, "tested_accuracy": 0.88, "train_loss": 0.3, "guess_loss": 1.1, "train_classes": 3,
    "predicted_classes": 3,
}  # fmt: skip


def test_a_sound_training_has_no_flag() -> None:
    assert health_flags([SOUND, SOUND]) == []
    assert health_flags([]) == health_flags([{}, {}]) == []
    assert health_flags([{**SOUND, "tested_accuracy": 1.0, "train_accuracy": 0.5}]) == []  # dropout


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        ({"tested_accuracy": 0.74}, ["train-test-mode-gap"]),
        ({"tested_accuracy": 0.76}, []),
        ({"train_loss": 1.05}, ["undertrained"]),
        ({"train_loss": 1.04}, []),
        ({"predicted_classes": 1}, ["constant"]),
        ({"predicted_classes": 1, "train_classes": 1}, []),
        ({"predicted_classes": 1, "train_loss": 1.2, "tested_accuracy": 0.2},
         ["undertrained", "constant", "train-test-mode-gap"]),
    ],
)  # fmt: skip
def test_flags_by_hand(change: dict[str, float], flags: list[str]) -> None:
    assert health_flags([{**SOUND, **change}]) == flags


def test_a_row_is_constant_where_half_of_its_tasks_are() -> None:
    constant = {**SOUND, "predicted_classes": 1}
    assert health_flags([constant, SOUND]) == ["constant"]
    assert health_flags([constant, SOUND, SOUND]) == []


def test_means_are_over_the_tasks_that_have_the_figure() -> None:
    assert mean_health([{"train_loss": 1.0}, {"train_loss": 2.0, "guess_loss": 3.0}, {}]) == {
        "train_loss": 1.5,
        "guess_loss": 3.0,
    }
