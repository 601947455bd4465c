"""How many test subjects an interval and a rank need, and the sentence that takes their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: With fewer test subjects there is no interval and no rank. If one model is better than another on each of n subjects,
#: the paired permutation test over subjects gives p = 2 / 2**n: .0625 for five, .03125 for six. So five cannot show any
#: difference at the level of 95 %, and a bootstrap over them, which draws the same few people, is far too narrow.
MIN_SUBJECTS = 6


def enough(subjects: int) -> bool:
    """Whether so many test subjects can have an interval and a rank."""
    return subjects >= MIN_SUBJECTS


def why_none(subjects: Iterable[int], unit: str = "subject", what: str = "no interval and no rank") -> str:
    """Return the sentence that says why something is absent, or nothing where all are enough.

    Args:
        subjects: Numbers of tested subjects, of each row; 0 where nothing is tested.
        unit: What is drawn: subject, clip or sample.
        what: What is absent.
    """
    few = sorted({count for count in subjects if 0 < count < MIN_SUBJECTS})
    if not few:
        return ""
    numbers = " or ".join(map(str, few))
    return (
        f"{what[0].upper()}{what[1:]} with {numbers} tested {unit}{'' if few == [1] else 's'}: it takes at least "
        f"{MIN_SUBJECTS}, since on fewer no difference can be told from chance at the level of 95 %."
    )


def note(scores: Mapping[str, Any], what: str = "no interval and no rank") -> list[str]:
    """Return ``why_none`` of the rows of a ``scores.json`` as a list, empty where all are enough."""
    counts = [row.get("n_groups") or row.get("n_subjects") or 0 for row in scores["rows"]]
    text = why_none(counts, scores.get("intervals", {}).get("unit", "subject"), what)
    return [text] if text else []
