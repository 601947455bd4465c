"""Scores by groups of people, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from mexbench.errors import DataError
from mexbench.metrics.predictions import Predictions
from mexbench.studies.audit import groups

SUBJECTS = [f"samm/{index:03}" for index in range(12)]
#: Two clips each; the first six people are predicted well, the others not.
TABLE = Predictions.from_columns(
    sample=[f"{name}/{clip}" for name in SUBJECTS for clip in "ab"],
    subject=[name for name in SUBJECTS for _ in "ab"],
    truth=[0, 1] * 12,
    predicted=[0, 1] * 6 + [0, 0] * 6,
    n_classes=2,
)


def test_each_group_is_scored_by_itself() -> None:
    people = {name: {"ethnicity": "x" if index < 6 else "y"} for index, name in enumerate(SUBJECTS[:-1])}
    rows = groups.measure({"svm": TABLE}, ("sad", "glad"), people)
    assert [(row["group"], row["n_subjects"], row["n_samples"]) for row in rows] == [
        ("x", 6, 12), ("y", 5, 10), ("(not given)", 1, 2)
    ]  # fmt: skip
    first, second, _ = rows
    assert (first["accuracy"], first["uf1"]) == (1, 1)
    assert second["accuracy"] == pytest.approx(0.5)
    assert second["uf1"] == pytest.approx((2 / 3 + 0) / 2)
    assert first["ci"] == second["ci"] == {"uf1": None, "uar": None, "accuracy": None}  # no width, and too few
    page = "\n".join(groups.section(rows))
    assert "| svm     | y           | 33.33" in page
    assert "The smallest group has 1 subject. **Small groups say nothing:**" in page
    assert groups.section([]) == []


def test_an_interval_where_a_group_has_people_enough() -> None:
    people = {name: {"sex": "fm"[index % 2]} for index, name in enumerate(SUBJECTS)}
    women = groups.measure({"svm": TABLE}, ("sad", "glad"), people)[0]
    low, high = women["ci"]["accuracy"]
    assert low < women["accuracy"] < high


def test_a_list_names_subjects_with_or_without_their_data_set(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("subject,sex,notes\n000,f,-\nsamm/001,m,-\n999,f,-\n002,,-\n")
    assert groups.read_people(path, SUBJECTS) == {"samm/000": {"sex": "f"}, "samm/001": {"sex": "m"}, "samm/002": {}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,height\n000,2\n", "expected the column subject and any of age_group, sex, ethnicity"),
        ("", "it has"),
        ("subject,sex\nnobody,f\n", "names no subject of this run; its subjects are samm/000"),
        ("subject,sex\n000,f\n000,m\n", "line 3: duplicate subject '000'"),
        ("subject,sex\n000\n", "line 2: has another number of cells"),
    ],
)
def test_other_lists_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        groups.read_people(tmp_path / "people.csv", SUBJECTS)
