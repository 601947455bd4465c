"""CASME, DFME, MMEW and 4DME: sheets with their traps, written here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mexbench.errors import DataError
from mexbench_plugins.datasets.casme import Casme
from mexbench_plugins.datasets.dfme import Dfme
from mexbench_plugins.datasets.fourdme import FourDme
from mexbench_plugins.datasets.mmew import Mmew
from tests.mexbench_plugins.datasets.layouts import by_id, write_frames, write_xlsx


def test_casme_takes_the_first_of_two_apexes(tmp_path: Path) -> None:
    header = ("Emotion", "Subject", "Filename", "OnsetF", "ApexF1", "ApexF2", "OffsetF")
    rows = [("tense", 1, "EP01_5", 9, 11, 12, 13), ("Happiness ", 2, "EP01_5", 3, 4, 4, 5)]
    write_xlsx(tmp_path / "CASME_coding.xlsx", header, rows)
    write_xlsx(tmp_path / "CASME2-coding-20140508.xlsx", ("Subject",), [(1,)])  # another data set's, beside it
    write_frames(tmp_path / "CASME_raw_selected/sub01/EP01_5", range(9, 14))
    write_frames(tmp_path / "CASME_raw_selected/sub02/EP01_5", range(3, 6))
    dataset = Casme(root=tmp_path)
    samples = by_id(dataset)
    assert {name: (s.emotion, s.apex, s.fps) for name, s in samples.items()} == {
        "casme/sub01/EP01_5": ("tense", 11, 60.0),
        "casme/sub02/EP01_5": ("happiness", 4, 60.0),
    }
    assert not any(sample.aus_complete for sample in samples.values())  # nothing is coded in this sheet
    assert [issue.detail for issue in dataset.data_issues()] == ["AU: no action units"]
    write_xlsx(
        tmp_path / "CASME_coding.xlsx",
        (*header, "AU"),
        [(*row, cell) for row, cell in zip(rows, ("4+9", 12), strict=True)],
    )
    coded = by_id(Casme(root=tmp_path))
    assert [(sorted(s.aus), s.aus_complete) for s in coded.values()] == [(["AU4", "AU9"], True), (["AU12"], True)]
    assert Casme(root=tmp_path).data_issues() == ()
    assert set(dataset.label_map()) == {"disgust", "surprise", "repression", "tense"}
    assert Casme(root=tmp_path, classes=3).label_map()["tense"] == "negative"


DFME_HEADER = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU")


def dfme(root: Path) -> Path:
    write_xlsx(
        root / "training_full_with_AU.xlsx", DFME_HEADER,
        [
            ("sub0001", "sub0001_01", 0, 2, 4, "Anger", 0, 500, 4),
            ("sub0003", "sub0003_01", 1, 2, 3, "Surprise", 6, 200, "1+L2+M57"),
        ],
    )  # fmt: skip
    write_xlsx(
        root / "testA_with_AU.xlsx", DFME_HEADER, [("sub0002", "sub0002_01", 0, 1, 2, "Contempt", 1, 300, "R14")]
    )
    write_frames(root / "train_data/sub0001_01", range(5), "{:03}.jpg")
    write_frames(root / "train_data/sub0003_01", range(5), "{:03}.jpg")
    write_frames(root / "testA_data/sub0002_01", range(3), "{:03}.jpg")
    return root


def test_dfme_counts_frames_from_0_and_has_a_rate_per_row(tmp_path: Path) -> None:
    dataset = Dfme(root=dfme(tmp_path))
    samples = by_id(dataset)
    assert {name: (s.emotion, s.fps, s.part) for name, s in samples.items()} == {
        "dfme/sub0001/sub0001_01": ("anger", 500.0, "training"),
        "dfme/sub0003/sub0003_01": ("surprise", 200.0, "training"),
        "dfme/sub0002/sub0002_01": ("contempt", 300.0, "testA"),
    }
    first = samples["dfme/sub0001/sub0001_01"]
    assert list(dataset.frame_numbers(first)) == [0, 1, 2, 3, 4]
    assert dataset.load(first).onset_index == 0
    assert dataset.data_issues() == ()  # M57 is a head code, and read as one
    assert samples["dfme/sub0003/sub0003_01"].aus == {"AU1", "AU2"}
    assert [s.sample_id for s in Dfme(root=tmp_path, part="testA").samples()] == ["dfme/sub0002/sub0002_01"]
    with pytest.raises(DataError, match="no annotation: looked for training"):
        Dfme(root=tmp_path, part="testB").samples()


def test_dfme_rejects_a_rate_that_is_not_a_number(tmp_path: Path) -> None:
    dfme(tmp_path)
    write_xlsx(
        tmp_path / "testA_with_AU.xlsx", DFME_HEADER, [("sub0002", "sub0002_01", 0, 1, 2, "Contempt", 1, "fast", "R14")]
    )
    with pytest.raises(DataError, match="row 2: Fps is 'fast', expected frames per second"):
        Dfme(root=tmp_path).samples()


MMEW_HEADER = (
    "Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion", "remarks",
)  # fmt: skip


def mmew(root: Path) -> Path:
    rows: list[Sequence[object]] = [
        (1, "S01-01-001", 1, 2, 4, "4", "anger", None),
        (1, "S01-02-001", 1, "/", None, "12", "happiness", "no offset"),
        (2, "S02-01-001", 1, 2, 3, "9", "fear", None),
    ]
    write_xlsx(root / "MMEW_Micro_Exp.xlsx", MMEW_HEADER, rows)
    write_frames(root / "Micro_Expression/anger/S01-01-001", range(1, 5), "{}.jpg")
    write_frames(root / "Micro_Expression/happiness/S01-02-001", range(1, 7), "{}.jpg")
    write_frames(root / "Micro_Expression/disgust/S02-01-001", range(1, 4), "{}.jpg")
    write_frames(root / "Macro_Expression/anger/S01-01-001", range(1, 4), "{}.jpg")
    return root


def test_mmew_folder_is_the_class_and_its_last_frame_the_offset(tmp_path: Path) -> None:
    dataset = Mmew(root=mmew(tmp_path))
    samples = by_id(dataset)
    assert {name: (s.emotion, s.apex, s.offset) for name, s in samples.items()} == {
        "mmew/S01/S01-01-001": ("anger", 2, 4),
        "mmew/S01/S01-02-001": ("happiness", None, 6),
        "mmew/S02/S02-01-001": ("disgust", 2, 3),
    }
    assert [
        (i.what, i.where, i.detail.partition(",")[0]) for i in dataset.data_issues() if i.what != "apex missing"
    ] == [
        ("emotion differs", "mmew/S02/S02-01-001", "the sheet has 'fear'"),
        ("offset missing", "mmew/S01/S01-02-001", "the last frame in the folder"),
    ]
    assert [len(Mmew(root=tmp_path, classes=n).label_map()) for n in (7, 6, 4)] == [7, 6, 4]


def test_mmew_clip_in_two_class_folders_is_rejected(tmp_path: Path) -> None:
    write_frames(mmew(tmp_path) / "Micro_Expression/fear/S01-01-001", range(1, 4), "{}.jpg")
    with pytest.raises(DataError, match="clip S01-01-001 is in two class folders, anger, fear"):
        Mmew(root=tmp_path).samples()


def test_fourdme_with_several_emotions(tmp_path: Path) -> None:
    header = ("sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs")
    rows = [
        (1, "1_1", "Positive", 5, 6, 8, 12),
        (1, "1_2", "Surprise, Negative", 1, 2, 3, "1+2"),
        (2, "2_1", "Other", 1, 2, 3, 4),
    ]
    write_xlsx(tmp_path / "4DME_Labelling_Micro_release v1.xlsx", header, rows)
    for subject, clip, _, onset, _, offset, _ in rows:
        write_frames(tmp_path / f"gray_micro/{subject}/{clip}", range(onset, offset + 1), "{}.jpg", gray=True)
    dataset = FourDme(root=tmp_path)
    assert [s.emotion for s in dataset.samples()] == ["positive", "negative+surprise", "others"]
    assert "negative+surprise" not in dataset.label_map()  # so that a run excludes, counts and names the clip
    assert dataset.data_issues() == ()
    assert [s.emotion for s in FourDme(root=tmp_path, multi_label="first").samples()] == [
        "positive",
        "surprise",
        "others",
    ]
    with pytest.raises(DataError, match=r"row 3: 'surprise, negative' names several emotions: choose 'multi_label"):
        FourDme(root=tmp_path, multi_label="refuse").samples()
