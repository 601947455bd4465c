"""The leaks' names and numbers in the taxonomy of Kapoor and Narayanan.

Source: Kapoor and Narayanan, Leakage and the reproducibility crisis in machine-learning-based science, Patterns 4(9),
2023: eight types of leakage under three heads.
"""

from __future__ import annotations

from collections.abc import Mapping

SOURCE = "Kapoor and Narayanan, Patterns 4(9), 2023"
#: Number -> name, in our words.
TAXONOMY: Mapping[str, str] = {
    "L1.1": "no test set",
    "L1.2": "pre-processing on training and test set",
    "L1.3": "feature selection on training and test set",
    "L1.4": "duplicates",
    "L2": "illegitimate features",
    "L3.1": "temporal leakage",
    "L3.2": "non-independence between training and test samples",
    "L3.3": "sampling bias in the test distribution",
}
#: Label of what is not leakage and so is not in the taxonomy.
OUTSIDE = "outside the taxonomy: misreporting of a metric"


def label(number: str | None) -> str:
    """Return number and name."""
    return OUTSIDE if number is None else f"{number} {TAXONOMY[number]}"
