"""What was chosen inside a training side: a part of a task's result, and of ``tuning.csv``."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

if TYPE_CHECKING:
    from mexbench.runs.run_folder import StoredResult

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


def tuning_csv(results: Iterable[StoredResult]) -> str | None:
    """Return the text of ``tuning.csv``, one row per tuned task; None where no model was tuned."""
    tuned = [(result.task, result.tuning) for result in results if result.tuning is not None]
    if not tuned:
        return None
    names = list(dict.fromkeys(name for _, record in tuned for name in record.chosen))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["model", "seed", "fold", *names, "metric", "inner_score", "candidates", "fits", "seconds"])
    for task, record in tuned:
        values = [_text(record.chosen[name]) if name in record.chosen else "" for name in names]
        cost = [len(record.candidates), record.fits, f"{record.seconds:.3f}"]
        writer.writerow([task.model, task.seed, task.fold, *values, record.metric, f"{record.score:.6f}", *cost])
    return stream.getvalue()


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
    counts = {name: Counter(_text(chosen[name]) for chosen in choices if name in chosen) for name in names}
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


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
