"""Published lists: which clips a challenge was held on, and how many of each class each subject has."""

from __future__ import annotations

import csv
import functools
from importlib import resources


@functools.cache
def megc2019_clips(dataset: str) -> frozenset[str]:
    """Return the clips of a member of the MEGC2019 composite, below its name: ``sub01/EP02_01f``.

    Args:
        dataset: casme2, smic or samm.

    Source: See et al., MEGC 2019, FG 2019: 145, 164 and 133 clips.
    """
    ids = [row["sample_id"] for row in _rows("megc2019_clips.csv")]
    return frozenset(name.removeprefix(f"{dataset}/") for name in ids if name.startswith(f"{dataset}/"))


@functools.cache
def megc2019_counts() -> dict[tuple[str, str], int]:
    """Return the published number of clips by subject and class, without zeros."""
    return {
        (row["subject"], emotion): int(row[emotion])
        for row in _rows("megc2019_flow.csv")
        for emotion in ("negative", "positive", "surprise")
        if row[emotion] != "0"
    }


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
