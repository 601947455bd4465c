"""What a submitted row's tuning chose inside each training side: read from ``tuning.csv``, checked, shown."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from mexbench.errors import RunFolderError
from mexbench.reports.leaderboards.definition import Definition
from mexbench.runs.tuning_record import value_text
from mexbench.tables import Table, percent

_FIXED = ("model", "seed", "fold", "metric", "inner_score", "candidates", "fits", "seconds")

NOTE = (
    "Each training side was divided into inner folds that share no subject, and the candidate with the best score over "
    "them was trained on the whole side; each fold is one held-out test side. Which values were chosen is as stated by "
    "the submitter; verification checks that there is one choice for every fold and seed, of the config's candidates."
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was chosen inside one training side.

    Args:
        seed: Of the training.
        fold: Whose test side was held out.
        values: Parameter -> value, with ``epochs`` where the learning curve chose them.
        inner_score: Of the chosen candidate over the inner folds.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    seed: int
    fold: str
    values: dict[str, Any]
    inner_score: float


@dataclass(frozen=True, kw_only=True)
class SubmittedTuning:
    """The choices of a row, and what they cost.

    Args:
        metric: What was maximised.
        candidates: How many there were.
        fits: Trainings on inner folds, of all folds and seeds.
        seconds: They took so long.
        choices: One for each fold and seed.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    metric: str
    candidates: int
    fits: int
    seconds: float
    choices: tuple[Choice, ...]


def read_tuning(folder: Path, row: str, fold_names: Mapping[str, str] | None = None) -> SubmittedTuning | None:
    """Read what a row of a run chose; None where it was not tuned.

    Args:
        folder: The run folder.
        row: Of the run.
        fold_names: Fold -> its name in the submission, where that differs: a fold may be called after a person.

    Raises:
        RunFolderError: The file is damaged.
    """
    path = folder / "tuning.csv"
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            lines = [line for line in reader if line["model"] == row]
            choices = [_choice(line) for line in lines]
            fits, seconds = sum(int(line["fits"]) for line in lines), sum(float(line["seconds"]) for line in lines)
        except (KeyError, TypeError, ValueError, AttributeError, csv.Error) as error:
            raise RunFolderError(f"{path}, line {reader.line_num}: is damaged: {error!r}") from None
    if not lines:
        return None
    choices = [replace(choice, fold=(fold_names or {}).get(choice.fold, choice.fold)) for choice in choices]
    return SubmittedTuning(
        metric=lines[0]["metric"],
        candidates=int(lines[0]["candidates"]),
        fits=fits,
        seconds=round(seconds, 3),
        choices=tuple(sorted(choices, key=lambda choice: (choice.seed, choice.fold))),
    )


def _choice(line: Mapping[str, str]) -> Choice:
    names = [name for name in line if name not in _FIXED and line[name] != ""]
    return Choice(
        seed=int(line["seed"]),
        fold=line["fold"],
        values={name: _value(line[name]) for name in names},
        inner_score=float(line["inner_score"]),
    )


def _value(text: str) -> object:
    """Read a value as ``value_text`` writes it: text as it is, anything else as JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def tuning_errors(
    board: Definition, block: Mapping[str, Any], seeds: Sequence[int], tuning: SubmittedTuning | None
) -> Iterator[str]:
    """Yield what is wrong with the choices of a row.

    Args:
        board: Whose folds each have a choice.
        block: The model's block of the config.
        seeds: Of the row.
        tuning: The choices, if any.
    """
    tune = block.get("tune")
    if not isinstance(tune, Mapping):
        if tuning is not None:
            yield "tuning: is there, and the model of 'origin.config' has no 'tune' block"
        return
    if tuning is None:
        yield "tuning: is missing, which a row with a 'tune' block has: the values chosen in each fold, of tuning.csv"
        return
    expected = Counter((seed, fold) for seed in seeds for fold in {one.fold for one in board.questions})
    stated = Counter((choice.seed, choice.fold) for choice in tuning.choices)
    if stated != expected:
        wrong = sorted((stated - expected) + (expected - stated))
        yield f"tuning.choices: expected one for each seed and fold; {len(wrong)} are not so, such as {wrong[0]}"
    offered = tune.get("values")
    values: Mapping[str, Any] = offered if isinstance(offered, Mapping) else {}
    for index, choice in enumerate(tuning.choices):
        if set(choice.values) - {"epochs"} != set(values) - {"epochs"}:
            yield f"tuning.choices[{index}].values: chose {sorted(choice.values)}; 'tune' has {sorted(values)}"
        for name, value in choice.values.items():
            listed = values.get(name)
            if isinstance(listed, list) and json.dumps(value) not in map(json.dumps, listed):
                yield f"tuning.choices[{index}].values.{name}: {value!r} is not a candidate: {listed}"


def tuned_table(rows: Sequence[tuple[str, SubmittedTuning]]) -> Table:
    """Return the values that were chosen, those chosen most often first, and in which folds.

    Args:
        rows: Names of rows, and what was chosen for each.
    """
    cells = []
    for name, tuning in rows:
        folds: dict[str, list[Choice]] = {}
        for choice in tuning.choices:
            text = ", ".join(f"{key} {value_text(value)}" for key, value in sorted(choice.values.items()))
            folds.setdefault(text, []).append(choice)
        for text, choices in sorted(folds.items(), key=lambda item: (-len(item[1]), item[0])):
            inner = sum(choice.inner_score for choice in choices) / len(choices)
            cells.append([name, text, str(len(choices)), f"{tuning.metric} {percent(inner)}", _folds(choices)])
    return Table(["model", "chosen", "trainings", "inner score", "folds"], cells)


def _folds(choices: Sequence[Choice]) -> str:
    """Name the folds, and how many seeds chose so in each where there are several."""
    counts = Counter(choice.fold for choice in choices)
    return " ".join(fold if count == 1 else f"{fold} (x{count})" for fold, count in sorted(counts.items()))
