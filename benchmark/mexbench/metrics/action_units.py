"""How well action units are detected: F1 of each unit and on average.

Counts are pooled over folds. A unit has two F1 scores: the binary one, of its presence, and the macro one, the mean of
the F1 of presence and of absence (scikit-learn's ``f1_score`` with ``average="binary"`` and ``average="macro"``, both
with ``zero_division=0``).

**Units that are never present.** Without a sample in which it is present, a unit's F1 says nothing: it is 0 however
well its absence is predicted. Such a unit has no scores, is named, and is excluded from the averages; the same holds
inside each replicate of a bootstrap and on each member of a composite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mexbench.metrics.classification import mean_known, per_class, scores

#: A unit is predicted to be present from this score on.
THRESHOLD = 0.5
#: The averages of a row.
AVERAGES = ("f1", "macro_f1")


def unit_scores(confusion: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Score confusion matrices of units.

    Args:
        confusion: Counts (..., units, 2, 2), truth in rows, absent first; not only whole numbers.

    Returns:
        f1, macro_f1, precision and recall (..., units), NaN for a unit that is never present.
    """
    matrix = np.asarray(confusion)
    presence = {name: values[..., 1] for name, values in per_class(matrix).items()}
    scored = {"f1": presence["f1"], "macro_f1": scores(matrix)["uf1"]}
    scored |= {name: presence[name] for name in ("precision", "recall")}
    return {name: np.where(presence["support"] > 0, values, np.nan) for name, values in scored.items()}


def average_scores(confusion: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Average over the units that are present in a sample.

    Args:
        confusion: Counts (..., units, 2, 2); see ``unit_scores``.

    Returns:
        Each name of ``AVERAGES`` -> (...), NaN where no unit is present.
    """
    scored = unit_scores(confusion)
    return {name: mean_known(scored[name]) for name in AVERAGES}
