"""The baseline that looks at nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.interfaces import Model, Predictor


@dataclass(frozen=True, kw_only=True)
class Majority(Model):
    """Predict the most frequent class of the training side; the first one among equals.

    Scores are the classes' frequencies. Whatever does not beat this row has learned nothing.
    """

    source = "the usual chance-level baseline"

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Count classes."""
        del x, groups, seed
        frequencies = np.bincount(y, minlength=n_classes) / len(y)
        return lambda x: np.tile(frequencies, (len(x), 1))
