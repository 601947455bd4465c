"""Each leak: switched off it changes nothing; on data made for it, it shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from mexbench.data.cache import Cache
from mexbench.evaluation import plan as planning
from mexbench.registry.catalogue import Catalogue
from mexbench.studies.audit.audit import LEAKS, measure
from mexbench.studies.audit.cases import frame_level
from mexbench.studies.audit.epoch_selection import (
    EarlyStopping,
    EpochGlobal,
    EpochLeak,
    EpochPerSubject,
    EpochRun,
    stopped,
)
from mexbench.studies.audit.fit_on_all import FittedOnEverything, Oversampling, Pca, Scaler, Selection, extra
from mexbench.studies.audit.leak import AuditLeak, Pair
from mexbench.studies.audit.misreported import OverFolds, PrecisionAsRecall
from mexbench.studies.audit.random_splits import ClipSplit, FrameSplit, random_split
from mexbench.studies.audit.taxonomy import OUTSIDE, TAXONOMY, label
from mexbench_plugins.models._nn import team_size
from tests.mexbench.studies.audit.toys import audit, config, one_case

NOISE = "{plugin: faces, subjects: 8, clips: 6, features: 300}"
SVM = "{plugin: svm, scaler: none}"


def row(made: Any) -> dict[str, Any]:  # noqa: ANN401
    (scored,) = made.rows()
    return scored


class SwitchedOff(EpochLeak):
    """The epoch that the honest run ends with."""

    name = "off"
    what = "nothing"

    def choose(self, case: Any, run: EpochRun) -> Any:  # noqa: ANN401
        return [-1] * len(run.tested)


@pytest.mark.parametrize("model", ["{plugin: coin, epochs: 4}", "{plugin: coin, epochs: 1}"])
def test_epoch_leak_with_the_last_epoch_equals_the_honest_run(tmp_path: Path, builtin: Catalogue, model: str) -> None:
    scored = row(audit(tmp_path, config(builtin, NOISE, model), SwitchedOff()))
    assert scored["leaky"] == scored["honest"]
    assert scored["ci"] == {"uf1": [0, 0], "uar": [0, 0]}


def test_epoch_leak_of_grouped_folds_with_the_last_epoch_equals_the_honest_run(
    tmp_path: Path, builtin: Catalogue, flow_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STSTNet's own folds, in groups of four: to the last bit."""
    monkeypatch.setattr(team_size, "ON_CPU", 4)
    flow = f"{{plugin: megc2019_flow, root: {flow_pack}, expect: any}}"
    finished = audit(
        tmp_path, config(builtin, flow, "{plugin: ststnet, epochs: 3, learning_rate: 0.01}"), SwitchedOff()
    )
    (case,) = finished.cases
    assert case.folds_per_group == 4
    job = finished.jobs()[0]
    for honest, every in zip(case.tasks, job.done(finished.root), strict=True):
        stored = finished.run.read_result(honest)
        assert stored is not None
        for name, scores in stored.scores.items():
            assert list(scores) == list(every.scores[name][-3:])
            assert len(every.scores[name]) == 9


@dataclass(frozen=True)
class Learned(FittedOnEverything):
    """The same on both sides, so that it does not matter where it is fitted."""

    name = "off"
    what = "nothing"

    @staticmethod
    def fit_step(x: Any, y: Any) -> Any:  # noqa: ANN401
        return np.asarray


def test_an_identity_step_equals_the_honest_run(tmp_path: Path, builtin: Catalogue) -> None:
    finished = audit(tmp_path, config(builtin, NOISE, SVM), Learned())
    scored = row(finished)
    honest = finished.honest(finished.cases[0])
    assert honest is not None
    assert scored["leaky"] == scored["honest"] == measure(finished.cases[0], Pair(honest, honest))["honest"]


def test_selection_on_all_samples_inflates_scores_of_noise(tmp_path: Path, builtin: Catalogue) -> None:
    """Labels are drawn, features are noise: whatever is above one half is the leak."""
    noise = "{plugin: faces, subjects: 8, clips: 6, features: 2000}"
    scored = row(audit(tmp_path, config(builtin, noise, SVM), Selection()))
    assert scored["honest"]["uar"] < 0.7
    assert scored["leaky"]["uar"] > 0.9
    assert scored["ci"]["uar"][0] > 0.1


def test_recognisable_persons_inflate_a_random_split_of_clips(tmp_path: Path, builtin: Catalogue) -> None:
    """Every person shows one emotion alone: who knows the person knows the answer, and nobody else does."""
    who = "{plugin: faces, subjects: 8, clips: 8, labels: subject, who: 3}"
    scored = row(audit(tmp_path, config(builtin, who, SVM), ClipSplit(repeats=3)))
    assert scored["leaky"]["uf1"] == 1
    assert scored["inflation"]["uf1"] > 0.5
    assert scored["ci"]["uf1"][0] > 0.2
    assert scored["note"] == "70:30, 3 draws"


FRAMES = "{plugin: faces, subjects: 6, clips: 6, length: 10, features: 60}"


@pytest.mark.parametrize("unit", ["frame", "clip"])
def test_frames_of_one_clip_inflate_a_random_split_of_frames(tmp_path: Path, builtin: Catalogue, unit: str) -> None:
    """Whether the run has frames or clips for samples: the split is of frames, and so is its honest twin."""
    count = 5 if unit == "frame" else 1
    chosen = config(builtin, FRAMES, SVM, more=f"frames: {{unit: {unit}, count: {count}}}")
    plan = planning.plan(chosen)
    frames = frame_level(plan.parts[0], chosen, Cache(tmp_path / "cache"))
    assert not isinstance(frames, str)
    assert list(frames) == ([] if unit == "frame" else ["svm"])
    leak = FrameSplit(repeats=2, frames=frames)
    scored = row(audit(tmp_path / "run", chosen, leak))
    assert scored["leaky"]["uf1"] == 1
    assert scored["inflation"]["uf1"] > 0.3
    assert scored["note"].startswith("70:30, 2 draws; 5.0 frames" if unit == "frame" else "70:30, 2 draws; 8.0 frames")


def test_rows_state_why_frames_cannot_be_samples(tmp_path: Path, builtin: Catalogue) -> None:
    plan = planning.plan(config(builtin, NOISE, SVM))
    reason = frame_level(plan.parts[0], plan.config, Cache(tmp_path))
    assert reason == "a clip of faces is not a sequence of frames"
    assert isinstance(reason, str)
    scored = row(audit(tmp_path, plan.config, FrameSplit(frames={"svm": reason})))
    assert (scored["status"], scored["why"]) == ("does not apply", reason)


def test_oversampling_before_the_split_inflates_scores_of_noise(tmp_path: Path, builtin: Catalogue) -> None:
    """A tree knows by heart what trained; the rare class is what is copied."""
    rare = "{plugin: faces, subjects: 10, clips: 10, rare: 0.2}"
    scored = row(audit(tmp_path, config(builtin, rare, "decision_tree"), Oversampling()))
    assert scored["honest"]["uar"] < 0.65
    assert scored["leaky"]["uar"] > scored["honest"]["uar"] + 0.15
    assert scored["ci"]["uar"][0] > 0


def test_oversampling_balances_the_classes() -> None:
    y = np.array([0, 0, 0, 0, 1, 2, 2])
    copies = extra(y, np.arange(7), seed=3)
    assert np.bincount(y[copies]).tolist() == [0, 3, 2]
    assert set(copies[y[copies] == 1]) == {4}
    inside = extra(y, np.array([0, 1, 5]), seed=3)
    assert inside.tolist() == [5], "copies of the training side alone"


@pytest.mark.parametrize("leak", [Scaler(), Pca()], ids=lambda leak: leak.name)
def test_only_the_leaky_side_fits_a_step_on_all_samples(builtin: Catalogue, leak: FittedOnEverything) -> None:
    """A single outlier is held out: the leaky step knows it, the honest one does not."""
    case = one_case(config(builtin, "{plugin: faces, features: 90}", SVM))
    x = case.x.copy()
    x[0, 0, 7] = 1e3
    everything, inside = leak.fit_step(x, case.y), leak.fit_step(x[6:], case.y[6:])
    assert everything(x).shape == x.shape
    assert everything(x).dtype == np.float32
    if leak.name == "scaler":
        assert abs(everything(x)[0, 0, 7]) < 8
        assert inside(x)[0, 0, 7] > 100
    else:
        assert everything(x)[0, 0, 7] == pytest.approx(1e3, rel=0.01)
        assert abs(inside(x)[0, 0, 7]) < 900


def test_steps_that_discard_nothing_are_not_applicable(builtin: Catalogue) -> None:
    case = one_case(config(builtin, "{plugin: faces, features: 50}", SVM))
    assert Pca().inapplicable_reason(case) == "a sample has 50 features, and the step keeps up to 50"
    assert Selection().inapplicable_reason(case) == "a sample has 50 features, and the step keeps up to 100"
    assert Scaler().inapplicable_reason(case) is None


def test_the_best_epoch_of_each_subject_inflates_random_predictions(tmp_path: Path, builtin: Catalogue) -> None:
    finished = audit(tmp_path, config(builtin, NOISE, "coin"), EpochPerSubject(), EpochGlobal(), EarlyStopping())
    assert len(finished.jobs()) == 1, "one training serves all three"
    best, one, stop = finished.rows()
    assert best["inflation"]["uar"] > 0.2
    assert best["leaky"]["uar"] > one["leaky"]["uar"] > one["honest"]["uar"]
    assert stop["leaky"]["uar"] > stop["honest"]["uar"]
    assert {row["note"] for row in (best, one, stop)} == {"10 epochs"}
    for row in (best, one):  # the null is of the same kind: a coin is a random predictor
        low, high = row["null"]["uar"][1:]
        assert low - 0.06 < row["leaky"]["uar"] < high + 0.06


def test_models_without_epochs_are_not_applicable(tmp_path: Path, builtin: Catalogue) -> None:
    scored = row(audit(tmp_path, config(builtin, NOISE, SVM), EpochGlobal()))
    assert (scored["status"], scored["why"]) == ("does not apply", "svm has no epochs")


def run_of(case: Any, scores: Any) -> EpochRun:  # noqa: ANN401
    return EpochRun([np.array([0, 1])], [np.array(scores)])


def test_chosen_epochs_match_values_computed_by_hand(builtin: Catalogue) -> None:
    """Truths 0 and 1; epochs: both wrong, one right and sure, both right and unsure, both right and sure."""
    case = one_case(config(builtin, NOISE, SVM))
    case.__dict__["y"] = np.array([0, 1])
    truths = [[0.4, 0.9, 0.6, 0.8], [0.3, 0.1, 0.6, 0.8]]
    scores = [
        [[p, 1 - p] for p in truths[0]],
        [[1 - p, p] for p in truths[1]],
    ]
    assert EpochPerSubject().choose(case, run_of(case, scores)) == [2], "the first of the best accuracy"
    assert EarlyStopping().choose(case, run_of(case, scores)) == [3], "the lowest loss"


def test_early_stopping_matches_values_computed_by_hand() -> None:
    late = [3.0, 2.0, *[2.5] * 10, 0.0]
    assert stopped(np.array([late, [1.0] * 13, [*range(13, 0, -1)], [3.0, 2.0, *[2.5] * 9, 0.0, 9.0]])).tolist() == [
        1, 0, 12, 11,
    ]  # fmt: skip


def test_averages_over_folds_equal_those_of_scikit_learn(tmp_path: Path, builtin: Catalogue) -> None:
    finished = audit(tmp_path, config(builtin, NOISE, "coin"), OverFolds(), PrecisionAsRecall())
    folds, precision = finished.rows()
    (case,) = finished.cases
    honest = finished.honest(case)
    assert honest is not None
    groups = [np.flatnonzero(case.groups == group) for group in range(8)]
    options: dict[str, Any] = {"average": "macro", "zero_division": 0}
    for name, score in (("uf1", f1_score), ("uar", recall_score)):
        by_hand = [score(case.y[test], answers[test], **options) for answers in honest for test in groups]
        assert folds["leaky"][name] == pytest.approx(np.mean(by_hand))
    by_hand = [precision_score(case.y, answers, **options) for answers in honest]
    assert precision["leaky"]["uar"] == pytest.approx(np.mean(by_hand))
    assert precision["inflation"]["uf1"] == 0
    assert folds["ci"]["uf1"][0] <= folds["inflation"]["uf1"] <= folds["ci"]["uf1"][1]


def test_both_sides_are_scored_on_the_samples_that_both_test(builtin: Catalogue) -> None:
    case = one_case(config(builtin, NOISE, SVM))
    honest, leaky = np.tile(case.y, (2, 1)), np.tile(case.y, (2, 1))
    honest[:, :40] = 1 - case.y[:40]  # wrong where the other does not test
    leaky[:, :40] = -1
    scored = measure(case, Pair(honest, leaky))
    assert scored["honest"] == scored["leaky"] == {"uf1": 1, "uar": 1}
    assert scored["samples"] == 8
    honest[:, 40:] = -1
    assert measure(case, Pair(honest, leaky))["ci"] is None, "nothing is tested by both: no pairs"


def test_a_random_split_does_not_divide_units() -> None:
    units = [f"c{index // 3}" for index in range(30)]
    train, test = random_split(units, 0)
    assert sorted([*train, *test]) == list(range(30))
    assert len(test) == 9
    assert not {units[i] for i in train} & {units[i] for i in test}
    assert random_split(units, 1)[1].tolist() != test.tolist()
    assert random_split(units, 0)[1].tolist() == test.tolist()


def test_every_leak_has_a_number_of_the_taxonomy() -> None:
    numbers = {leak.name: leak.number for leak in LEAKS}
    assert numbers == {
        "frame-split": "L3.2", "clip-split": "L3.2", "epoch-per-subject": "L1.1", "epoch-global": "L1.1",
        "early-stopping": "L1.1", "authors-rule": "L1.1", "settings-on-test": "L1.1", "scaler": "L1.2",
        "pca": "L1.2", "selection": "L1.3", "oversampling": "L1.2",
        "f1-over-folds": None, "precision-as-recall": None,
    }  # fmt: skip
    assert len(TAXONOMY) == 8, "eight types"
    assert label(None) == OUTSIDE
    assert label("L1.3") == "L1.3 feature selection on training and test set"


def test_the_same_audit_gives_the_same_numbers(tmp_path: Path, builtin: Catalogue) -> None:
    leaks: tuple[AuditLeak, ...] = (ClipSplit(repeats=2), EpochPerSubject(), Selection(), Oversampling())
    chosen = config(builtin, NOISE, "{plugin: coin, epochs: 3}")
    one, other = (list(audit(tmp_path / name, chosen, *leaks).rows()) for name in ("a", "b"))
    assert one == other
    assert all(scored["status"] == "measured" for scored in one)
