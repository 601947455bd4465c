"""A run's own ``predictions.csv``: written from tables of predictions, and read back into them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mexbench.errors import RunFolderError, listed
from mexbench.metrics.predictions import MAX_SEED, UNKNOWN, Predictions
from mexbench.runs.predictions_csv import repeat_of

_FIXED = ("model", "seed", "fold", "sample_id", "clip_id", "subject", "dataset")
#: Headers of truth and prediction: names of classes, or of units joined by ``+``.
_CLASS_COLUMNS = ("y_true", "y_pred")
_UNIT_COLUMNS = ("units_true", "units_pred")
_SCORE = "score_"


def tables_text(tables: Mapping[str, Predictions], classes: Sequence[str]) -> str:
    """Return the text of ``predictions.csv``: by model in the order given, then by seed, sample id and repeat.

    Args:
        tables: Row -> its predictions.
        classes: Names of classes, or of units.
    """
    multilabel = any(table.multilabel for table in tables.values())
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    truth_columns = _UNIT_COLUMNS if multilabel else _CLASS_COLUMNS
    writer.writerow([*_FIXED, *truth_columns, *(f"{_SCORE}{name}" for name in classes)])
    for row, table in tables.items():
        truth, predicted = (_labels(values, classes) for values in (table.truth, table.predicted))
        lines = list(
            zip(
                table.seed.tolist(), table.fold, table.sample, table.clip, table.subject, table.dataset,
                truth, predicted, table.repeat.tolist(), table.scores.tolist(), strict=True,
            )
        )  # fmt: skip
        for *cells, _, scores in sorted(lines, key=lambda line: (line[0], line[2], line[8])):
            writer.writerow([row, *cells, *scores])
    return stream.getvalue()


def _labels(values: NDArray[Any], classes: Sequence[str]) -> list[str]:
    """Name the class of each line, nothing where it is not known; or its units, joined."""
    if values.ndim == 2:
        return ["+".join(name for name, present in zip(classes, line, strict=True) if present) for line in values]
    return ["" if index == UNKNOWN else classes[int(index)] for index in values]


def read_tables(
    path: Path, seeds: Mapping[str, Sequence[int]], classes: Sequence[str], *, unlabelled: bool = False
) -> dict[str, Predictions]:
    """Read the predictions of classes that a run wrote.

    Args:
        path: ``predictions.csv``.
        seeds: Row -> its seeds in the order of the config, where the run says it; seeds that it lacks follow.
        classes: Class names in order.
        unlabelled: Whether a sample may have no truth, as in a case study.

    Returns:
        Row -> its predictions, by seed, repeat and sample id.

    Raises:
        RunFolderError: The file is damaged; the text names the line.
    """
    columns = [*_FIXED, "y_true", *(f"{_SCORE}{name}" for name in classes)]
    label = {name: index for index, name in enumerate(classes)} | ({"": UNKNOWN} if unlabelled else {})
    lines: dict[str, list[tuple[int, int, str, str, str, str, str, int, list[float]]]] = {row: [] for row in seeds}
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if missing := [name for name in columns if name not in (reader.fieldnames or [])]:
            raise RunFolderError(f"{path}: is damaged: lacks the columns {listed(missing)}")
        for line in reader:
            try:
                seed, scores = int(line["seed"]), [float(line[f"{_SCORE}{name}"]) for name in classes]
                if line["y_true"] not in label or None in line.values():
                    raise ValueError(f"truth {line['y_true']!r}")
                if not all(map(math.isfinite, scores)) or abs(seed) > MAX_SEED:
                    raise ValueError(f"seed {seed}, scores {scores}")
                fold, sample = line["fold"], line["sample_id"]
                known = line["clip_id"], line["subject"], line["dataset"]
                cells = seed, repeat_of(fold), sample, fold, *known, label[line["y_true"]], scores
                lines[line["model"]].append(cells)
            except (ValueError, KeyError, TypeError) as error:
                raise RunFolderError(f"{path}, line {reader.line_num}: is damaged: {error!r}") from None
    tables = {}
    for row, unsorted in lines.items():
        order = {seed: index for index, seed in enumerate(dict.fromkeys([*seeds[row], *(one[0] for one in unsorted)]))}
        cells = sorted(unsorted, key=lambda one: (order[one[0]], one[1], one[2]))
        tables[row] = Predictions.from_columns(
            seed=[one[0] for one in cells],
            repeat=[one[1] for one in cells],
            sample=[one[2] for one in cells],
            fold=[one[3] for one in cells],
            clip=[one[4] for one in cells],
            subject=[one[5] for one in cells],
            dataset=[one[6] for one in cells],
            truth=[one[7] for one in cells],
            scores=[one[8] for one in cells],
            n_classes=len(classes),
        )
    return tables
