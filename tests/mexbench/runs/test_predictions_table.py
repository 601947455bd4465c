"""``predictions.csv`` is written and read back without a change."""

from __future__ import annotations

from pathlib import Path

import pytest
from numpy.testing import assert_array_equal

from mexbench.errors import RunFolderError
from mexbench.metrics.predictions import UNKNOWN, Predictions
from mexbench.runs.predictions_table import read_tables, tables_text

CLASSES = ("neg", "pos")
HEADER = "model,seed,fold,sample_id,clip_id,subject,dataset,y_true,y_pred,score_neg,score_pos\n"
LINE = "svm,1,f,a,c,s,d,neg,pos,0.25,0.75\n"


def table() -> Predictions:
    return Predictions.from_columns(
        seed=[3, 3, 3, 1],
        repeat=[0, 0, 1, 0],
        fold=["b", "a", "repeat 2, a", "a"],
        sample=["y", 'x, "1"', "y", "y"],
        clip=["y", "x", "y", "y"],
        subject=["s1", "", "s1", "s1"],
        dataset="toy",
        truth=[1, 0, 1, 1],
        scores=[[0.1 + 0.2, 0.7], [1.0, 0.0], [1e-300, 1.0], [0.5, 0.5]],
    )


def test_lines_are_written_by_model_seed_sample_and_repeat() -> None:
    lines = tables_text({"svm": table(), "cnn": table().select([3])}, CLASSES).splitlines()
    assert lines == [
        HEADER.strip(),
        "svm,1,a,y,y,s1,toy,pos,neg,0.5,0.5",
        'svm,3,a,"x, ""1""",x,,toy,neg,neg,1.0,0.0',
        "svm,3,b,y,y,s1,toy,pos,pos,0.30000000000000004,0.7",
        'svm,3,"repeat 2, a",y,y,s1,toy,pos,pos,1e-300,1.0',
        "cnn,1,a,y,y,s1,toy,pos,neg,0.5,0.5",
    ]


def test_units_are_written_by_name() -> None:
    units = Predictions.from_columns(
        sample=["a", "b"], truth=[[True, True], [False, False]], scores=[[0.5, 0.2], [0.1, 0.4999]]
    )
    assert [line.split(",")[7:] for line in tables_text({"net": units}, ("AU1", "AU4")).splitlines()] == [
        ["units_true", "units_pred", "score_AU1", "score_AU4"],
        ["AU1+AU4", "AU1", "0.5", "0.2"],
        ["", "", "0.1", "0.4999"],
    ]


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(tables_text({"svm": table()}, CLASSES))
    back = read_tables(path, {"svm": (3, 1), "empty": ()}, CLASSES)
    expected = table().select([1, 0, 2, 3])  # by seed in the order of the config, then repeat, then sample
    for name in vars(expected):
        assert_array_equal(getattr(back["svm"], name), getattr(expected, name))
    assert len(back["empty"]) == 0
    assert read_tables(path, {"svm": ()}, CLASSES)["svm"].seeds == [1, 3]


def test_a_sample_without_a_class_is_read_in_a_case_study_alone(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(HEADER + LINE.replace("neg", "", 1))
    assert read_tables(path, {"svm": ()}, CLASSES, unlabelled=True)["svm"].truth.tolist() == [UNKNOWN]
    with pytest.raises(RunFolderError, match=r"line 2: is damaged: .*truth ''"):
        read_tables(path, {"svm": ()}, CLASSES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER.replace("score_pos", "score_x"), "lacks the columns score_pos"),
        (HEADER + LINE.replace("neg", "other", 1), "truth 'other'"),
        (HEADER + LINE.replace("0.25", "nan"), "scores"),
        (HEADER + LINE.replace("0.25", "inf"), "scores"),
        (HEADER + LINE.replace("0.25", "high"), "could not convert"),
        (HEADER + LINE.replace("1", str(2**63), 1), "seed 9223372036854775808"),
        (HEADER + LINE.replace("svm", "cnn"), "cnn"),
        (HEADER + LINE.rpartition(",")[0], "line 2"),
    ],
)
def test_damaged_files_are_rejected(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(RunFolderError) as caught:
        read_tables(path, {"svm": ()}, CLASSES)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
