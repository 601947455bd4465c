from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mexbench.errors import DataError, RunFolderError
from mexbench.studies.case_study.predicted_clips import PredictedClip, read

HEADER = "clip_id,path,subject,condition,emotion,predicted,windows,score_sad,score_glad"
LINES = ["b,b.mp4,p1,patient,glad,sad,3,0.7,0.3", "a,a.mp4,,,,glad,1,0.4,0.6", "c,c.mp4,p1,,proud,sad,2,1,0"]


def write(path: Path, *lines: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_file_of_bench_predict(tmp_path: Path) -> None:
    summary = read(write(tmp_path / "clips.csv", *LINES))
    assert (summary.name, summary.classes, summary.unit) == ("clips.csv", ("sad", "glad"), "subject")
    nothing: dict[str, Any] = {"subject": None, "condition": None, "emotion": None, "truth": None}
    patient: dict[str, Any] = {"subject": "p1", "condition": "patient", "emotion": "glad", "truth": 1}
    proud: dict[str, Any] = {"subject": "p1", "condition": None, "emotion": "proud", "truth": None}
    assert summary.clips == (
        PredictedClip(clip_id="a", **nothing, predicted=1, scores=(0.4, 0.6)),
        PredictedClip(clip_id="b", **patient, predicted=0, scores=(0.7, 0.3)),
        PredictedClip(clip_id="c", **proud, predicted=0, scores=(1, 0)),
    )
    assert [clip.group for clip in summary.clips] == ["a", "p1", "p1"]


def test_a_file_of_action_units(tmp_path: Path) -> None:
    header = "clip_id,path,subject,condition,emotion,predicted,windows,age_group,sex,cluster,score_AU4,score_AU12"
    lines = ["a,a.mp4,p1,,,AU4+AU12,2,18-30,f,Disgust_ME2,0.9,0.6", "b,b.mp4,p2,,,none,2,,m,,0.1,0.2"]
    predictions = read(write(tmp_path / "clips.csv", *lines, header=header))
    first, second = predictions.clips
    assert predictions.of_units
    assert (first.answers, first.text(predictions.classes), first.aus) == ((0, 1), "AU4+AU12", frozenset({"4", "12"}))
    assert (first.cluster, dict(first.person)) == ("Disgust_ME2", {"age_group": "18-30", "sex": "f"})
    assert (second.answers, second.text(predictions.classes), second.cluster) == ((), "none", None)
    assert dict(second.person) == {"sex": "m"}
    with pytest.raises(DataError, match="line 2: unknown prediction 'AU5'"):
        read(write(tmp_path / "clips.csv", "a,a.mp4,,,,AU5,2,,,,0.9,0.6", header=header))


def test_flags_of_every_line_are_those_of_the_predictions(tmp_path: Path) -> None:
    """Lines of several models may be put together in one file; what has no such column has no flags that are known."""
    header = f"{HEADER},flags"
    lines = ["a,a.mp4,,,,sad,2,0.9,0.1,synthetic", "b,b.mp4,,,,,0,,,synthetic bfloat16", "c,c.mp4,,,,sad,2,0.9,0.1,"]
    assert read(write(tmp_path / "clips.csv", *lines, header=header)).flags == ("synthetic", "bfloat16")
    assert read(write(tmp_path / "clips.csv", *LINES)).flags == ()


def test_clips_without_a_face_have_no_prediction(tmp_path: Path) -> None:
    summary = read(write(tmp_path / "clips.csv", *LINES, "z,z.mp4,p9,,,,0,,", "d,d.mp4,,,,,0,,"))
    assert [clip.clip_id for clip in summary.clips] == ["a", "b", "c"]
    assert summary.unpredicted == ("d", "z")
    with pytest.raises(DataError, match="no prediction in its 1 line: there is nothing to describe"):
        read(write(tmp_path / "clips.csv", "z,z.mp4,p9,,,,0,,"))


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        ("clip_id,predicted", ["a,sad"], "lacks the columns path, subject, condition, emotion, windows, score_..."),
        (HEADER, [], "has a header and no line"),
        (HEADER, ["a,a.mp4,,,,sad,1,0.4"], "line 2: has another number of cells than the header"),
        (HEADER, ["a,a.mp4,,,,sad,1,0.4,0.6,0"], "line 2: has another number of cells than the header"),
        (HEADER, [",a.mp4,,,,sad,1,0.4,0.6"], "line 2: has no clip_id"),
        (HEADER, [LINES[0], LINES[0]], "line 3: duplicate clip 'b', first in line 2"),
        (HEADER, ["a,a.mp4,,,,bad,1,0.4,0.6"], r"line 2: unknown prediction 'bad' \(did you mean 'sad'\?\)"),
        (HEADER, ["a,a.mp4,,,,sad,1,nan,0.6"], "line 2: expected a number as score, got 'nan'"),
        (HEADER, ["a,a.mp4,,,,sad,1,much,0.6"], "line 2: expected a number as score, got 'much'"),
    ],
)
def test_damaged_files_are_rejected_with_the_line(tmp_path: Path, header: str, lines: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "clips.csv", *lines, header=header))


def test_files_that_are_not_text_and_folders_without_a_run_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="expected text in UTF-8"):
        read(tmp_path / "clips.csv")
    with pytest.raises(RunFolderError, match="is not a run folder"):
        read(tmp_path)
    with pytest.raises(DataError, match="a row can be chosen only of a run folder"):
        read(write(tmp_path / "clips.csv", *LINES), "svm")
