"""What the figures of a case study say about differences, on films with a planted difference and without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mexbench.studies.case_study import figures, sections
from mexbench.studies.case_study.predicted_clips import ClipPredictions, PredictedClip
from mexbench.studies.case_study.summary import study


def study_of(answers: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Return the study of conditions, each with one predicted class for each of its subjects."""
    clips = tuple(
        PredictedClip(
            clip_id=f"{condition}{index}", subject=f"{condition}{index}", condition=condition, emotion=None, truth=None,
            predicted=answer, aus=frozenset(), scores=(1.0 - answer, float(answer)), person=(),
        )
        for condition, given in answers.items() for index, answer in enumerate(given)
    )  # fmt: skip
    return study(ClipPredictions("svm", ("sad", "glad"), clips, (), None), {})


@pytest.mark.parametrize(
    ("patients", "verdict", "names"),
    [
        # The bars differ, 17 % and 50 %, and the test finds nothing.
        ((0, 0, 0, 1, 1, 1), "no difference between conditions at 5% (permutation test over subjects, Holm)", ""),
        (
            (1, 1, 1, 1, 1, 1),
            "conditions differ in sad (control and patient), glad (control and patient) at 5% (permutation test over "
            "subjects, Holm)",
            "sad (control and patient), glad (control and patient)",
        ),
    ],
)
def test_the_figure_says_whether_conditions_differ(
    tmp_path: Path, patients: tuple[int, ...], verdict: str, names: str
) -> None:
    result = study_of({"control": (0, 0, 0, 0, 0, 1 - patients[0]), "patient": patients})
    ((name, caption),) = figures.draw(result, tmp_path, "study", "svm")
    assert (tmp_path / name).is_file()
    assert caption == f"svm: share of clips by condition, predictions; {verdict}"
    assert sections.answers_that_differ(result) == names


def test_a_figure_of_one_condition_has_no_verdict(tmp_path: Path) -> None:
    ((_, caption),) = figures.draw(study_of({"control": (0, 1, 0, 1, 0, 1)}), tmp_path, "study", "svm")
    assert caption == "svm: share of clips by condition, predictions"
