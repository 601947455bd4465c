"""Learning curves: what a predictor tells of its training, epoch by epoch, from a task's result to a CSV."""

from __future__ import annotations

import csv
import io
import math
import numbers
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mexbench.interfaces import Predictor

if TYPE_CHECKING:
    from mexbench.runs.run_folder import StoredResult

#: One mapping per epoch.
History = tuple[Mapping[str, float], ...]


def history_of(predictor: Predictor) -> History:
    """Return a predictor's ``history``, or nothing where it has none; what is none is left out with a warning."""
    rows = getattr(predictor, "history", None)
    if rows is None:
        return ()
    try:
        return tuple({"epoch": index, **_checked(row)} for index, row in enumerate(rows, start=1))
    except (TypeError, ValueError) as error:
        warnings.warn(f"the predictor's history is left out: {error}", stacklevel=1)
        return ()


def _checked(row: object) -> dict[str, float]:
    if not isinstance(row, Mapping) or not all(isinstance(name, str) and name for name in row):
        raise ValueError(f"expected a mapping of names to numbers per epoch, got {row!r}")
    for name, value in row.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise ValueError(f"expected finite numbers, got {name} = {value!r}")
    return {name: int(value) if isinstance(value, numbers.Integral) else float(value) for name, value in row.items()}


def histories_csv(results: Iterable[StoredResult]) -> str | None:
    """Return the text of ``histories.csv``, one row per model, seed, fold and epoch; None where no model has curves.

    A value that a model does not tell is empty.
    """
    told = [result for result in results if result.history]
    if not told:
        return None
    names = list(dict.fromkeys(name for result in told for row in result.history for name in row if name != "epoch"))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["model", "seed", "fold", "epoch", *names])
    for result in told:
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
