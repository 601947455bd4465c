"""What commands print where there is one of something: "1 subject", never "1 subjects"."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import counted
from mexbench.tables import counted_subjects
from tests.helpers import Ran

Bench = Callable[..., Ran]
#: A plural behind a 1 that is a number of its own, and not the end of 0.1 or 1:1.
WRONG = re.compile(
    r"(?<![\d.,:/])1 (?:clips|samples|subjects|folds|models|seeds|tasks|films|frames|windows|rows|files)\b"
)


def one_subject(folder: Path, clips: int) -> Path:
    """Write a config of clips of one person, a model and a seed."""
    np.save(folder / "x.npy", np.arange(4 * clips, dtype=np.float32).reshape(clips, 4))
    lines = [f"c{index},anna,{index % 2}" for index in range(clips)]
    (folder / "table.csv").write_text("\n".join(["sample_id,subject,label", *lines]) + "\n")
    config = folder / "one.yaml"
    config.write_text(
        f"dataset: {{plugin: features, table: {folder / 'table.csv'}, arrays: {folder / 'x.npy'}}}\n"
        "protocol: {plugin: holdout, group: none, test_share: 0.5}\nmodels: [majority]\nseeds: [0]\n"
    )
    return config


@pytest.mark.parametrize(
    ("number", "plural", "text"),
    [
        (1, None, "1 clip is"),
        (0, "clips are", "0 clips are"),
        (1, "clips are", "1 clip is"),
        (2, "clips are", "2 clips are"),
    ],
)
def test_a_noun_may_bring_its_verb(number: int, plural: str | None, text: str) -> None:
    assert counted(number, "clip is", plural) == text


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"n_subjects": 1}, "1 subject"),
        ({"n_subjects": 12, "flags": ["synthetic"]}, "12 subjects"),
        ({"n_subjects": None}, "unknown subjects"),
        ({"n_subjects": 1, "flags": ["unknown-subjects"]}, "unknown subjects"),
    ],
)
def test_subjects_of_a_row(row: dict[str, object], text: str) -> None:
    assert counted_subjects(row) == text


def test_a_run_of_one_subject_one_model_and_one_seed(tmp_path: Path, bench: Bench) -> None:
    config = one_subject(tmp_path, clips=4)
    checked = bench("check", config)
    assert checked.code == 0, checked.err
    assert "4 samples remain" in checked.out
    assert "holdout: 1 fold, flagged leak:subject; 1 task" in checked.out
    ran = bench("run", config, "--in-process", "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    assert "4 samples, 1 subject; 0 2, 1 2" in ran.err
    assert "holdout: 1 fold x 1 model x 1 seed = 1 task, 1 to do" in ran.err
    page = (tmp_path / "run" / "leaderboard.md").read_text()
    for text in (checked.out, checked.err, ran.out, ran.err, page):
        assert not WRONG.findall(text)


def test_one_clip_that_cannot_be_divided(tmp_path: Path, bench: Bench) -> None:
    ran = bench("check", one_subject(tmp_path, clips=1))
    assert (ran.code, ran.err.count("error:")) == (2, 1)
    assert not WRONG.findall(ran.err)


def test_a_file_of_predictions_of_one_sample(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "p.csv").write_text("sample,subject,truth,prediction\na,p1,sad,sad\n")
    ran = bench("score", tmp_path / "p.csv", "--classes", "sad,glad")
    assert ", 1 sample; " in ran.err
    assert not WRONG.findall(ran.out + ran.err)
