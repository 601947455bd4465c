"""Scoring predictions that were made elsewhere, as a run's own are scored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mexbench.errors import DataError, listed
from mexbench.evaluation.split_checks import UNKNOWN_SUBJECTS
from mexbench.metrics.classification import LEVEL, REPLICATES
from mexbench.metrics.significance import PERMUTATIONS
from mexbench.metrics.summary import Pool, Prediction, compare_rows, figures
from mexbench.runs.predictions_csv import PredictionLine, PredictionsFile

SCHEMA = 1
#: How predictions were made cannot be seen from a file: what was trained on, and what was chosen by its test score.
UNVERIFIED = "unverified"
#: The labels 0, 1 and 2 of MEGC2019.
MEGC_CLASSES = ("negative", "positive", "surprise")
_NOTHING = frozenset({"", "nan", "none", "null", "na", "n/a"})


def score(
    file: PredictionsFile, *, classes: Sequence[str] = (), expected: Mapping[str, str | None] | None = None
) -> dict[str, Any]:
    """Score a file.

    Args:
        file: What was read.
        classes: Class names in order; a label is a name, or a position from 0. Without them, those that the file says;
            for a log the three of MEGC2019; else the labels that occur as truth.
        expected: Samples that must be predicted, no more and no fewer, with their truth where it is known.

    Returns:
        What ``scores.json`` has of a run, as far as a file can say it.

    Raises:
        DataError: A sample is double, missing or unknown, or a label is none of the classes; the text names them.
    """
    names = tuple(classes) or file.classes or (MEGC_CLASSES if file.format == "MEGC2019 log" else _occurring(file))
    if len(names) < 2 or len(set(names)) < len(names):
        raise DataError(f"{file.path}: needs at least two different classes, got {listed(names)}; give --classes")
    reader = _Labels(file, names)
    pools: dict[str, dict[tuple[int, int], dict[str, Prediction]]] = {}
    _check_no_duplicates(file)
    for line in file.lines:
        model = pools.setdefault(line.model or file.path.stem, {})
        model.setdefault((line.seed, line.repeat), {})[line.sample] = Prediction(
            line.sample,
            line.subject or line.clip or line.sample,
            line.dataset,
            line.fold,
            reader.index(line, "truth", line.truth),
            reader.index(line, "prediction", line.prediction),
        )
    _check_complete(file, pools)
    truth = _truth(file, pools)
    if expected is not None:
        _check_known_samples(file, truth, expected, reader)
    return _result(file, names, pools, truth)


def _result(
    file: PredictionsFile,
    names: Sequence[str],
    predicted: Mapping[str, Mapping[tuple[int, int], Mapping[str, Prediction]]],
    truth: Mapping[str, int],
) -> dict[str, Any]:
    flags = [UNVERIFIED]
    if any(line.subject is None for line in file.lines):
        flags.append(UNKNOWN_SUBJECTS)
    # Sorted, so that the order of lines changes no digit: it decides which replicate draws whom.
    pools = {
        model: [
            Pool(seed, repeat, tuple(inside[name] for name in sorted(inside)))
            for (seed, repeat), inside in sorted(runs.items())
        ]
        for model, runs in predicted.items()
    }
    comparisons, ranks = compare_rows(pools, len(names))
    support = Counter(truth.values())
    return {
        "schema": SCHEMA,
        "file": file.path.name,
        "format": file.format,
        "classes": list(names),
        "support": {name: support[index] for index, name in enumerate(names)},
        "members": sorted({line.dataset for line in file.lines}),
        "flags": flags,
        "intervals": {
            "level": LEVEL,
            "replicates": REPLICATES,
            "unit": _unit(file, flags),
        },
        "permutations": PERMUTATIONS,
        "rows": [
            {
                "model": model,
                **figures(inside, names),
                "folds": len({p.fold for pool in inside for p in pool.predictions if p.fold}) or None,
                "rank": ranks[model],
                "flags": flags,
            }
            for model, inside in pools.items()
        ],
        "comparisons": comparisons,
    }


def _unit(file: PredictionsFile, flags: Sequence[str]) -> str:
    if UNKNOWN_SUBJECTS not in flags:
        return "subject"
    return "clip" if all(line.clip for line in file.lines) else "sample"


class _Labels:
    """Turns labels into class indices."""

    def __init__(self, file: PredictionsFile, classes: Sequence[str]) -> None:
        self.file, self.classes = file, classes
        self.known = {name: index for index, name in enumerate(classes)}
        if not any(name.isdecimal() for name in classes):
            self.known |= {str(index): index for index in range(len(classes))}

    def index(self, line: PredictionLine, what: str, label: str) -> int:
        plain = _plain(label)
        if plain not in self.known:
            got = "is missing" if plain.lower() in _NOTHING else f"is {label!r}"
            raise DataError(
                f"{self.file.path}, line {line.number}: the {what} of {line.sample} {got}; the classes are "
                f"{listed(self.classes)} (give --classes NAME,NAME,... where these are not the ones)"
            )
        return self.known[plain]


def _plain(label: str) -> str:
    """Write a whole number as one: spreadsheets and data frames make 1.0 of 1."""
    return re.sub(r"\.0*", "", label) if re.fullmatch(r"\d+\.0*", label) else label


def _occurring(file: PredictionsFile) -> tuple[str, ...]:
    found = {plain for line in file.lines if (plain := _plain(line.truth)).lower() not in _NOTHING}
    numbers = all(label.isdecimal() for label in found)
    return tuple(sorted(found, key=int) if numbers else sorted(found))


def _check_no_duplicates(file: PredictionsFile) -> None:
    seen: dict[tuple[str, int, int, str], int] = {}
    double: dict[str, str] = {}
    for line in file.lines:
        key = (line.model, line.seed, line.repeat, line.sample)
        if key in seen:
            double.setdefault(line.sample, f"{line.sample} (lines {seen[key]} and {line.number})")
        else:
            seen[key] = line.number
    if double:
        raise DataError(f"{file.path}: predicted twice: {listed(double.values(), limit=5)}; a sample counts once")


def _check_complete(
    file: PredictionsFile, pools: Mapping[str, Mapping[tuple[int, int], Mapping[str, Prediction]]]
) -> None:
    """See that all models were asked about the same samples: else their rows cannot be compared."""
    runs: dict[tuple[int, int], set[str]] = {}
    for model in pools.values():
        for run, inside in model.items():
            runs.setdefault(run, set()).update(inside)
    for model, found in pools.items():
        for (seed, repeat), samples in runs.items():
            if missing := sorted(samples - found.get((seed, repeat), {}).keys()):
                raise DataError(
                    f"{file.path}: model {model!r}, seed {seed}, lacks {len(missing)} samples that another model "
                    f"predicts: {listed(missing, limit=5)}"
                )


def _truth(
    file: PredictionsFile, pools: Mapping[str, Mapping[tuple[int, int], Mapping[str, Prediction]]]
) -> dict[str, int]:
    """Return each sample's truth, and see that there is but one, and one subject."""
    known: dict[str, Prediction] = {}
    for runs in pools.values():
        for inside in runs.values():
            for name, found in inside.items():
                before = known.setdefault(name, found)
                if (before.truth, before.group) != (found.truth, found.group):
                    raise DataError(f"{file.path}: sample {name} has two truths or two subjects")
    return {name: found.truth for name, found in known.items()}


def _check_known_samples(
    file: PredictionsFile, truth: Mapping[str, int], expected: Mapping[str, str | None], reader: _Labels
) -> None:
    faults = []
    if missing := sorted(expected.keys() - truth.keys()):
        faults.append(f"{len(missing)} missing: {listed(missing, limit=5)}")
    if strange := sorted(truth.keys() - expected.keys()):
        faults.append(f"{len(strange)} unknown: {listed(strange, limit=5)}")
    other = sorted(
        name
        for name, label in expected.items()
        if label is not None and name in truth and reader.known.get(_plain(label)) != truth[name]
    )
    if other:
        faults.append(f"{len(other)} with another truth: {listed(other, limit=5)}")
    if faults:
        raise DataError(f"{file.path}: not the {len(expected)} samples that are expected: {'; '.join(faults)}")
