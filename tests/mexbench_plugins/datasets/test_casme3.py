"""CAS(ME)3: a sheet with its traps, written here, and the real sheets of parts A and C."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest

from mexbench.errors import DataError
from mexbench.interfaces import UNITS, Interval, LongVideo
from mexbench.registry.parameters import build
from mexbench_plugins.datasets.casme3 import Casme3
from tests.helpers import Ran
from tests.mexbench_plugins.datasets.layouts import by_id, noise_frames, write_frames, write_xlsx

SHEET = "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx"
HEADER = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion")
ROWS: list[Sequence[object]] = [
    ("spNO.1", "b", "9", "10", "12", "4", "III", "disgust"),
    ("spNO.1", "b", "100", "102", "103", "R12", "I", "Others"),
    ("spNO.14", "J", "7", "7", "8", "2+1", "II", "happy"),
    ("spNO.40", "e", "1812", "1824", "0", "18", "VII", "others"),
    ("spNO.216", "d", "3647", "2668", "2694", "38", "VII", "others"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = write_xlsx(tmp_path / SHEET, HEADER, ROWS, title="label")
    book = openpyxl.load_workbook(path)
    for number in (2, 4, 5):  # as the saved filter of the published sheet does
        book["label"].row_dimensions[number].hidden = True
    book.save(path)
    frames = tmp_path / "part_A"
    write_frames(frames / "spNO.1/b/color", [*range(9, 13), *range(100, 104), 150], "{}.jpg")
    write_frames(frames / "spNO.14/j/color", range(1, 12), "{}.jpg")
    write_frames(frames / "spNO.40/e/color", range(1812, 1846), "{}.jpg")
    write_frames(frames / "spNO.216/d/color", range(2640, 2700), "{}.jpg")
    return tmp_path


def test_hidden_rows_repeated_file_names_and_capitals(root: Path) -> None:
    dataset = Casme3(root=root)
    samples = by_id(dataset)
    assert sorted(samples) == [
        "casme3/spNO.1/b_100",
        "casme3/spNO.1/b_9",
        "casme3/spNO.14/j_7",
        "casme3/spNO.216/d_3647",
        "casme3/spNO.40/e_1812",
    ]
    first, second = samples["casme3/spNO.1/b_9"], samples["casme3/spNO.1/b_100"]
    assert (first.onset, first.apex, first.offset, first.fps, first.subject) == (9, 10, 12, 30.0, "casme3/spNO.1")
    assert second.emotion == "others"
    # 9 comes before 10: frames are not zero-padded; the other clip's frames in the folder are not this one's.
    assert list(dataset.frame_numbers(first)) == [9, 10, 11, 12]
    assert list(dataset.frame_numbers(second)) == [100, 101, 102, 103]
    assert dataset.load(first).frames.shape == (4, 12, 16, 3)
    assert samples["casme3/spNO.14/j_7"].aus == {"AU1", "AU2"}
    assert dataset.data_issues() == ()


def test_corrections_are_keyed_by_the_published_onset(root: Path) -> None:
    dataset = Casme3(root=root)
    samples = by_id(dataset)
    assert samples["casme3/spNO.40/e_1812"].offset == 1845
    assert (samples["casme3/spNO.216/d_3647"].onset, samples["casme3/spNO.216/d_3647"].offset) == (2647, 2694)
    applied = {(c.sample_id, c.field, c.published, c.corrected) for c in dataset.applied_corrections()}
    assert applied == {
        ("casme3/spNO.40/e_1812", "offset", "0", "1845"),
        ("casme3/spNO.216/d_3647", "onset", "3647", "2647"),
    }
    off = Casme3(root=root, errata="off")
    assert len(off.samples()) == 3
    assert [(i.what, i.where) for i in off.data_issues() if i.excluded] == [
        ("onset after offset", "casme3/spNO.40/e_1812"),
        ("onset after offset", "casme3/spNO.216/d_3647"),
    ]


def test_long_videos(root: Path) -> None:
    videos = Casme3(root=root).videos()
    assert [video.video_id for video in videos] == [
        "casme3/spNO.1/b",
        "casme3/spNO.14/j",
        "casme3/spNO.216/d",
        "casme3/spNO.40/e",
    ]
    assert videos[0] == LongVideo(
        video_id="casme3/spNO.1/b",
        subject="casme3/spNO.1",
        dataset="casme3",
        fps=30.0,
        frames=(9, 150),
        intervals=(
            Interval(onset=9, apex=10, offset=12, kind="micro", emotion="disgust"),
            Interval(onset=100, apex=102, offset=103, kind="micro", emotion="others"),
        ),
    )


def test_part_c_with_its_comma_cells(tmp_path: Path) -> None:
    rows = [
        (1, 1, 373, 385, "R4,5", "negative"),
        (3, 2, 10, 13, "14,L24,", "positive"),
        (3, 3, 20, 22, "4\uff0c11", "others"),
    ]
    write_xlsx(
        tmp_path / "CAS(ME)3_part_C_ME.xlsx", ("sub", "count", "onset", "offset", "au", "emotion"), rows,
        title="mockCrimeME",
    )  # fmt: skip
    for subject, count, onset, offset, *_ in rows:
        write_frames(tmp_path / f"ME_C/{subject:02}/{count}/color", range(onset, offset + 1), "{}.jpg")
    dataset = Casme3(root=tmp_path, part="C", classes=4)
    samples = by_id(dataset)
    assert sorted(samples) == ["casme3/c01/1", "casme3/c03/2", "casme3/c03/3"]
    assert (samples["casme3/c01/1"].apex, samples["casme3/c01/1"].apex_source) == (379, "middle of onset and offset")
    assert samples["casme3/c03/2"].aus == {"AU14", "AU24"}
    assert samples["casme3/c03/3"].aus == {"AU4", "AU11"}
    assert dataset.data_issues() == ()
    unknown = Casme3(root=tmp_path, part="C", classes=4, apex="none")
    assert [sample.apex for sample in unknown.samples()] == [None, None, None]
    _, errors = build(Casme3, {"root": str(tmp_path), "part": "C"})
    assert "choose 'classes: 4' or 'classes: 3'" in errors[0][1]


def test_frames_of_the_other_part_are_not_taken(root: Path) -> None:
    write_xlsx(
        root / "CAS(ME)3_part_C_ME.xlsx", ("sub", "count", "onset", "offset", "au", "emotion"),
        [(1, 1, 1, 2, 4, "negative")],
    )  # fmt: skip
    with pytest.raises(DataError, match="no frames of part C"):
        Casme3(root=root, part="C", classes=4).samples()


@pytest.fixture(scope="module")
def part_a(tmp_path_factory: pytest.TempPathFactory, shared_folder: Path) -> Path:
    """The real sheet of part A with the onset, apex and offset of each clip as tiny frames."""
    root = tmp_path_factory.mktemp("casme3")
    (root / SHEET).symlink_to(shared_folder / "casme3_annotation" / SHEET)
    for layout_row in Casme3(root=root).videos():
        folder = root / "part_A" / "/".join(layout_row.video_id.split("/")[1:]) / "color"
        numbers = {n for i in layout_row.intervals for n in (i.onset, i.apex, i.offset) if n is not None}
        noise_frames(folder, numbers, "{}.jpg")
    return root


def test_the_real_sheet_of_part_a(part_a: Path) -> None:
    dataset = Casme3(root=part_a)
    samples = dataset.samples()
    assert len(samples) == len({sample.sample_id for sample in samples}) == 860
    assert len({sample.subject for sample in samples}) == 94
    assert Counter(sample.emotion for sample in samples) == {
        "disgust": 250, "surprise": 187, "others": 161, "fear": 86, "anger": 64, "sad": 57, "happy": 55,
    }  # fmt: skip
    three = Casme3(root=part_a, classes=3).label_map()
    classes = Counter(three[str(sample.emotion)] for sample in samples if sample.emotion in three)
    assert classes == {"negative": 457, "surprise": 187, "positive": 55}
    applied = {(c.sample_id, c.field): (c.published, c.corrected) for c in dataset.applied_corrections()}
    assert applied == {
        ("casme3/spNO.40/e_1812", "offset"): ("0", "1845"),
        ("casme3/spNO.40/e_2327", "offset"): ("0", "2403"),
        ("casme3/spNO.214/c_5", "offset"): ("3460", "34"),
        ("casme3/spNO.216/e_0", "onset"): ("0", "1"),
        ("casme3/spNO.216/e_0", "apex"): ("0", "1"),
        ("casme3/spNO.149/d_112", "apex"): ("83", "123"),
        ("casme3/spNO.216/d_3647", "onset"): ("3647", "2647"),
    }
    assert {issue.what for issue in dataset.data_issues()} == {"frames missing"}
    assert all(s.onset is not None and s.apex is not None and s.onset <= s.apex for s in samples)
    assert sum(len(video.intervals) for video in dataset.videos()) == 860
    # Without the corrections three rows cannot be used, and one apex lies outside its clip.
    off = Casme3(root=part_a, errata="off")
    assert len(off.samples()) == 857
    assert sum(issue.what == "apex outside onset-offset" for issue in off.data_issues()) == 1
    by_film = Counter((sample.subject, sample.sample_id.rpartition("_")[0]) for sample in samples)
    assert sum(count for count in by_film.values() if count > 1) == 588
    assert max(by_film.values()) == 17


def test_check_and_loso_of_the_real_sheet_of_part_a(part_a: Path, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    config = tmp_path / "casme3.yaml"
    config.write_text(
        f"dataset: {{plugin: casme3, root: '{part_a}', classes: 3}}\nframes: {{unit: clip, at: [onset, apex]}}\n"
        "preprocess: [grayscale]\nprotocol: loso\nmodels: [majority]\n"
    )
    checked = bench("check", config)
    assert checked.code == 0, checked.err
    assert "no class for 'others': 161 clips" in checked.out
    ran = bench("run", config, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    assert "negative 457, positive 55, surprise 187" in ran.err


def test_the_real_sheet_of_part_c(tmp_path: Path, shared_folder: Path, bench: Callable[..., Ran]) -> None:
    name = "CAS(ME)3_part_C_ME.xlsx"
    (tmp_path / name).symlink_to(shared_folder / "casme3_annotation" / name)
    book = openpyxl.load_workbook(tmp_path / name, read_only=True)
    rows = list(book["mockCrimeME"].iter_rows(min_row=2, values_only=True))
    book.close()
    for subject, count, onset, offset, *_ in rows:
        noise_frames(
            tmp_path / f"ME_C/{int(str(subject)):02}/{count}/color", {int(str(onset)), int(str(offset))}, "{}.jpg"
        )
    dataset = Casme3(root=tmp_path, part="C", classes=4)
    samples = dataset.samples()
    assert len(samples) == 165
    # 31 people took part; the sheet has no micro-expression of number 22.
    assert {f"casme3/c{n:02}" for n in range(1, 32)} - {str(s.subject) for s in samples} == {"casme3/c22"}
    assert Counter(s.emotion for s in samples) == {"negative": 99, "surprise": 30, "others": 20, "positive": 16}
    unread = [issue for issue in dataset.data_issues() if issue.what == "action units not fully read"]
    assert unread == []
    assert sum(sample.aus_complete for sample in samples) == 164  # one cell is in doubt: 13?
    config = tmp_path / "casme3.yaml"
    config.write_text(
        f"dataset: {{plugin: casme3, part: C, root: '{tmp_path}', classes: 3}}\nframes: {{unit: clip, at: [onset, "
        "offset]}\npreprocess: [grayscale]\nprotocol: loso\nmodels: [majority]\n"
    )
    checked = bench("check", config)
    assert checked.code == 0, checked.err
    assert "145 samples remain" in checked.out
    ran = bench("run", config, "--out", tmp_path / "run", "--in-process")
    assert ran.code == 0, ran.err
    assert "negative 99, positive 16, surprise 30" in ran.err
    verified = bench("data", "verify", tmp_path, "--dataset", "casme3", "--set", "part=C", "--set", "classes=4")
    assert (verified.code, "2 of 2 counts are as published" in verified.out) == (0, True), verified.err


def test_the_real_part_a_has_the_published_counts(part_a: Path, bench: Callable[..., Ran]) -> None:
    ran = bench("data", "verify", part_a, "--dataset", "casme3")
    assert (ran.code, "9 of 9 counts are as published" in ran.out) == (0, True), ran.out


def test_published_apexes_take_the_place_of_the_sheets(root: Path) -> None:
    path = root / "apexes.csv"
    path.write_text("sample_id,apex\ncasme3/spNO.1/b_9,11\ncasme3/spNO.1/b_100,99\ncasme3/spNO.9/a_1,3\n")
    dataset = Casme3(root=root, apex_file=path)
    samples = by_id(dataset)
    assert (samples["casme3/spNO.1/b_9"].apex, samples["casme3/spNO.1/b_9"].apex_source) == (11, "apexes.csv")
    assert (samples["casme3/spNO.1/b_100"].apex, samples["casme3/spNO.1/b_100"].apex_source) == (102, None)
    issues = {issue.what: (issue.where, issue.detail) for issue in dataset.data_issues()}
    assert issues["joined apex outside onset-offset"] == (
        "casme3/spNO.1/b_100", "apexes.csv has 99, onset 100, offset 103: not used",
    )  # fmt: skip
    assert issues["apex of an unknown sample"] == ("casme3/spNO.9/a_1", "apexes.csv")
    assert path in dataset.files(samples["casme3/spNO.1/b_9"])
    path.write_text("sample_id,onset\ncasme3/spNO.1/b_9,11\n")
    with pytest.raises(DataError, match="has no column apex; its columns: sample_id, onset"):
        Casme3(root=root, apex_file=path).samples()


def test_action_units_of_the_real_part_a_are_those_of_cd6me(shared_folder: Path) -> None:
    """Table 4 of the paper of CD6ME, which counts occurrences in all 860 clips of CAS(ME)3 part A."""
    published = (153, 128, 274, 44, 8, 27, 50, 10, 15, 193, 6, 20)
    coded = Casme3(root=shared_folder / "casme3_annotation").coded_action_units()
    counts = Counter(number for clip in coded for number in clip.numbers)
    assert len(coded) == 860
    assert tuple(counts[str(number)] for number in UNITS) == published
    assert sum(published) == 928
