"""Reading logs of spotted intervals, annotations and STRS pairs; what cannot be understood is named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mexbench.errors import DataError
from mexbench.runs.spotting_files import (
    file_kind,
    read_annotation,
    read_emotion_intervals,
    read_spotting_log,
)

LOG = """1
006_1  -    -    10   40   FP
006_1  100  150  -    -    FN
2
15_0101  10  25  12  25  TP
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_log_is_read_by_data_set(tmp_path: Path) -> None:
    samm, casme = read_spotting_log(write(tmp_path / "log.txt", LOG))
    assert (samm.dataset.name, samm.dataset.fps, casme.dataset.name) == ("SAMM-LV", 200, "CAS(ME)^2")
    assert [(one.number, one.video, one.truth, one.predicted, one.mark) for one in samm.lines] == [
        (2, "006_1", None, (10, 40), "FP"),
        (3, "006_1", (100, 150), None, "FN"),
    ]
    assert casme.lines[0].truth == (10, 25)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("006_1 - - 1 2 FP", r"line 1: expected 1 \(SAMM-LV\) or 2 \(CAS\(ME\)\^2\) first"),
        ("1\n006_1 - - 1 2 XX", "line 2: expected 'VIDEO ONSET"),
        ("1\n006_1 - - 1 2 TP", "line 2: TP with - - 1 2"),
        ("1\n006_1 3 4 1 2 FN", "line 2: FN with 3 4 1 2"),
        ("1\n006_1 - 4 1 2 TP", "expected two frame numbers or two dashes, got '- 4'"),
        ("1\n006_1 - - 9 2 FP", "onset 9 comes after offset 2"),
        ("1\n2\n15_1 - - 1 2 FP", "block '1' has no lines"),
        ("1\n006_1 - - 1 2 FP\n1", "line 3: a second block '1'"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_spotting_log(write(tmp_path / "log.txt", text))


def test_an_annotation_is_keyed_as_the_log_names_videos(tmp_path: Path) -> None:
    text = "s15 0101 macro-expression 557.0 572.0 608.0\n032 3 micro-expression 1896 -1069 1970\n"
    result = read_annotation(write(tmp_path / "info.txt", text))
    assert {name: [(i.onset, i.apex, i.offset, i.kind) for i in inside] for name, inside in result.items()} == {
        "15_0101": [(557, 572, 608, "macro")],
        "032_3": [(1896, -1069, 1970, "micro")],
    }


@pytest.mark.parametrize("text", ["a b big-expression 1 2 3", "a b micro-expression 1 x 3", "a b micro-expression 1"])
def test_an_annotation_that_cannot_be_understood_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"info\.txt, line 1: expected 'SUBJECT VIDEO"):
        read_annotation(write(tmp_path / "info.txt", text))


def test_strs_pairs_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "pred.csv", "subject,video,onset,offset,emotion\n1,EP02_01f,-3,75.0,happiness\n")
    assert [(one.subject, one.onset, one.offset) for one in read_emotion_intervals(path)] == [("1", -3, 75)]
    assert file_kind(path) == "spot-then-recognise CSV"
    assert read_emotion_intervals(write(tmp_path / "none.csv", "subject,video,onset,offset,emotion\n")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,video,onset,offset\n", "line 1: the header lacks emotion"),
        ("subject,video,onset,offset,emotion\n1,a,5,2,joy", "line 2: onset 5 comes after offset 2"),
        ("subject,video,onset,offset,emotion\n1,a,5,x,joy", "line 2: expected whole frames, got 5 and x"),
        ("subject,video,onset,offset,emotion\n1,a,5,6,", "line 2: emotion is empty"),
        ("subject,video,onset,offset,emotion\n1,a,5", "line 2: 3 cells under 5 headers"),
    ],
)
def test_a_bad_strs_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_emotion_intervals(write(tmp_path / "pred.csv", text))


def test_other_files_are_left_to_their_own_reader(tmp_path: Path) -> None:
    assert file_kind(write(tmp_path / "log.txt", LOG)) == "MEGC2020 spotting log"
    assert file_kind(write(tmp_path / "p.csv", "video,truth,prediction\na,0,1\n")) is None
    assert file_kind(write(tmp_path / "l.txt", "casme2 sub01\nEP02_01f 0 2\n")) is None
