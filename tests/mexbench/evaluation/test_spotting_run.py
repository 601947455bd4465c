"""``target: spotting`` through the engine: splits, what a spotter sees, stored intervals, the report."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.config.run_config import RunConfig
from mexbench.errors import ConfigError, DataError
from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation.executors.base import InProcess
from mexbench.evaluation.executors.shared_arrays import share
from mexbench.evaluation.plan import Plan
from mexbench.evaluation.spotting_runner import SpottingRunner, SpottingTrainer
from mexbench.interfaces import ScoredInterval, VideoFrames
from mexbench.interfaces.spotting import checked_intervals
from mexbench.registry.catalogue import Catalogue
from mexbench.reports.run_report import RunReport, collect
from mexbench.runs.predictions_csv import read
from mexbench.runs.run_folder import RunFolder
from mexbench_plugins.models import _spotting
from tests.helpers import config_of, entry, with_plugins
from tests.mexbench.evaluation.spotting_toys import Blind, Escapee, OtherLong, PictureLong, Seer, ToyLong

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

CONFIG = "{target: spotting, dataset: toylong, protocol: loso, models: [seer, blind]}"


@pytest.fixture
def catalogue(builtin: Catalogue) -> Catalogue:
    Seer.seen.clear()
    models = [entry("model", cls) for cls in (Seer, Escapee, Blind)]
    return with_plugins(builtin, entry("dataset", ToyLong), *models)


def planned(text: str, catalogue: Catalogue) -> Plan:
    config: RunConfig = config_of(text, catalogue)
    return planning.plan(config)


def ran(text: str, catalogue: Catalogue, path: Path) -> RunReport:
    plan, folder = planned(text, catalogue), RunFolder(path)
    engine.run(plan, folder, InProcess())
    return collect(plan, RunFolder(path))


def test_a_spotter_that_reads_the_truth_scores_one(catalogue: Catalogue, tmp_path: Path) -> None:
    report = ran(CONFIG, catalogue, tmp_path)
    seer, blind = report.scores()["rows"]
    assert (seer["f1"], seer["f1_micro"], seer["f1_macro"]) == (1, 1, None)
    assert (seer["n_videos"], seer["n_videos_without_expression"], seer["n_subjects"]) == (6, 3, 3)
    assert seer["false_alarms_per_minute"] == 0
    assert seer["minutes"] == pytest.approx(6 * 60 / 30 / 60)
    assert seer["per_emotion"] == {"joy": {"recall": 1.0, "support": 3}}
    assert blind["f1"] == 0
    assert seer["above_null"] == {"null_model": "blind", "difference": 1.0, "ci": [1.0, 1.0]}
    assert blind["above_null"] is None


def test_no_test_video_and_none_of_its_intervals_reaches_training(catalogue: Catalogue, tmp_path: Path) -> None:
    ran(CONFIG.replace(", blind", ""), catalogue, tmp_path)
    assert len(Seer.seen) == 3
    for index, (trained, counts, groups, tested) in enumerate(Seer.seen):
        assert tested == [1 + 10 * index, 2 + 10 * index]
        assert sorted({*trained, *tested}) == [1, 2, 11, 12, 21, 22]
        assert not {*trained} & {*tested}
        assert counts == [1, 0, 1, 0]  # the videos of a subject, by id: the second one has no expression
        assert groups == [f"toylong/p{p}" for p in range(3) if p != index for _ in range(2)]


def test_a_threshold_is_chosen_on_the_training_side_alone(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spy on the choice: with an onset of its own for each person, what it is given names whose videos it saw."""
    onsets: list[set[int]] = []

    def spy(candidates: Any, intervals: Any, thresholds: Any) -> float:  # noqa: ANN401
        onsets.append({interval.onset for row in intervals for interval in row})
        assert len(candidates) == len(intervals) == 4
        return thresholds[0]

    monkeypatch.setattr(_spotting, "choose_threshold", spy)
    pictures = with_plugins(catalogue, entry("dataset", PictureLong, "pictures"))
    text = "{target: spotting, dataset: pictures, protocol: loso, models: [{plugin: frame_difference, grid: 2}]}"
    plan = planned(text, pictures)
    assert engine.run(plan, RunFolder(tmp_path), InProcess()) == []
    assert onsets == [{15, 20}] * 2 + [{10, 20}] * 2 + [{10, 15}] * 2  # once for micro alone, once for both types


def test_intervals_are_stored_and_read_again(catalogue: Catalogue, tmp_path: Path) -> None:
    report = ran(CONFIG, catalogue, tmp_path)
    stored = json.loads((tmp_path / "tasks/seer/0/toylong%2Fp0.json").read_text())
    assert stored["sample_ids"] == ["toylong/p0/v0", "toylong/p0/v1"]
    assert [[one["onset"] for one in row] for row in stored["intervals"]] == [[10], []]
    result = next(one for one in report.done if one.task.model == "seer")
    assert result.intervals["toylong/p0/v0"] == (ScoredInterval(onset=10, offset=19, kind="micro"),)
    assert engine.missing(report.plan, RunFolder(tmp_path)) == ()


def test_a_damaged_interval_counts_as_missing(catalogue: Catalogue, tmp_path: Path) -> None:
    from mexbench.fingerprint import digest

    report = ran(CONFIG, catalogue, tmp_path)
    path = tmp_path / "tasks/seer/0/toylong%2Fp0.json"
    content = {key: value for key, value in json.loads(path.read_text()).items() if key != "checksum"}
    content["intervals"][0][0]["onset"] = 99  # after its offset
    path.write_text(json.dumps({**content, "checksum": digest(content)}))
    folder = RunFolder(tmp_path)
    assert [task.fold for task in engine.missing(report.plan, folder)] == ["toylong/p0"]
    assert list(folder.unusable.values()) == ["damaged"]


def test_predictions_name_the_true_interval_and_are_refused_as_classes(catalogue: Catalogue, tmp_path: Path) -> None:
    text = ran(CONFIG, catalogue, tmp_path).predictions()
    first, *others = csv.DictReader(io.StringIO(text))
    assert len(others) == 2
    assert (first["video_id"], first["type"], first["onset"], first["true_onset"]) == (
        "toylong/p0/v0", "micro", "10", "10",
    )  # fmt: skip
    (tmp_path / "predictions.csv").write_text(text)
    with pytest.raises(DataError, match="intervals of a run with 'target: spotting' cannot be scored as classes"):
        read(tmp_path / "predictions.csv")


def test_the_page_says_what_counts(catalogue: Catalogue, tmp_path: Path) -> None:
    report = ran(CONFIG, catalogue, tmp_path)
    manifest = {"command": "x", "git_commit": None, "config_fingerprint": "f", "versions": {}, "device": "cpu",
                "machine": {"platform": "p"}, "started": "a", "ended": "b"}  # fmt: skip
    page = report.page(report.scores(), manifest)
    assert report.page_name == "spotting.md"
    assert "intersection over union with a true one of its type is at least 0.5" in page
    assert "6 samples of toylong (micro 3, macro 0)" in page
    assert "no class" not in page


def test_an_interval_outside_its_video_fails_its_task_by_name(catalogue: Catalogue, tmp_path: Path) -> None:
    plan = planned(CONFIG.replace("seer, blind", "escapee"), catalogue)
    failures = engine.run(plan, RunFolder(tmp_path), InProcess())
    assert len(failures) == 3
    assert "the spotter gave 1-61 in a video of frames 1 to 60" in failures[0].error


@pytest.mark.parametrize(
    ("spotted", "error", "message"),
    [
        (None, ValueError, "gave NoneType, expected a sequence"),
        ([[], []], ValueError, "gave 2 of them"),
        ([[(1, 2)]], TypeError, "gave a tuple"),
    ],
)
def test_what_no_spotter_may_return_is_refused(spotted: object, error: type[Exception], message: str) -> None:
    video = VideoFrames(frames=np.zeros((5, 1)), first=1, fps=30)
    with pytest.raises(error, match=message):
        checked_intervals(spotted, [video])


def test_videos_of_unknown_length_are_counted_and_not_used(catalogue: Catalogue) -> None:
    plan = planned(CONFIG.replace("toylong", "{plugin: toylong, unknown: true}"), catalogue)
    assert plan.parts[0].data.excluded == {"first and last frame unknown": ("toylong/p0/v0",)}
    assert len(plan.parts[0].data.samples) == 5


def test_a_change_of_the_truth_changes_every_fingerprint(catalogue: Catalogue) -> None:
    before = planned(CONFIG, catalogue)
    again = planned(CONFIG, catalogue)
    other = planned(CONFIG.replace("toylong", "{plugin: toylong, subjects: 4}"), catalogue)
    assert [task.fingerprint for task in before.tasks] == [task.fingerprint for task in again.tasks]
    assert not {task.fingerprint for task in before.tasks} & {task.fingerprint for task in other.tasks}


def test_two_data_sets_are_one_composite_of_videos(catalogue: Catalogue, tmp_path: Path) -> None:
    text = "{target: spotting, dataset: [{plugin: toylong}, {plugin: other}], protocol: loso, models: [seer]}"
    both = with_plugins(catalogue, entry("dataset", OtherLong, "other"))
    report = ran(text, both, tmp_path)
    (row,) = report.scores()["rows"]
    assert {name: one["n_videos"] for name, one in row["by_dataset"].items()} == {"other": 6, "toylong": 6}
    assert row["f1"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{target: spotting, dataset: toylong, protocol: loso, models: [majority]}", "no 'fit_spotting' in the class"),
        ("{dataset: toylong, protocol: loso, models: [seer]}", "'seer' spot expressions in long videos"),
        (
            "{target: spotting, dataset: toylong, protocol: loso, models: [seer], frames: {unit: clip, count: 4}}",
            "'target: spotting' has no 'frames'",
        ),
        (
            "{target: spotting, dataset: toylong, protocol: loso, models: [seer], preprocess: [augment]}",
            "augment: long videos are not augmented",
        ),
    ],
)
def test_configs_that_cannot_spot_are_refused(catalogue: Catalogue, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(text, catalogue)


def test_data_without_long_videos_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(DataError, match="dataset 'synthetic' has no long videos"):
        planned("{target: spotting, dataset: synthetic, protocol: loso, models: [seer]}", catalogue)


def test_workers_see_the_same_videos(catalogue: Catalogue) -> None:
    plan = planned(CONFIG, catalogue)
    runner = plan.parts[0].task_runner()
    assert isinstance(runner, SpottingRunner)
    trainer = runner.trainer()
    with share({"seer": runner}, None) as shared:
        other = shared.trainer("seer")
        assert isinstance(other, SpottingTrainer)
        assert not {"y", "videos"} & vars(other).keys()  # no label leaves the process that scores
        for position in range(6):
            (one,), (two,) = trainer.frames_of([position]), other.frames_of([position])
            assert (one.first, one.fps, one.last) == (two.first, two.fps, two.last) == (1, 30.0, 60)
            assert np.array_equal(one.frames, two.frames)
            assert not one.frames.flags.writeable
