"""A board of spotters that is made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mexbench import cli

CONFIG = """
target: spotting
dataset: {plugin: synthetic_long, subjects: 6, videos_each: 1, seconds: 6, fps: 10, size: 24, micro: 1, macro: 1}
protocol: loso
models: [random_intervals, every_k_frames, {plugin: frame_difference, grid: 3, selection: beforehand}]
"""


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run and a board made of it that has its rows."""
    folder = tmp_path_factory.mktemp("board")
    (folder / "c.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEXBENCH_CACHE", str(folder / "cache"))
        for arguments in (
            ["run", folder / "c.yaml", "--out", folder / "run"],
            ["leaderboard", "define", folder / "run", "toy", "--title", "Toys", "--root", folder / "boards"],
            ["leaderboard", "submit", folder / "run", "toy", "--root", folder / "boards"],
        ):
            assert cli.main([str(one) for one in arguments]) == 0
    return folder


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "boards", tmp_path / "boards"))
