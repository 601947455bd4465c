"""Score a file of predictions that were made elsewhere, in the same way as those of a run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mexbench.errors import DataError, counted, listed
from mexbench.evaluation.split_checks import UNKNOWN_SUBJECTS
from mexbench.metrics.classification import LEVEL, REPLICATES
from mexbench.metrics.predictions import Predictions, Run
from mexbench.metrics.significance import PERMUTATIONS
from mexbench.metrics.summary import compare_rows, figures
from mexbench.runs.predictions_csv import PredictionLine, PredictionsFile

SCHEMA = 1
#: A file does not show how its predictions were made: what was trained on, and what was chosen by its test score.
UNVERIFIED = "unverified"
#: The labels 0, 1 and 2 of MEGC2019.
MEGC_CLASSES = ("negative", "positive", "surprise")
_OF_MEGC = ("MEGC2019 log", "STSTNet log")
#: More classes, or more numbers in all resampled confusion matrices, take more memory than a machine has.
MOST_CLASSES, _MOST_NUMBERS = 200, 10**8
MOST_MODELS = 1000
_NOTHING = frozenset({"", "nan", "none", "null", "na", "n/a"})


def score(
    file: PredictionsFile, *, classes: Sequence[str] = (), expected: Mapping[str, str | None] | None = None
) -> dict[str, Any]:
    """Score a file.

    Args:
        file: What was read.
        classes: Class names in order; a label is a name, or a position from 0. Without them, those that the file names;
            for a log the three of MEGC2019; else the labels that occur as truth.
        expected: Samples that must be predicted, no more and no fewer, with their truth where it is known.

    Returns:
        What ``scores.json`` has of a run, as far as it follows from a file.

    Raises:
        DataError: A sample is duplicate, missing or unknown, or a label is not one of the classes; the text names it.
    """
    names = tuple(classes) or file.classes or (MEGC_CLASSES if file.format in _OF_MEGC else _occurring(file))
    if len(names) < 2 or len(set(names)) < len(names):
        raise DataError(f"{file.path}: needs at least two different classes, got {listed(names)}; give --classes")
    _check_size(file, names)
    labels = _Labels(file, names)
    _check_no_duplicates(file)
    tables = _tables(file, labels)
    _check_complete(file, tables)
    truth = _truths(file, tables)
    if expected is not None:
        _check_known_samples(file, truth, expected, labels)
    return _scores(file, names, tables, truth)


def _check_size(file: PredictionsFile, names: Sequence[str]) -> None:
    """Refuse what cannot be scored in reasonable time and memory, before anything is counted."""
    if len(names) > MOST_CLASSES:
        raise DataError(
            f"{file.path}: {len(names)} classes ({listed(names, limit=3)}); at most {MOST_CLASSES} are scored: is the "
            "column of the truth one of classes? give them with --classes"
        )
    models = {line.model for line in file.lines}
    if len(models) > MOST_MODELS:
        raise DataError(f"{file.path}: {len(models)} models; at most {MOST_MODELS} are scored together: split the file")
    runs = max(Counter(model for model, _, _ in {(line.model, line.seed, line.repeat) for line in file.lines}).values())
    groups = len({line.subject or line.clip or line.sample for line in file.lines})
    numbers = runs * (REPLICATES + groups) * len(names) ** 2
    if numbers > _MOST_NUMBERS:
        raise DataError(
            f"{file.path}: {runs} seeds and repeats of a model with {len(names)} classes need {numbers:,} numbers for "
            f"their intervals, more than {_MOST_NUMBERS:,}: score fewer seeds at a time, or fewer classes"
        )


def _tables(file: PredictionsFile, labels: _Labels) -> dict[str, Predictions]:
    """Return model -> its predictions, sorted, so that the order of lines changes no digit of an interval.

    A line without a subject has its clip, or its sample, for one.
    """
    by_model: dict[str, list[tuple[PredictionLine, int, int]]] = {}
    for line in file.lines:
        classes = labels.index(line, "truth", line.truth), labels.index(line, "prediction", line.prediction)
        by_model.setdefault(line.model or file.path.stem, []).append((line, *classes))
    tables = {}
    for model, unsorted in by_model.items():
        in_order = sorted(unsorted, key=lambda one: (one[0].seed, one[0].repeat, one[0].sample))
        lines = [line for line, _, _ in in_order]
        tables[model] = Predictions.from_columns(
            seed=[line.seed for line in lines],
            repeat=[line.repeat for line in lines],
            fold=[line.fold for line in lines],
            sample=[line.sample for line in lines],
            clip=[line.clip or line.sample for line in lines],
            subject=[line.subject or "" for line in lines],
            dataset=[line.dataset for line in lines],
            truth=[truth for _, truth, _ in in_order],
            predicted=[prediction for _, _, prediction in in_order],
            n_classes=len(labels.classes),
        )
    return tables


def _scores(
    file: PredictionsFile, names: Sequence[str], tables: Mapping[str, Predictions], truth: Mapping[str, int]
) -> dict[str, Any]:
    flags = [UNVERIFIED]
    if any(line.subject is None for line in file.lines):
        flags.append(UNKNOWN_SUBJECTS)
    scores = scores_of_tables(tables, names, Counter(truth.values()), flags=flags, unit=_unit(file, flags))
    return {"schema": SCHEMA, "file": file.path.name, "format": file.format, **scores}


def scores_of_tables(
    tables: Mapping[str, Predictions], names: Sequence[str], support: Mapping[int, int], *, flags: Sequence[str],
    unit: str = "subject",
) -> dict[str, Any]:  # fmt: skip
    """Return the scores of tables of predictions, as ``scores.json`` has them.

    Args:
        tables: Row -> its predictions.
        names: Class names in order.
        support: Class index -> number of samples.
        flags: Words that stand beside every score.
        unit: What intervals resample.
    """
    comparisons, ranks = compare_rows(tables)
    return {
        "classes": list(names),
        "support": {name: support.get(index, 0) for index, name in enumerate(names)},
        "members": sorted({dataset for table in tables.values() for dataset in table.dataset}),
        "flags": list(flags),
        "intervals": {"level": LEVEL, "replicates": REPLICATES, "unit": unit},
        "permutations": PERMUTATIONS,
        "rows": [
            {
                "model": model,
                **figures(table, names),
                "folds": len({fold for fold in table.fold if fold}) or None,
                "rank": ranks[model],
                "flags": list(flags),
            }
            for model, table in tables.items()
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
    """Write an integer without decimals: spreadsheets and data frames write 1.0 for 1."""
    return re.sub(r"\.0*", "", label) if re.fullmatch(r"\d+\.0*", label) else label


def _occurring(file: PredictionsFile) -> tuple[str, ...]:
    labels = {plain for line in file.lines if (plain := _plain(line.truth)).lower() not in _NOTHING}
    numbers = all(label.isdecimal() for label in labels)
    return tuple(sorted(labels, key=int) if numbers else sorted(labels))


def _check_no_duplicates(file: PredictionsFile) -> None:
    seen: dict[tuple[str, int, int, str], int] = {}
    duplicates: dict[str, str] = {}
    for line in file.lines:
        key = (line.model, line.seed, line.repeat, line.sample)
        if key in seen:
            duplicates.setdefault(line.sample, f"{line.sample} (lines {seen[key]} and {line.number})")
        else:
            seen[key] = line.number
    if duplicates:
        raise DataError(f"{file.path}: predicted twice: {listed(duplicates.values(), limit=5)}; a sample counts once")


def _check_complete(file: PredictionsFile, tables: Mapping[str, Predictions]) -> None:
    """See that all models were tested on the same samples: else their rows cannot be compared."""
    tested = {key for table in tables.values() for key in table.keys}
    for model, table in tables.items():
        missing: dict[Run, list[str]] = {}
        for seed, repeat, sample in tested - set(table.keys):
            missing.setdefault((seed, repeat), []).append(sample)
        if missing:
            run = min(missing)
            raise DataError(
                f"{file.path}: model {model!r}, seed {run[0]}, lacks {counted(len(missing[run]), 'sample')} that "
                f"another model predicts: {listed(sorted(missing[run]), limit=5)}"
            )


def _truths(file: PredictionsFile, tables: Mapping[str, Predictions]) -> dict[str, int]:
    """Return each sample's class, and see that it has one class and one subject in the whole file."""
    known: dict[str, tuple[int, str]] = {}
    for table in tables.values():
        for sample, truth, group in zip(table.sample, table.truth.tolist(), table.group, strict=True):
            if known.setdefault(sample, (truth, group)) != (truth, group):
                raise DataError(f"{file.path}: sample {sample} has two truths or two subjects")
    return {sample: truth for sample, (truth, _) in known.items()}


def _check_known_samples(
    file: PredictionsFile, truth: Mapping[str, int], expected: Mapping[str, str | None], labels: _Labels
) -> None:
    errors = []
    if missing := sorted(expected.keys() - truth.keys()):
        errors.append(f"{len(missing)} missing: {listed(missing, limit=5)}")
    if unknown := sorted(truth.keys() - expected.keys()):
        errors.append(f"{len(unknown)} unknown: {listed(unknown, limit=5)}")
    other = sorted(
        name
        for name, label in expected.items()
        if label is not None and name in truth and labels.known.get(_plain(label)) != truth[name]
    )
    if other:
        errors.append(f"{len(other)} with another truth: {listed(other, limit=5)}")
    if errors:
        raise DataError(f"{file.path}: not the expected {counted(len(expected), 'sample')}: {'; '.join(errors)}")
