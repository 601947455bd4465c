"""A finished run of two models and two seeds on a small flow pack, and a board that it was submitted to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mexbench import cli
from mexbench.reports.leaderboards import submission as files
from mexbench.reports.leaderboards.submission import Submission
from mexbench.runs import provenance
from tests.helpers import write_flow

CLIPS = {"sub01": [0, 1, 2, 0], "sub02": [0, 1, 2], "s01": [0, 1, 2, 1], "006": [0, 2, 1], "007": [0, 0]}
MODELS = "models: [majority, {plugin: svm, name: svm-linear, kernel: linear}]"


@pytest.fixture(autouse=True)
def _few_subjects_suffice(few_subjects_suffice: None) -> None:
    """The board of these tests has five subjects; ``tests/mexbench/metrics/test_few_subjects.py`` has fewer."""


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder; nobody changes it."""
    home = tmp_path_factory.mktemp("home-of-somebody")
    pack = write_flow(home / "pack", CLIPS)
    (home / "c.yaml").write_text(
        f"dataset: {{plugin: megc2019_flow, root: {pack}, expect: any}}\nprotocol: loso\n{MODELS}\nseeds: [0, 1]\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEXBENCH_CACHE", str(home / "cache"))
        patch.setattr("mexbench.metrics.few_subjects.MIN_SUBJECTS", 2)
        patch.setattr(provenance, "EPOCH", 1)  # what the tests write out, whatever the code's has become
        assert cli.main(["run", str(home / "c.yaml"), "--out", str(home / "run")]) == 0
        root = str(home / "boards")
        assert cli.main(["leaderboard", "define", str(home / "run"), "toy", "--root", root, "--title", "A toy"]) == 0
        assert cli.main(["leaderboard", "submit", str(home / "run"), "toy", "--root", root]) == 0
    return home / "run"


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    """A folder of leaderboards with the board ``toy`` and its two rows."""
    return Path(shutil.copytree(finished.parent / "boards", tmp_path / "boards"))


@pytest.fixture
def linear(root: Path) -> Path:
    """The submission of svm-linear."""
    return root / "results" / "toy" / "svm-linear.json"


@pytest.fixture
def edited(linear: Path) -> Callable[[Callable[[dict[str, Any]], object]], Path]:
    """Change the submission as a person with an editor would."""

    def edit(change: Callable[[dict[str, Any]], object]) -> Path:
        data = json.loads(linear.read_text())
        change(data)
        linear.write_text(json.dumps(data))
        return linear

    return edit


@pytest.fixture
def submission(linear: Path) -> Submission:
    return files.read(linear)
