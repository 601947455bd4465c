"""Two runs side by side: how their configs differ, which samples they predict differently, and a paired test."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError, counted, listed, unknown
from mexbench.metrics.classification import HEADLINE, LEVEL, bootstrap_weights, interval, replicated, scores
from mexbench.metrics.few_subjects import enough
from mexbench.metrics.predictions import Predictions, Run, shared_lines
from mexbench.metrics.significance import permutation_test
from mexbench.runs.stored_run import StoredRun


@dataclass(frozen=True)
class ScoreDifference:
    """A value that two runs do not share; ``absent`` where one has none."""

    what: str
    first: str
    second: str


@dataclass(frozen=True)
class Score:
    """A score of both rows on the samples that both predict.

    Args:
        name: One of ``metrics.HEADLINE``.
        first: Of the first row.
        second: Of the second.
        interval: Of the first less the second, by bootstrap over subjects; None of too few.
        p: Of the permutation test over subjects.
    """

    name: str
    first: float
    second: float
    interval: tuple[float, float] | None
    p: float


@dataclass(frozen=True)
class Disagreement:
    """A sample that two rows predict differently."""

    seed: int
    repeat: int
    sample_id: str
    subject: str
    truth: str
    first: str
    second: str


@dataclass(frozen=True)
class RowComparison:
    """Two rows on the samples that both predict.

    Args:
        rows: Names of the rows.
        config: What they were made with that differs.
        runs: Seeds and repeats that both have.
        shared: Samples that both predict, over all runs.
        alone: Samples that only the first predicts, and that only the second does.
        subjects: Those of the shared samples.
        scores: Of both, on the shared samples.
        disagreements: The samples that they predict differently.
    """

    rows: tuple[str, str]
    config: tuple[ScoreDifference, ...]
    runs: tuple[tuple[int, int], ...]
    shared: int
    alone: tuple[int, int]
    subjects: int
    scores: tuple[Score, ...]
    disagreements: tuple[Disagreement, ...]

    def kinds(self) -> dict[str, int]:
        """Count the disagreements by who is right."""
        counts = Counter(
            "A is right" if one.first == one.truth else "B is right" if one.second == one.truth else "both are wrong"
            for one in self.disagreements
        )
        return {name: counts[name] for name in ("A is right", "B is right", "both are wrong")}


def chosen_rows(first: StoredRun, second: StoredRun, named: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Choose the rows to compare.

    Args:
        first: A run.
        second: Another.
        named: A row of each; without them, the rows whose names both have, or the only row of each.

    Raises:
        DataError: A row is unknown, or no two belong together.
    """
    if named:
        for run, row in zip((first, second), named, strict=True):
            if row not in run.rows:
                raise DataError(f"{run.path}: {unknown('row', row, run.rows)}")
        return [(named[0], named[1])]
    same = [(row, row) for row in first.rows if row in second.rows]
    if same:
        return same
    if len(first.rows) == len(second.rows) == 1:
        return [(next(iter(first.rows)), next(iter(second.rows)))]
    raise DataError(
        f"no row has the same name in both runs: {first.path} has {listed(first.rows)}, {second.path} has "
        f"{listed(second.rows)}; name one of each with --rows ROW_A ROW_B"
    )


def run_differences(first: StoredRun, second: StoredRun) -> list[ScoreDifference]:
    """Return how the manifests differ in code, versions and machine."""
    return _differences(_facts(first), _facts(second))


def compare_runs(first: StoredRun, second: StoredRun, rows: tuple[str, str]) -> RowComparison:
    """Compare a row of one run with a row of another.

    Raises:
        DataError: Nothing can be compared, or a sample has another truth or subject in the two.
    """
    if first.classes != second.classes:
        raise DataError(
            f"the runs have different classes, {listed(first.classes)} and {listed(second.classes)}: no prediction of "
            "one can be compared with one of the other"
        )
    one, other = (run.predictions[row].labelled() for run, row in zip((first, second), rows, strict=True))
    runs = [run for run in one.runs if run in other.runs]
    if not runs:
        raise DataError(
            f"no seed in common: {first.path}, {rows[0]}, has {_seeds(one)}; "
            f"{second.path}, {rows[1]}, has {_seeds(other)}"
        )
    ours, theirs = shared_lines(one, other)
    if not len(ours):
        raise DataError(f"no sample in common: {first.path}, {rows[0]}, and {second.path}, {rows[1]}")
    _check_same_samples(ours, theirs)
    groups = sorted(set(ours.group))
    counts = [table.counts(groups, runs) for table in (ours, theirs)]
    names = first.classes
    return RowComparison(
        rows=rows,
        config=tuple(_differences(_flat(_identity(first, rows[0])), _flat(_identity(second, rows[1])))),
        runs=tuple(runs),
        shared=len(ours),
        alone=(_lines_in(one, runs) - len(ours), _lines_in(other, runs) - len(ours)),
        subjects=len(groups),
        scores=tuple(_score(name, *counts) for name in HEADLINE),
        disagreements=tuple(
            Disagreement(
                *ours.keys[index],
                ours.group[index],
                names[ours.truth[index]],
                names[ours.predicted[index]],
                names[theirs.predicted[index]],
            )
            for index in np.flatnonzero(ours.predicted != theirs.predicted)
        ),
    )


def csv_text(compared: Sequence[RowComparison]) -> str:
    """Write every disagreement as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["row_a", "row_b", "seed", "repeat", "sample_id", "subject", "y_true", "y_pred_a", "y_pred_b"])
    for comparison in compared:
        for one in comparison.disagreements:
            cells = [one.seed, one.repeat, one.sample_id, one.subject, one.truth, one.first, one.second]
            writer.writerow([*comparison.rows, *cells])
    return stream.getvalue()


def _seeds(table: Predictions) -> str:
    return listed(f"seed {seed}, repeat {repeat}" if repeat else f"seed {seed}" for seed, repeat in table.runs)


def _lines_in(table: Predictions, runs: Sequence[Run]) -> int:
    return sum(key[:2] in runs for key in table.keys)


def _check_same_samples(ours: Predictions, theirs: Predictions) -> None:
    different = np.flatnonzero((ours.truth != theirs.truth) | (ours.group != theirs.group))
    if len(different):
        raise DataError(
            f"{counted(len(different), 'sample has', 'samples have')} another truth or subject in the two runs, which "
            f"are not of the same data: {listed(ours.sample[different], limit=5)}"
        )


def _score(name: str, first: NDArray[np.int64], second: NDArray[np.int64]) -> Score:
    one, other = (float(np.nanmean(scores(counts.sum(axis=1))[name])) for counts in (first, second))
    p = permutation_test(first, second, metric=name)
    if not enough(first.shape[1]):
        return Score(name, one, other, None, p)
    weights = bootstrap_weights(first.shape[1])
    drawn = replicated(first, weights)[name] - replicated(second, weights)[name]
    return Score(name, one, other, interval(drawn[~np.isnan(drawn)], LEVEL), p)


def _facts(run: StoredRun) -> dict[str, str]:
    manifest = run.manifest
    machine = manifest.get("machine", {})
    known = {key: manifest[key] for key in ("git_commit", "device", "versions") if key in manifest}
    kinds = {key: machine.get(key, "unknown") for key in ("machine", "threads")}
    return _flat({**known, "epoch": manifest.get("epoch", 1), **kinds})


def _identity(run: StoredRun, row: str) -> dict[str, Any]:
    seeds, data = run.predictions[row].seeds, run.part(row).get("dataset_fingerprint")
    return {**run.row_config(row).identity, "seeds": seeds, "data": data}


def _flat(value: object, path: str = "") -> dict[str, str]:
    if isinstance(value, Mapping):
        parts = [_flat(inside, f"{path}.{key}" if path else str(key)) for key, inside in value.items()]
    elif isinstance(value, list) and any(isinstance(inside, (Mapping, list)) for inside in value):
        parts = [_flat(inside, f"{path}[{index}]") for index, inside in enumerate(value)]
    else:
        return {path: str(value)}
    return {key: text for part in parts for key, text in part.items()}


def _differences(first: Mapping[str, str], second: Mapping[str, str]) -> list[ScoreDifference]:
    keys = dict.fromkeys([*first, *second])
    pairs = [ScoreDifference(key, first.get(key, "absent"), second.get(key, "absent")) for key in keys]
    return [pair for pair in pairs if pair.first != pair.second]
