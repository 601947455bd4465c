"""Learning curves for a submission: ``histories.csv`` of a run, brought down to a few numbers for each epoch."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mexbench.errors import RunFolderError

#: Epoch, and over the folds and seeds that have it: mean, 10th and 90th percentile.
Point = tuple[int, float, float, float]
#: A curve has no more points: eight hundred epochs look the same.
MOST_POINTS = 60
_FIXED = ("model", "seed", "fold", "epoch")


def read_curves(folder: Path, row: str) -> Mapping[str, tuple[Point, ...]]:
    """Return what a row's trainings reported: value, such as ``loss``, -> its curve; nothing where none did.

    Raises:
        RunFolderError: The file is damaged.
    """
    path = folder / "histories.csv"
    if not path.is_file():
        return {}
    values: dict[str, dict[int, list[float]]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            for line in reader:
                if line["model"] == row:
                    for name in line.keys() - {*_FIXED}:
                        if line[name]:
                            values.setdefault(name, {}).setdefault(int(line["epoch"]), []).append(float(line[name]))
        except (KeyError, TypeError, ValueError, AttributeError, csv.Error) as error:
            raise RunFolderError(f"{path}, line {reader.line_num}: is damaged: {error!r}") from None
    return {name: _curve(values[name]) for name in sorted(values)}


def _curve(by_epoch: Mapping[int, list[float]]) -> tuple[Point, ...]:
    epochs = sorted(by_epoch)
    chosen = np.unique(np.linspace(0, len(epochs) - 1, min(MOST_POINTS, len(epochs))).round().astype(int))
    return tuple(_point(epochs[index], by_epoch[epochs[index]]) for index in chosen)


def _point(epoch: int, values: list[float]) -> Point:
    mean, low, high = (float(f"{x:.6g}") for x in (np.mean(values), *np.quantile(values, [0.1, 0.9])))
    return epoch, mean, low, high
