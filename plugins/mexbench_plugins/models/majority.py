"""The baseline that looks at nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.files import read_arrays, write_arrays
from mexbench.interfaces import ActionUnitModel, Predictor

_FILE = "frequencies.safetensors"


@dataclass(frozen=True, eq=False)
class Constant:
    """Give every sample the same scores (n_classes,)."""

    frequencies: NDArray[np.float64]

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Return scores (n, n_classes)."""
        return np.tile(self.frequencies, (len(x), 1))


@dataclass(frozen=True, kw_only=True)
class Majority(ActionUnitModel):
    """Predict the most frequent class of the training side, the first one among equals; of units, those in half of it.

    Scores are the classes' frequencies. Whatever does not beat this row has learned nothing.
    """

    source = "the usual chance-level baseline"
    reads_rows = True  # it reads none

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Constant:
        """Count classes."""
        del x, groups, seed
        return Constant(np.bincount(y, minlength=n_classes) / len(y))

    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> Constant:
        """Count how often each unit shows."""
        del x, groups, seed
        return Constant(y.mean(axis=0))

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write the frequencies."""
        assert isinstance(predictor, Constant)  # noqa: S101 - fit returns no other
        write_arrays(folder / _FILE, {"frequencies": predictor.frequencies})

    def load(self, folder: Path) -> Constant:
        """Read the frequencies."""
        return Constant(read_arrays(folder / _FILE)["frequencies"])
