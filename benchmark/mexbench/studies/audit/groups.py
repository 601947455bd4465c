"""The honest scores by groups of people: sex, age group, ethnicity, where the data or a file names them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mexbench.data.video.clip_list import GROUPS
from mexbench.errors import DataError, counted, listed
from mexbench.interfaces import Sample
from mexbench.metrics.classification import LEVEL
from mexbench.metrics.few_subjects import MIN_SUBJECTS, enough
from mexbench.metrics.predictions import Predictions
from mexbench.metrics.summary import figures
from mexbench.tables import DASH, Table, escape, with_interval

_NOT_GIVEN = "(not given)"
_HEADLINE = ("uf1", "uar", "accuracy")
_MOST_BYTES = 2**24

#: Subject -> column -> group.
People = Mapping[str, Mapping[str, str]]


def people_of(samples: Iterable[Sample]) -> dict[str, dict[str, str]]:
    """Return what the data says of its subjects."""
    people: dict[str, dict[str, str]] = {}
    for sample in samples:
        if sample.subject is not None and sample.person:
            people.setdefault(sample.subject, {}).update(sample.person)
    return people


def read_people(path: Path, subjects: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read a CSV with the column ``subject`` and any of ``age_group``, ``sex`` and ``ethnicity``.

    A subject is named as in the run (``samm/006``) or without its data set (``006``).

    Args:
        path: The file.
        subjects: Of the run.

    Raises:
        DataError: It cannot be read, has other columns, names a subject twice, or none of the run.
    """
    rows = _rows(path)
    header = list(rows[0]) if rows else []
    columns = [name for name in GROUPS if name in header]
    if "subject" not in header or not columns:
        expected = f"expected the column subject and any of {listed(GROUPS)}"
        raise DataError(f"--groups {path}: {expected}; it has {listed(header)}")
    by_name: dict[str, list[str]] = {}
    for subject in subjects:
        for name in {subject, subject.partition("/")[2] or subject}:
            by_name.setdefault(name, []).append(subject)
    people: dict[str, dict[str, str]] = {}
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise DataError(f"--groups {path}, line {number}: has another number of cells than the header")
        for subject in by_name.get(row["subject"].strip(), ()):
            if subject in people:
                raise DataError(f"--groups {path}, line {number}: duplicate subject {row['subject'].strip()!r}")
            people[subject] = {name: value for name in columns if (value := row[name].strip())}
    if not people:
        subjects_text = listed(subjects, limit=5)
        raise DataError(f"--groups {path}: names no subject of this run; its subjects are {subjects_text}")
    return people


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"--groups {path}: is larger than {_MOST_BYTES >> 20} MiB")
        return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True))
    except OSError as error:
        raise DataError(f"--groups {path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"--groups {path}: expected a CSV in UTF-8: {error}") from None


def measure(predictions: Mapping[str, Predictions], classes: Sequence[str], people: People) -> list[dict[str, Any]]:
    """Score each row on the people of each group alone.

    Args:
        predictions: Row -> what it predicted.
        classes: Of the run.
        people: What is known of the subjects.

    Returns:
        A row for each model, column and group, as JSON values; an interval where the group has people enough.
    """
    rows = []
    for model, table in predictions.items():
        labelled = table.labelled()
        for column in GROUPS:
            if not any(column in said for said in people.values()):
                continue
            group_of = {name: people.get(name, {}).get(column, _NOT_GIVEN) for name in set(labelled.subject)}
            for group in sorted(set(group_of.values()), key=lambda name: (name == _NOT_GIVEN, name)):
                inside = labelled.select([group_of[name] == group for name in labelled.subject])
                scored = figures(inside, classes)
                rows.append(
                    {
                        "model": model, "column": column, "group": group, "n_samples": scored["n_samples"],
                        "n_subjects": len(set(inside.subject)), **{name: scored[name] for name in _HEADLINE},
                        "ci": {name: _with_width(scored["ci"].get(name)) for name in _HEADLINE},
                    }
                )  # fmt: skip
    return rows


def section(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the part of an audit's page; nothing where no group is known."""
    if not rows:
        return []
    parts = ["## By group of people"]
    for column in dict.fromkeys(row["column"] for row in rows):
        lines = [
            [row["model"], row["group"], *(with_interval(row, name) for name in _HEADLINE), str(row["n_samples"]),
             str(row["n_subjects"]) if row["n_subjects"] else DASH]
            for row in rows if row["column"] == column
        ]  # fmt: skip
        headers = ["model", column, "UF1", "UAR", "accuracy", "samples", "subjects"]
        parts += [f"**By {escape(column.replace('_', ' '))}**", Table(headers, lines).markdown()]
    least = min(row["n_subjects"] for row in rows)
    few = any(not enough(row["n_subjects"]) for row in rows)
    parts.append(
        f"The honest scores x 100, on the people of each group alone, pooled over folds; in brackets the {LEVEL:.0%} "
        "interval by bootstrap over subjects"
        + (f", none where a group has fewer than {MIN_SUBJECTS}" if few else "")
        + f". The smallest group has {counted(least, 'subject')}. **Small groups say nothing:** classes differ in "
        "frequency from group to group, UF1 and UAR with them, and intervals that overlap show no difference. A "
        "gap here is a reason to look for more people, not a property of anybody."
    )
    return parts


def _with_width(ci: Sequence[float] | None) -> list[float] | None:
    return None if ci is None or ci[1] - ci[0] <= 1e-12 else list(ci)
