from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mexbench.errors import DataError
from mexbench.runs.predictions_csv import PredictionLine, read, read_ids

LOG = "casme2 sub01\nEP02_01f 0 2\nEP 03 1 1\nsamm 006\n006_1_2 2 2\n"


def write(folder: Path, text: str | bytes, name: str = "file.txt") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_log_is_read(tmp_path: Path) -> None:
    file = read(write(tmp_path, LOG))
    assert file.format == "MEGC2019 log"
    assert file.lines == (
        PredictionLine(2, "casme2/sub01/EP02_01f", "0", "2", subject="casme2/sub01", dataset="casme2"),
        PredictionLine(3, "casme2/sub01/EP 03", "1", "1", subject="casme2/sub01", dataset="casme2"),
        PredictionLine(5, "samm/006/006_1_2", "2", "2", subject="samm/006", dataset="samm"),
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "  \t\n"),
        lambda text: text.replace(" ", "\t"),
        lambda text: "\n\n" + text.replace("\n", "\n\n"),
        lambda text: text.rstrip("\n"),
    ],
    ids=["windows", "old mac", "bom", "trailing blanks", "tabs", "blank lines", "no last newline"],
)
def test_a_log_reads_the_same_with_other_blanks_and_line_endings(tmp_path: Path, change: Callable[[str], str]) -> None:
    plain, other = read(write(tmp_path, LOG)), read(write(tmp_path, change(LOG.replace("EP 03", "EP03")), "other.txt"))
    assert [(p.sample.replace(" ", ""), p.truth, p.prediction) for p in plain.lines] == [
        (p.sample, p.truth, p.prediction) for p in other.lines
    ]


@pytest.mark.parametrize(
    "text",
    [
        "sample_id,y_true,y_pred\na,x,y\nb,y,y\n",
        "Sample ID;Truth;Prediction\na;x;y\nb;y;y\n",
        "clip\tlabel\tpredicted\r\na\tx\ty\r\nb\ty\ty\r\n",
        "\ufeffpred, id , ground-truth\ny, a, x  \ny,\tb, y\n",
        '"name","true","pred",\n"a","x","y",\n"b","y","y",\n',
    ],
    ids=["plain", "semicolons", "tabs", "bom and order", "quotes and trailing commas"],
)
def test_plain_csv_files_are_read(tmp_path: Path, text: str) -> None:
    file = read(write(tmp_path, text))
    assert file.format == "CSV"
    assert [(line.number, line.sample, line.truth, line.prediction) for line in file.lines] == [
        (2, "a", "x", "y"), (3, "b", "y", "y"),
    ]  # fmt: skip


def test_subject_clip_model_seed_and_repeat_are_read(tmp_path: Path) -> None:
    header = "model,seed,fold,sample_id,clip_id,subject,dataset,y_true,y_pred,score_neg,score_pos\n"
    file = read(write(tmp_path, header + 'svm,3,"repeat 2, fold 1",d/s/c#1,d/s/c,d/s,d,neg,pos,.1,.9\n'))
    (line,) = file.lines
    assert (file.format, file.classes) == ("predictions.csv", ("neg", "pos"))
    assert line == PredictionLine(2, "d/s/c#1", "neg", "pos", "d/s", "d/s/c", "d", "svm", 3, "repeat 2, fold 1")
    assert line.repeat == 1
    (line,) = read(write(tmp_path, "id\ttruth\tpred\tsubject\na\tx\ty\t\n")).lines  # an empty last cell
    assert line.subject is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; expected predictions"),
        (" \r\n\t\n", "is empty"),
        (b"\xff\xfe\x00", "expected text in UTF-8"),
        ("id,truth,pred\n", "has a header and no predictions"),
        ("a,b,c\n1,2,3\n", "line 1: the header 'a,b,c' lacks a column: one for the truth, such as y_true, truth, true"),
        ("id,truth\n1,2\n", "lacks a column: one for the prediction, such as y_pred"),
        ("truth,pred\n1,2\n", "line 1: no column names the sample; expected one such as sample_id"),
        ("id,truth,pred\na,1\n", "line 2: 2 cells under 3 headers"),
        ("id,truth,pred\na,1,2,3\n", "line 2: 4 cells under 3 headers"),
        ("id,truth,pred\n,1,2\n", "line 2: names no sample"),
        ("id,truth,pred,seed\na,1,2,x\n", "line 2: expected a whole number of at most 18 digits as seed, got 'x'"),
        (f"id,truth,pred,seed\na,1,2,{10**18}\n", "of at most 18 digits as seed, got '1000000000000000000'"),
        ('id,truth,pred\n"a\nb",1,2\n', "a quotation mark that opens a text over several lines"),
        ("clip 0 1\n", "line 1: 'clip 0 1' comes before any line of data set and subject"),
        ("smic s01\nclip 0\nclip positive negative\n", "line 3: expected '<data set> <subject>'"),
        ("smic s01\nclip\n", "line 2: expected '<data set> <subject>'"),
        ("smic s01\n", "names subjects and no predictions"),
    ],
)
def test_invalid_files_are_rejected_with_the_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(write(tmp_path, text))
    assert message in str(caught.value)
    assert "file.txt" in str(caught.value)


def test_expected_samples_are_read_from_lists_and_tables(tmp_path: Path) -> None:
    assert read_ids(write(tmp_path, "\ufeffa/1\r\nb 2\r\n".replace("b 2", "b/2"))) == {"a/1": None, "b/2": None}
    assert read_ids(write(tmp_path, "sample_id\na\nb\n")) == {"a": None, "b": None}
    assert read_ids(write(tmp_path, "id,truth,pred\na,x,y\n")) == {"a": "x"}
    assert len(read_ids(write(tmp_path, LOG))) == 3
    with pytest.raises(DataError, match="names a sample twice: b"):
        read_ids(write(tmp_path, "b\na\nb\n"))
