"""SAMM Long Videos, CAS(ME)2 and SMIC long: intervals for spotting, and clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest

from mexbench.errors import DataError
from mexbench.interfaces import Interval
from mexbench_plugins.datasets.casme_squared import CasmeSquared
from mexbench_plugins.datasets.samm_long import SammLong
from mexbench_plugins.datasets.smic_long import SmicLong
from tests.helpers import Ran
from tests.mexbench_plugins.datasets.layouts import (
    SAMM_HEADER,
    by_id,
    noise_frames,
    samm_row,
    write_frames,
    write_xlsx,
)

SAMM_LONG_HEADER = (
    "Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration", "Type", "Action Units", "Notes",
)  # fmt: skip


def samm_long(root: Path) -> Path:
    rows: list[Sequence[object]] = [
        ("006", "006_1_1", 1, 5, 8, 9, 5, "Macro", "4(B/C)+7B", None),
        ("006", "006_1_2", 1, 1, -1, 3, 3, "Micro - 1/2", "4+7", None),
        ("037", "037_4_1", 4, 2, 3, 5, 4, "Micro - 1/2", 24, None),
        ("037", "037_4_1", 4, 1, 4, 8, 8, "Macro", 24, None),
        (None,) * 10,
    ]
    notes = [[f"Note {line}"] for line in range(9)]
    write_xlsx(root / "SAMM_LongVideos_V1_Release.xlsx", SAMM_LONG_HEADER, rows, preamble=notes)
    for video in ("006_1", "037_4"):
        write_frames(root / "SAMM_longvideos" / video, range(1, 13), video + "_{:04}.jpg", gray=True)
    return root


def test_samm_long_with_a_repeated_file_name(tmp_path: Path) -> None:
    dataset = SammLong(root=samm_long(tmp_path))
    samples = by_id(dataset)
    assert {name: sample.emotion for name, sample in samples.items()} == {
        "samm_long/006/006_1_1_5": "macro",
        "samm_long/006/006_1_2_1": "micro",
        "samm_long/037/037_4_1_2": "micro",
        "samm_long/037/037_4_1_1": "macro",
    }
    assert samples["samm_long/006/006_1_2_1"].apex is None  # written -1
    assert dataset.load(samples["samm_long/006/006_1_2_1"]).frames.shape == (3, 12, 16, 1)
    first, second = dataset.videos()
    assert (first.video_id, first.subject, first.fps, first.frames) == (
        "samm_long/006/006_1",
        "samm_long/006",
        200,
        (1, 12),
    )
    assert first.intervals == (
        Interval(onset=1, apex=None, offset=3, kind="micro"),
        Interval(onset=5, apex=8, offset=9, kind="macro"),
    )
    assert [(i.onset, i.kind) for i in second.intervals] == [(1, "macro"), (2, "micro")]


def test_samm_long_takes_the_emotions_of_samm_for_micro_expressions(tmp_path: Path) -> None:
    root = samm_long(tmp_path)
    with pytest.raises(DataError, match="'classes: 7' needs the emotions of SAMM: copy its annotation"):
        SammLong(root=root, classes=7).samples()
    rows = [
        samm_row("006", "006_1_2", (1, 2, 3), "4+7", "Anger"),
        samm_row("037", "037_4_1", (1, 2, 3), 24, "Happiness"),
    ]
    write_xlsx(root / "SAMM_Micro_FACS_Codes_v2.xlsx", SAMM_HEADER, rows, title="MICRO_ONLY")
    dataset = SammLong(root=root, classes=7, kind="micro")
    assert {s.sample_id: s.emotion for s in dataset.samples()} == {
        "samm_long/006/006_1_2_1": "anger",
        "samm_long/037/037_4_1_2": "happiness",
    }
    # Frame numbers are those of the long videos, and spotting still sees the macro-expressions.
    assert [(i.kind, i.emotion) for video in dataset.videos() for i in video.intervals] == [
        ("micro", "anger"), ("macro", None), ("macro", None), ("micro", "happiness"),
    ]  # fmt: skip


def test_the_real_sheet_of_samm_long(tmp_path: Path, shared_folder: Path, bench: Callable[..., Ran]) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (root / "SAMM_LongVideos.xlsx").symlink_to(shared_folder / "samm_long_annotation" / "SAMM_LongVideos.xlsx")
    videos = SammLong(root=root).videos()
    intervals = [interval for video in videos for interval in video.intervals]
    assert Counter(interval.kind for interval in intervals) == {"macro": 343, "micro": 159}
    assert len(videos) == len({video.video_id for video in videos}) == 147
    assert len({video.subject for video in videos}) == 30
    assert sum(interval.apex is None for interval in intervals) == 6
    # The ground truth of MEGC 2020 differs in nine onsets (0 for 1) and in two offsets.
    lines = (shared_folder / "megc2020_spotting" / "samm_long_all_Info.txt").read_text().splitlines()
    truth = Counter(
        (f"samm_long/{s}/{s}_{v}", kind.partition("-")[0], max(1, int(onset)), int(offset))
        for s, v, kind, onset, _, offset in (line.split() for line in lines)
    )
    ours = Counter((v.video_id, i.kind, i.onset, i.offset) for v in videos for i in v.intervals)
    assert sorted((ours - truth).elements()) == [
        ("samm_long/020/020_6", "macro", 3532, 5001),
        ("samm_long/036/036_7", "macro", 5873, 8201),
    ]
    for video in videos:
        name = video.video_id.rpartition("/")[2]
        numbers = {n for i in video.intervals for n in (i.onset, i.apex, i.offset) if n is not None}
        noise_frames(root / "SAMM_longvideos" / name, numbers, name + "_{:04}.jpg")
    config = tmp_path / "samm_long.yaml"
    config.write_text(
        f"dataset: {{plugin: samm_long, root: '{root}'}}\nframes: {{unit: clip, at: [onset, offset]}}\n"
        "preprocess: [grayscale]\nprotocol: loso\nmodels: [majority]\n"
    )
    checked = bench("check", config)
    assert checked.code == 0, checked.err
    ran = bench("run", config, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    assert "502 samples, 30 subjects; macro 343, micro 159" in ran.err


def casme_squared(root: Path) -> Path:
    book = openpyxl.Workbook()
    tables: list[list[Sequence[object]]] = [
        [
            (1, "anger1_1", 5, 6, 9, "4", "negative", "macro-expression", "anger"),
            (1, "anger1_2", 20, 22, 0, "4+7", "others", "micro-expression", "none"),
            (2, "happy2_1", 3, 4, 6, "12", "positive", "micro-expression", "happy"),
        ],
        [("a", 15, 1), ("b", 16, 2)],
        [("0401", "anger1"), (502, "happy2")],
    ]
    for index, rows in enumerate(tables):
        sheet = book.worksheets[0] if index == 0 else book.create_sheet()
        for row in rows:
            sheet.append(list(row))
    book.save(root / "CAS(ME)^2code_final.xlsx")
    write_frames(root / "rawpic/s15/15_0401girlcrashing", range(1, 31))
    write_frames(root / "rawpic/s16/16_0502laughing", range(1, 11))
    write_frames(root / "cropped/s16/16_0502laughing", range(1, 11))
    return root


def test_casme_squared_without_header(tmp_path: Path) -> None:
    dataset = CasmeSquared(root=casme_squared(tmp_path))
    samples = by_id(dataset)
    assert {name: (s.emotion, s.onset, s.apex, s.offset) for name, s in samples.items()} == {
        "casme_squared/s15/0401_5_9": ("negative", 5, 6, 9),
        "casme_squared/s15/0401_20_0": ("others", 20, 22, 22),
        "casme_squared/s16/0502_3_6": ("positive", 3, 4, 6),
    }
    assert [(i.what, i.where) for i in dataset.data_issues()] == [("offset missing", "casme_squared/s15/0401_20_0")]
    first, second = dataset.videos()
    assert (first.video_id, first.fps, first.frames) == ("casme_squared/s15/0401", 30.0, (1, 30))
    assert [(i.onset, i.offset, i.kind) for i in first.intervals] == [(5, 9, "macro"), (20, 22, "micro")]
    assert second.intervals == (Interval(onset=3, apex=4, offset=6, kind="micro", emotion="positive"),)
    assert {s.emotion for s in CasmeSquared(root=tmp_path, classes=2).samples()} == {"macro", "micro"}
    assert [s.sample_id for s in CasmeSquared(root=tmp_path, kind="macro").samples()] == ["casme_squared/s15/0401_5_9"]
    cropped = CasmeSquared(root=tmp_path, release="cropped")
    assert [s.subject for s in cropped.samples()] == ["casme_squared/s16"]
    with pytest.raises(DataError, match="no frames of release 'selectedpic'"):
        CasmeSquared(root=tmp_path, release="selectedpic").samples()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [(1, 3, "subject '3' is not in the second sheet"), (2, "fear1_1", "video 'fear1' is not in the third sheet"),
     (8, "macro", "expected macro-expression or micro-expression")],
)  # fmt: skip
def test_casme_squared_unknown_names_are_rejected(tmp_path: Path, column: int, value: str | int, message: str) -> None:
    path = casme_squared(tmp_path) / "CAS(ME)^2code_final.xlsx"
    book = openpyxl.load_workbook(path)
    book.worksheets[0].cell(1, column, value)
    book.save(path)
    with pytest.raises(DataError, match=f"row 1: .*{message}"):
        CasmeSquared(root=tmp_path).videos()


def test_casme_squared_intervals_are_those_of_megc2020(tmp_path: Path, shared_folder: Path) -> None:
    """A workbook written from the ground truth gives the ground truth back: 357 expressions of 95 videos."""
    lines = (shared_folder / "megc2020_spotting" / "casme_squared_all_Info.txt").read_text().splitlines()
    rows = [line.split() for line in lines]
    codes = sorted({row[1] for row in rows})
    book = openpyxl.Workbook()
    code, subjects, videos = book.worksheets[0], book.create_sheet(), book.create_sheet()
    for index, (subject, video, kind, *frames) in enumerate(rows):
        code.append([int(subject[1:]) - 14, f"film{video}_{index}", *map(float, frames), "4", "negative", kind, ""])
    for subject in sorted({row[0] for row in rows}):
        subjects.append(["", int(subject[1:]), int(subject[1:]) - 14])
    for video in codes:
        videos.append([video, f"film{video}"])
    book.save(tmp_path / "CAS(ME)^2code_final.xlsx")
    long_videos = CasmeSquared(root=tmp_path).videos()
    intervals = [interval for video in long_videos for interval in video.intervals]
    assert Counter(interval.kind for interval in intervals) == {"macro": 300, "micro": 57}
    assert (len(long_videos), len({video.subject for video in long_videos})) == (95, 22)
    ours = Counter((v.video_id, i.kind, i.onset, i.offset) for v in long_videos for i in v.intervals)
    assert max(ours.values()) == 1  # so that ids of onset and offset are unique
    assert ours == Counter(
        (f"casme_squared/{s}/{v}", kind.partition("-")[0], int(float(onset)), int(float(offset)))
        for s, v, kind, onset, _, offset in rows
    )


def smic_long(root: Path) -> Path:
    header = (
        "Subject", "Filename", "OnsetF", "OffsetF", "Onset2F", "Offset2F", "Onset3F", "Offset3F", "FirstF", "LastF",
        "Emotion",
    )  # fmt: skip
    rows: list[Sequence[object]] = [
        ("s1", "s1_ne_01", 105, 108, None, None, None, None, 100, 112, "negative"),
        ("s3", "s3_sur_02", 203, 205, 207, 209, None, None, 200, 211, "surprise"),
        ("HS-E holds 157 videos",),
    ]
    write_xlsx(root / "SMIC-HS-E_annotation.xlsx", header, rows)
    write_frames(root / "HS/s1/s1_ne_01", range(100, 113), "image{}.jpg")
    write_frames(root / "HS/s3/s3_sur_02", range(200, 212), "image{}.jpg")
    return root


def test_smic_long_has_several_spans_in_a_row(tmp_path: Path) -> None:
    dataset = SmicLong(root=smic_long(tmp_path))
    samples = by_id(dataset)
    assert {name: (s.emotion, s.onset, s.apex, s.offset) for name, s in samples.items()} == {
        "smic_long/s01/s1_ne_01_105": ("negative", 105, 106, 108),
        "smic_long/s03/s3_sur_02_203": ("surprise", 203, 204, 205),
        "smic_long/s03/s3_sur_02_207": ("surprise", 207, 208, 209),
    }
    assert [(i.what, i.detail) for i in dataset.data_issues()] == [("row names no clip", "HS-E holds 157 videos")]
    first, second = dataset.videos()
    assert (first.frames, second.frames, second.fps) == ((100, 112), (200, 211), 100.0)
    assert [(i.onset, i.offset) for i in second.intervals] == [(203, 205), (207, 209)]
    assert [s.apex for s in SmicLong(root=tmp_path, apex="none").samples()] == [None, None, None]
