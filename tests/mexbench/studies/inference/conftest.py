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
  - {plugin: svm, name: on-flow, frames: {unit: clip, count: 2}, preprocess: [face, {plugin: resize, size: 24}]}
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
