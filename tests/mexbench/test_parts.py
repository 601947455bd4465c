"""Runs whose rows have different protocols and inputs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mexbench.errors import ProtocolError, SampleRejected
from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation.executors.base import Executor, InProcess
from mexbench.evaluation.executors.processes import Processes
from mexbench.interfaces import Clip, Preprocessor
from mexbench.registry.catalogue import Catalogue
from mexbench.reports import run_page as leaderboard
from mexbench.reports.run_report import collect
from mexbench.runs.run_folder import RunFolder
from tests.helpers import config_of, entry, with_plugins
from tests.mexbench.evaluation.test_run import MANIFEST, Oracle

TEXT = """\
dataset: toy
protocol: [loso, {plugin: holdout, name: by clip, group: clip, stratified: false}]
models:
  - oracle
  - {plugin: oracle, name: picky, preprocess: [squeamish]}
  - {plugin: oracle, name: worse, wrong: 1}
  - majority
"""


@dataclass(frozen=True, kw_only=True)
class Squeamish(Preprocessor):
    """Refuse one clip, pass on the others."""

    calls: ClassVar[Counter[int]] = Counter()

    def __call__(self, clip: Clip) -> Clip:
        _, subject, number = clip.frames[0].astype(int)
        self.calls[subject * 10 + number] += 1
        if (subject, number) == (2, 3):
            raise SampleRejected("too ugly")
        return replace(clip, frames=np.array(clip.frames))


class Half(Preprocessor):
    """Keep half of the features."""

    def __call__(self, clip: Clip) -> Clip:
        return replace(clip, frames=clip.frames[:, ::2].copy())


@pytest.fixture
def catalogue(toys: Catalogue) -> Catalogue:
    Squeamish.calls.clear()
    return with_plugins(toys, entry("model", Oracle), *(entry("preprocessor", step) for step in (Squeamish, Half)))


def scores(catalogue: Catalogue, folder: Path, executor: Executor | None = None) -> dict[str, Any]:
    plan = planning.plan(config_of(TEXT, catalogue))
    assert engine.run(plan, RunFolder(folder), executor or InProcess()) == []
    return collect(plan, RunFolder(folder)).scores()


@pytest.mark.usefixtures("few_subjects_suffice")
def test_one_table_holds_both_and_ranks_the_honest_rows(catalogue: Catalogue, tmp_path: Path) -> None:
    result = scores(catalogue, tmp_path)
    rows = {row["model"]: row for row in result["rows"]}
    assert list(rows) == [
        f"{model} under {name}" for model in ("oracle", "picky", "worse", "majority") for name in ("loso", "by clip")
    ]
    assert result["complete"]
    assert result["flags"] == []
    leaky = [row for row in rows.values() if row["protocol"] == "by clip"]
    assert all(row["flags"] == ["leak:subject"] and row["rank"] is None for row in leaky)
    # What one input cannot use is left out of every row, so that all are asked about the same clips.
    assert {row["n_samples"] for row in rows.values() if row["protocol"] == "loso"} == {11}
    assert [part["left_out"] for part in result["parts"]] == [{"too ugly": 1}] * 4
    assert rows["oracle under loso"]["uf1"] == rows["picky under loso"]["uf1"] == 1
    assert rows["worse under loso"]["accuracy"] == pytest.approx(7 / 11)
    assert rows["oracle under loso"]["rank"] == [1, 3]  # three subjects tell little apart
    assert {tuple(pair["models"]) for pair in result["comparisons"]} == {
        (f"{a} under loso", f"{b} under loso")
        for a, b in [
            ("oracle", "picky"), ("oracle", "worse"), ("oracle", "majority"),
            ("picky", "worse"), ("picky", "majority"), ("worse", "majority"),
        ]
    }  # fmt: skip
    page = leaderboard.markdown(result, MANIFEST)
    assert "Those rows are not ranked." in page
    assert "| 1-3    | oracle under loso " in page
    assert "| -      | oracle under by clip " in page
    assert page.count("excluded, too ugly: 1 clip\n") == 1
    assert "- **picky under by clip**: 11 samples (negative 6, positive 5), preprocessing: squeamish" in page


def test_a_clip_is_loaded_once_per_input(catalogue: Catalogue, tmp_path: Path) -> None:
    scores(catalogue, tmp_path)
    assert set(Squeamish.calls.values()) == {1}


def test_processes_keep_the_inputs_apart(catalogue: Catalogue, tmp_path: Path) -> None:
    text = TEXT.replace("oracle, name: worse, wrong: 1", "svm, name: worse").replace("oracle", "svm")
    text = text.replace("[squeamish]", "[half]").replace("toy", "{plugin: synthetic, subjects: 4}")
    plan = planning.plan(config_of(text, catalogue))
    for name, executor in (("a", InProcess()), ("b", Processes(2))):
        assert engine.run(plan, RunFolder(tmp_path / name), executor) == []
    one, two = (collect(plan, RunFolder(tmp_path / name)).predictions() for name in "ab")
    assert one == two
    lines = [line.split(",", 1) for line in one.splitlines()]
    by_row = {name: [rest for row, rest in lines if row == name] for name in ("svm under loso", "picky under loso")}
    assert by_row["svm under loso"] != by_row["picky under loso"]


def test_protocols_must_agree_about_the_classes(catalogue: Catalogue) -> None:
    text = (
        "dataset: toy\nmodels: [majority]\nprotocol: [loso, {plugin: cross_dataset, classes: {sad: blue, glad: rosy}}]"
    )
    with pytest.raises(ProtocolError, match="protocols 'loso' and 'cross_dataset' have different classes"):
        planning.plan(config_of(text, catalogue))
