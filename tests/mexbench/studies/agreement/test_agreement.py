from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from mexbench.errors import DataError
from mexbench.studies.agreement.agreement import agree, measures
from mexbench.studies.agreement.page import markdown
from mexbench.studies.case_study.predicted_clips import ClipPredictions, PredictedClip

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

AB = ("sad", "glad", "calm")


def predictions(
    name: str, answers: Sequence[str], classes: Sequence[str] = AB, *, per_subject: int = 0, first: int = 0
) -> ClipPredictions:
    """Answers about clips c00, c01, ...; every ``per_subject`` clips are of one person, with 0 of nobody known."""
    clips = tuple(
        PredictedClip(
            clip_id=f"c{number:02}",
            subject=f"p{(number - first) // per_subject}" if per_subject else None,
            condition=None,
            emotion=None,
            truth=None,
            predicted=list(classes).index(answer),
        )
        for number, answer in enumerate(answers, start=first)
    )
    return ClipPredictions(name, tuple(classes), clips)


def test_agreement_matches_values_computed_by_hand() -> None:
    # 10 clips: both sad 4, both glad 2, A sad and B glad 3, A glad and B sad 1.
    one = predictions("one", ["sad"] * 7 + ["glad"] * 3, ("sad", "glad"), per_subject=2)
    other = predictions("other", ["sad"] * 4 + ["glad"] * 3 + ["sad"] + ["glad"] * 2, ("glad", "sad"), per_subject=2)
    agreement = agree(one, other)
    assert agreement.counts.tolist() == [[4, 3], [1, 2]]
    assert agreement.measures.raw == pytest.approx(0.6)
    assert agreement.measures.expected == pytest.approx(0.7 * 0.5 + 0.3 * 0.5)
    assert agreement.measures.kappa == pytest.approx((0.6 - 0.5) / 0.5)
    sad, glad = agreement.each
    assert (sad.first, sad.second, sad.both) == (7, 5, 4)
    assert sad.specific == pytest.approx(8 / 12)
    assert sad.expected == pytest.approx(2 * 7 * 5 / (10 * 12))
    assert sad.kappa == glad.kappa == pytest.approx(0.2)  # with two emotions, one is the other's opposite
    assert (glad.first, glad.second, glad.both) == (3, 5, 2)
    assert agreement.unit == ("subject", 5)
    page = markdown(agreement)
    assert "| agreement (x 100) | 60.00 " in page
    assert "| by chance (x 100) | 50.00 " in page
    assert "| Cohen's kappa     | 0.200 " in page
    assert "| sad       | 7   | 5   | 4      | 66.67               | 58.33               | 0.200   |" in page
    assert "**Agreement is not accuracy.**" in page
    assert "not a diagnosis" in page
    assert "Consent and privacy" in page
    assert "No honest score of A (one), B (other) was given" in page


@pytest.mark.parametrize("seed", range(5))
def test_kappa_equals_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.choice(AB, 60)
    one = np.where(rng.random(60) < 0.3, rng.choice(AB, 60), truth)
    other = np.where(rng.random(60) < 0.5, rng.choice(AB, 60), truth)
    agreement = agree(predictions("one", one.tolist()), predictions("other", other.tolist()))
    assert agreement.measures.kappa == pytest.approx(cohen_kappa_score(one, other))
    assert agreement.measures.raw == pytest.approx((one == other).mean())
    for emotion in agreement.each:
        alone = cohen_kappa_score(one == emotion.emotion, other == emotion.emotion)
        assert emotion.kappa == pytest.approx(alone)
    interval = agreement.intervals["kappa"]
    assert interval is not None
    assert interval[0] < (agreement.measures.kappa or 0) < interval[1]
    assert agreement.unit == ("clip", 60)


@pytest.mark.parametrize("seed", range(3))
def test_random_models_agree_with_a_kappa_near_zero(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (rng.choice(AB, 400, p=[0.8, 0.1, 0.1]).tolist() for _ in range(2))
    agreement = agree(predictions("one", one, per_subject=10), predictions("other", other, per_subject=10))
    kappa, raw = agreement.intervals["kappa"], agreement.intervals["raw"]
    assert kappa is not None
    assert raw is not None
    assert kappa[0] < 0 < kappa[1]
    assert raw[0] > 0.5  # the answers agree in two of three clips, by their frequencies alone
    assert agreement.measures.raw == pytest.approx(agreement.measures.expected, abs=0.05)


def test_intervals_are_wider_where_clips_of_a_subject_are_alike() -> None:
    rng = np.random.default_rng(0)
    one = np.repeat(rng.choice(AB, 20), 10)
    other = np.repeat(np.where(rng.random(20) < 0.5, one[::10], rng.choice(AB, 20)), 10)

    def width(per_subject: int) -> float:
        agreement = agree(*(predictions("x", a.tolist(), per_subject=per_subject) for a in (one, other))).intervals[
            "kappa"
        ]
        assert agreement is not None
        return agreement[1] - agreement[0]

    assert width(10) > 2 * width(0)


def test_only_common_emotions_count_and_excluded_clips_are_named() -> None:
    one = predictions("one", ["sad", "glad", "calm", "sad", "sad"], AB)
    other = predictions("other", ["glad", "proud", "glad", "sad", "glad"], ("proud", "glad", "sad"), first=1)
    agreement = agree(one, other)
    assert agreement.emotions == ("sad", "glad")
    assert agreement.joined == 4
    assert agreement.alone == (("c00",), ("c05",))
    assert agreement.outside == (("c02",), ("c02",))
    assert agreement.counts.tolist() == [[1, 1], [0, 1]]  # c03: sad, glad; c04: sad, sad; c01: glad, glad
    page = markdown(agreement)
    assert "- clips in A alone, excluded: 1 (c00)" in page
    assert "- clips in B alone, excluded: 1 (c05)" in page
    assert "- clips of which B predicts an emotion that is not common, excluded: 1 (c02)" in page
    assert "- common emotions: sad, glad" in page


def test_clips_without_a_prediction_are_named() -> None:
    one = predictions("one", ["sad", "glad"])
    mute = ClipPredictions("other", AB, one.clips[:1], unpredicted=("c01",))
    page = markdown(agree(one, mute))
    assert "- clips without a prediction of B, excluded: 1 (c01)" in page


def test_constant_answers_have_no_kappa() -> None:
    agreement = agree(predictions("one", ["sad"] * 4), predictions("other", ["sad"] * 4))
    assert (agreement.measures.raw, agreement.measures.expected, agreement.measures.kappa) == (1, 1, None)
    assert (agreement.intervals["kappa"], agreement.undefined) == (None, 1.0)
    glad = agreement.each[1]
    assert (glad.specific, glad.expected, glad.kappa) == (None, None, None)
    assert "| Cohen's kappa     | -       | -" in markdown(agreement)
    assert "100.00 % of them have no kappa" in markdown(agreement)


def test_one_subject_has_no_interval() -> None:
    agreement = agree(
        predictions("one", ["sad", "glad"], per_subject=5), predictions("other", ["sad", "sad"], per_subject=5)
    )
    assert set(agreement.intervals.values()) == {None}
    assert "No interval with 1 tested subject: it takes at least 2," in markdown(agreement)


def test_models_without_common_emotions_or_clips_are_rejected() -> None:
    one = predictions("one", ["sad", "glad"])
    with pytest.raises(DataError, match=r"no emotion in common.*one has sad, glad, calm; other has proud, shy"):
        agree(one, predictions("other", ["shy"], ("proud", "shy")))
    with pytest.raises(DataError, match="only 'sad' in common, and agreement needs at least two"):
        agree(one, predictions("other", ["shy"], ("sad", "shy")))
    with pytest.raises(DataError, match=r"no clip is in both: one has c00, c01, other has c05"):
        agree(one, predictions("other", ["sad"], first=5))
    with pytest.raises(DataError, match="the subject of 2 clips differs between the two"):
        agree(one, predictions("other", ["sad", "sad"], per_subject=1))
    with pytest.raises(DataError, match="both models predict a common emotion for none of the 1 clip in both"):
        agree(predictions("one", ["calm"]), predictions("other", ["sad"], ("sad", "glad")))


def test_measures_of_many_tables_at_once() -> None:
    agreement = measures([[[4, 3], [1, 2]], [[5, 0], [0, 0]]])
    assert agreement["kappa"][0] == pytest.approx(0.2)
    assert np.isnan(agreement["kappa"][1])
