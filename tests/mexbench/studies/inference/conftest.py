"""Models that are trained once on the stand-in, on little."""

from __future__ import annotations

from pathlib import Path

import pytest

from mexbench import cli

CONFIG = """
dataset: {plugin: casme2, root: stand-in, classes: 5,
          stand_in: {subjects: 3, clips: 4, width: 240, height: 200, frames: 7}}
frames: {unit: frame, count: 3}
preprocess: &steps [face, grayscale, {plugin: resize, size: 16}]
protocol: loso
models:
  - {plugin: svm, name: by-frame}
  - {plugin: svm, name: by-clip, frames: {unit: clip, count: 4}, preprocess: *steps}
  - {plugin: svm, name: on-apex, frames: {unit: clip, at: [apex]}, preprocess: *steps}
  - {plugin: svm, name: magnified, preprocess: [face, grayscale, {plugin: resize, size: 16}, magnification]}
  - {plugin: svm, name: on-flow, frames: {unit: clip, count: 2}, preprocess: [face, {plugin: resize, size: 24}]}
"""

UNITS_CONFIG = """
target: action_units
dataset: {plugin: casme2, root: stand-in, stand_in: {subjects: 3, clips: 4, width: 240, height: 200, frames: 7}}
frames: {unit: clip, at: [onset, apex]}
preprocess: &steps [face, grayscale, {plugin: resize, size: 16}]
protocol: loso
models:
  - {plugin: svm, name: moving}
  - {plugin: svm, name: on-apex, frames: {unit: clip, at: [apex]}, preprocess: *steps}
  - {plugin: svm, name: tuned, tune: {values: {C: [0.01, 1]}, inner: 2}}
  - always_present
"""

SPOTTING_CONFIG = """
target: spotting
dataset: {plugin: synthetic_long, view: picture, subjects: 2, videos_each: 1, seconds: 10, micro: 2, macro: 1}
protocol: loso
models:
  - {plugin: random_intervals, preprocess: [grayscale]}
  - {plugin: frame_difference, preprocess: [face, grayscale, {plugin: resize, size: 24}]}
  - {plugin: frame_difference, name: as-given}
"""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder ``models`` of a finished run."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "video.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEXBENCH_CACHE", str(folder / "cache"))
        arguments = ["run", str(folder / "video.yaml"), "--out", str(folder / "run"), "--save-models", "all"]
        assert cli.main(arguments) == 0
    return folder / "run" / "models"


@pytest.fixture
def by_frame(models: Path) -> Path:
    return models / "by-frame" / "all" / "0"


@pytest.fixture
def by_clip(models: Path) -> Path:
    return models / "by-clip" / "all" / "0"


@pytest.fixture(scope="session")
def unit_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder ``models`` of a finished run of models of action units, trained on annotated moments."""
    folder = tmp_path_factory.mktemp("units")
    (folder / "units.yaml").write_text(UNITS_CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEXBENCH_CACHE", str(folder / "cache"))
        arguments = ["run", str(folder / "units.yaml"), "--out", str(folder / "run"), "--save-models", "all"]
        assert cli.main(arguments) == 0
    return folder / "run" / "models"


@pytest.fixture(scope="session")
def spotters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder ``models`` of a finished run of spotters."""
    folder = tmp_path_factory.mktemp("spotters")
    (folder / "spotting.yaml").write_text(SPOTTING_CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEXBENCH_CACHE", str(folder / "cache"))
        arguments = ["run", str(folder / "spotting.yaml"), "--out", str(folder / "run"), "--save-models", "all"]
        assert cli.main(arguments) == 0
    return folder / "run" / "models"


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 8 seconds with one micro- and one macro-expression, and its truth beside it."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    arguments = ["--face", "builtin:77", "--seconds", "8", "--micro", "1", "--macro", "1", "--size", "240x180"]
    assert cli.main(["synth", *arguments, "--seed", "5", "--out", str(path)]) == 0
    return path
