"""The baseline that sees every action unit everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.models.majority import Constant, Majority


@dataclass(frozen=True, kw_only=True)
class AlwaysPresent(Majority):
    """Say that every action unit shows; for ``target: action_units``. Of emotions it knows what ``majority`` does.

    No constant answer has a higher F1 of a unit that shows in a share p of the samples: 2p / (1 + p).
    """

    source = "the constant baseline of F1"

    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> Constant:
        """Look at nothing."""
        del x, groups, seed
        return Constant(np.ones(y.shape[1]))
