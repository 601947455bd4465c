"""The health of a row's trainings: what its predictors know about their own training sides, and the flags of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mexbench.interfaces.health import MODE_GAP, UNDERTRAINED

#: What ``health`` of a predictor may hold; see ``interfaces.Predictor``.
Health = Mapping[str, float]


def mean_health(healths: Sequence[Health]) -> dict[str, float]:
    """Return the mean of each figure over the tasks that have it; {} where no predictor has any."""
    values: dict[str, list[float]] = {}
    for health in healths:
        for name, value in health.items():
            values.setdefault(name, []).append(value)
    return {name: sum(each) / len(each) for name, each in values.items()}


def health_flags(healths: Sequence[Health]) -> list[str]:
    """Return the flags of a row, each at most once.

    - ``undertrained``: the mean training loss is still that of guessing class frequencies.
    - ``constant``: in at least half of the tasks, one of several classes is predicted for the entire training side.
    - ``train-test-mode-gap``: the mean accuracy on the training side is more than 15 points lower as tested than it was
      in training. The opposite is not an error: dropout, and weights that improve during the last epoch, cause it.

    Args:
        healths: Of the row's tasks; {} for a predictor without one.
    """
    mean = mean_health(healths)
    constant = [
        health["predicted_classes"] == 1 < health["train_classes"]
        for health in healths
        if {"predicted_classes", "train_classes"} <= health.keys()
    ]
    flags = {
        "undertrained": "guess_loss" in mean and mean.get("train_loss", 0) >= UNDERTRAINED * mean["guess_loss"],
        "constant": bool(constant) and sum(constant) >= len(constant) / 2,
        "train-test-mode-gap": mean.get("train_accuracy", 0) - mean.get("tested_accuracy", 1) > MODE_GAP,
    }
    return [flag for flag, raised in flags.items() if raised]
