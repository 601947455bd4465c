"""What was chosen inside a training side: a part of a task's result."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

_Count = Annotated[int, Field(ge=0, le=2**53)]


class Candidate(BaseModel):
    """One candidate: its values, its score over the inner folds, and the epoch of that score.

    ``score`` is None where the candidate could not be trained, which ``error`` explains.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    values: dict[str, Any]
    score: FiniteFloat | None
    epochs: _Count | None = None
    error: str | None = None


class TuningRecord(BaseModel):
    """What was chosen inside one training side, and what it cost.

    Args:
        chosen: Parameter -> value, with ``epochs`` where the learning curve chose them.
        metric: What was maximised.
        inner: Number of inner folds.
        fits: Trainings on inner folds.
        seconds: They took so long.
        candidates: Everything that was tried, in its order.
        curve: Pairs of epoch and score of the chosen candidate; nothing where epochs were not chosen.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    chosen: dict[str, Any]
    metric: str
    inner: _Count
    fits: _Count
    seconds: Annotated[FiniteFloat, Field(ge=0)]
    candidates: list[Candidate]
    curve: list[list[FiniteFloat]] = []

    @property
    def score(self) -> float:
        """The highest score over the inner folds."""
        return max(one.score for one in self.candidates if one.score is not None)


def tuning_summary(records: Sequence[TuningRecord], runs: int) -> dict[str, Any] | None:
    """Return what a row of ``scores.json`` has of its choices: how often each value was chosen, and their cost.

    Args:
        records: Of the row's tasks.
        runs: Seeds and repeats, by which the cost is divided.
    """
    if not records:
        return None
    names = list(dict.fromkeys(name for record in records for name in record.chosen))
    choices = [record.chosen for record in records]
    counts = {name: Counter(value_text(chosen[name]) for chosen in choices if name in chosen) for name in names}
    return {
        "metric": records[0].metric,
        "inner": records[0].inner,
        "candidates": len(records[0].candidates),
        "trainings": len(records),
        "inner_score": sum(record.score for record in records) / len(records),
        "fits": sum(record.fits for record in records) / max(runs, 1),
        "seconds": sum(record.seconds for record in records) / max(runs, 1),
        "chosen": {
            name: dict(sorted(values.items(), key=lambda item: (-item[1], item[0]))) for name, values in counts.items()
        },
    }


def chosen_text(summary: Mapping[str, Any], most: int = 4) -> str:
    """Write which values were chosen, and how often each."""
    parts = []
    for name, counts in summary["chosen"].items():
        shown = [f"{value} ({count})" for value, count in list(counts.items())[:most]]
        rest = sum(list(counts.values())[most:])
        parts.append(f"{name} {', '.join([*shown, *([f'others ({rest})'] if rest else [])])}")
    return "; ".join(parts)


def value_text(value: object) -> str:
    """Write a chosen value: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
