"""The health of a training: what a predictor knows about its own training side; see ``interfaces.Predictor``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def answer_health(answers: NDArray[Any], y: NDArray[Any]) -> dict[str, float]:
    """Return how a predictor answers its own training side, in the mode in which it is tested.

    Args:
        answers: Predicted class indices (n,), or predicted units (n, units).
        y: The true ones, of the same shape.

    Returns:
        ``tested_accuracy``, and the numbers of distinct answers, ``predicted_classes``, and truths, ``train_classes``.
    """
    return {
        "tested_accuracy": float(np.mean(answers == y)),
        "predicted_classes": float(len(np.unique(answers, axis=0))),
        "train_classes": float(len(np.unique(y, axis=0))),
    }
