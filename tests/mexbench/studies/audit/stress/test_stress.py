"""Altered pictures test and never train; what is stored is used; what has no answer counts as missed."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mexbench.config.run_config import RunConfig
from mexbench.data.stored_arrays import file_of
from mexbench.errors import ConfigError, SampleRejected
from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation.executors.base import InProcess
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.interfaces import Clip, Dataset, Model, Predictor, Preprocessor, Sample
from mexbench.registry.catalogue import Catalogue
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.task import Outcome, TaskGroup
from mexbench.studies.audit.cases import cases, honest_parts
from mexbench.studies.audit.stress.alterations import ALTERATIONS
from mexbench.studies.audit.stress.altered_samples import check_pictures, unaltered_inputs
from mexbench.studies.audit.stress.stress import Stress, stress_parts
from tests.helpers import config_of, entry, sample, with_plugins

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

LIGHT, DARK = 180, 60
SUBJECTS = 6


@dataclass(frozen=True, kw_only=True)
class Pictures(Dataset):
    """Glad clips are light, sad ones dark: the mean tells the class until brightness changes by 60 levels.

    Args:
        length: Frames of a clip; 0 for data that is not a sequence of frames.
        subjects: How many people.
    """

    length: int = 2
    subjects: int = SUBJECTS

    def label_map(self) -> Mapping[str, str]:
        return {"sad": "negative", "glad": "positive"}

    def samples(self) -> Sequence[Sample]:
        return [
            sample(f"toy/p{subject}/c{clip}", emotion="glad" if clip % 2 else "sad")
            for subject in range(self.subjects)
            for clip in range(4)
        ]

    def frame_numbers(self, sample: Sample) -> Sequence[int]:
        return range(self.length)

    def load(self, sample: Sample) -> Clip:
        level = LIGHT if int(sample.clip_id[-1]) % 2 else DARK
        pattern = np.random.default_rng([ord(letter) for letter in sample.clip_id])
        shape = (max(self.length, 1), 16, 16, 3)
        return Clip(frames=(level + pattern.integers(-8, 9, size=shape)).astype(np.uint8))

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        return Clip(frames=self.load(sample).frames[list(numbers)])


@dataclass(frozen=True, kw_only=True)
class Level(Model):
    """Positive where the mean is above 120; keeps what it was trained on."""

    source = "tests"
    trained: ClassVar[list[np.ndarray]] = []

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        self.trained.append(np.array(x))

        def predict(test: Any) -> Any:  # noqa: ANN401
            light = test.reshape(len(test), -1).mean(axis=1) > 120
            return np.stack([~light, light], axis=1).astype(float)

        return predict


@dataclass(frozen=True, kw_only=True)
class NotTooDark(Preprocessor):
    """Rejects a clip whose mean is below a level, as a face detector may."""

    source = "tests"
    least: float = 0

    def __call__(self, clip: Clip) -> Clip:
        if clip.frames.mean() < self.least:
            raise SampleRejected("too dark")
        return clip


@pytest.fixture
def catalogue_with_toys(builtin: Catalogue) -> Catalogue:
    Level.trained.clear()
    return with_plugins(
        builtin, entry("dataset", Pictures), entry("model", Level), entry("preprocessor", NotTooDark, "not_too_dark")
    )


def text(*, frames: str = "{unit: clip, count: 2}", least: float = 0, model: str = "level", length: int = 2) -> str:
    return (
        f"dataset: {{plugin: pictures, length: {length}}}\nprotocol: loso\nmodels: [{model}]\nseeds: [0]\n"
        f"frames: {frames}\npreprocess: [{{plugin: not_too_dark, least: {least}}}]\n"
    )


def run(config: RunConfig, folder: Path, names: Sequence[str] = ("brightness",)) -> tuple[Stress, list[Any]]:
    """Run honestly and under stress; return the stress test and its outcomes."""
    plan = planning.plan(config)
    stored = RunFolder(folder)
    assert engine.run(plan, stored, InProcess()) == []
    parts, alterations = honest_parts(plan), [ALTERATIONS[name] for name in names]
    stress = Stress(
        stress_parts(parts, cases(parts, config), alterations, folder / "audit", cache=None), alterations, stored
    )
    outcomes: list[Any] = []
    Level.trained.clear()
    stress.train(InProcess(), lambda _: lambda: None, outcomes.append)
    return stress, outcomes


@pytest.mark.parametrize("frames", ["{unit: clip, count: 2}", "{unit: frame, count: 2}"])
def test_the_test_side_alone_is_altered(catalogue_with_toys: Catalogue, tmp_path: Path, frames: str) -> None:
    stress, outcomes = run(config_of(text(frames=frames), catalogue_with_toys), tmp_path)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Success"] * SUBJECTS
    assert len(Level.trained) == SUBJECTS
    own = planning.plan(config_of(text(frames=frames), catalogue_with_toys)).parts[0]
    for trained, (train, _) in zip(Level.trained, own.task_runner().folds.values(), strict=True):
        np.testing.assert_array_equal(trained, own.arrays.x[train])
    (row,) = stress.rows()
    assert (row["status"], row["reproduced"]) == ("measured", True)
    assert row["clean"] == {"uf1": 1, "uar": 1}
    assert row["samples"] == (8 * SUBJECTS if "frame," in frames else 4 * SUBJECTS)
    by_level = [level["uf1"] for level in row["levels"]]
    assert by_level[:3] == [1, 1, 1], "10, 25 and 45 levels leave dark below 120 and light above"
    assert by_level[4] < by_level[3] < 1 or by_level[3] == by_level[4] < 1
    for level in row["levels"]:
        assert level["change"]["uf1"] == pytest.approx(level["uf1"] - 1)
        low, high = level["change_ci"]["uf1"]
        assert low <= level["change"]["uf1"] <= high


def test_stored_results_are_used_and_another_alteration_is_added(
    catalogue_with_toys: Catalogue, tmp_path: Path
) -> None:
    config = config_of(text(), catalogue_with_toys)
    first, _ = run(config, tmp_path)
    before = list(first.rows())
    again, outcomes = run(config, tmp_path, ("brightness", "noise"))
    assert len(outcomes) == len(Level.trained) == SUBJECTS, "one training per fold, for noise"
    assert [row["alteration"] for row in again.rows()] == ["brightness", "noise"]
    assert next(iter(again.rows())) == before[0]
    done, outcomes = run(config, tmp_path, ("brightness", "noise"))
    assert (outcomes, done.waiting()) == ([], 0)


def test_one_training_serves_all_alterations_that_fit(catalogue_with_toys: Catalogue, tmp_path: Path) -> None:
    config = config_of(text(), catalogue_with_toys)
    together, outcomes = run(config, tmp_path / "together", tuple(ALTERATIONS))
    assert len(outcomes) == SUBJECTS
    plan = planning.plan(config)
    parts = honest_parts(plan)
    (part,) = stress_parts(
        parts, cases(parts, config), list(ALTERATIONS.values()), tmp_path / "apart" / "audit", cache=None
    )
    import dataclasses

    apart = dataclasses.replace(part, most_bytes=1)
    alone = Stress([apart], together.alterations, together.run)
    outcomes = []
    alone.train(InProcess(), lambda _: lambda: None, outcomes.append)
    assert len(outcomes) == SUBJECTS * len(ALTERATIONS)
    assert list(alone.rows()) == list(together.rows())


class Watching(InProcess):
    """Note where the samples are that tasks are given."""

    def __init__(self) -> None:
        self.files: list[Path | None] = []

    def run(self, groups: Sequence[TaskGroup], runners: Mapping[str, TaskRunner]) -> Generator[Outcome]:
        self.files += [file_of(runner.x) for runner in runners.values()]
        return super().run(groups, runners)


def test_altered_samples_are_on_the_disk_and_memory_limits_how_many_are_tested_at_once(
    catalogue_with_toys: Catalogue, tmp_path: Path
) -> None:
    config = config_of(text(), catalogue_with_toys)
    plan = planning.plan(config)
    parts = honest_parts(plan)
    few = [ALTERATIONS[name] for name in ("brightness", "noise")]
    (part,) = stress_parts(parts, cases(parts, config), few, tmp_path / "audit", cache=None, memory=4)
    assert part.most_bytes == 1
    executor = Watching()
    Stress([part], few, RunFolder(tmp_path)).train(executor, lambda _: lambda: None, lambda _: None)
    assert len(executor.files) == 2
    assert None not in executor.files
    (part,) = stress_parts(parts, cases(parts, config), few, tmp_path / "audit", cache=None, memory=2**40)
    assert part.most_bytes == 2**30


def test_a_rejected_clip_has_no_answer_and_counts_as_missed(catalogue_with_toys: Catalogue, tmp_path: Path) -> None:
    """Dark clips, at 60, are rejected below 30: those that become darker by 45 levels or more."""
    stress, _ = run(config_of(text(least=30), catalogue_with_toys), tmp_path)
    (row,) = stress.rows()
    dark = 2 * SUBJECTS
    unanswered = [level["unanswered"] for level in row["levels"]]
    assert unanswered[:2] == [0, 0]
    assert 0 < unanswered[2] < dark
    third = row["levels"][2]
    assert third["uar"] == pytest.approx((1 + (dark - unanswered[2]) / dark) / 2)


def test_folds_that_train_together_do_so_under_stress(catalogue_with_toys: Catalogue, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    model = "{plugin: ststnet, epochs: 2, batch_size: 8}"
    config = config_of(
        text(frames="{unit: clip, count: 1}", model=model)
        .replace("preprocess: [", "preprocess: [{plugin: resize, size: 28}, ")
        .replace("length: 2", "length: 2, subjects: 3"),
        catalogue_with_toys,
    )
    stress, _ = run(config, tmp_path)
    (row,) = stress.rows()
    assert row["reproduced"], "its unaltered answers are those of the run"


def test_data_without_frames_is_refused(catalogue_with_toys: Catalogue) -> None:
    config = config_of(text(length=0).replace("frames: {unit: clip, count: 2}\n", ""), catalogue_with_toys)
    with pytest.raises(ConfigError, match="--stress: a clip of toy is not a sequence of frames, so there are no"):
        check_pictures(config)


@pytest.mark.parametrize(("steps", "names"), [
    ("[grayscale]", []),
    ("[{plugin: action_units, mode: only}]", ["action_units"]),
    ("[grayscale, {plugin: action_units, mode: only, origin: openface, folder: /csv}]", ["action_units"]),
])  # fmt: skip
def test_steps_that_know_the_unaltered_recording_are_named(
    catalogue_with_toys: Catalogue, steps: str, names: list[str]
) -> None:
    config = config_of(
        f"dataset: pictures\nprotocol: loso\nmodels: [level]\npreprocess: {steps}\n", catalogue_with_toys
    )
    assert unaltered_inputs(config.parts[0]) == names
