"""A run with ``target: action_units``: what is left out, who learns from whom, what is written, what is refused."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.errors import ConfigError, DataError, SavedModelError
from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation import save_models as keeping
from mexbench.evaluation.executors.base import InProcess
from mexbench.interfaces import UNIT_NAMES, UNITS, ActionUnitModel, Augmentation, Clip, Dataset, Predictor, Sample
from mexbench.registry.catalogue import Catalogue
from mexbench.reports.run_report import RunReport, terminal_text
from mexbench.runs import saved_model as saved
from mexbench.runs.run_folder import RunFolder
from tests.helpers import ROOT, Ran, config_of, entry, sample, with_plugins
from tests.mexbench.metrics.test_action_units import reference
from tests.mexbench_plugins.datasets.layouts import write_casme2

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

MODELS = "[svm, {plugin: decision_tree, max_depth: 3}, majority, always_present]"


@dataclass(frozen=True, kw_only=True)
class Faces(Dataset):
    """Clips whose features are their units, their person and noise; AU5 never shows, and two clips are odd.

    Args:
        subjects: How many.
        clips: Clips per subject.
        altered: Subject whose annotated units are all turned round, or -1.
    """

    source = "tests"
    subjects: int = 5
    clips: int = 12
    altered: int = -1

    def label_map(self) -> Mapping[str, str]:
        return {"sad": "negative", "glad": "positive"}

    def samples(self) -> Sequence[Sample]:
        result = []
        for s in range(self.subjects):
            for c in range(self.clips):
                shown = self.shown(s, c) ^ (s == self.altered)
                aus = frozenset(f"AU{unit}" for unit, shows in zip(UNITS, shown, strict=True) if shows)
                emotion = (None, "bored", "sad")[c % 3]
                result.append(sample(f"faces/p{s}/c{c:02}", dataset=f"faces{s % 2}", emotion=emotion,
                                    aus=aus | {"AU43"}, aus_complete=True))  # fmt: skip
        # Nobody knows what the first shows, one of the second's units is in doubt, and the third shows none for sure.
        result += [
            sample("faces/p0/unknown", dataset="faces0", aus=frozenset()),
            sample("faces/p0/doubt", dataset="faces0", aus=frozenset({"AU4"})),
            sample("faces/p0/calm", dataset="faces0", aus=frozenset(), aus_complete=True),
        ]
        return result

    @staticmethod
    def shown(subject: int, clip: int) -> np.ndarray:
        rng = np.random.default_rng([7, subject, clip])
        return (rng.random(len(UNITS)) < 0.35) & (np.array(UNITS) != 5)

    def load(self, sample: Sample) -> Clip:
        name, clip = sample.sample_id.split("/")[1:]
        if not clip.startswith("c") or clip == "calm":
            return Clip(frames=np.zeros((1, 14), np.float32))
        s, c = int(name[1:]), int(clip[1:])
        rng = np.random.default_rng([8, s, c])
        person = np.random.default_rng([9, s]).normal(size=2)
        values = np.concatenate([self.shown(s, c) * 2.0, person]) + 0.4 * rng.normal(size=14)
        return Clip(frames=values[None].astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class Overconfident(ActionUnitModel):
    """Scores that are not probabilities.

    Args:
        most: The score.
    """

    source = "tests"
    most: float = 2.0

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        raise NotImplementedError

    def fit_action_units(self, x: Any, y: Any, *, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        return lambda test: np.full((len(test), y.shape[1]), self.most)


@dataclass(frozen=True, kw_only=True)
class Twice(Augmentation):
    """Two copies.

    Args:
        copies: How many.
    """

    source = "tests"
    copies: int = 2

    def vary(self, clip: Clip, rng: np.random.Generator) -> Clip:
        return Clip(frames=clip.frames + rng.normal(size=clip.frames.shape).astype(np.float32) / 10)


@pytest.fixture
def catalogue(toys: Catalogue) -> Catalogue:
    return with_plugins(
        toys, entry("dataset", Faces), entry("model", Overconfident), entry("preprocessor", Twice)
    )  # fmt: skip


def plan_of(
    catalogue: Catalogue, dataset: str = "faces", models: str = MODELS, rest: str = "protocol: loso"
) -> planning.Plan:
    return planning.plan(config_of(f"target: action_units\ndataset: {dataset}\nmodels: {models}\n{rest}", catalogue))


def run(plan: planning.Plan, path: Path, **options: Any) -> RunReport:  # noqa: ANN401
    failures = engine.run(plan, RunFolder(path), InProcess(), **options)
    assert failures == []
    return RunReport(plan, tuple(result for task in plan.tasks if (result := RunFolder(path).read_result(task))))


def predictions(results: RunReport) -> list[dict[str, str]]:
    return list(csv.DictReader(results.predictions().splitlines()))


def of_units(text: str) -> list[bool]:
    return [name in text.split("+") for name in UNIT_NAMES]


def test_detectors_beat_the_constant_baselines_and_every_f1_is_that_of_scikit_learn(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    results = run(plan_of(catalogue), tmp_path)
    scores = results.scores()
    rows = {row["model"]: row for row in scores["rows"]}
    for name, row in rows.items():
        output = [result for result in predictions(results) if result["model"] == name]
        assert len({result["sample_id"] for result in output}) == len(output) == 61
        truth = np.array([of_units(result["units_true"]) for result in output])
        messages = np.array([of_units(result["units_pred"]) for result in output])
        probable = np.array([[float(result[f"score_{unit}"]) for unit in UNIT_NAMES] for result in output])
        np.testing.assert_array_equal(messages, probable >= 0.5)
        f1, macro = [], []
        for index, unit in enumerate(UNIT_NAMES):
            if unit == "AU5":
                assert row["units"][unit]["f1"] is None
                continue
            f1.append(reference(truth[:, index], messages[:, index])[2])
            macro.append(reference(truth[:, index], messages[:, index], "macro")[2])
            assert (row["units"][unit]["f1"], row["units"][unit]["macro_f1"]) == pytest.approx((f1[-1], macro[-1]))
            assert row["units"][unit]["support"] == truth[:, index].sum()
        assert (row["f1"], row["macro_f1"]) == pytest.approx((np.mean(f1), np.mean(macro)))
        assert (row["n_samples"], row["n_subjects"], row["folds"], row["never_shown"]) == (61, 5, 5, ["AU5"])
    for detector in ("svm", "decision_tree"):
        for constant in ("majority", "always_present"):
            for average in ("f1", "macro_f1"):
                assert rows[detector]["ci"][average][0] > rows[constant]["ci"][average][1]


def test_clips_whose_units_are_not_known_are_left_out_and_named(catalogue: Catalogue) -> None:
    data = plan_of(catalogue).parts[0].data
    assert data.excluded == {"action units not fully known": ("faces/p0/doubt", "faces/p0/unknown")}
    assert (data.classes, data.samples[0].label) == (UNIT_NAMES, None)
    calm = [sample.sample_id for sample in data.samples].index("faces/p0/calm")
    assert not data.truths()[calm].any()
    assert data.truths()[0].tolist() == Faces.shown(0, 0).tolist()
    assert data.support()["AU5"] == 0
    assert data.support()["AU4"] == data.truths()[:, 2].sum()


def test_an_emotion_is_not_needed(catalogue: Catalogue) -> None:
    """Clips without an emotion, and with one that has no class, are in the run."""
    assert {sample.emotion for sample in plan_of(catalogue).parts[0].data.samples} >= {None, "bored"}


def test_the_annotation_of_a_test_subject_changes_none_of_its_predictions(catalogue: Catalogue, tmp_path: Path) -> None:
    before = predictions(run(plan_of(catalogue), tmp_path / "a"))
    after = predictions(run(plan_of(catalogue, "{plugin: faces, altered: 2}"), tmp_path / "b"))
    scores = [name for name in before[0] if name.startswith("score_")]
    own, others = [], []
    for one, other in zip(before, after, strict=True):
        same = [one[name] for name in scores] == [other[name] for name in scores]
        (own if one["subject"] == "faces/p2" else others).append(same)
        assert (one["units_true"] == other["units_true"]) == (one["subject"] != "faces/p2")
    assert all(own)
    assert not all(others)  # they trained on it


def test_a_changed_annotation_is_another_task(catalogue: Catalogue) -> None:
    one, other = (plan_of(catalogue, f"{{plugin: faces, altered: {n}}}").tasks for n in (-1, 2))
    assert {task.fingerprint for task in one}.isdisjoint(task.fingerprint for task in other)


def test_a_run_goes_on_where_it_stopped_and_ends_the_same(catalogue: Catalogue, tmp_path: Path) -> None:
    plan = plan_of(catalogue)
    full = run(plan, tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    lost = sorted((tmp_path / "b" / "tasks" / "svm").rglob("*.json"))[:2]
    for path in lost:
        path.unlink()
    again: list[str] = []
    partly = RunReport(plan, tuple(f for task in plan.tasks if (f := RunFolder(tmp_path / "b").read_result(task))))
    row = next(row for row in partly.scores()["rows"] if row["model"] == "svm")
    assert "incomplete" in row["flags"]
    assert partly.page(partly.scores(), MANIFEST).count("Incomplete") == 1
    result = run(plan, tmp_path / "b", notify=lambda outcome: again.append(str(outcome.task)))
    assert len(again) == 2
    assert result.predictions() == full.predictions()
    strip = ("fit_s", "predict_ms_per_sample", "processor_s")
    one, other = (
        [{k: v for k, v in row.items() if k not in strip} for row in r.scores()["rows"]] for r in (result, full)
    )
    assert one == other


MANIFEST = {
    "versions": {}, "command": "bench run", "git_commit": None, "config_fingerprint": "f", "device": "cpu",
    "machine": {"platform": "x"}, "started": "now", "ended": None,
}  # fmt: skip


def test_the_page(catalogue: Catalogue, tmp_path: Path) -> None:
    results = run(plan_of(catalogue, rest="protocol: loso\nseeds: [0, 1]"), tmp_path)
    page = results.page(results.scores(), MANIFEST)
    assert "61 samples" in page
    assert "excluded, action units not fully known: 2 clips" in page
    assert "Never present in a tested sample, so without F1 and excluded from the averages: AU5; the averages" in page
    assert "are over 11 of 12 units" in page
    assert page.index("| svm") < page.index("| always_present") < page.index("| majority")
    assert "## By dataset: F1 / macro F1" in page
    table = page[page.index("## F1 of each unit") :]
    assert "| AU5    | 0          | -" in table
    assert "AU5" in terminal_text(results.scores())


@pytest.mark.parametrize(
    "rest",
    [
        "protocol: cross_dataset",
        "protocol: {plugin: kfold, k: 2}",
        "protocol: {plugin: holdout, repeats: 2, test_share: 0.5}",
        "protocol: loso\npreprocess: [twice]",
    ],
)
def test_other_protocols_and_augmentation(catalogue: Catalogue, tmp_path: Path, rest: str) -> None:
    results = run(plan_of(catalogue, models="[svm, always_present]", rest=rest), tmp_path)
    svm, always = results.scores()["rows"]
    assert svm["f1"] > always["f1"]
    if "cross" in rest:
        assert [fold.name for fold in results.plan.parts[0].folds][:1] == ["faces1 to faces0"]
        assert svm["by_dataset"].keys() == {"faces0", "faces1"}


def test_scores_outside_0_to_1_fail_the_task(catalogue: Catalogue, tmp_path: Path) -> None:
    plan = plan_of(catalogue, models="[overconfident]")
    failures = engine.run(plan, RunFolder(tmp_path), InProcess())
    assert {failure.error for failure in failures} == {"ValueError: predictor gave scores from 2 to 2, expected 0 to 1"}


def test_the_target_is_part_of_what_a_run_is(builtin: Catalogue) -> None:
    text = "dataset: synthetic\nprotocol: loso\nmodels: [svm]\n"
    plain, emotion, units = (
        config_of(text + more, builtin) for more in ("", "target: emotion", "target: action_units")
    )
    assert plain.fingerprint == emotion.fingerprint != units.fingerprint
    assert ("target" in plain.resolved(), units.resolved()["target"]) == (False, "action_units")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("target: action_unit", "target: unknown target 'action_unit' (did you mean 'action_units'?)"),
        ("target: [emotion]", "target: unknown target ['emotion']"),
        (
            "target: action_units\nmodels: [svm, cnn, {plugin: ststnet, name: mine}]",
            "target: action_units: no 'fit_action_units' in the class of 'cnn', 'mine': they cannot detect action "
            "units; those that can: always_present, ann, au_cnn, decision_tree, gradient_boosting, ",
        ),
        (
            "target: action_units\nmodels: [{plugin: generated_flow_svm, generator: hand_made}]",
            "target: action_units: no 'fit_action_units' in the class of 'generated_flow_svm': they cannot detect",
        ),
    ],
)
def test_a_bad_target_is_one_error(builtin: Catalogue, change: str, message: str) -> None:
    models = "" if "models" in change else "\nmodels: [svm]"
    with pytest.raises(ConfigError) as caught:
        config_of(f"dataset: synthetic\nprotocol: loso\n{change}{models}", builtin)
    assert message in str(caught.value)


def test_data_without_annotated_units_is_one_error(builtin: Catalogue) -> None:
    with pytest.raises(DataError, match=r"no sample of dataset 'synthetic' with all action units known"):
        plan_of(builtin, "synthetic")


def test_models_are_saved_that_trained_on_every_sample(catalogue: Catalogue, tmp_path: Path) -> None:
    plan, folder = plan_of(catalogue, "{plugin: faces, subjects: 2}", "[majority]"), RunFolder(tmp_path)
    writer = keeping.model_writer_for("all", plan, folder, plan.tasks, always=False)
    assert keeping.train_on_everything(plan, InProcess(), writer, lambda _: None) == []
    about = saved.read_about(tmp_path / "models" / "majority" / "all" / "0")
    assert about["trained_on"]["samples"] == len(plan.parts[0].data.samples)


def test_kept_models_score_the_same_and_are_not_taken_for_models_of_emotions(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    models = "[svm, {plugin: decision_tree, max_depth: 2}, majority, always_present]"
    plan, folder = plan_of(catalogue, "{plugin: faces, subjects: 2}", models), RunFolder(tmp_path)
    model_writer = keeping.model_writer_for("task", plan, folder, plan.tasks, always=False)
    results = run(plan, tmp_path, model_writer=model_writer)
    assert keeping.score_saved(plan, folder, results.scores()) == []
    part = plan.parts[0]
    for model in ("svm", "decision_tree", "majority", "always_present"):
        remaining = tmp_path / "models" / model / "0" / "faces%2Fp1"
        result = saved.load(remaining, catalogue, target="action_units")
        task = next(done for done in results.done if (done.task.model, done.task.fold) == (model, "faces/p1"))
        positions = [i for i, known in enumerate(part.data.samples) if known.sample_id in task.scores]
        np.testing.assert_array_equal(result(part.arrays.x[positions]), list(task.scores.values()))
        assert result.about["score"]["f1"] == next(r["f1"] for r in results.scores()["rows"] if r["model"] == model)
        with pytest.raises(SavedModelError, match="predicts action_units, and emotion is asked for"):
            saved.load(remaining, catalogue)


@pytest.fixture
def ran(tmp_path: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder that the command made of data in CASME-II's layout, with cells of each kind."""
    monkeypatch.chdir(tmp_path)
    cells: Sequence[object] = ["4+R10", 12, "?", "0", "L12 or L14", "4"]
    rows = [
        (subject, f"EP0{clip}", o := 40 * subject + 4 * clip, o + 1, o + 2, cell, "happiness")
        for subject in (1, 2, 3)
        for clip, cell in enumerate(cells)
    ]
    write_casme2(tmp_path / "data", rows)
    text = "target: action_units\ndataset: {plugin: casme2, root: data}\nprotocol: loso\n"
    (tmp_path / "units.yaml").write_text(
        text + "preprocess: [{plugin: resize, size: 12}]\nmodels: [majority, always_present]"
    )
    done = bench("run", "units.yaml")
    assert (done.code, done.err.count("Traceback")) == (0, 0), done.err
    assert "excluded, action units not fully known: 6 clips" in done.err
    assert "12 samples, 3 subjects; AU1 0, AU2 0, AU4 6, AU5 0" in done.err
    return tmp_path / "runs" / "units"


def test_the_command_writes_a_page_of_its_own(ran: Path, bench: Callable[..., Ran]) -> None:
    assert {path.name for path in ran.iterdir()} == {
        "manifest.json", "predictions.csv", "scores.json", "action_units.md", "tasks", ".lock",
    }  # fmt: skip
    scores = json.loads((ran / "scores.json").read_text())
    assert scores["target"] == "action_units"
    majority, always = scores["rows"]
    # AU4 shows in six of twelve clips, AU10 and AU12 in three; half of the training side is enough for the majority.
    assert [majority["units"][unit]["f1"] for unit in ("AU4", "AU10")] == pytest.approx([2 / 3, 0])
    assert [always["units"][unit]["f1"] for unit in ("AU4", "AU10")] == pytest.approx([2 / 3, 2 * 0.25 / 1.25])
    before = (ran / "predictions.csv").read_bytes(), (ran / "action_units.md").read_text().split("## How")[0]
    assert bench("run", "units.yaml").code == 0
    assert before == ((ran / "predictions.csv").read_bytes(), (ran / "action_units.md").read_text().split("## How")[0])
    assert "AU4" in bench("check", "units.yaml").out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ["compare", "runs/units", "runs/units"],
            "'target: action_units'; this command takes runs that predict a class",
        ),
        (["leaderboard", "define", "runs/units", "board"], "is a run with 'target: action_units'"),
        (
            ["leaderboard", "submit", "runs/units", "loso_megc2019_flow", "--root", f"{ROOT / 'leaderboards'}"],
            "is a run with 'target: action_units'",
        ),
        (["score", "runs/units/predictions.csv"], "predictions of action units ('target: action_units')"),
        (["audit", "units.yaml"], "bench audit: measures what leaks are worth for classes and for spotters, not"),
        (
            ["run", "units.yaml", "--set", "target=emotion", "--set", "models=[majority]"],
            "holds a run of another config",
        ),
    ],
    ids=lambda found: found[0] if isinstance(found, list) else "",
)
def test_commands_for_classes_refuse_with_one_line(
    ran: Path, bench: Callable[..., Ran], command: Sequence[str], message: str
) -> None:
    done = bench(*command)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (ran / "audit").exists()
