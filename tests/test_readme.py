"""No figure in a document is typed in by hand, and what a document shows works."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mexbench.config.schema import config_schema
from mexbench.registry.catalogue import Catalogue
from mexbench.reports.leaderboards.page import brief_table
from mexbench.reports.leaderboards.rows import board_rows, scores_of
from mexbench.reports.leaderboards.statistics import is_floor
from mexbench.reports.leaderboards.verify import verify_board
from tests.helpers import ROOT, Ran, config_of

BOARDS, NAME = ROOT / "leaderboards", "loso_megc2019_flow"


@pytest.fixture
def scores() -> dict[str, dict[str, Any]]:
    return scores_of(BOARDS, NAME)


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)


def test_the_table_in_the_readme_is_the_leaderboards() -> None:
    pattern = r"<!-- begin: leaderboards/loso_megc2019_flow -->\n(.*?)\n<!-- end -->"
    (shown,) = re.findall(pattern, (ROOT / "README.md").read_text(), re.DOTALL)
    board = board_rows(verify_board(BOARDS, NAME))
    rows = [row for row in board.section("honest") if not is_floor(row)]
    assert shown == brief_table(board, rows, chance=True).markdown()


def test_the_figures_in_the_text_are_those_of_the_data(scores: dict[str, dict[str, Any]]) -> None:
    from mexbench_plugins.datasets.published import megc2019_counts

    text = " ".join((ROOT / "README.md").read_text().split())
    assert f"A constant answer gets {100 * scores['majority']['accuracy']:.0f} % accuracy" in text
    clips = megc2019_counts()
    subjects = [subject for subject, _ in clips]
    alone = sum(subjects.count(subject) == 1 for subject in set(subjects))
    assert f"the {sum(clips.values())} clips of the MEGC2019 composite" in text
    concepts = " ".join((ROOT / "docs" / "concepts.md").read_text().split())
    assert f"as {alone} of the {len(set(subjects))} do" in concepts
    assert f"the {len(set(subjects))} folds" in text


def test_the_leaderboard_is_what_the_real_data_gives(
    scores: dict[str, dict[str, Any]], real_flow: Path, tmp_path: Path, bench: Callable[..., Ran]
) -> None:
    config = yaml.safe_load((ROOT / "configs" / "loso_megc2019_flow.yaml").read_text())
    config["dataset"]["root"] = str(real_flow)
    config["models"] = config["models"][:2]  # majority and svm-linear: quick, and without chance
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    assert bench("run", tmp_path / "c.yaml", "--out", tmp_path / "out").code == 0
    measured = {row["model"]: row for row in json.loads((tmp_path / "out" / "scores.json").read_text())["rows"]}
    assert list(measured) == ["majority", "svm-linear"]
    for model, row in measured.items():
        for key in ("uf1", "uar", "accuracy", "ci", "by_dataset", "per_class", "confusion", "n_samples"):
            assert row[key] == scores[model][key], (model, key)


def test_the_configs_in_the_documentation_are_valid(builtin: Catalogue) -> None:
    shown = blocks("docs/how-to/configs.md", "yaml")
    assert len(shown) == 4
    for text in shown:
        # The block on tuning shows the models alone, of the config above it.
        complete = text if "dataset:" in text else yaml.safe_dump({**yaml.safe_load(shown[0]), **yaml.safe_load(text)})
        jsonschema.validate(yaml.safe_load(complete), config_schema(builtin))
        assert config_of(complete.replace("${MEGC2019_FLOW_ROOT}", "/data"), builtin).models


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = [
        line.split()[1]
        for block in blocks("README.md", "sh")
        for line in block.splitlines()
        if line.startswith("make ")
    ]
    assert commands == ["demo", "test"]
    for target in commands:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
