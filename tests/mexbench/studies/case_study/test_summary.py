from __future__ import annotations

from typing import Any

import pytest
from scipy.stats import binomtest

from mexbench.studies.case_study.page import joined, markdown, terminal_text
from mexbench.studies.case_study.predicted_clips import ClipPredictions, PredictedClip
from mexbench.studies.case_study.summary import study, wilson

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

CLASSES = ("sad", "glad", "calm")
#: clip, subject, condition, emotion, prediction, coded units
CLIPS = [
    ("c0", "p0", "patient", "sad", "sad", "4"),
    ("c1", "p0", "patient", "glad", "sad", ""),
    ("c2", "p0", "patient", None, "glad", "12"),
    ("c3", "p1", "patient", "proud", "sad", "4+7"),
    ("c4", "p2", "control", None, "glad", "6+12"),
    ("c5", "p2", "control", "glad", "glad", ""),
    ("c6", None, None, None, "sad", ""),
]


def predictions(rows: list[Any] = CLIPS, **fields: Any) -> ClipPredictions:  # noqa: ANN401
    clips = tuple(
        PredictedClip(
            clip_id=clip,
            subject=subject,
            condition=condition,
            emotion=emotion,
            truth=CLASSES.index(emotion) if emotion in CLASSES else None,
            predicted=CLASSES.index(answer),
            aus=frozenset(units.split("+")) if units else frozenset(),
        )
        for clip, subject, condition, emotion, answer, units in rows
    )
    return ClipPredictions("toy", CLASSES, clips, **fields)


def shares(found: dict[str, Any]) -> list[int]:
    assert [one["share"] for one in found["shares"]] == [one["clips"] / found["clips"] for one in found["shares"]]
    return [one["clips"] for one in found["shares"]]


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (3, 7), (1, 2), (50, 200)])
def test_wilsons_interval_equals_that_of_scipy(hits: int, n: int) -> None:
    expected = binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
    assert wilson(hits, n) == pytest.approx((expected.low, expected.high))


def test_shares_by_condition_and_subject_match_values_computed_by_hand() -> None:
    summary = study(predictions())
    assert (summary["n_clips"], summary["n_subjects"], summary["n_scored"], summary["n_other_emotion"]) == (7, 3, 3, 1)
    assert shares(summary["all"]) == [4, 3, 0]
    by_condition = {one["condition"]: one for one in summary["conditions"]}
    assert list(by_condition) == ["control", "patient", None]
    assert shares(by_condition["patient"]) == [3, 1, 0]
    assert shares(by_condition["control"]) == [0, 2, 0]
    assert shares(by_condition[None]) == [1, 0, 0]
    assert [(one["subject"], one["conditions"], shares(one)) for one in summary["subjects"]] == [
        ("p0", ["patient"], [2, 1, 0]), ("p1", ["patient"], [1, 0, 0]), ("p2", ["control"], [0, 2, 0]),
    ]  # fmt: skip
    assert summary["subjects"][0]["shares"][0]["ci"] == pytest.approx(wilson(2, 3))


def test_the_interval_of_a_condition_draws_its_subjects() -> None:
    patient = next(one for one in study(predictions())["conditions"] if one["condition"] == "patient")
    # Two subjects: p0 alone has 2 of 3 sad, p1 alone 1 of 1; a quarter of the draws each, so both ends are reached.
    assert patient["groups"] == 2
    assert patient["shares"][0]["ci"] == pytest.approx([2 / 3, 1])
    assert patient["shares"][1]["ci"] == pytest.approx([0, 1 / 3])
    control = next(one for one in study(predictions())["conditions"] if one["condition"] == "control")
    assert [one["ci"] for one in control["shares"]] == [None] * 3  # one subject says nothing about others


def test_only_clips_whose_emotion_is_a_class_are_scored() -> None:
    scores = study(predictions())["scores"]
    assert scores["n_samples"] == 3
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert scores["uf1"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert scores["ci"]["accuracy"] is not None
    unlabelled = [(*row[:3], None, *row[4:]) for row in CLIPS]
    assert study(predictions(unlabelled))["scores"] is None
    alone = study(predictions(CLIPS[:2]))["scores"]
    assert alone["ci"] == {"uf1": None, "uar": None, "accuracy": None}


def test_a_clip_falls_in_the_cluster_of_its_predicted_class() -> None:
    coded = {
        "sad": [frozenset({"4"})] * 3 + [frozenset({"1", "4"})] * 2,
        "glad": [frozenset({"12"})] * 3 + [frozenset({"6", "12"})] * 2,
    }
    summary = study(predictions(), coded)
    cluster = {clip["clip_id"]: clip["cluster"] for clip in summary["clips"]}
    assert cluster == {
        "c0": "Sad_ME1", "c1": None, "c2": "Glad_ME1", "c3": "Sad_ME1", "c4": "Glad_ME2", "c5": None, "c6": None,
    }  # fmt: skip
    assert summary["clusters"]["groups"]["sad"]["clusters"]["Sad_ME2"] == [[["1", "4"], 2]]
    page = markdown({"toy": summary})
    assert "| Glad_ME2  | {AU6, AU12} x 2" in page
    assert "it follows from the prediction and is not evidence for it" in page
    assert study(predictions())["clusters"] is None
    assert study(predictions([row for row in CLIPS if not row[5]]), coded)["clusters"] is None


HONEST = {
    "model": "toy", "protocol": "loso", "dataset": "casme2", "uf1": 0.5, "uar": 0.6, "accuracy": 0.7,
    "ci": {"uf1": [0.4, 0.6], "uar": [0.5, 0.7], "accuracy": [0.6, 0.8]}, "n_samples": 246, "n_subjects": 26,
    "flags": [], "other_classes": [],
}  # fmt: skip


def test_action_units_count_in_every_clip_that_shows_them() -> None:
    clips = [
        PredictedClip(
            clip_id=f"c{index}", subject=f"p{index // 2}", condition="ab"[index // 8], emotion=None, truth=None,
            predicted=-1, shown=shown, scores=(0.6 * (0 in shown), 0.7 * (1 in shown)), cluster="Happiness_ME1",
            person=(("sex", "fm"[index // 2 % 2]),),
        )
        for index, shown in enumerate([(0, 1), (0,), (), (1,)] * 4)
    ]  # fmt: skip
    summary = study(ClipPredictions("toy", ("AU4", "AU12"), tuple(clips)))
    assert summary["of_units"]
    assert shares(summary["all"]) == [8, 8]
    assert [clip["predicted"] for clip in summary["clips"][:4]] == ["AU4+AU12", "AU4", "none", "AU12"]
    assert {row["group"]: row["groups"] for row in summary["groups"]["sex"]} == {"f": 4, "m": 4}
    assert [shares(row) for row in summary["groups"]["sex"]] == [[8, 4], [0, 4]]
    page = markdown({"toy": summary})
    for text in (
        "**Differences between conditions**", "**By sex**", "**Small groups say nothing.** The smallest",
        "**Clips by combination of action units**", "| Happiness_ME1 | 16 ", "no difference",
    ):  # fmt: skip
        assert text in page, text


def test_no_interval_has_no_width() -> None:
    found = study(predictions([(f"c{k}", f"p{k}", "ab"[k % 2], None, "sad", "") for k in range(14)]))
    assert [share["ci"] for share in found["all"]["shares"]] == [None] * 3
    assert found["differences"] == []
    assert "Nothing to test: every subject has the same shares." in markdown({"toy": found})


def test_every_page_has_the_cautions() -> None:
    page = markdown({"toy": study(predictions(flags=("synthetic",)))})
    for text in (
        "> **Synthetic data:**", "> **Research use, not a diagnosis.**", "> **Consent and privacy.**",
        "> **Honest score: unknown.** No honest score of toy was given",
        "Predicted and not scored: 3 clips without a label, 1 clip whose emotion is not a class of the model.",
        "| patient      | 4       | 2          | 75.00 [66.67, 100.00] |",
        "| control      | 2       | 1          | 0.00 ",
        "| (none given) | 1       | 1          | 100.00 ",
    ):  # fmt: skip
        assert text in page, text
    quoted = markdown({"toy": study(predictions(honest=HONEST))})
    assert (
        "toy reached UF1 50.00 [40.00, 60.00], UAR 60.00 [50.00, 70.00], accuracy 70.00 [60.00, 80.00] (x 100) under "
        "loso on 246 samples of 26 subjects of casme2; on other people" in quoted
    )
    assert "not exactly the same model" not in quoted
    other = markdown({"toy": study(predictions(honest={**HONEST, "other_classes": ["sad", "shy"]}))})
    assert "**It is not exactly the same model:** its classes were sad, shy there." in other
    assert "Synthetic" not in quoted
    assert "Honest score: unknown" not in quoted


def test_clips_without_a_prediction_are_named() -> None:
    summary = study(predictions(unpredicted=("x", "y")))
    assert (summary["n_clips"], summary["unpredicted"]) == (7, ["x", "y"])
    assert "Without a prediction, and not counted: 2 clips (x, y)." in markdown({"toy": summary})


def test_the_page_of_a_run_has_cautions_first_and_the_study_last() -> None:
    scores = {"case_study": {"toy": study(predictions())}}
    page = joined("# run\n\nfirst\n\nlast\n", scores)
    assert page.startswith("# run\n\n> **Research use, not a diagnosis.**")
    assert page.index("Consent") < page.index("first") < page.index("last") < page.index("## Case study")
    assert "### toy" in page
    assert joined("# run\n\nfirst\n", {}) == "# run\n\nfirst\n"
    assert terminal_text({}) == ""
    assert "toy: predictions for 7 clips" in terminal_text(scores)
    assert "not a diagnosis" in terminal_text(scores)


def test_texts_of_a_manifest_are_escaped() -> None:
    rows = [("c|0", "p<b>", "[x](y)", None, "sad", "")]
    page = markdown({"toy": study(predictions(rows))})
    assert "c\\|0" in page
    assert "<b>" not in page
    assert "](y)" not in page
