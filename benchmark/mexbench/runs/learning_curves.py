"""Learning curves: what a predictor reports of its training, epoch by epoch, from a task's result to a CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mexbench.runs.run_folder import StoredResult


def histories_csv(results: Iterable[StoredResult]) -> str | None:
    """Return the text of ``histories.csv``, one row per model, seed, fold and epoch; None where no model has curves.

    A value that a model does not report is empty.
    """
    with_history = [result for result in results if result.history]
    if not with_history:
        return None
    names = list(
        dict.fromkeys(name for result in with_history for row in result.history for name in row if name != "epoch")
    )
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["model", "seed", "fold", "epoch", *names])
    for result in with_history:
        task = result.task
        writer.writerows(
            [task.model, task.seed, task.fold, row["epoch"], *(row.get(name, "") for name in names)]
            for row in result.history
        )
    return stream.getvalue()


def curves_of(results: Sequence[StoredResult], model: str, name: str) -> list[list[tuple[float, float]]]:
    """Return a model's curves of one value, one per seed and fold that has it: pairs of epoch and value."""
    curves = (
        [(row["epoch"], row[name]) for row in result.history if name in row]
        for result in results
        if result.task.model == model
    )
    return [curve for curve in curves if curve]
