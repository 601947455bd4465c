"""CASME-II: corrections, and the real annotation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mexbench_plugins.datasets.casme2 import Casme2
from tests.mexbench_plugins.datasets.layouts import (
    by_id,
    encode,
    image,
    write_casme2,
    write_frames,
)


def errata_rows(apex: object = "/") -> list[Sequence[object]]:
    return [
        ("07", "EP06_01", 15, 49, 68, 4, "disgust"),
        ("04", "EP12_01f", 261, apex, 321, 4, "others"),
        ("12", "EP09_02", 16, 59, 101, 4, "others"),
        ("05", "EP03_01", 41, 68, 101, 4, "disgust"),
        ("05", "EP09_05f", 69, 69, 123, "R2+15", "disgust"),
    ]


def test_errata_of_the_annotation_they_are_for(tmp_path: Path) -> None:
    root = write_casme2(tmp_path, errata_rows(), version="20190701")
    write_frames(root / "CASME2_RAW_selected/sub07/EP06_01", range(69, 92))
    dataset = Casme2(root=root)
    samples = by_id(dataset)
    # The apex, 78, lies behind the published offset: the offset is corrected first.
    assert (samples["casme2/sub07/EP06_01"].apex, samples["casme2/sub07/EP06_01"].offset) == (78, 91)
    assert samples["casme2/sub04/EP12_01f"].apex == 279
    assert samples["casme2/sub04/EP12_01f"].apex_source == "erratum"
    applied = {(e.sample_id, e.field): (e.published, e.corrected) for e in dataset.applied_corrections()}
    assert applied == {
        ("casme2/sub07/EP06_01", "offset"): ("68", "91"),
        ("casme2/sub07/EP06_01", "apex"): ("49", "78"),
        ("casme2/sub04/EP12_01f", "apex"): ("/", "279"),
        ("casme2/sub05/EP09_05f", "apex"): ("69", "81"),
    }
    assert all(erratum.reason and erratum.source for erratum in dataset.applied_corrections())
    # A correction that lies outside the clip is for other frames than these; one that is made already needs no word.
    assert samples["casme2/sub12/EP09_02"].apex == 59
    assert [(f.what, f.where, f.detail) for f in dataset.data_issues()] == [
        ("erratum not applied", "casme2/sub12/EP09_02", "apex: 187 lies outside onset-offset, 16-101; kept 59")
    ]
    assert samples["casme2/sub05/EP03_01"].apex_source is None
    assert dataset.load(samples["casme2/sub07/EP06_01"]).apex_index == 78 - 15


def test_errata_where_the_sheet_holds_another_value(tmp_path: Path) -> None:
    dataset = Casme2(root=write_casme2(tmp_path, errata_rows(apex=300), version="20190701"))
    assert by_id(dataset)["casme2/sub04/EP12_01f"].apex == 300
    details = {issue.where: issue.detail for issue in dataset.data_issues()}
    assert details["casme2/sub04/EP12_01f"] == "apex: the sheet has 300, not the / that it corrects"


def test_errata_of_the_older_annotation_are_those_known_for_it(tmp_path: Path) -> None:
    dataset = Casme2(root=write_casme2(tmp_path, errata_rows(apex=300)))
    assert {(e.sample_id, e.field, e.published) for e in dataset.applied_corrections()} == {
        ("casme2/sub07/EP06_01", "offset", "68"),
        ("casme2/sub05/EP09_05f", "apex", "69"),
    }
    assert by_id(dataset)["casme2/sub04/EP12_01f"].apex == 300


def test_errata_can_be_switched_off(tmp_path: Path) -> None:
    dataset = Casme2(root=write_casme2(tmp_path, errata_rows(), version="20190701"), errata="off")
    assert by_id(dataset)["casme2/sub07/EP06_01"].offset == 68
    assert by_id(dataset)["casme2/sub04/EP12_01f"].apex is None
    assert dataset.applied_corrections() == ()
    assert [(f.what, f.where) for f in dataset.data_issues()] == [("apex missing", "casme2/sub04/EP12_01f")]


def test_every_known_erratum_says_why() -> None:
    known = Casme2.known_corrections()
    assert len(known) == 22
    assert Counter(erratum.field for erratum in known) == {"apex": 21, "offset": 1}
    offset = next(erratum for erratum in known if erratum.field == "offset")
    assert (offset.sample_id, offset.corrected) == ("casme2/sub07/EP06_01", "91")
    assert offset.published == "68 in 20190701, 68 in 20140508"
    assert all(erratum.reason and erratum.source and erratum.corrected.isdigit() for erratum in known)


def test_the_real_annotation(casme2_sheet: Path, tmp_path: Path) -> None:
    import openpyxl

    from mexbench_plugins.aus import parse

    (tmp_path / casme2_sheet.name).symlink_to(casme2_sheet)
    book = openpyxl.load_workbook(casme2_sheet, read_only=True)
    rows = list(book.worksheets[0].iter_rows(min_row=2, values_only=True))
    book.close()
    frame = encode(image(100, size=(4, 4)), ".jpg")
    for subject, clip, onset, apex, offset, *_ in rows:
        folder = tmp_path / "CASME2_RAW_selected" / f"sub{subject}" / str(clip)
        folder.mkdir(parents=True)
        for number in {int(str(number)) for number in (onset, apex, offset)}:
            (folder / f"img{number}.jpg").write_bytes(frame)

    dataset = Casme2(root=tmp_path)
    samples = dataset.samples()
    assert len(samples) == 255
    assert len({sample.subject for sample in samples}) == 26
    assert Counter(sample.emotion for sample in samples) == {
        "others": 99,
        "disgust": 63,
        "happiness": 32,
        "repression": 27,
        "surprise": 25,
        "sadness": 7,
        "fear": 2,
    }
    assert sum(sample.emotion in dataset.label_map() for sample in samples) == 246
    assert sum(sample.emotion in Casme2(root=tmp_path, classes=7).label_map() for sample in samples) == 255
    files = Counter(sample.sample_id.rpartition("/")[2] for sample in samples)
    assert sum(count > 1 for count in files.values()) == 53

    cells = [parse(row[5]) for row in rows]
    assert [cell.raw for cell in cells] == [str(row[5]) for row in rows]
    assert Counter(cell.raw for cell in cells if not cell.complete) == {"?": 5}
    assert sum(bool(sample.aus) for sample in samples) == 250
    assert [sample.aus_complete for sample in samples] == [bool(sample.aus) for sample in samples]
    assert {f.what for f in dataset.data_issues()} == {
        "frames missing",
        "action units not fully read",
        "erratum not applied",
    }
    assert not any(issue.excluded for issue in dataset.data_issues())

    by_name = {sample.sample_id: sample for sample in Casme2(root=tmp_path, errata="off").samples()}
    same_as = {
        "onset": ["casme2/sub05/EP09_05f"],
        "offset": [f"casme2/sub{n}" for n in ("05/EP16_04f", "12/EP09_06", "20/EP16_01", "25/EP18_04f")],
    }
    for field, ids in same_as.items():
        assert sorted(ids) == sorted(n for n, sample in by_name.items() if sample.apex == getattr(sample, field))
    clip = dataset.load(samples[0])
    assert clip.frames.shape == (3, 4, 4, 3)
    assert (clip.onset_index, clip.apex_index, clip.offset_index) == (0, 1, 2)
