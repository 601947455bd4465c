"""``tuning.csv`` of a run folder: what was chosen inside each training side."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from mexbench.runs.run_folder import StoredResult
from mexbench.runs.tuning_record import value_text


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
        values = [value_text(record.chosen[name]) if name in record.chosen else "" for name in names]
        cost = [len(record.candidates), record.fits, f"{record.seconds:.3f}"]
        writer.writerow([task.model, task.seed, task.fold, *values, record.metric, f"{record.score:.6f}", *cost])
    return stream.getvalue()
